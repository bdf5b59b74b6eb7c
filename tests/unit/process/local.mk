# tests/unit/process: one Check suite for each file of core/process, and main.c that
# lists them. A new suite: one more line in the list, one in main.c.
check_PROGRAMS += %D%/test
TESTS += %D%/test
%C%_test_SOURCES = \
	%D%/context.c \
	%D%/d1.c \
	%D%/d2.c \
	%D%/d8.c \
	%D%/exit.c \
	%D%/family.c %D%/family.h \
	%D%/fork.c \
	%D%/host.c \
	%D%/main.c \
	%D%/nursery.c \
	%D%/nursery_death.c \
	%D%/options.c \
	%D%/owner.c \
	%D%/process.c \
	%D%/processors.c \
	%D%/watch.c %D%/watch.h
%C%_test_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/%D%
%C%_test_CFLAGS = $(UNIT_CFLAGS)
%C%_test_LDADD = $(UNIT_LIBS)
