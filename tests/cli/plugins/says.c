/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * says.c - a plugin that writes to stderr, for run-wrote.sh. Runs in workers.
 *
 * says.do takes `VERB [NUMBER]` and passes the line when it comes back from it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/plugin.h>

static void put(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t got = write(2, text, size);

        if (got <= 0)
            return;
        text += got;
        size -= (size_t)got;
    }
}

static void say(const char *text)
{
    put(text, strlen(text));
}

/* Lines of 80 bytes, in pieces of 7: "line N of PID xxx...". */
static void say_lines(unsigned long count)
{
    for (unsigned long i = 1; i <= count; i++) {
        char line[81];
        int size = snprintf(line, sizeof line, "line %lu of %d ", i, getpid());

        memset(line + size, 'x', sizeof line - 2 - (size_t)size);
        line[79] = '\n';
        for (size_t at = 0; at < 80; at += 7)
            put(line + at, at + 7 < 80 ? 7 : 80 - at);
    }
}

/* Lines of 64 bytes, many at a time; a mark in file `marks` for each MiB. */
static void say_much(unsigned long mib)
{
    static char page[1 << 20];
    int fd = open("marks", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    for (size_t at = 0; at < sizeof page; at++)
        page[at] = at % 64 == 63 ? '\n' : 'm';
    for (; mib > 0; mib--) {
        put(page, sizeof page);
        (void)!write(fd, ".", 1);
    }
    close(fd);
}

/* A mark in file `marks`, and then messages without end. */
static void log_on(weir_call *call)
{
    int fd = open("marks", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    (void)!write(fd, ".", 1);
    close(fd);
    for (;;)
        weir_log(call, WEIR_INFO, "and on");
}

static void die_saying(void)
{
    for (int i = 1; i <= 15; i++) {
        char text[64];

        snprintf(text, sizeof text, "it was \033[1mhere\033[0m %d\n", i);
        say(text);
    }
    say("and is no m");
    abort();
}

/* What a child writes that holds the pipe open does not end. */
static void leave_child(void)
{
    if (fork() != 0)
        return;
    setsid();
    for (;;)
        pause();
}

static int do_run(weir_call *call)
{
    weir_bytes in = weir_input(call);
    char text[64], *number;
    unsigned long count;

    snprintf(text, sizeof text, "%.*s", (int)in.size, (const char *)in.data);
    number = strchr(text, ' ');
    count = number != NULL ? strtoul(number, NULL, 10) : 1;
    if (number != NULL)
        *number = '\0';
    if (strcmp(text, "lines") == 0)
        say_lines(count);
    else if (strcmp(text, "much") == 0)
        say_much(count);
    else if (strcmp(text, "log") == 0)
        log_on(call);
    else if (strcmp(text, "die") == 0)
        die_saying();
    else if (strcmp(text, "silent") == 0)
        abort();
    else if (strcmp(text, "print") == 0)
        printf("printed by its task\n"), abort();
    else if (strcmp(text, "exit") == 0)
        say("a reason\n\n"), _exit(7);
    else if (strcmp(text, "long") == 0) {
        for (unsigned long i = 0; i < count; i++)
            say("y");
        say("\n");
    } else if (strcmp(text, "binary") == 0) {
        put("a\0b\377c\n", 6);
        abort();
    } else if (strcmp(text, "child") == 0) {
        leave_child();
        say("with a child\n");
        abort();
    } else if (strcmp(text, "close") == 0) {
        say("before it closed\n");
        close(2);
        close(1);
    }
    return weir_pass(call, 0);
}

static int no_open(weir_call *call)
{
    (void)call;
    say("no such thing here\n");
    abort();
}

static const weir_task tasks[] = {
    { .name = "do", .summary = "Do what the item says", .run = do_run },
    { .name = "unopened",
      .summary = "Die in open",
      .run = do_run,
      .open = no_open },
    { 0 },
};

WEIR_PLUGIN(.name = "says", .version = "1.0", .summary = "Writes to stderr",
            .tasks = tasks);
