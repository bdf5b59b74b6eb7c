# core/journal: the folder of a run, and the store in it.
libweir_internal_la_SOURCES += \
	%D%/built.c \
	%D%/folder.c \
	%D%/journal.h

if HAVE_SQLITE
libweir_internal_la_SOURCES += \
	%D%/db.c %D%/db.h
endif
