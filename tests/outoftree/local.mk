# tests/outoftree: what users of the installed tree get: a plugin and programs
# built against it alone, headers, exported names.
# A script: `TESTS += %D%/name.sh` and `EXTRA_DIST += %D%/name.sh`; it starts
# with `. "${0%/*}/../lib/cli.sh"`.
outoftree_tests = \
	%D%/dist.sh \
	%D%/headers.sh \
	%D%/install.sh \
	%D%/symbols.sh
TESTS += $(outoftree_tests)
EXTRA_DIST += $(outoftree_tests) \
	%D%/part/Makefile.am \
	%D%/part/configure.ac \
	%D%/part/part.c \
	%D%/part/part.yaml \
	%D%/sum/Makefile.am \
	%D%/sum/configure.ac \
	%D%/sum/plain.mk \
	%D%/sum/sum.c
