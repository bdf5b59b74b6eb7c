# plugins: the standard plugins. Each folder has code, manual, and its lines
# here in a local.mk. The modules are written to plugins/, so that one folder
# (plugins/.libs) has them all in the build tree.
PLUGIN_LINK = $(AM_LDFLAGS) -module -avoid-version -no-undefined \
	-export-symbols-regex 'weir_plugin$$' $(WEIR_PLUGIN_LDFLAGS)
# Without shared objects the plugins stand in the command itself.
PRELOAD =

include %D%/file/local.mk
include %D%/text/local.mk
include %D%/zstd/local.mk
include %D%/flow/local.mk
