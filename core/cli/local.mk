# core/cli: the command `weir`; one cmd_<name>.c per subcommand.
# A new file: one more line `%D%/name.c %D%/name.h \` in the list.
# `make` writes ./weir, which runs the command with the plugins of the build.
bin_PROGRAMS += %D%/weir
%C%_weir_SOURCES = \
	%D%/bench_bare.c %D%/bench_bare.h \
	%D%/bench_weir.c %D%/bench_weir.h \
	%D%/bench_words.c %D%/bench_words.h \
	%D%/call_out.c %D%/call_out.h \
	%D%/calling.c %D%/calling.h \
	%D%/cli.h \
	%D%/cmd_bench.c \
	%D%/cmd_call.c \
	%D%/cmd_check.c \
	%D%/cmd_failed.c \
	%D%/cmd_get.c \
	%D%/cmd_graph.c \
	%D%/cmd_help.c \
	%D%/cmd_plugins.c \
	%D%/cmd_put.c \
	%D%/cmd_queues.c \
	%D%/cmd_replay.c \
	%D%/cmd_resume.c \
	%D%/cmd_run.c \
	%D%/cmd_runs.c \
	%D%/cmd_show.c \
	%D%/cmd_torture.c \
	%D%/complete.c \
	%D%/debugger.c %D%/debugger.h \
	%D%/job_end.c %D%/job_end.h \
	%D%/journaled.c %D%/journaled.h \
	%D%/kept_run.c %D%/kept_run.h \
	%D%/look.c %D%/look.h \
	%D%/main.c \
	%D%/named.c %D%/named.h \
	%D%/open_job.c %D%/open_job.h \
	%D%/options.c \
	%D%/out.c %D%/out.h \
	%D%/show.c %D%/show.h \
	%D%/stop.c %D%/stop.h \
	%D%/usage.c
%C%_weir_LDADD = libweir-internal.la $(PRELOAD)
%C%_weir_LDFLAGS = $(AM_LDFLAGS) -dlpreopen force
