# tests/threads: the program's threads, under the thread sanitizer.
TESTS += %D%/threads.sh
LONG_TESTS += %D%/threads.sh
EXTRA_DIST += %D%/threads.sh %D%/threads.c
