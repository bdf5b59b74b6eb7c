# core/job: job files to a validated graph.
# A new file: one more line `%D%/name.c %D%/name.h \` here.
libweir_internal_la_SOURCES += \
	%D%/arena.c \
	%D%/bind.c \
	%D%/bytes.c \
	%D%/diag.c \
	%D%/digraph.c %D%/graph.h \
	%D%/draw.c \
	%D%/expand.c \
	%D%/explain.c \
	%D%/faults.c \
	%D%/graph.c \
	%D%/internal.h \
	%D%/job.c %D%/job.h \
	%D%/key.c \
	%D%/load.c \
	%D%/overflow.c \
	%D%/read.c \
	%D%/schema.c \
	%D%/settle.c \
	%D%/value.c \
	%D%/wire.c \
	%D%/yaml.c
