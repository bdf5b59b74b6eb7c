# A project with a Makefile and nothing else.
CFLAGS = -O2 -g -Wall -Wextra -Werror
CPPFLAGS = $(shell pkg-config --cflags weir)
LDLIBS = $(shell pkg-config $(STATIC) --libs weir)
LDFLAGS = -pthread

sum: sum.c
