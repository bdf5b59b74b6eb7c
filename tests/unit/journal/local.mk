# tests/unit/journal: one Check suite for each file of core/journal, and main.c
# that lists them. What needs a store is left out without SQLite.
check_PROGRAMS += %D%/test
TESTS += %D%/test
%C%_test_SOURCES = \
	%D%/db.c \
	%D%/facts.c \
	%D%/folder.c \
	%D%/main.c \
	%D%/record.c \
	%D%/scratch.c \
	%D%/suites.h
%C%_test_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/%D%
%C%_test_CFLAGS = $(UNIT_CFLAGS)
%C%_test_LDADD = $(UNIT_LIBS)
