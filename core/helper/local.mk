# core/helper: weir-helper, which a program with threads starts as its helper.
pkglibexec_PROGRAMS += %D%/weir-helper
%C%_weir_helper_SOURCES = %D%/main.c
%C%_weir_helper_LDADD = libweir-internal.la $(PRELOAD)
%C%_weir_helper_LDFLAGS = $(AM_LDFLAGS) -dlpreopen force
