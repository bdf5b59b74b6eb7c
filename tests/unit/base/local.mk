# tests/unit/base: one Check suite for each file of core/base, and main.c that
# lists them. A new suite: one more line in the list, one in main.c. The
# library is the one with kill points; its allocations come by falloc.c.
check_PROGRAMS += %D%/test
TESTS += %D%/test
%C%_test_SOURCES = \
	%D%/base.h \
	%D%/buf.c \
	%D%/cells.c \
	%D%/clock.c \
	%D%/error.c \
	%D%/falloc.c \
	%D%/fault.c \
	%D%/fd.c \
	%D%/human.c \
	%D%/identity.c \
	%D%/json.c \
	%D%/log.c \
	%D%/main.c \
	%D%/map.c \
	%D%/number.c \
	%D%/stat.c \
	%D%/text.c \
	%D%/unit.c \
	%D%/utf8.c \
	%D%/vec.c
%C%_test_CPPFLAGS = $(FAULTS_CPPFLAGS) -I$(srcdir)/tests -I$(srcdir)/%D%
%C%_test_CFLAGS = $(UNIT_CFLAGS)
%C%_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray
%C%_test_LDADD = tests/lib/libtest.la libweir-faults.la $(CHECK_LIBS)
