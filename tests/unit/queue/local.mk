# tests/unit/queue: suites of core/queue, by what they are about, and main.c
# that lists them. A new suite: one more line in the list, one in main.c.
check_PROGRAMS += %D%/test
TESTS += %D%/test
LONG_TESTS += %D%/test
%C%_test_SOURCES = \
	%D%/answer.c \
	%D%/attrs.c \
	%D%/commit.c \
	%D%/desk.c %D%/desk.h \
	%D%/direct.c \
	%D%/lanes.c \
	%D%/main.c \
	%D%/order.c \
	%D%/recover.c \
	%D%/room.c \
	%D%/segment.c \
	%D%/sink.c \
	%D%/snapshot.c \
	%D%/turn.c \
	%D%/wait.c
%C%_test_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/%D%
%C%_test_CFLAGS = $(UNIT_CFLAGS)
%C%_test_LDADD = $(UNIT_LIBS)
