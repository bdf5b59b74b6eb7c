# plugins/file: the plugin `file`. A new file: one more line in the list.
plugin_LTLIBRARIES += plugins/file.la
plugins_file_la_SOURCES = \
	%D%/append.c \
	%D%/beneath.c %D%/beneath.h \
	%D%/blocks.c \
	%D%/file.c \
	%D%/lines.c \
	%D%/names.c \
	%D%/read.c \
	%D%/sink.c %D%/sink.h \
	%D%/source.c %D%/source.h \
	%D%/temporary.c %D%/temporary.h \
	%D%/walk.c %D%/walk.h \
	%D%/write.c
plugins_file_la_CPPFLAGS = $(AM_CPPFLAGS) -DWEIR_PLUGIN_PREFIX=file
plugins_file_la_LDFLAGS = $(PLUGIN_LINK)
if !SHARED
PRELOAD += -dlpreopen plugins/file.la
endif
EXTRA_DIST += %D%/file.md
