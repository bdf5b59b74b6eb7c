/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * couple.c - `weir put` and `weir get` at one named queue, killed at random,
 * one or both, again and again; what gets appends to a file: the shell's way,
 * or by --append.
 *
 *     couple WEIR KILLS SEED [append]
 *
 * WEIR is the command's binary, WEIR_QUEUE_DIR set. After a death of the
 * putting side all is taken, so that the file tells where to go on. At the end
 * each item from 0 on must be in the file, in order and whole; twice only what
 * was in the hand of one that was killed, and cut off only where it was killed
 * while it wrote; by --append, neither. Prints what it has done; status 1 and
 * why, when not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weir/queue.h>

static const char *weir;
static pid_t feeder, putter, getter;
static bool appends;
static unsigned next; /* number to be put */

static void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    for (pid_t *pid = (pid_t[]){ feeder, putter, getter, 0 }; *pid > 0; pid++)
        kill(*pid, SIGKILL);
    exit(1);
}

/* Some lie inline, some in chunks of several sizes. */
static int item_text(char *out, unsigned number)
{
    int pad = (int)(number * 37 % 11) * 25;

    return sprintf(out, "<%u %.*s>", number, pad,
                   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

static void start_putter(bool last)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        die("no pipe");
    feeder = fork();
    if (feeder == 0) {
        FILE *pipe = fdopen(ends[1], "w");
        char text[512];

        signal(SIGPIPE, SIG_DFL);
        close(ends[0]);
        if (last)
            _exit(0);
        for (unsigned i = next;; i++) {
            item_text(text, i);
            fprintf(pipe, "%s\n", text);
        }
    }
    putter = fork();
    if (putter == 0) {
        dup2(ends[0], 0);
        if (last)
            execl(weir, "weir", "put", "--close", "couple", NULL);
        else
            execl(weir, "weir", "put", "couple", NULL);
        _exit(127);
    }
    close(ends[0]);
    close(ends[1]);
}

static void start_getter(void)
{
    getter = fork();
    if (getter == 0) {
        int fd = open("taken", O_WRONLY | O_CREAT | O_APPEND, 0600);

        dup2(fd, 1);
        close(fd);
        if (appends)
            execl(weir, "weir", "get", "--append=taken", "couple", NULL);
        execl(weir, "weir", "get", "couple", NULL);
        _exit(127);
    }
}

static void reap(pid_t *pid, bool killed)
{
    int status = 0;

    if (*pid <= 0 || waitpid(*pid, &status, 0) != *pid)
        die("lost a child");
    if (killed ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL
               : status != 0)
        die("a child ended with status 0x%x", status);
    *pid = 0;
}

static void kill_putter(void)
{
    kill(putter, SIGKILL);
    kill(feeder, SIGKILL);
    reap(&putter, true);
    waitpid(feeder, NULL, 0);
    feeder = 0;
}

static void await_empty(weir_queue *queue)
{
    time_t end = time(NULL) + 60;
    weir_queue_state state;

    do {
        if (weir_queue_snapshot(queue, &state) != 0)
            die("the queue is damaged");
        if (time(NULL) > end)
            die("stands still: %u ready, %u leased, %u staged", state.size,
                state.leased, state.staged);
        usleep(500);
    } while (state.size + state.leased + state.staged > 0);
}

/* ----------------------------------------------------------- the file ---- */

static off_t file_size(void)
{
    struct stat st;

    return stat("taken", &st) == 0 ? st.st_size : 0;
}

/* However slow the machine: both have started, and something has come. */
static void await_flow(void)
{
    time_t end = time(NULL) + 60;
    off_t size = file_size();

    while (file_size() == size) {
        if (time(NULL) > end)
            die("nothing comes");
        usleep(500);
    }
}

static unsigned twice, torn, seen; /* seen: numbers below it are there */
static long read_at;

static bool is_item(const char *line, unsigned number)
{
    char text[512];

    item_text(text, number);
    return strcmp(line, text) == 0;
}

/* A whole line, or the beginning of one that a kill cut off and then one that
 * is whole. */
static void take_line(const char *line)
{
    const char *from = line;

    for (; from != NULL; from = strchr(from + 1, '<')) {
        if (is_item(from, seen))
            seen++;
        else if (seen > 0 && is_item(from, seen - 1))
            twice++;
        else
            continue;
        torn += from != line;
        return;
    }
    die("after %u: '%s'", seen, line);
}

static void read_file(void)
{
    FILE *file = fopen("taken", "r");
    char line[4096];

    if (file == NULL || fseek(file, read_at, SEEK_SET) < 0)
        return;
    while (fgets(line, sizeof line, file) != NULL) {
        size_t size = strlen(line);

        if (line[size - 1] != '\n')
            break; /* goes on with what is appended next */
        line[size - 1] = '\0';
        take_line(line);
        read_at = ftell(file);
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    unsigned kills = 0, putters = 0, getters = 0, most, seed;
    weir_queue *queue;
    weir_error err;

    if (argc != 4 && argc != 5)
        return 2;
    appends = argc == 5;
    weir = argv[1];
    most = (unsigned)atoi(argv[2]);
    seed = (unsigned)atoi(argv[3]);
    options.capacity = 16;
    options.members = 16;
    if (weir_queue_open_named("couple", &options, WEIR_QUEUE_CREATE, &queue,
                              &err) < 0)
        die("%s", err.text);
    while (kills < most) {
        int which = rand_r(&seed) % 3;

        if (putter == 0)
            start_putter(false);
        if (getter == 0)
            start_getter();
        if (which == 2)
            await_flow();
        usleep((useconds_t)(rand_r(&seed) % 12000));
        if (which != 0) {
            kill(getter, SIGKILL);
            reap(&getter, true);
            getters++;
            kills++;
        }
        if (which != 1) {
            kill_putter();
            putters++;
            kills++;
            if (getter == 0)
                start_getter();
            await_empty(queue);
            read_file();
            next = seen;
        }
    }
    if (putter != 0)
        kill_putter();
    if (getter == 0)
        start_getter();
    start_putter(true);
    reap(&putter, false);
    waitpid(feeder, NULL, 0);
    reap(&getter, false);
    read_file();
    printf("# %u items, %u that put and %u that got were killed; %u items came "
           "twice, %u were cut off\n",
           seen, putters, getters, twice, torn);
    if (appends)
        getters = 0;
    if (seen < most / 8 || twice > getters || torn > getters)
        die("too many came twice, or too few at all");
    weir_queue_free(&queue);
    return 0;
}
