/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.h - a streaming writer of JSON into a buf: commas and quoting by
 * itself; bytes that are not UTF-8 become U+FFFD; NaN and infinities become
 * null. @key is NULL inside arrays and at the top.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct json {
    struct buf *out;
    bool comma; /* something stands before in this object or array */
};

void json_object(struct json *json, const char *key); /* { */
void json_object_end(struct json *json);
void json_array(struct json *json, const char *key); /* [ */
void json_array_end(struct json *json);
void json_text(struct json *json, const char *key, const char *text);
void json_bytes(struct json *json, const char *key, const void *data,
                size_t size);
void json_uint(struct json *json, const char *key, uint64_t value);
void json_int(struct json *json, const char *key, int64_t value);
void json_real(struct json *json, const char *key, double value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

#endif
