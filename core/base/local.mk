# core/base: errors, text, clock, containers, descriptors, log.
libweir_internal_la_SOURCES += \
	%D%/base.h \
	%D%/buf.c %D%/buf.h \
	%D%/cells.c \
	%D%/cgroup.c %D%/cgroup.h \
	%D%/cleanup.h \
	%D%/clock.c %D%/clock.h \
	%D%/error.c %D%/error.h \
	%D%/fault.c %D%/fault.h \
	%D%/fd.c %D%/fd.h \
	%D%/human.c \
	%D%/identity.c %D%/identity.h \
	%D%/json.c %D%/json.h \
	%D%/log.c %D%/log.h \
	%D%/map.c %D%/map.h \
	%D%/number.c \
	%D%/processors.c %D%/processors.h \
	%D%/stat.c %D%/stat.h \
	%D%/sync.c %D%/sync.h \
	%D%/text.c %D%/text.h \
	%D%/unit.c \
	%D%/utf8.c %D%/utf8.h \
	%D%/vec.c %D%/vec.h \
	%D%/version.c
