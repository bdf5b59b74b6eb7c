# plugins/zstd: the plugin `zstd`. A new file: one more line in the list.
if HAVE_ZSTD
plugin_LTLIBRARIES += plugins/zstd.la
plugins_zstd_la_SOURCES = \
	%D%/zstd.c
plugins_zstd_la_CPPFLAGS = $(AM_CPPFLAGS) -DWEIR_PLUGIN_PREFIX=zstd
plugins_zstd_la_CFLAGS = $(AM_CFLAGS) $(ZSTD_CFLAGS)
plugins_zstd_la_LIBADD = $(ZSTD_LIBS)
plugins_zstd_la_LDFLAGS = $(PLUGIN_LINK)
if !SHARED
PRELOAD += -dlpreopen plugins/zstd.la
endif
endif
EXTRA_DIST += %D%/zstd.md
