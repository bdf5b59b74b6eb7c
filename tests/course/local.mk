# tests/course: the programs of a course on multiprocessing, as short as an
# example should be; they know libweir by its public headers alone.
# A program: NAME here in the list, NAME_SOURCES, and NAME.want beside it, which
# is what it prints.
course_programs = \
	%D%/any-order \
	%D%/daemon \
	%D%/globals \
	%D%/input \
	%D%/pids \
	%D%/pool-apply \
	%D%/pool-async \
	%D%/producer-consumer \
	%D%/queue-full \
	%D%/start-join
check_PROGRAMS += $(course_programs) %D%/on-terminal
%C%_any_order_SOURCES = %D%/any-order.c %D%/course.h
%C%_any_order_LDADD = libweir.la
%C%_daemon_SOURCES = %D%/daemon.c %D%/course.h
%C%_daemon_LDADD = libweir.la
%C%_globals_SOURCES = %D%/globals.c %D%/course.h
%C%_globals_LDADD = libweir.la
%C%_input_SOURCES = %D%/input.c %D%/course.h
%C%_input_LDADD = libweir.la
%C%_pids_SOURCES = %D%/pids.c %D%/course.h
%C%_pids_LDADD = libweir.la
%C%_pool_apply_SOURCES = %D%/pool-apply.c %D%/course.h
%C%_pool_apply_LDADD = libweir.la
%C%_pool_async_SOURCES = %D%/pool-async.c %D%/course.h
%C%_pool_async_LDADD = libweir.la
%C%_producer_consumer_SOURCES = %D%/producer-consumer.c %D%/course.h
%C%_producer_consumer_LDADD = libweir.la
%C%_queue_full_SOURCES = %D%/queue-full.c %D%/course.h
%C%_queue_full_LDADD = libweir.la
%C%_start_join_SOURCES = %D%/start-join.c %D%/course.h
%C%_start_join_LDADD = libweir.la
%C%_on_terminal_SOURCES = %D%/on-terminal.c
%C%_on_terminal_LDADD = libweir-internal.la
TESTS += %D%/course.sh
EXTRA_DIST += %D%/course.sh \
	%D%/any-order.want \
	%D%/daemon.want \
	%D%/globals.want \
	%D%/input.want \
	%D%/pids.want \
	%D%/pool-apply.want \
	%D%/pool-async.want \
	%D%/producer-consumer.want \
	%D%/queue-full.want \
	%D%/start-join.want
