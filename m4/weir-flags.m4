dnl SPDX-License-Identifier: LGPL-2.1-or-later
dnl weir-flags.m4 - flags of compiler and linker, probed; the switches that
dnl stand for flags. They go into AM_CFLAGS and AM_LDFLAGS: CFLAGS belongs to
dnl the user, and a sanitizer in it would change the probes.

dnl WEIR_FLAG_C(VARIABLE, FLAG): appends FLAG when the compiler knows it.
dnl -Werror, since clang only warns about a warning that it does not know.
AC_DEFUN([WEIR_FLAG_C], [
  AS_VAR_PUSHDEF([cache], [weir_cv_cflag_$2])
  AC_CACHE_CHECK([whether $CC knows $2], [cache], [
    weir_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $2"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
      [AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
    CFLAGS=$weir_save_CFLAGS])
  AS_VAR_IF([cache], [yes], [AS_VAR_APPEND([$1], [" $2"])])
  AS_VAR_POPDEF([cache])
])

dnl WEIR_FLAG_LD(VARIABLE, FLAG): the same for the linker.
AC_DEFUN([WEIR_FLAG_LD], [
  AS_VAR_PUSHDEF([cache], [weir_cv_ldflag_$2])
  AC_CACHE_CHECK([whether the linker knows $2], [cache], [
    weir_save_LDFLAGS=$LDFLAGS
    LDFLAGS="$LDFLAGS $2"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()],
      [AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
    LDFLAGS=$weir_save_LDFLAGS])
  AS_VAR_IF([cache], [yes], [AS_VAR_APPEND([$1], [" $2"])])
  AS_VAR_POPDEF([cache])
])

AC_DEFUN([WEIR_ARG_WERROR], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror],
    [warnings are errors: for this project's own checks, not for packages])],
    [], [enable_werror=no])
])

dnl Everything is hidden that a public header does not show: weir_* are pushed
dnl to default there.
AC_DEFUN([WEIR_FLAG_WARNINGS], [
  WEIR_CFLAGS=
  m4_foreach_w([flag], [-Wall -Wextra -Wshadow -Wvla -Wpointer-arith
    -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes
    -Wformat-security -fvisibility=hidden -fno-common],
    [WEIR_FLAG_C([WEIR_CFLAGS], flag)])
  AS_VAR_IF([enable_werror], [no], [],
    [AS_VAR_APPEND([WEIR_CFLAGS], [" -Werror"])])
  AC_SUBST([WEIR_CFLAGS])

  dnl A plugin has no undefined symbol, so that it can be loaded anywhere. A
  dnl sanitizer's own functions are undefined with clang: not both.
  WEIR_PLUGIN_LDFLAGS=
  AS_VAR_IF([enable_sanitizers], [no],
    [WEIR_FLAG_LD([WEIR_PLUGIN_LDFLAGS], [-Wl,-z,defs])])
  AC_SUBST([WEIR_PLUGIN_LDFLAGS])
])

dnl The exported names, by version: core/libweir.sym.
AC_DEFUN([WEIR_VERSION_SCRIPT], [
  AC_CACHE_CHECK([whether the linker takes a version script],
    [weir_cv_version_script], [
    AS_ECHO(['WEIR_TEST { global: main; local: *; };']) >conftest.sym
    weir_save_LDFLAGS=$LDFLAGS
    LDFLAGS="$LDFLAGS -Wl,--version-script=conftest.sym"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()],
      [weir_cv_version_script=yes], [weir_cv_version_script=no])
    LDFLAGS=$weir_save_LDFLAGS
    rm -f conftest.sym])
  AM_CONDITIONAL([VERSION_SCRIPT], [test "$weir_cv_version_script" = yes])
])
