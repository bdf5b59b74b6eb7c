# plugins/text: the plugin `text`. A new file: one more line in the list.
plugin_LTLIBRARIES += plugins/text.la
plugins_text_la_SOURCES = \
	%D%/letters.h \
	%D%/pattern.c \
	%D%/table.c %D%/table.h \
	%D%/text.c %D%/text.h \
	%D%/top.c \
	%D%/words.c
plugins_text_la_CPPFLAGS = $(AM_CPPFLAGS) -DWEIR_PLUGIN_PREFIX=text
plugins_text_la_CFLAGS = $(AM_CFLAGS) $(PCRE2_CFLAGS)
plugins_text_la_LIBADD = $(PCRE2_LIBS)
plugins_text_la_LDFLAGS = $(PLUGIN_LINK)
if !SHARED
PRELOAD += -dlpreopen plugins/text.la
endif
EXTRA_DIST += %D%/text.md
