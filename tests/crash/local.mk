# tests/crash: kill at every named step, then look. Programs here link
# libweir-faults.la, a copy of core with the kill points in it.
# A script: `TESTS += %D%/name.sh` and `EXTRA_DIST += %D%/name.sh`; it starts
# with `. "${0%/*}/../lib/cli.sh"`. Long ones go into LONG_TESTS.
check_PROGRAMS += %D%/queue
LONG_TESTS += %D%/queue
%C%_queue_SOURCES = \
	%D%/flow.c %D%/flow.h \
	%D%/flow_check.c %D%/flow_member.c %D%/flow_run.h \
	%D%/queue.c
%C%_queue_CPPFLAGS = $(FAULTS_CPPFLAGS) -I$(srcdir)/tests
%C%_queue_CFLAGS = $(UNIT_CFLAGS)
%C%_queue_LDADD = tests/lib/libtest.la libweir-faults.la $(CHECK_LIBS)

check_PROGRAMS += %D%/matrix
TESTS += %D%/matrix
LONG_TESTS += %D%/matrix
%C%_matrix_SOURCES = \
	%D%/flow.c %D%/flow.h \
	%D%/flow_check.c %D%/flow_member.c %D%/flow_run.h \
	%D%/matrix.c \
	%D%/never.c %D%/never.h
%C%_matrix_CPPFLAGS = $(FAULTS_CPPFLAGS) -I$(srcdir)/tests \
	-DTEST_SRCDIR='"$(abs_srcdir)"'
%C%_matrix_CFLAGS = $(UNIT_CFLAGS)
%C%_matrix_LDADD = tests/lib/libtest.la libweir-faults.la $(CHECK_LIBS)
EXTRA_DIST += %D%/never.list

check_PROGRAMS += %D%/runs
TESTS += %D%/runs
LONG_TESTS += %D%/runs
%C%_runs_SOURCES = \
	%D%/never.c %D%/never.h \
	%D%/runs.c
%C%_runs_CPPFLAGS = $(FAULTS_CPPFLAGS) -I$(srcdir)/tests \
	-DTEST_SRCDIR='"$(abs_srcdir)"' -DTEST_BUILDDIR='"$(abs_builddir)"'
%C%_runs_CFLAGS = $(UNIT_CFLAGS)
%C%_runs_LDADD = tests/lib/libtest.la libweir-faults.la $(CHECK_LIBS)

check_PROGRAMS += %D%/steps
TESTS += %D%/steps
LONG_TESTS += %D%/steps
%C%_steps_SOURCES = \
	%D%/acts.c %D%/acts.h \
	%D%/stepper.c %D%/stepper.h \
	%D%/steps.c
%C%_steps_CPPFLAGS = $(FAULTS_CPPFLAGS) -I$(srcdir)/tests
%C%_steps_CFLAGS = $(UNIT_CFLAGS)
%C%_steps_LDFLAGS = $(AM_LDFLAGS) -Wl,-z,now
%C%_steps_LDADD = tests/lib/libtest.la libweir-faults.la $(CHECK_LIBS)

check_PROGRAMS += %D%/pool
TESTS += %D%/pool
LONG_TESTS += %D%/pool
%C%_pool_SOURCES = %D%/pool.c
%C%_pool_CPPFLAGS = $(FAULTS_CPPFLAGS) -I$(srcdir)/tests
%C%_pool_CFLAGS = $(UNIT_CFLAGS)
%C%_pool_LDADD = tests/lib/libtest.la libweir-faults.la $(CHECK_LIBS)

check_PROGRAMS += %D%/process
TESTS += %D%/process
%C%_process_SOURCES = %D%/process.c
%C%_process_CPPFLAGS = $(FAULTS_CPPFLAGS) -I$(srcdir)/tests
%C%_process_CFLAGS = $(UNIT_CFLAGS)
%C%_process_LDADD = tests/lib/libtest.la libweir-faults.la $(CHECK_LIBS)

check_PROGRAMS += %D%/named
LONG_TESTS += %D%/named
%C%_named_SOURCES = %D%/named.c
%C%_named_CPPFLAGS = $(FAULTS_CPPFLAGS) -I$(srcdir)/tests
%C%_named_CFLAGS = $(UNIT_CFLAGS)
%C%_named_LDADD = tests/lib/libtest.la libweir-faults.la $(CHECK_LIBS)

check_PROGRAMS += %D%/calls
TESTS += %D%/calls
LONG_TESTS += %D%/calls
%C%_calls_SOURCES = %D%/calls.c
%C%_calls_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_calls_CFLAGS = $(UNIT_CFLAGS)
%C%_calls_LDADD = $(UNIT_LIBS)

# The command with kill points, for scripts: $WEIR_BUILDDIR/tests/crash/weir,
# with WEIR_PLUGIN_PATH set by the script.
check_PROGRAMS += %D%/weir
%C%_weir_SOURCES = $(core_cli_weir_SOURCES)
%C%_weir_CPPFLAGS = $(FAULTS_CPPFLAGS)
%C%_weir_LDADD = libweir-faults.la $(PRELOAD)
%C%_weir_LDFLAGS = $(AM_LDFLAGS) -dlpreopen force

# kill -9 under the command itself.
check_PROGRAMS += %D%/killer
%C%_killer_SOURCES = %D%/killer.c
check_PROGRAMS += %D%/couple
%C%_couple_SOURCES = %D%/couple.c
%C%_couple_LDADD = libweir-internal.la
crash_scripts = \
	%D%/power-loss.sh \
	%D%/put-get-killed.sh \
	%D%/run-append.sh \
	%D%/run-backoff.sh \
	%D%/run-journal.sh \
	%D%/run-kept.sh \
	%D%/run-key.sh \
	%D%/run-named.sh \
	%D%/run-overflow.sh \
	%D%/run-recycle.sh \
	%D%/run-rename.sh \
	%D%/run-resume.sh \
	%D%/run-stopped.sh \
	%D%/run-words.sh \
	%D%/run-workers.sh \
	%D%/torture.sh
TESTS += $(crash_scripts)
LONG_TESTS += $(crash_scripts)
EXTRA_DIST += $(crash_scripts)
TESTS += %D%/points.sh
EXTRA_DIST += %D%/points.sh %D%/points.list
