# tests/unit/pool: one Check suite for each file of core/pool, and main.c that
# lists them. A new suite: one more line in the list, one in main.c.
check_PROGRAMS += %D%/test
LONG_TESTS += %D%/test
%C%_test_SOURCES = \
	%D%/bench.c \
	%D%/d0.c \
	%D%/d3.c \
	%D%/d5.c \
	%D%/late.c \
	%D%/main.c \
	%D%/named.c \
	%D%/named_calls.c \
	%D%/pool.c \
	%D%/pool_death.c \
	%D%/pool_end.c \
	%D%/pool_handle.c \
	%D%/pool_imap.c \
	%D%/pool_inline.c \
	%D%/pool_map.c \
	%D%/pool_notice.c \
	%D%/pool_pack.c \
	%D%/pool_seats.c \
	%D%/pool_task.c \
	%D%/pool_term.c \
	%D%/pool_trace.c \
	%D%/pool_watch.c \
	%D%/queue.c \
	%D%/queue_death.c \
	%D%/queue_place.c \
	%D%/queue_rig.c %D%/queue_rig.h \
	%D%/queue_watch.c \
	%D%/suites.h \
	tests/unit/process/watch.c tests/unit/process/watch.h
%C%_test_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/%D% \
	-I$(srcdir)/tests/unit/process
%C%_test_CPPFLAGS += \
	-DTEST_PLUGINS='"$(abs_builddir)/%D%/plugins/.libs"' \
	-DTEST_HELPER='"$(abs_builddir)/core/helper/weir-helper"'
%C%_test_CFLAGS = $(UNIT_CFLAGS)
EXTRA_%C%_test_DEPENDENCIES = %D%/plugins/tasks.la core/helper/weir-helper
check_LTLIBRARIES += %D%/plugins/tasks.la
%C%_plugins_tasks_la_SOURCES = %D%/plugins/tasks.c
%C%_plugins_tasks_la_LDFLAGS = $(WEIR_SANITIZE) $(WEIR_COVERAGE) -module \
	-avoid-version -rpath /nowhere
%C%_test_LDADD = $(UNIT_LIBS)
