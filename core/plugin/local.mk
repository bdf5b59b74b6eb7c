# core/plugin: finding, trusting and loading plugins; parameters; templates.
# PLUGINDIR, the install's folder, comes from AM_CPPFLAGS.
libweir_internal_la_SOURCES += \
	%D%/bind.c \
	%D%/builtin.c \
	%D%/desc.c \
	%D%/descriptor.c \
	%D%/elf.c \
	%D%/expand.c %D%/expand.h \
	%D%/internal.h \
	%D%/loader.c \
	%D%/pairs.c \
	%D%/param.c \
	%D%/path.c \
	%D%/plugin.h \
	%D%/pool_task.c \
	%D%/trust.c \
	%D%/vet.c \
	%D%/words.c
