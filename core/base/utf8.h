/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utf8.h - single characters of UTF-8, for the files of core/base alone. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed character at @data and its code point; 0 where
 * there is none (RFC 3629, section 4), also when it is cut off. */
size_t utf8_next(const char *data, size_t size, uint32_t *code_out);

/* The longest beginning of @data within @most bytes that does not end inside
 * a character. Other bytes than UTF-8 are cut anywhere. */
size_t utf8_cut(const char *data, size_t size, size_t most);

/* @text for a sentence: escaped as by text_escape, cut to fit; returns @out,
 * which has SHOWN_ROOM bytes. No allocation. */
enum { SHOWN_ROOM = 128 };
char *utf8_shown(char *out, const char *text);

#endif
