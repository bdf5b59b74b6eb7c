/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.c - what an item does to files: bytes to be appended, names to be
 * changed. They wait here until the item is done, and then for the commit. Runs
 * in workers.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "run/host.h"

void files_clear(struct appending *append)
{
    for (size_t i = 0; i < append->copies.count; i++)
        free(append->copies.at[i]);
    append->copies.count = append->parts.count = 0;
    append->size = 0;
    append->fd = -1;
}

void files_clear_renames(struct host *host)
{
    for (size_t i = 0; i < host->renames.count; i++) {
        free(host->renames.at[i].from);
        free(host->renames.at[i].to);
    }
    host->renames.count = 0;
}

/* Where it may stay until the commit: in the input, or in a copy. */
static const void *lasting(struct host *host, const void *data, size_t size)
{
    static const unsigned char bytes[] = { '\n', '\0' };
    const char *in = host->item != NULL ? host->item->data : NULL, *at = data;
    void **copy;

    if (in != NULL && at >= in && at + size <= in + host->item->size)
        return data;
    for (size_t i = 0; size == 1 && i < sizeof bytes; i++)
        if (*(const unsigned char *)data == bytes[i])
            return &bytes[i];
    copy = VEC_ADD(&host->append.copies);
    if (copy == NULL)
        return NULL;
    *copy = malloc(size);
    return *copy != NULL ? memcpy(*copy, data, size) : NULL;
}

/* A commit writes to one file: what is done with another comes first. */
static int leave_other_file(struct host *host, int fd)
{
    int code = 0;

    if (host->appended.fd < 0 || host->appended.fd == fd)
        return 0;
    if (host->keeps)
        return host_refuse(host, WEIR_EINVAL,
                           "a task that saves its state cannot append to "
                           "several files");
    if (host->give == GIVE_STREAM)
        return host_commit_part(host);
    if (turn_staged(host->member) > host->first)
        code = give_withdraw(host);
    return code < 0 ? code : host_commit(host);
}

int host_append(struct host *host, int fd, const void *data, size_t size)
{
    struct iovec *part;
    struct stat st;
    int code;

    if (host->append.fd < 0) {
        if (fstat(fd, &st) < 0)
            return errno == EBADF ? WEIR_EINVAL : -errno;
        if (!S_ISREG(st.st_mode))
            return WEIR_EINVAL;
        code = leave_other_file(host, fd);
        if (code < 0)
            return code;
    } else if (host->append.fd != fd) {
        return WEIR_EINVAL;
    }
    host->append.fd = fd;
    if (size == 0)
        return 0;
    data = lasting(host, data, size);
    part = data != NULL ? VEC_ADD(&host->append.parts) : NULL;
    if (part == NULL)
        return WEIR_ENOMEM;
    *part = (struct iovec){ (void *)data, size };
    host->append.size += size;
    return 0;
}

int host_rename(struct host *host, const char *from, const char *to)
{
    struct renaming *renaming;

    if (from[0] != '/' || to[0] != '/' || strlen(from) >= PATH_MAX ||
        strlen(to) >= PATH_MAX)
        return WEIR_EINVAL;
    if (host->renames.count == RENAME_MOST)
        return WEIR_ESTATE;
    renaming = VEC_ADD(&host->renames);
    if (renaming == NULL)
        return WEIR_ENOMEM;
    renaming->from = strdup(from);
    renaming->to = strdup(to);
    return renaming->from != NULL && renaming->to != NULL ? 0 : WEIR_ENOMEM;
}

/* The item's bytes behind those of the others. */
int files_merge(struct host *host)
{
    struct appending *all = &host->appended, *one = &host->append;

    if (one->fd < 0)
        return 0;
    for (size_t i = 0; i < one->parts.count; i++) {
        struct iovec *part = VEC_ADD(&all->parts);

        if (part == NULL)
            return WEIR_ENOMEM;
        *part = one->parts.at[i];
    }
    for (size_t i = 0; i < one->copies.count; i++) {
        void **copy = VEC_ADD(&all->copies);

        if (copy == NULL)
            return WEIR_ENOMEM;
        *copy = one->copies.at[i];
        one->copies.at[i] = NULL;
    }
    all->fd = one->fd;
    all->size += one->size;
    files_clear(one);
    return 0;
}

int files_merge_renames(struct host *host)
{
    int code = 0;

    for (size_t i = 0; i < host->renames.count && code == 0; i++)
        code = turn_rename(host->member, host->renames.at[i].from,
                           host->renames.at[i].to);
    if (host->renames.count > 0)
        host->commit_soon = true;
    files_clear_renames(host);
    return code;
}
