# tests/unit/job: suites for the files of core/job, and main.c that lists them.
# A new suite: one more line in the list, one in main.c. A new mistake: a file
# in tests/data/jobs, and beside it what is to be said of it.
check_PROGRAMS += %D%/test
TESTS += %D%/test
LONG_TESTS += %D%/test
%C%_test_SOURCES = \
	%D%/diag.c \
	%D%/digraph.c \
	%D%/house.h \
	%D%/main.c \
	%D%/schema.c \
	%D%/yaml.c
%C%_test_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/%D% \
	-DTEST_JOBS='"$(abs_srcdir)/tests/data/jobs"' \
	-DTEST_MANUAL='"$(abs_srcdir)/doc/jobs.md"'
%C%_test_CFLAGS = $(UNIT_CFLAGS)
%C%_test_LDADD = $(UNIT_LIBS)
EXTRA_DIST += tests/data/jobs

# What needs plugins needs shared objects.
if SHARED
%C%_test_SOURCES += \
	%D%/corpus.c \
	%D%/draw.c \
	%D%/house.c \
	%D%/job.c \
	%D%/load.c \
	%D%/memory.c
%C%_test_CPPFLAGS += -DTEST_PLUGINS='"$(abs_builddir)/%D%/plugins/.libs"'
EXTRA_%C%_test_DEPENDENCIES = \
	%D%/plugins/crash.la \
	%D%/plugins/hang.la \
	%D%/plugins/leave.la \
	%D%/plugins/noise.la \
	%D%/plugins/sample.la
check_LTLIBRARIES += $(EXTRA_%C%_test_DEPENDENCIES)
# Without what counts lines puts in the place of _exit.
JOB_PLUGIN_LINK = $(WEIR_SANITIZE) $(WEIR_COVERAGE) -module -avoid-version -rpath /nowhere
%C%_plugins_crash_la_SOURCES = %D%/plugins/crash.c
%C%_plugins_crash_la_LDFLAGS = $(JOB_PLUGIN_LINK)
%C%_plugins_hang_la_SOURCES = %D%/plugins/hang.c
%C%_plugins_hang_la_LDFLAGS = $(JOB_PLUGIN_LINK)
%C%_plugins_leave_la_SOURCES = %D%/plugins/leave.c
%C%_plugins_leave_la_LDFLAGS = $(JOB_PLUGIN_LINK)
%C%_plugins_noise_la_SOURCES = %D%/plugins/noise.c
%C%_plugins_noise_la_LDFLAGS = $(JOB_PLUGIN_LINK)
%C%_plugins_sample_la_SOURCES = %D%/plugins/sample.c
%C%_plugins_sample_la_LDFLAGS = $(JOB_PLUGIN_LINK)
endif
