# tests/fuzz: each program replays its corpus under `make check`. With clang,
# `make fuzz` makes targets of libFuzzer and runs them.
check_PROGRAMS += %D%/job
TESTS += %D%/job
LONG_TESTS += %D%/job
%C%_job_SOURCES = %D%/job.c
%C%_job_CPPFLAGS = $(AM_CPPFLAGS) \
	-DTEST_JOBS='"$(abs_srcdir)/tests/data/jobs"'
%C%_job_LDADD = libweir-internal.la

check_PROGRAMS += %D%/readers
TESTS += %D%/readers
LONG_TESTS += %D%/readers
%C%_readers_SOURCES = %D%/readers.c
%C%_readers_LDADD = libweir-internal.la

%D%/job-libfuzzer %D%/readers-libfuzzer: $(libweir_internal_la_SOURCES)
	$(AM_V_CCLD)sources=`echo $(libweir_internal_la_SOURCES) | \
	    tr ' ' '\n' | sed -n 's,.*\.c$$,$(srcdir)/&,p'`; \
	clang -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined \
	    -DWEIR_LIBFUZZER $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) \
	    $(CPPFLAGS) -pthread -o $@ $(srcdir)/`echo $@ | sed s/-libfuzzer/.c/` $$sources \
	    $(libweir_internal_la_LIBADD) -lm
%D%/job-libfuzzer: %D%/job.c
%D%/readers-libfuzzer: %D%/readers.c
CLEANFILES += %D%/job-libfuzzer %D%/readers-libfuzzer

# Each target for FUZZ_SECONDS, one after the other; what is found stands in
# fuzz/, with the corpus that has grown there.
FUZZ_SECONDS = 600
FUZZ_READERS = texts attrs post desc news elf segment strangers
fuzz: %D%/job-libfuzzer %D%/readers-libfuzzer %D%/readers
	@mkdir -p fuzz/job && %D%/readers --seeds fuzz && \
	cp -n $(srcdir)/tests/data/jobs/*.yaml fuzz/job/; \
	options='-max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048'; \
	options="$$options -print_final_stats=1 -verbosity=0"; \
	for name in job $(FUZZ_READERS); do \
	    target=readers; test $$name != job || target=job; \
	    echo "fuzz: $$name"; \
	    WEIR_FUZZ=$$name nice -n 19 %D%/$$target-libfuzzer $$options \
	        -artifact_prefix=fuzz/$$name- fuzz/$$name || exit 1; \
	done
