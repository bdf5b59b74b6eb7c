# tests/jobs: each job of jobs/ against an independent tool.
# A script: `TESTS += %D%/name.sh` and `EXTRA_DIST += %D%/name.sh`; it starts
# with `. "${0%/*}/../lib/cli.sh"`. Long ones go into LONG_TESTS.
jobs_tests = \
	%D%/compress-tree.sh \
	%D%/compress-tree-killed.sh \
	%D%/plugin-pages.sh \
	%D%/top-words.sh \
	%D%/top-words-killed.sh
TESTS += $(jobs_tests)
EXTRA_DIST += $(jobs_tests)
LONG_TESTS += \
	%D%/compress-tree-killed.sh \
	%D%/top-words.sh \
	%D%/top-words-killed.sh
