dnl SPDX-License-Identifier: LGPL-2.1-or-later
dnl weir.m4 - for packages with plugins of weir. Stands alone: copy it into
dnl your m4/ folder if you like.                                    serial 1

dnl WEIR_CHECK([MIN-VERSION], [IF-FOUND], [IF-NOT-FOUND])
dnl
dnl Looks for weir by pkg-config. Sets and substitutes
dnl   WEIR_CFLAGS    flags to compile a plugin; it links with nothing
dnl   weirplugindir  where to install it: under your own ${libdir}, so that it
dnl                  follows --prefix, and `make distcheck` stays at home
dnl   WEIR           the command, for tests
dnl Without IF-NOT-FOUND, configure ends with a sentence when weir is missing.
dnl
dnl A whole configure.ac:
dnl   AC_INIT([part], [1.0])
dnl   AM_INIT_AUTOMAKE([foreign])
dnl   AC_PROG_CC
dnl   LT_INIT([disable-static])
dnl   WEIR_CHECK([0.1])
dnl   AC_CONFIG_FILES([Makefile])
dnl   AC_OUTPUT
dnl and Makefile.am:
dnl   AM_CPPFLAGS = $(WEIR_CFLAGS)
dnl   weirplugin_LTLIBRARIES = part.la
dnl   part_la_SOURCES = part.c
dnl   part_la_LDFLAGS = -module -avoid-version -no-undefined
AC_DEFUN([WEIR_CHECK], [
  AC_ARG_VAR([PKG_CONFIG], [the program pkg-config])
  AC_ARG_VAR([WEIR_CFLAGS], [flags to compile plugins of weir])
  AC_ARG_VAR([WEIR], [the command weir])
  AS_VAR_IF([PKG_CONFIG], [], [AC_PATH_PROGS([PKG_CONFIG], [pkg-config pkgconf])])
  AC_MSG_CHECKING([for weir[]m4_ifval([$1], [ $1 or later])])
  weir_found=no
  AS_IF([test -n "$PKG_CONFIG" && $PKG_CONFIG --exists "weir-plugin[]m4_ifval([$1], [ >= $1])" 2>/dev/null],
    [weir_found=`$PKG_CONFIG --modversion weir-plugin`])
  AC_MSG_RESULT([$weir_found])
  AS_VAR_IF([weir_found], [no],
    [m4_default([$3], [AC_MSG_ERROR([weir[]m4_ifval([$1], [ $1 or later]) is not found; when it is installed outside of /usr, PKG_CONFIG_PATH must have its lib/pkgconfig])])],
    [AS_VAR_SET_IF([WEIR_CFLAGS], [],
       [WEIR_CFLAGS=`$PKG_CONFIG --cflags weir-plugin`])
     weirplugindir=`$PKG_CONFIG --define-variable=libdir='${libdir}' --variable=plugindir weir-plugin`
     AC_PATH_PROG([WEIR], [weir], [weir],
       [`$PKG_CONFIG --variable=bindir weir-plugin`$PATH_SEPARATOR$PATH])
     AC_SUBST([weirplugindir])
     $2])
])
