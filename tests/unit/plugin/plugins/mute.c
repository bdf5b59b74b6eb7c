/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mute.c - a shared object that says nothing of itself. */
int mute_answer(void);

int mute_answer(void)
{
    return 42;
}
