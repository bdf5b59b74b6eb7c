# core/run: a job in flight.
# A new file: one more line `%D%/name.c %D%/name.h \` here.
libweir_internal_la_SOURCES += \
	%D%/backoff.c %D%/backoff.h \
	%D%/books.c \
	%D%/brim.c %D%/brim.h \
	%D%/death.c %D%/death.h \
	%D%/deaths.c \
	%D%/ends.c \
	%D%/failed_sentence.c \
	%D%/failed_store.h \
	%D%/failure.c %D%/failure.h \
	%D%/feeder.c \
	%D%/files.c \
	%D%/follow.c \
	%D%/gate.c %D%/gate.h \
	%D%/gates.c \
	%D%/give.c \
	%D%/guard.c \
	%D%/halt.c %D%/halt.h \
	%D%/halt_rule.c \
	%D%/goes_on.c \
	%D%/host.c %D%/host.h \
	%D%/inline.c %D%/inline.h \
	%D%/inline_ends.c %D%/inline_ends.h \
	%D%/inline_halt.c \
	%D%/inline_host.c %D%/inline_host.h \
	%D%/inline_item.c \
	%D%/inline_stage.c %D%/inline_stage.h \
	%D%/inline_task.c \
	%D%/keeper.c %D%/keeper.h \
	%D%/keeper_main.c \
	%D%/kept.c %D%/kept.h \
	%D%/journal.c \
	%D%/last_words.c %D%/last_words.h \
	%D%/limits.c \
	%D%/memory.c \
	%D%/news.c %D%/news.h \
	%D%/order.c \
	%D%/overflow.c %D%/overflow.h \
	%D%/plan.c %D%/plan.h \
	%D%/post.c %D%/post.h \
	%D%/progress.c \
	%D%/putoff.c \
	%D%/read_back.c \
	%D%/reader.c \
	%D%/recorder.c %D%/recorder.h \
	%D%/recycle.c \
	%D%/report.c \
	%D%/room.c %D%/room.h \
	%D%/run.h \
	%D%/seats.c \
	%D%/settle.c \
	%D%/source.c \
	%D%/stop.c \
	%D%/supervisor.c %D%/supervisor.h \
	%D%/torture.c %D%/torture.h \
	%D%/torture_hand.c \
	%D%/torture_lives.c \
	%D%/torture_run.c \
	%D%/torture_same.c \
	%D%/turns.c \
	%D%/verdict.c \
	%D%/worker.c %D%/worker.h \
	%D%/writer.c \
	%D%/wrote.c %D%/wrote.h

if HAVE_SQLITE
libweir_internal_la_SOURCES += %D%/failed_store.c
else
libweir_internal_la_SOURCES += %D%/failed_none.c
endif
