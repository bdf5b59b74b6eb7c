# tests/lib: what tests share. Unit tests link libtest.la, scripts read cli.sh
# (plugins.sh, when they need plugins of their own; fire.sh, to kill what is below
# a run; stages.sh, a job to kill under).
EXTRA_DIST += %D%/cli.sh %D%/fire.sh %D%/plugins.sh %D%/stages.sh
if HAVE_CHECK
check_LTLIBRARIES += %D%/libtest.la
%C%_libtest_la_SOURCES = \
	%D%/main.c %D%/suites.h \
	%D%/points.c %D%/points.h
%C%_libtest_la_CPPFLAGS = $(UNIT_CPPFLAGS) \
	-DTEST_SRCDIR='"$(abs_srcdir)"'
%C%_libtest_la_CFLAGS = $(UNIT_CFLAGS)

# A host for one task: tests of plugins link it before libtest.la.
check_LTLIBRARIES += %D%/libfakehost.la
%C%_libfakehost_la_SOURCES = \
	%D%/fakehost.c %D%/fakehost.h
%C%_libfakehost_la_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_libfakehost_la_CFLAGS = $(UNIT_CFLAGS)
endif
# Check itself calls _exit, too, and is linked last.
if COVERAGE
if HAVE_CHECK
check_LTLIBRARIES += %D%/libcoverage.la
%C%_libcoverage_la_SOURCES = %D%/coverage.c
UNIT_LIBS += %D%/libcoverage.la
endif
endif
