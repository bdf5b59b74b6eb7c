# core/shm: shared memory, robust lock, payload store, sleep and wake.
libweir_internal_la_SOURCES += \
	%D%/available.c \
	%D%/bell.c %D%/bell.h \
	%D%/kills.c \
	%D%/lock.c %D%/lock.h \
	%D%/memory.c %D%/memory.h \
	%D%/mutex.c \
	%D%/place.c %D%/place.h \
	%D%/shm.h \
	%D%/spin.c %D%/spin.h \
	%D%/store.c %D%/store.h \
	%D%/wait.c %D%/wait.h
