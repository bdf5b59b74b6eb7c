/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* house.c - see house.h. Folders that a group may write would be refused, and
 * a build tree may be one: so plugins are copied. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "house.h"

struct house house;

static char folder[64];
static const char *const plugins[] = { "crash", "hang", "leave", "noise",
                                       "sample" };
static const char *paths[2];

static void in_folder(char *out, size_t room, const char *name)
{
    snprintf(out, room, "%s/%s", folder, name);
}

static void put(const char *name, const char *data, size_t size)
{
    char path[128];
    int fd;

    in_folder(path, sizeof path, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_write_all(fd, data, size), 0);
    close(fd);
}

static void copy_plugin(const char *name)
{
    struct buf data = { 0 };
    char from[512], to[64];
    int fd;

    snprintf(from, sizeof from, "%s/%s.so", TEST_PLUGINS, name);
    snprintf(to, sizeof to, "%s.so", name);
    fd = open(from, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "no %s", from);
    ck_assert_int_eq(fd_slurp(fd, &data, 64 << 20), 0);
    close(fd);
    put(to, data.data, data.size);
    buf_done(&data);
}

void house_setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/weir-job-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++)
        copy_plugin(plugins[i]);
}

void house_teardown(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

const char *house_path(void)
{
    return folder;
}

bool house_forks(void)
{
    int fd = pidfd_open(getpid(), 0);
    bool forks = fd >= 0 || errno != ENOSYS;

    fd_close(&fd);
    return forks;
}

void house_begin(void)
{
    house = (struct house){ 0 };
    paths[0] = folder;
    house.options.inline_only = !house_forks();
    house.options.plugin_paths = paths;
    unsetenv("WEIR_PLUGIN_PATH");
    children_setup();
}

static void forget(void)
{
    nursery_stop(&house.nursery);
    job_bound_free(&house.bound);
    diags_done(&house.diags);
    job_free(&house.job);
    buf_done(&house.text);
}

void house_end(void)
{
    forget();
    children_teardown();
}

int house_open_file(const char *file)
{
    forget();
    house.options.file = file;
    house.err = (weir_error){ 0 };
    house.code = job_open(&house.options, &house.job, &house.diags,
                          &house.nursery,
                          house.options.inline_only ? &house.bound : NULL,
                          &house.err);
    ck_assert_int_eq(diag_print(&house.diags, &house.text, false), 0);
    return house.code;
}

int house_open(const char *text)
{
    static char path[128]; /* the options keep it */

    put("job.yaml", text, strlen(text));
    in_folder(path, sizeof path, "job.yaml");
    return house_open_file(path);
}

void house_says(const char *part)
{
    const char *text = house.text.data ? house.text.data : "";

    ck_assert_msg(strstr(text, part), "'%s' is not in:\n%s", part, text);
}
