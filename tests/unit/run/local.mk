# tests/unit/run: one Check suite for each file of core/run, and main.c that
# lists them. A new suite: one more line in the list, one in main.c.
check_PROGRAMS += %D%/test
TESTS += %D%/test
%C%_test_SOURCES = \
	%D%/backoff.c \
	%D%/brim.c \
	%D%/failed_store.c \
	%D%/failure.c \
	%D%/follow.c \
	%D%/give.c \
	%D%/guard.c \
	%D%/halt.c \
	%D%/inline_ends.c \
	%D%/inline_item.c \
	%D%/inline_task.c \
	%D%/kept.c \
	%D%/last_words.c \
	%D%/main.c \
	%D%/news.c \
	%D%/overflow.c \
	%D%/plan.c \
	%D%/post.c \
	%D%/report.c \
	%D%/rig.c %D%/rig.h \
	%D%/settle.c \
	%D%/source.c \
	%D%/suites.h \
	%D%/torture.c \
	%D%/turns.c \
	%D%/wrote.c
%C%_test_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/%D%
%C%_test_CFLAGS = $(UNIT_CFLAGS)
%C%_test_LDADD = $(UNIT_LIBS)
