# tests/bench: what `make bench` runs: BENCHES +=; programs that a benchmark
# needs: BENCH_NEEDS +=. Nothing here is run by `make check`.
bench_programs = %D%/count %D%/with-weir %D%/limit %D%/scan
if HAVE_ZSTD
bench_programs += %D%/tree
endif
if HAVE_GEARMAN
bench_programs += %D%/with-gearman
endif
if HAVE_ZEROMQ
bench_programs += %D%/with-zeromq
endif
EXTRA_PROGRAMS += $(bench_programs)
BENCH_NEEDS = $(bench_programs)
BENCHES += %D%/suite.sh
EXTRA_DIST += %D%/suite.sh %D%/rows.sh %D%/common.sh %D%/growth.sh \
	%D%/count.py %D%/with-python.py
CLEANFILES += $(bench_programs)

# What programs by hand share with `weir bench`.
bench_bare = core/cli/bench_bare.c core/cli/bench_bare.h
bench_weir = core/cli/bench_weir.c core/cli/bench_weir.h

# The word counter alone, without the rest of its plugin.
%C%_count_SOURCES = \
	%D%/count.c %D%/channel.h %D%/bench.h $(bench_bare) \
	plugins/text/table.c plugins/text/table.h \
	plugins/text/words.c plugins/text/letters.h plugins/text/text.h
%C%_count_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/plugins/text
%C%_with_weir_SOURCES = %D%/with-weir.c %D%/bench.h $(bench_bare) $(bench_weir)
%C%_with_weir_LDADD = libweir.la
%C%_limit_SOURCES = %D%/limit.c %D%/bench.h $(bench_bare)
%C%_scan_SOURCES = %D%/scan.c %D%/bench.h $(bench_bare)
%C%_scan_CPPFLAGS = $(AM_CPPFLAGS) $(YAML_CFLAGS)
%C%_scan_LDADD = $(YAML_LIBS)
%C%_with_zeromq_SOURCES = %D%/with-zeromq.c %D%/bench.h $(bench_bare)
%C%_with_zeromq_CPPFLAGS = $(AM_CPPFLAGS) $(ZEROMQ_CFLAGS)
%C%_with_zeromq_LDADD = $(ZEROMQ_LIBS)
%C%_with_gearman_SOURCES = %D%/with-gearman.c %D%/bench.h $(bench_bare)
%C%_with_gearman_CPPFLAGS = $(AM_CPPFLAGS) $(GEARMAN_CFLAGS)
%C%_with_gearman_LDADD = $(GEARMAN_LIBS)
%C%_tree_SOURCES = %D%/tree.c %D%/channel.h %D%/bench.h $(bench_bare)
%C%_tree_CPPFLAGS = $(AM_CPPFLAGS) $(ZSTD_CFLAGS)
%C%_tree_LDADD = $(ZSTD_LIBS)
