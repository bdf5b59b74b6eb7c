# core/process: process handles, the nursery, the helper; the only room that forks.
# A new file: one more line `%D%/name.c %D%/name.h \` here.
libweir_internal_la_SOURCES += \
	%D%/child.c %D%/child.h \
	%D%/code.c %D%/code.h \
	%D%/context.c %D%/context.h \
	%D%/exit.c %D%/exit.h \
	%D%/facts.c \
	%D%/fork.c %D%/fork.h \
	%D%/handle.h \
	%D%/helper.c %D%/helper.h \
	%D%/late.c %D%/late.h \
	%D%/nursery.c %D%/nursery.h \
	%D%/nursery_main.c %D%/nursery_wire.h \
	%D%/orders.c \
	%D%/owner.c \
	%D%/parcel.c %D%/parcel.h \
	%D%/process.c %D%/process.h \
	%D%/serve.c %D%/serve.h \
	%D%/terminal.c %D%/terminal.h
