# core/queue: the bounded queue: segments, members, turns, recovery.
libweir_internal_la_SOURCES += \
	%D%/answer.c \
	%D%/attrs.c %D%/attrs.h \
	%D%/commit.c \
	%D%/direct.c \
	%D%/internal.h \
	%D%/lanes.c \
	%D%/layout.h \
	%D%/lease.c \
	%D%/member.c \
	%D%/order.c \
	%D%/pick.c \
	%D%/queue.c %D%/queue.h \
	%D%/recover.c \
	%D%/restore.c \
	%D%/segment.c \
	%D%/sink.c %D%/sinks.h \
	%D%/sink_alone.c \
	%D%/sinks.c \
	%D%/sinks_log.c \
	%D%/slots.c \
	%D%/snapshot.c %D%/snapshot.h \
	%D%/stage.c \
	%D%/strangers.c %D%/strangers.h \
	%D%/wake.c \
	%D%/watch.c
