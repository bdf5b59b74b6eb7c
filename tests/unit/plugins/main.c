/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - the suites of the standard plugins, and what they share. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins.h"

#include "lib/suites.h"

static char folder[64];

void folder_setup(void)
{
    umask(022);
    strcpy(folder, "/tmp/weir-plugins-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *ftw)
{
    (void)st, (void)ftw;
    if (kind == FTW_DNR)
        chmod(path, 0700);
    return remove(path);
}

void folder_teardown(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void put_file(const char *path, const void *data, size_t size)
{
    char part[512];
    int fd;

    for (size_t i = 1; path[i] != '\0'; i++)
        if (path[i] == '/') {
            snprintf(part, sizeof part, "%.*s", (int)i, path);
            mkdir(part, 0755);
        }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ck_assert_msg(fd >= 0, "cannot write %s", path);
    ck_assert_int_eq(fd_write_all(fd, data, size), 0);
    fd_close(&fd);
}

void put_text(const char *path, const char *text)
{
    put_file(path, text, strlen(text));
}

struct buf get_file(const char *path)
{
    struct buf buf = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_msg(fd >= 0, "cannot open %s", path);
    ck_assert_int_eq(fd_slurp(fd, &buf, 64 << 20), 0);
    fd_close(&fd);
    ck_assert_int_eq(buf_char(&buf, '\0'), 0);
    buf_cut(&buf, buf.size - 1);
    return buf;
}

bool file_is(const char *path, const char *text)
{
    struct buf buf = get_file(path);
    bool same = buf.size == strlen(text) &&
                memcmp(buf.data, text, buf.size) == 0;

    buf_done(&buf);
    return same;
}

unsigned count_names(const char *path)
{
    DIR *names = opendir(path);
    unsigned count = 0;

    ck_assert_ptr_nonnull(names);
    while (readdir(names))
        count++;
    closedir(names);
    ck_assert_uint_ge(count, 2);
    return count - 2;
}

void assert_given(struct fake *fake, const char *end, const char *want)
{
    struct buf all = fake_join(fake, end);

    ck_assert_str_eq(all.data, want);
    ck_assert_uint_eq(all.size, strlen(want));
    buf_done(&all);
}

struct buf with_attr(const struct fake *fake, const char *name)
{
    struct buf all = { 0 };

    buf_text(&all, "");
    for (size_t i = 0; i < fake->given.count; i++)
        buf_printf(&all, "%s=%.*s\n", fake_attr(&fake->given.at[i], name),
                   (int)fake->given.at[i].data.size,
                   fake->given.at[i].data.data);
    return all;
}

int main(void)
{
    static Suite *(*const suites[])(void) = {
        lines_suite,  blocks_suite, names_suite, read_suite,    write_suite,
        append_suite, words_suite,  top_suite,   pattern_suite, flow_suite,
#ifdef HAVE_ZSTD
        zstd_suite,
#endif
        manual_suite, NULL,
    };

    /* Seconds for one case; a machine may be busy. */
    setenv("CK_DEFAULT_TIMEOUT", "60", 0);
    return suites_main(suites);
}
