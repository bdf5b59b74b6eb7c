# tests/cli: scripts that use the command as installed.
# A script: one more line in the list; it starts with
# `. "${0%/*}/../lib/cli.sh"`. Long ones go into LONG_TESTS.
cli_tests = \
	%D%/bench.sh \
	%D%/call-basic.sh \
	%D%/call-debugger.sh \
	%D%/call-failed.sh \
	%D%/check-bad.sh \
	%D%/check-good.sh \
	%D%/completion-bash.sh \
	%D%/failed.sh \
	%D%/graph.sh \
	%D%/help-basic.sh \
	%D%/journal-damaged.sh \
	%D%/journal-syncs.sh \
	%D%/output-colour.sh \
	%D%/output-lost.sh \
	%D%/plugins-damaged.sh \
	%D%/plugins-list.sh \
	%D%/plugins-why.sh \
	%D%/put-get.sh \
	%D%/replay.sh \
	%D%/resume-order.sh \
	%D%/resume.sh \
	%D%/run-after.sh \
	%D%/run-backoff.sh \
	%D%/run-basic.sh \
	%D%/run-clock.sh \
	%D%/run-failed.sh \
	%D%/run-halt.sh \
	%D%/run-hung.sh \
	%D%/run-idle.sh \
	%D%/run-inline.sh \
	%D%/run-journal.sh \
	%D%/run-key.sh \
	%D%/run-limits.sh \
	%D%/run-named.sh \
	%D%/run-oom.sh \
	%D%/run-order.sh \
	%D%/run-overflow.sh \
	%D%/run-parts.sh \
	%D%/run-recycle.sh \
	%D%/run-refused.sh \
	%D%/run-signals.sh \
	%D%/run-sizes.sh \
	%D%/run-starved.sh \
	%D%/run-state.sh \
	%D%/run-wild.sh \
	%D%/run-wrote.sh \
	%D%/torture.sh
TESTS += $(cli_tests)
LONG_TESTS += %D%/journal-damaged.sh %D%/plugins-damaged.sh \
	%D%/run-hung.sh %D%/run-idle.sh %D%/run-sizes.sh \
	%D%/run-wild.sh %D%/torture.sh
EXTRA_DIST += $(cli_tests) \
	%D%/plugins/bad.c \
	%D%/plugins/gate.c \
	%D%/plugins/heir.c \
	%D%/plugins/hold.c \
	%D%/plugins/keyed.c \
	%D%/plugins/says.c \
	%D%/plugins/try.c \
	%D%/plugins/unsafe.c \
	%D%/plugins/wild.c
