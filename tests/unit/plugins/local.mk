# tests/unit/plugins: one Check suite for each task of the standard plugins,
# and main.c that lists them. A new suite: one more line in the list, one in
# main.c. The plugins are linked into the test, as archives: each is compiled
# as it is for use, and its own functions can be reached.
check_PROGRAMS += %D%/test
TESTS += %D%/test
%C%_test_SOURCES = \
	%D%/append.c \
	%D%/blocks.c \
	%D%/flow.c \
	%D%/lines.c \
	%D%/main.c \
	%D%/manual.c \
	%D%/names.c \
	%D%/pattern.c \
	%D%/plugins.h \
	%D%/read.c \
	%D%/top.c \
	%D%/words.c \
	%D%/write.c
%C%_test_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/%D% \
	-DTEST_SRCDIR='"$(abs_srcdir)"'
%C%_test_CFLAGS = $(UNIT_CFLAGS)
%C%_test_LDADD = \
	%D%/libfile.la \
	%D%/libflow.la \
	%D%/libtext.la \
	tests/lib/libfakehost.la \
	$(UNIT_LIBS)

# Convenience libraries of the very sources.
check_LTLIBRARIES += %D%/libfile.la %D%/libflow.la %D%/libtext.la
%C%_libfile_la_SOURCES = $(plugins_file_la_SOURCES)
%C%_libfile_la_CPPFLAGS = $(plugins_file_la_CPPFLAGS)
%C%_libflow_la_SOURCES = $(plugins_flow_la_SOURCES)
%C%_libflow_la_CPPFLAGS = $(plugins_flow_la_CPPFLAGS)
%C%_libtext_la_SOURCES = $(plugins_text_la_SOURCES)
%C%_libtext_la_CPPFLAGS = $(plugins_text_la_CPPFLAGS)
%C%_libtext_la_CFLAGS = $(plugins_text_la_CFLAGS)
%C%_libtext_la_LIBADD = $(plugins_text_la_LIBADD)

if HAVE_ZSTD
%C%_test_SOURCES += %D%/zstd.c
%C%_test_CFLAGS += $(ZSTD_CFLAGS)
%C%_test_LDADD += %D%/libzstd.la $(ZSTD_LIBS)
check_LTLIBRARIES += %D%/libzstd.la
%C%_libzstd_la_SOURCES = $(plugins_zstd_la_SOURCES)
%C%_libzstd_la_CPPFLAGS = $(plugins_zstd_la_CPPFLAGS)
%C%_libzstd_la_CFLAGS = $(plugins_zstd_la_CFLAGS)
endif
