# tests/unit/plugin: one Check suite for each file of core/plugin, and main.c
# that lists them. A new suite: one more line in the list, one in main.c.
check_PROGRAMS += %D%/test
TESTS += %D%/test
%C%_test_SOURCES = \
	%D%/bind.c \
	%D%/builtin.c \
	%D%/desc.c \
	%D%/descriptor.c \
	%D%/expand.c \
	%D%/main.c \
	%D%/param.c \
	%D%/path.c \
	%D%/scratch.c %D%/scratch.h \
	%D%/trust.c \
	%D%/vet.c
%C%_test_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/%D%
%C%_test_CFLAGS = $(UNIT_CFLAGS)
%C%_test_LDADD = $(UNIT_LIBS)

# Real shared objects, some of them spoilt. libtool makes one of a module that
# is not installed only when it has an rpath. No -z defs: `unresolved` must
# link.
if SHARED
%C%_test_SOURCES += %D%/load.c
%C%_test_CPPFLAGS += -DTEST_PLUGINS='"$(abs_builddir)/%D%/plugins/.libs"'
EXTRA_%C%_test_DEPENDENCIES = \
	%D%/plugins/function.la \
	%D%/plugins/future.la \
	%D%/plugins/good.la \
	%D%/plugins/mute.la \
	%D%/plugins/unresolved.la
check_LTLIBRARIES += $(EXTRA_%C%_test_DEPENDENCIES)
TEST_PLUGIN_LINK = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere
%C%_plugins_function_la_SOURCES = %D%/plugins/function.c
%C%_plugins_function_la_LDFLAGS = $(TEST_PLUGIN_LINK)
%C%_plugins_future_la_SOURCES = %D%/plugins/future.c
%C%_plugins_future_la_LDFLAGS = $(TEST_PLUGIN_LINK)
%C%_plugins_good_la_SOURCES = %D%/plugins/good.c
%C%_plugins_good_la_LDFLAGS = $(TEST_PLUGIN_LINK)
%C%_plugins_mute_la_SOURCES = %D%/plugins/mute.c
%C%_plugins_mute_la_LDFLAGS = $(TEST_PLUGIN_LINK)
%C%_plugins_unresolved_la_SOURCES = %D%/plugins/unresolved.c
%C%_plugins_unresolved_la_LDFLAGS = $(TEST_PLUGIN_LINK)
endif
