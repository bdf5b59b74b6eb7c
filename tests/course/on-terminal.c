/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* on-terminal.c - runs a program on a terminal of its own: on-terminal PROGRAM
 * LINE... Each line is typed when the program has printed one that ends with a
 * question mark; what it prints is printed here. */
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { BOUND_MS = 30000 };

/* The next byte that the program prints, or EOF: it has ended, or hangs. */
static int next(int terminal)
{
    struct pollfd poller = { .fd = terminal, .events = POLLIN };
    unsigned char c;

    if (poll(&poller, 1, BOUND_MS) != 1 || read(terminal, &c, 1) != 1)
        return EOF;
    return c;
}

static void type(int terminal, const char *line)
{
    if (write(terminal, line, strlen(line)) < 0 || write(terminal, "\n", 1) < 0)
        exit(2);
}

int main(int argc, char **argv)
{
    struct termios plain = { 0 };
    int terminal, status, c, before = 0, line = 2;
    pid_t pid = forkpty(&terminal, NULL, NULL, NULL);

    if (pid < 0 || argc < 2)
        return 2;
    if (pid == 0) {
        /* What is typed is not shown, and a newline is one byte. */
        if (tcgetattr(0, &plain) == 0) {
            plain.c_lflag &= ~(tcflag_t)ECHO;
            plain.c_oflag &= ~(tcflag_t)OPOST;
            tcsetattr(0, TCSANOW, &plain);
        }
        execv(argv[1], argv + 1);
        _exit(127);
    }
    while ((c = next(terminal)) != EOF) {
        putchar(c);
        if (c == '\n' && before == '?' && line < argc)
            type(terminal, argv[line++]);
        before = c;
    }
    close(terminal); /* who hangs is hung up */
    if (waitpid(pid, &status, 0) != pid)
        return 2;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
