# core/pool: pre-forked workers and their results.
# A new file: one more line `%D%/name.c %D%/name.h \` here.
libweir_internal_la_SOURCES += \
	%D%/pool.c %D%/pool.h \
	%D%/pool_board.c %D%/pool_board.h \
	%D%/pool_call.c \
	%D%/pool_cancel.c \
	%D%/pool_crash.c %D%/pool_crash.h \
	%D%/pool_halt.c \
	%D%/pool_handle.c \
	%D%/pool_host.h \
	%D%/pool_imap.c \
	%D%/pool_inline.c \
	%D%/pool_map.c \
	%D%/pool_notice.c \
	%D%/pool_pack.c %D%/pool_pack.h \
	%D%/pool_packed.c \
	%D%/pool_reply.c \
	%D%/pool_result.c \
	%D%/pool_seats.c \
	%D%/pool_serve.c %D%/pool_serve.h \
	%D%/pool_submit.c \
	%D%/pool_task.c %D%/pool_task.h \
	%D%/pool_trace.c \
	%D%/pool_watch.c \
	%D%/pool_wire.h \
	%D%/pool_worker.c %D%/pool_worker.h \
	%D%/queue_call.c \
	%D%/queue_copy.c \
	%D%/queue_handle.c %D%/queue_handle.h \
	%D%/queue_lease.c \
	%D%/queue_named.c %D%/queue_named.h \
	%D%/queue_serve.c %D%/queue_wire.h \
	%D%/queue_state.c \
	%D%/queue_watch.c \
	%D%/services.c
