/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* late.c - runs in the program, and in weir-helper: see late.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/child.h"
#include "process/code.h"
#include "process/late.h"
#include "process/parcel.h"

extern char **environ;

/* The words on its command line, before the descriptors that are kept. */
enum {
    WORD_VERSION = 1,
    WORD_SOCKET,
    WORD_LIFE,
    WORD_HOST_FD,
    WORD_HOST,
    WORD_NAME,
    WORDS
};

/* What weir-helper ends with, when it is not why it could not fork. */
enum { STATUS_NOT_ASKED = 200, STATUS_OTHER_VERSION };

/* ------------------------------------------------------- in the program ----
 */

/* A build that is not installed has it elsewhere. */
static const char *program_path(void)
{
    const char *path = secure_getenv("WEIR_HELPER");

    return path != NULL && path[0] == '/' ? path : PKGLIBEXECDIR "/weir-helper";
}

struct words {
    char numbers[FD_MESSAGE_FDS + WORDS][24];
    char *argv[FD_MESSAGE_FDS + WORDS + 1];
    int argc;
};

static void add_number(struct words *words, int64_t number)
{
    char *text = words->numbers[words->argc];

    snprintf(text, sizeof words->numbers[0], "%" PRId64, number);
    words->argv[words->argc++] = text;
}

/* With a "c" behind it: closed by an exec. */
static void add_kept(struct words *words, int fd)
{
    char *text = words->numbers[words->argc];

    add_number(words, fd);
    if ((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0)
        strcat(text, "c");
}

static void write_words(struct words *words, const struct helper_birth *birth,
                        const char *path)
{
    words->argc = 0;
    words->argv[words->argc++] = (char *)path;
    words->argv[words->argc++] = (char *)PACKAGE_VERSION;
    add_number(words, birth->socket);
    add_number(words, birth->life);
    add_number(words, birth->host_fd);
    add_number(words, birth->host);
    words->argv[words->argc++] = (char *)birth->lineage->name;
    for (size_t i = 0; i < birth->keep_count; i++)
        add_kept(words, birth->keep[i]);
    words->argv[words->argc] = NULL;
}

/* Each under its own number: so they are not closed by the exec. */
static int hand_on(posix_spawn_file_actions_t *actions,
                   const struct helper_birth *birth)
{
    int code = posix_spawn_file_actions_adddup2(actions, birth->socket,
                                                birth->socket);

    if (code == 0)
        code = posix_spawn_file_actions_adddup2(actions, birth->life,
                                                birth->life);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(actions, birth->host_fd,
                                                birth->host_fd);
    for (size_t i = 0; i < birth->keep_count && code == 0; i++)
        code = posix_spawn_file_actions_adddup2(actions, birth->keep[i],
                                                birth->keep[i]);
    return -code;
}

static int spawn(const struct helper_birth *birth, const char *path,
                 pid_t *pid_out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    struct words words;
    sigset_t none;
    int code;

    write_words(&words, birth, path);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return WEIR_ENOMEM;
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    code = hand_on(&actions, birth);
    if (code == 0)
        code = -posix_spawn(pid_out, path, &actions, &attr, words.argv,
                            environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

/* As with a fork, its exit status may be taken by the program's own handler:
 * then the socket alone tells. */
int late_start(const struct helper_birth *birth, weir_error *err)
{
    const char *path = program_path();
    int status = 0;
    pid_t pid;
    int code = spawn(birth, path, &pid);

    if (code != 0)
        return error_sys(err, code,
                         "the program has threads already, so its helper is a "
                         "program of its own; cannot start '%s'",
                         path);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 0;
    if (!WIFEXITED(status))
        return error_set(err, WEIR_EBROKEN, "'%s' was killed", path);
    status = WEXITSTATUS(status);
    if (status == STATUS_OTHER_VERSION)
        return error_set(err, WEIR_EBROKEN,
                         "'%s' is not of libweir's version, " PACKAGE_VERSION
                         ": start the program again, or install both anew",
                         path);
    if (status == EXIT_FAILURE || status >= STATUS_NOT_ASKED)
        return error_set(err, WEIR_EBROKEN, "'%s' failed", path);
    return status == 0
               ? 0
               : error_sys(err, -status, "'%s' cannot start the helper", path);
}

/* ------------------------------------------------------- in weir-helper ----
 */

static int number_of(const char *word)
{
    char *end;
    long number = strtol(word, &end, 10);

    return *word == '\0' || *end != '\0' || number < 0 || number > INT32_MAX
               ? -1
               : (int)number;
}

/* A descriptor of the context. */
static int own_of(const char *word)
{
    int fd = number_of(word);

    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

/* A descriptor of the program, and closed by an exec if it was so there. */
static int kept_of(char *word)
{
    size_t size = strlen(word);
    bool closes = size > 0 && word[size - 1] == 'c';
    int fd;

    if (closes)
        word[size - 1] = '\0';
    fd = number_of(word);
    if (fd >= 0 && closes)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

static bool read_words(int argc, char **argv, struct helper_birth *birth,
                       struct lineage *lineage, int *keep)
{
    struct stat_line line = { 0 };
    bool good = argc >= WORDS && argc <= WORDS + FD_MESSAGE_FDS;

    if (!good)
        return false;
    birth->socket = own_of(argv[WORD_SOCKET]);
    birth->life = own_of(argv[WORD_LIFE]);
    birth->host_fd = own_of(argv[WORD_HOST_FD]);
    birth->host = number_of(argv[WORD_HOST]);
    birth->keep = keep;
    birth->keep_count = (size_t)(argc - WORDS);
    for (size_t i = 0; i < birth->keep_count; i++) {
        keep[i] = kept_of(argv[WORDS + i]);
        good = good && keep[i] >= 0;
    }
    stat_read(birth->host, &line);
    lineage->pid = birth->host;
    lineage->start_ticks = line.start_ticks;
    snprintf(lineage->name, sizeof lineage->name, "%s", argv[WORD_NAME]);
    return good && birth->socket >= 0 && birth->life >= 0 &&
           birth->host_fd >= 0 && birth->host > 0;
}

int late_main(int argc, char **argv,
              const struct helper_service *const *services)
{
    static struct helper_birth birth;
    static struct lineage lineage;
    static int keep[FD_MESSAGE_FDS];
    size_t count = 0;

    birth.lineage = &lineage;
    if (argc > WORD_VERSION && strcmp(argv[WORD_VERSION], PACKAGE_VERSION) != 0)
        return STATUS_OTHER_VERSION;
    if (!read_words(argc, argv, &birth, &lineage, keep)) {
        fprintf(stderr,
                "weir-helper: programs with libweir start it themselves\n");
        return STATUS_NOT_ASKED;
    }
    birth.services[count++] = &process_service;
    for (; *services != NULL && count < SERVICES_MOST; services++)
        birth.services[count++] = *services;
    code_is_elsewhere();
    helper_fork_off(&birth);
}
