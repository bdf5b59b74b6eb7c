# core/journal: the folder of a run, and the store in it.
libweir_internal_la_SOURCES += \
	%D%/built.c \
	%D%/db.h \
	%D%/facts.c %D%/facts.h \
	%D%/folder.c \
	%D%/journal.h \
	%D%/record.h \
	%D%/record_run.c \
	%D%/schema.h

if HAVE_SQLITE
libweir_internal_la_SOURCES += \
	%D%/db.c \
	%D%/record.c \
	%D%/record_read.c \
	%D%/seal.c %D%/seal.h
else
libweir_internal_la_SOURCES += %D%/record_none.c
endif
