# tests/fuzz: each program replays its corpus under `make check`. With clang,
# `make tests/fuzz/job-libfuzzer` makes a target of libFuzzer; run it on a copy
# of tests/data/jobs.
check_PROGRAMS += %D%/job
TESTS += %D%/job
LONG_TESTS += %D%/job
%C%_job_SOURCES = %D%/job.c
%C%_job_CPPFLAGS = $(AM_CPPFLAGS) \
	-DTEST_JOBS='"$(abs_srcdir)/tests/data/jobs"'
%C%_job_LDADD = libweir-internal.la

%D%/job-libfuzzer: %D%/job.c $(libweir_internal_la_SOURCES)
	$(AM_V_CCLD)sources=`echo $(libweir_internal_la_SOURCES) | \
	    tr ' ' '\n' | sed -n 's,.*\.c$$,$(srcdir)/&,p'`; \
	clang -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined \
	    -DWEIR_LIBFUZZER $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) \
	    $(CPPFLAGS) -pthread -o $@ $(srcdir)/%D%/job.c $$sources \
	    $(LTDL_LIBS) $(YAML_LIBS) -lm
CLEANFILES += %D%/job-libfuzzer
