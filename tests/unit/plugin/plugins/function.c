/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* function.c - weir_plugin is there, and is something else. */
__attribute__((visibility("default"))) int weir_plugin(void);

int weir_plugin(void)
{
    return 1;
}
