dnl SPDX-License-Identifier: LGPL-2.1-or-later
dnl weir-coverage.m4 - --enable-coverage; then `make coverage`.

AC_DEFUN([WEIR_ARG_COVERAGE], [
  AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage],
    [count the lines that run; make coverage shows them])],
    [], [enable_coverage=no])
  WEIR_COVERAGE=
  AS_VAR_IF([enable_coverage], [no], [], [
    WEIR_COVERAGE="--coverage -fprofile-update=atomic"
    AS_IF([test -z "$LCOV" || test -z "$GENHTML"],
      [AC_MSG_ERROR([--enable-coverage needs lcov; on Debian: apt-get install lcov])])])
  AC_SUBST([WEIR_COVERAGE])
  AM_CONDITIONAL([COVERAGE], [test "$enable_coverage" != no])
])
