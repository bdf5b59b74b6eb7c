/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bell.c - runs in any process that has the shared memory. See bell.h. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base.h"
#include "shm/bell.h"
#include "shm/wait.h"

/* By hand: also in a signal handler (weir_queue_cancel). */
static socklen_t bell_address(uint64_t name, struct sockaddr_un *address)
{
    static const char prefix[] = "weir-bell-";
    char *to = address->sun_path + 1;

    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(to, prefix, sizeof prefix - 1);
    to += sizeof prefix - 1;
    for (unsigned i = 0; i < 16; i++)
        *to++ = "0123456789abcdef"[name >> (60 - 4 * i) & 15];
    return (socklen_t)(to - (char *)address);
}

static int bell_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

int bell_open(uint64_t *name_out)
{
    struct sockaddr_un address;
    int fd = bell_socket();
    uint64_t name = 0;
    socklen_t size;

    if (fd < 0)
        return fd;
    if (getrandom(&name, sizeof name, 0) != sizeof name)
        name = (uint64_t)clock_now() << 20 ^ (uint64_t)getpid();
    name |= 1;
    size = bell_address(name, &address);
    if (bind(fd, (struct sockaddr *)&address, size) < 0) {
        int code = -errno;

        fd_close(&fd);
        return code;
    }
    *name_out = name;
    return fd;
}

void bell_quiet(int fd)
{
    char byte;

    while (recv(fd, &byte, sizeof byte, MSG_DONTWAIT) >= 0 || errno == EINTR)
        continue;
}

void bell_arm(_Atomic uint32_t *park)
{
    atomic_store(park, PARK_ASLEEP);
}

/* Without a descriptor to be had, it stays unrung until the next sweep. */
void bell_ring(uint64_t name, _Atomic uint32_t *park, bool forced)
{
    uint32_t before = atomic_exchange(park, PARK_TOKEN);
    struct sockaddr_un address;
    int keep = errno, fd;
    socklen_t size;

    if (before != PARK_ASLEEP && !forced)
        return;
    WEIR_POINT("bell.ring");
    fd = bell_socket();
    if (fd >= 0) {
        size = bell_address(name, &address);
        sendto(fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL,
               (struct sockaddr *)&address, size);
        close(fd);
    }
    errno = keep;
}
