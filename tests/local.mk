# tests: what `make check` runs; every test prints TAP, so each case counts.
# A room's unit tests alone:    make check TESTS=tests/unit/queue/test
# one suite, one case of it:    CK_RUN_SUITE=commit CK_RUN_CASE=killed \
#                                   tests/unit/queue/test
# a script alone, by its path:  sh tests/cli/run-basic.sh
TEST_EXTENSIONS = .sh
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) \
	$(top_srcdir)/build-aux/tap-driver.sh
SH_LOG_DRIVER = $(LOG_DRIVER)
SH_LOG_COMPILER = $(SHELL)
AM_TESTS_ENVIRONMENT = \
	CK_TAP_LOG_FILE_NAME=-; export CK_TAP_LOG_FILE_NAME; \
	CK_VERBOSITY=silent; export CK_VERBOSITY; \
	MALLOC_PERTURB_=165; export MALLOC_PERTURB_; \
	WEIR_HARNESS=1; export WEIR_HARNESS; \
	CC='$(CC)'; export CC; \
	CXX_FOR_TESTS='$(CXX_FOR_TESTS)'; export CXX_FOR_TESTS; \
	WEIR_SANITIZE='$(WEIR_SANITIZE)'; export WEIR_SANITIZE; \
	WEIR_SRCDIR='$(abs_top_srcdir)'; export WEIR_SRCDIR; \
	WEIR_BUILDDIR='$(abs_top_builddir)'; export WEIR_BUILDDIR;

UNIT_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests
UNIT_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
UNIT_LIBS = tests/lib/libtest.la libweir-internal.la $(CHECK_LIBS)

# What takes longest is started first, so that nothing waits for it at the end.
if HAVE_CHECK
tests_longest = \
	%D%/crash/named \
	%D%/unit/pool/test \
	%D%/crash/queue
else
tests_longest =
endif
TESTS += $(tests_longest)

include %D%/lib/local.mk
if HAVE_CHECK
include %D%/unit/base/local.mk
include %D%/unit/shm/local.mk
include %D%/unit/queue/local.mk
include %D%/unit/journal/local.mk
include %D%/unit/process/local.mk
include %D%/unit/pool/local.mk
include %D%/unit/plugin/local.mk
include %D%/unit/plugins/local.mk
include %D%/unit/job/local.mk
include %D%/unit/run/local.mk
include %D%/crash/local.mk
include %D%/faults/local.mk
include %D%/model/local.mk
else
check-local:
	@echo 'the unit tests are left out: install check, configure again' >&2
	@exit 1
endif
include %D%/fuzz/local.mk
include %D%/cli/local.mk
include %D%/outoftree/local.mk
include %D%/course/local.mk
include %D%/threads/local.mk
include %D%/defects/local.mk
include %D%/soak/local.mk
include %D%/doc/local.mk
include %D%/jobs/local.mk
include %D%/bench/local.mk
