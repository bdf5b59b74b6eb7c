# tests/bench: what `make bench` runs: BENCHES +=; programs that a benchmark
# needs: BENCH_NEEDS +=. Nothing here is run by `make check`.
EXTRA_PROGRAMS += %D%/count
BENCH_NEEDS = %D%/count
BENCHES += %D%/top-words.sh
EXTRA_DIST += %D%/top-words.sh %D%/count.py
CLEANFILES += %D%/count

# The word counter alone, without the rest of its plugin.
%C%_count_SOURCES = \
	%D%/count.c \
	plugins/text/table.c plugins/text/table.h \
	plugins/text/words.c plugins/text/letters.h plugins/text/text.h
%C%_count_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/plugins/text
