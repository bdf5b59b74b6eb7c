# tests/faults: the command with each allocation and each system call of core
# made to fail, one by one (fail.c, each.c), and other faults of the system.
# The linker is told by wraps.list what to send to fail.c.
check_PROGRAMS += %D%/weir
%C%_weir_SOURCES = $(core_cli_weir_SOURCES) \
	%D%/fail.c %D%/fail.h
%C%_weir_CPPFLAGS = $(UNIT_CPPFLAGS)
%C%_weir_LDADD = libweir-internal.la $(PRELOAD)
%C%_weir_LDFLAGS = $(AM_LDFLAGS) -dlpreopen force \
	-Wl,@$(abs_srcdir)/%D%/wraps.list
EXTRA_DIST += %D%/wraps.list %D%/not-wrapped.list
EXTRA_%C%_weir_DEPENDENCIES = %D%/wraps.list

check_PROGRAMS += %D%/each
TESTS += %D%/each
LONG_TESTS += %D%/each
%C%_each_SOURCES = %D%/each.c %D%/fail.h
%C%_each_CPPFLAGS = $(UNIT_CPPFLAGS) \
	-DTEST_BUILDDIR='"$(abs_builddir)"'

TESTS += %D%/sly.sh %D%/wraps.sh
LONG_TESTS += %D%/sly.sh
EXTRA_DIST += %D%/sly.c %D%/sly.sh %D%/wraps.sh
