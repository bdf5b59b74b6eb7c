dnl SPDX-License-Identifier: LGPL-2.1-or-later
dnl weir-sanitizers.m4 - --enable-sanitizers[=address,undefined|thread] and
dnl --enable-faults.

AC_DEFUN([WEIR_ARG_SANITIZERS], [
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers@<:@=LIST@:>@],
      [build with the compiler's sanitizers @<:@address,undefined@:>@])],
    [AS_VAR_IF([enable_sanitizers], [yes],
      [enable_sanitizers=address,undefined])],
    [enable_sanitizers=no])
  WEIR_SANITIZE=
  AS_VAR_IF([enable_sanitizers], [no], [], [
    WEIR_SANITIZE="-fsanitize=$enable_sanitizers -fno-omit-frame-pointer"
    AS_CASE([,$enable_sanitizers,], [*,undefined,*],
      [AS_VAR_APPEND([WEIR_SANITIZE], [" -fno-sanitize-recover=undefined"])])
    AC_MSG_CHECKING([whether $CC links with $WEIR_SANITIZE])
    weir_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $WEIR_SANITIZE"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes])],
      [AC_MSG_RESULT([no])
       AC_MSG_ERROR([$CC cannot link with -fsanitize=$enable_sanitizers; for clang on Debian: apt-get install libclang-rt-14-dev])])
    CFLAGS=$weir_save_CFLAGS])
  AC_SUBST([WEIR_SANITIZE])
  AM_CONDITIONAL([SANITIZERS], [test "$enable_sanitizers" != no])
])

dnl Named points where a test can kill a process. The tests have a copy of the
dnl library with them in any case; this puts them into the built one.
AC_DEFUN([WEIR_ARG_FAULTS], [
  AC_ARG_ENABLE([faults], [AS_HELP_STRING([--enable-faults],
    [build the library with the named kill points of the tests])],
    [], [enable_faults=no])
  WEIR_FAULTS=0
  AS_VAR_IF([enable_faults], [no], [], [WEIR_FAULTS=1])
  AC_SUBST([WEIR_FAULTS])
])
