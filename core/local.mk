# core: libweir, in rooms; a room uses only those above it in this list.
#   libweir-internal.la  all rooms but cli; tests and the command link it
#   libweir.la           the same, showing the names of core/libweir.sym alone
#   libweir-faults.la    a second copy with kill points, for tests/crash
noinst_LTLIBRARIES += libweir-internal.la
libweir_internal_la_SOURCES =
libweir_internal_la_LIBADD = $(LTDL_LIBS) $(YAML_LIBS) $(SQLITE_LIBS)

if COVERAGE
libweir_internal_la_SOURCES += tests/lib/coverage.c
AM_LDFLAGS += -Wl,--wrap=_exit
endif

include %D%/base/local.mk
include %D%/shm/local.mk
include %D%/queue/local.mk
include %D%/process/local.mk
include %D%/pool/local.mk
include %D%/plugin/local.mk
include %D%/job/local.mk
include %D%/journal/local.mk
include %D%/run/local.mk
include %D%/helper/local.mk
include %D%/cli/local.mk

# Public headers; add each here.
pkginclude_HEADERS += \
	%D%/include/weir/bytes.h \
	%D%/include/weir/error.h \
	%D%/include/weir/log.h \
	%D%/include/weir/mutex.h \
	%D%/include/weir/plugin.h \
	%D%/include/weir/pool.h \
	%D%/include/weir/process.h \
	%D%/include/weir/queue.h \
	%D%/include/weir/weir.h
nodist_pkginclude_HEADERS += %D%/include/weir/version.h

# C:R:A is the interface, not the release: an added function is C+1, R=0, A+1;
# a removed or changed one is C+1, 0, 0.
lib_LTLIBRARIES += libweir.la
libweir_la_SOURCES =
libweir_la_LIBADD = libweir-internal.la
libweir_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined
EXTRA_libweir_la_DEPENDENCIES = %D%/libweir.sym
if VERSION_SCRIPT
libweir_la_LDFLAGS += -Wl,--version-script=$(srcdir)/%D%/libweir.sym
endif
EXTRA_DIST += %D%/libweir.sym

check_LTLIBRARIES += libweir-faults.la
libweir_faults_la_SOURCES = $(libweir_internal_la_SOURCES)
libweir_faults_la_CPPFLAGS = $(FAULTS_CPPFLAGS)
libweir_faults_la_LIBADD = $(libweir_internal_la_LIBADD)
FAULTS_CPPFLAGS = $(BASE_CPPFLAGS) -DWEIR_FAULTS=1

dist_aclocal_DATA += %D%/weir.m4
pkgconfig_DATA += %D%/weir.pc %D%/weir-plugin.pc
