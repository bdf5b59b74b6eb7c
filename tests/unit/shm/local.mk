# tests/unit/shm: one Check suite for each file of core/shm, and main.c that
# lists them. A new suite: one more line in the list, one in main.c. The
# library is the one with kill points.
check_PROGRAMS += %D%/test
TESTS += %D%/test
%C%_test_SOURCES = \
	%D%/actor.c %D%/actor.h \
	%D%/available.c \
	%D%/lock.c \
	%D%/main.c \
	%D%/memory.c \
	%D%/mutex.c \
	%D%/room.c %D%/room.h \
	%D%/spin.c \
	%D%/store.c \
	%D%/store_deaths.c \
	%D%/wait.c
%C%_test_CPPFLAGS = $(FAULTS_CPPFLAGS) -I$(srcdir)/tests -I$(srcdir)/%D%
%C%_test_CFLAGS = $(UNIT_CFLAGS)
%C%_test_LDADD = tests/lib/libtest.la libweir-faults.la $(CHECK_LIBS)
