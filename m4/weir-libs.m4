dnl SPDX-License-Identifier: LGPL-2.1-or-later
dnl weir-libs.m4 - what the system must have, and the libraries. Each message
dnl names the Debian package that cures it.

AC_DEFUN([WEIR_SYSTEM], [
  AC_CHECK_HEADERS([linux/futex.h sys/epoll.h sys/signalfd.h sys/timerfd.h],
    [], [AC_MSG_ERROR([weir runs on Linux with glibc; on Debian: apt-get install libc6-dev])])
  AC_CHECK_FUNCS([pthread_mutex_clocklock memfd_create], [],
    [AC_MSG_ERROR([weir needs glibc 2.36 or later])])
  AC_CHECK_HEADERS([sys/pidfd.h], [],
    [AC_MSG_ERROR([weir needs glibc 2.36 or later])])
  AC_CHECK_DECLS([SYS_pidfd_open, SYS_pidfd_send_signal], [],
    [AC_MSG_ERROR([the kernel headers do not know pidfd; weir needs those of Linux 5.3 or later])],
    [[#include <sys/syscall.h>]])
  AC_CACHE_CHECK([whether 64-bit atomics need no lock],
    [weir_cv_atomic64], [
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [[
      _Static_assert(__atomic_always_lock_free(8, 0), "");]])],
      [weir_cv_atomic64=yes], [weir_cv_atomic64=no])])
  AS_VAR_IF([weir_cv_atomic64], [yes], [],
    [AC_MSG_ERROR([weir needs lock-free 64-bit atomics between processes; this processor has none])])
])

AC_DEFUN([WEIR_REQUIRE_LIBS], [
  PKG_CHECK_MODULES([YAML], [yaml-0.1 >= 0.2.5], [],
    [AC_MSG_ERROR([libyaml is missing or older than 0.2.5; on Debian: apt-get install libyaml-dev])])
  AC_CHECK_HEADER([ltdl.h], [],
    [AC_MSG_ERROR([libltdl is missing; on Debian: apt-get install libltdl-dev])])
  AC_CHECK_LIB([ltdl], [lt_dladvise_preload], [LTDL_LIBS=-lltdl],
    [AC_MSG_ERROR([libltdl is missing; on Debian: apt-get install libltdl-dev])])
  AC_SUBST([LTDL_LIBS])
  PKG_CHECK_MODULES([CHECK], [check >= 0.15], [have_check=yes],
    [have_check=no])
  AM_CONDITIONAL([HAVE_CHECK], [test "$have_check" = yes])
  dnl Peers of the benchmarks, and nothing else.
  PKG_CHECK_MODULES([ZEROMQ], [libzmq], [have_zeromq=yes], [have_zeromq=no])
  AM_CONDITIONAL([HAVE_ZEROMQ], [test "$have_zeromq" = yes])
  PKG_CHECK_MODULES([GEARMAN], [gearmand], [have_gearman=yes],
    [have_gearman=no])
  AM_CONDITIONAL([HAVE_GEARMAN], [test "$have_gearman" = yes])
])

dnl WEIR_WITH(NAME, VARIABLE, MODULE, DEBIAN-PACKAGE, WHAT-IT-IS-FOR)
dnl --with-NAME: an error when not found; --without-NAME: never; neither: used
dnl when found.
AC_DEFUN([WEIR_WITH], [
  AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1],
    [$5 @<:@when found@:>@])], [], [with_$1=auto])
  AS_VAR_IF([with_$1], [no], [have_$1=no; weir_say_$1="no (--without-$1)"],
    [PKG_CHECK_MODULES([$2], [$3], [have_$1=yes; weir_say_$1=yes],
      [AS_VAR_IF([with_$1], [auto],
        [have_$1=no; weir_say_$1="no: install $4"],
        [AC_MSG_ERROR([--with-$1: $3 is not found; on Debian: apt-get install $4])])])])
  AS_VAR_IF([have_$1], [yes],
    [AC_DEFINE([HAVE_$2], [1], [Define to 1 for $5.])])
  AM_CONDITIONAL([HAVE_$2], [test "$have_$1" = yes])
])
