/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* names.c - file.names: an item for each file, which is its path. Runs in
 * workers. */
#include "config.h"

#include <string.h>

#include "source.h"

static int one_name(weir_call *call, struct file_source *source)
{
    const char *path = file_walk_path(source->walk);
    const char *relative = file_walk_relative(source->walk);
    int code = weir_set_attr(call, "path", path, strlen(path));

    if (code == 0)
        code = weir_set_attr(call, "relative", relative, strlen(relative));
    code = file_source_named(call, source, code);
    if (code == 0)
        code = weir_emit(call, 0, path, strlen(path));
    if (code != 0)
        return code;
    source->emitted++;
    return file_source_passed(call, source);
}

int file_names_run(weir_call *call)
{
    struct file_source *source = weir_state(call);
    int code = file_source_start(call, source);

    while (code == 0 && source->emitted < FILE_PIECE) {
        code = file_source_step(call, source);
        if (code == 0)
            code = one_name(call, source);
    }
    return code == FILE_ENOUGH ? 0 : code;
}
