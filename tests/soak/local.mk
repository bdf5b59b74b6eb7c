# tests/soak: at full load under faults of all kinds, for as long as one likes.
# `make soak` takes an hour; WEIR_SOAK_SECONDS=900 make soak, a quarter of one.
check_PROGRAMS += %D%/fire
%C%_fire_SOURCES = %D%/fire.c
TESTS += %D%/judge.sh
LONG_TESTS += %D%/soak.sh
EXTRA_DIST += %D%/judge.awk %D%/judge.sh %D%/rough.c %D%/soak.sh

soak: all
	WEIR_SOAK_SECONDS=$${WEIR_SOAK_SECONDS:-3600}; \
	export WEIR_SOAK_SECONDS; \
	$(MAKE) $(AM_MAKEFLAGS) check TESTS=%D%/soak.sh; status=$$?; \
	cat %D%/soak.log; exit $$status
.PHONY: soak
