/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sync.h - what was written is there to stay, also after a loss of power. What
 * cannot be synced (a pipe, a terminal, on some file systems a folder) need not
 * be. All return 0 or a negated errno. */
#ifndef BASE_SYNC_H
#define BASE_SYNC_H

int sync_fd(int fd);
/* One that is gone needs no sync; where the system has no descriptor for it,
 * nothing may be said to be there. One that may not be read, as a file to which
 * may be written alone, is synced with all else. @flags: of open. */
int sync_path(const char *path, int flags);
/* Of a name that is new: @path is the name, and the folder in which it stands
 * is synced. */
int sync_folder_of(const char *path);

#endif
