# tests/doc: every example of the manual is run.
# A script: `TESTS += %D%/name.sh` and `EXTRA_DIST += %D%/name.sh`; it starts
# with `. "${0%/*}/../lib/cli.sh"`. Long ones go into LONG_TESTS.
doc_tests = \
	%D%/examples.sh \
	%D%/help-examples.sh \
	%D%/library.sh \
	%D%/man-lint.sh \
	%D%/man-options.sh
TESTS += $(doc_tests)
EXTRA_DIST += $(doc_tests) \
	%D%/examples.awk
