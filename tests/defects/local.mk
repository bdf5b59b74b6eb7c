# tests/defects: known defects of Python's multiprocessing, which libweir has
# not; a program in C that must pass, and one in Python to compare.
check_PROGRAMS += %D%/defects
%C%_defects_SOURCES = %D%/defects.c
%C%_defects_LDADD = libweir.la
TESTS += %D%/defects.sh
LONG_TESTS += %D%/defects.sh
EXTRA_DIST += %D%/defects.sh %D%/defects.py
