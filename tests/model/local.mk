# tests/model: the protocol of lease and commit, and of order, as models for spin.
# Their steps are named as in core/queue: who changes their order there changes
# it here.
LONG_TESTS += %D%/check.sh
EXTRA_DIST += %D%/check.sh %D%/order.pml %D%/turn.pml

check-model:
	@$(MAKE) $(AM_MAKEFLAGS) check TESTS=%D%/check.sh

