# plugins/flow: the plugin `flow`. A new file: one more line in the list.
plugin_LTLIBRARIES += plugins/flow.la
plugins_flow_la_SOURCES = \
	%D%/flow.c
plugins_flow_la_CPPFLAGS = $(AM_CPPFLAGS) -DWEIR_PLUGIN_PREFIX=flow
plugins_flow_la_LDFLAGS = $(PLUGIN_LINK)
if !SHARED
PRELOAD += -dlpreopen plugins/flow.la
endif
EXTRA_DIST += %D%/flow.md
