/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * zstd.c - the plugin `zstd`: an item is compressed into one frame, frames are
 * decompressed into one item. Runs in workers, each with a context of its own
 * that is reset for each item. zstd.md is the manual.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <weir/plugin.h>

struct compress_param {
    int64_t level;
    uint64_t size_bytes;
    bool checksum;
};

struct decompress_param {
    uint64_t size_bytes;
};

/* The errors that people meet, in words that need no manual. */
static int fail_zstd(weir_call *call, const char *what, size_t result)
{
    const char *why = ZSTD_getErrorName(result);
    enum weir_verdict verdict = WEIR_PERMANENT;

    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_srcSize_wrong:
        why = "the item is cut short";
        break;
    case ZSTD_error_prefix_unknown:
        why = "it does not begin as zstd does";
        break;
    case ZSTD_error_checksum_wrong:
        why = "its checksum is wrong";
        break;
    case ZSTD_error_memory_allocation:
        why = "no memory";
        verdict = WEIR_TRANSIENT;
        break;
    default:
        break;
    }
    return weir_fail(call, verdict, "cannot %s: %s", what, why);
}

static int compress_open(weir_call *call)
{
    const struct compress_param *param = weir_params(call);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t result;

    if (!context)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    weir_set_state(call, context);
    result = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel,
                                    (int)param->level);
    if (!ZSTD_isError(result))
        result = ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag,
                                        param->checksum);
    if (ZSTD_isError(result))
        return weir_fail(call, WEIR_FATAL, "zstd refuses its parameters: %s",
                         ZSTD_getErrorName(result));
    return 0;
}

static int compress_close(weir_call *call)
{
    ZSTD_freeCCtx(weir_state(call));
    weir_set_state(call, NULL);
    return 0;
}

static int compress_run(weir_call *call)
{
    const struct compress_param *param = weir_params(call);
    weir_bytes in = weir_input(call);
    size_t room = ZSTD_compressBound(in.size), result;
    void *data;
    int code;

    if (room > param->size_bytes)
        room = (size_t)param->size_bytes;
    code = weir_reserve(call, 0, room, &data);
    if (code < 0)
        return code;
    result = ZSTD_compress2(weir_state(call), data, room, in.data, in.size);
    if (!ZSTD_isError(result))
        return weir_submit(call, result);
    if (ZSTD_getErrorCode(result) == ZSTD_error_dstSize_tooSmall)
        return weir_fail(
            call, WEIR_PERMANENT,
            "it is more than 'size', %llu bytes, also compressed; raise it",
            (unsigned long long)param->size_bytes);
    return fail_zstd(call, "compress", result);
}

static int decompress_open(weir_call *call)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();

    if (!context)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    weir_set_state(call, context);
    return 0;
}

static int decompress_close(weir_call *call)
{
    ZSTD_freeDCtx(weir_state(call));
    weir_set_state(call, NULL);
    return 0;
}

static int too_big(weir_call *call)
{
    const struct decompress_param *param = weir_params(call);

    return weir_fail(call, WEIR_PERMANENT,
                     "it becomes more than 'size', %llu bytes; raise it",
                     (unsigned long long)param->size_bytes);
}

enum known { KNOWN, UNKNOWN, TOO_BIG, BROKEN };

/* Adds up what the frames say of their sizes. They may lie: the sum is only
 * the room that is asked for, and bounded. */
static enum known whole_size(weir_bytes in, uint64_t most, uint64_t *size_out,
                             size_t *error_out)
{
    const char *at = in.data;
    uint64_t sum = 0;

    for (size_t left = in.size; left > 0;) {
        unsigned long long size = ZSTD_getFrameContentSize(at, left);
        size_t frame = ZSTD_findFrameCompressedSize(at, left);

        if (ZSTD_isError(frame)) {
            *error_out = frame;
            return BROKEN;
        }
        if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR)
            return UNKNOWN;
        if (size > most - sum)
            return TOO_BIG;
        sum += size;
        at += frame;
        left -= frame;
    }
    *size_out = sum;
    return KNOWN;
}

static int decompress_known(weir_call *call, weir_bytes in, size_t size)
{
    void *data;
    size_t result;
    int code = weir_reserve(call, 0, size, &data);

    if (code < 0)
        return code;
    result = ZSTD_decompressDCtx(weir_state(call), data, size, in.data,
                                 in.size);
    if (ZSTD_isError(result))
        return fail_zstd(call, "decompress", result);
    return weir_submit(call, result);
}

/* Doubles a buffer, to at most @most + 1 bytes. */
static bool make_room(ZSTD_outBuffer *out, uint64_t most)
{
    uint64_t room = out->size > 0 ? 2 * (uint64_t)out->size : 64 << 10;
    void *grown;

    if (room > most)
        room = most + 1;
    grown = realloc(out->dst, (size_t)room);
    if (!grown)
        return false;
    out->dst = grown;
    out->size = (size_t)room;
    return true;
}

/* A stream whose size nobody knew when it began: piece by piece, into memory
 * of our own, which ends with the item. */
static int decompress_unknown(weir_call *call, weir_bytes in)
{
    const struct decompress_param *param = weir_params(call);
    ZSTD_DCtx *context = weir_state(call);
    ZSTD_inBuffer from = { in.data, in.size, 0 };
    ZSTD_outBuffer to = { 0 };
    size_t result = 1;
    int code = 0;

    ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
    while (code == 0 &&
           (from.pos < from.size || (result != 0 && to.pos == to.size))) {
        if (to.pos > param->size_bytes)
            code = too_big(call);
        else if (to.pos == to.size && !make_room(&to, param->size_bytes))
            code = weir_fail(call, WEIR_TRANSIENT, "no memory");
        if (code != 0)
            break;
        result = ZSTD_decompressStream(context, &to, &from);
        if (ZSTD_isError(result))
            code = fail_zstd(call, "decompress", result);
    }
    if (code == 0 && to.pos > param->size_bytes)
        code = too_big(call);
    if (code == 0 && result != 0)
        code = weir_fail(call, WEIR_PERMANENT,
                         "cannot decompress: the item is cut short");
    if (code == 0)
        code = weir_emit(call, 0, to.dst, to.pos);
    free(to.dst);
    return code;
}

static int decompress_run(weir_call *call)
{
    const struct decompress_param *param = weir_params(call);
    weir_bytes in = weir_input(call);
    uint64_t size = 0;
    size_t error = 0;

    if (in.size == 0)
        return weir_fail(call, WEIR_PERMANENT,
                         "cannot decompress: the item is empty");
    switch (whole_size(in, param->size_bytes, &size, &error)) {
    case KNOWN:
        return decompress_known(call, in, (size_t)size);
    case UNKNOWN:
        return decompress_unknown(call, in);
    case TOO_BIG:
        return too_big(call);
    default:
        return fail_zstd(call, "decompress", error);
    }
}

static const weir_param compress_params[] = {
    WEIR_PARAM_INT(struct compress_param, level, "3",
                   "more is smaller and slower; below 0 is fastest",
                   .min = "-7", .max = "22"),
    WEIR_PARAM_BOOL(struct compress_param, checksum, "true",
                    "add a checksum to each frame"),
    WEIR_PARAM_SIZE(struct compress_param, size_bytes, "16 MiB",
                    "largest result; the item fails", .min = "64 B",
                    .max = "1 GiB"),
    { 0 },
};

static const weir_param decompress_params[] = {
    WEIR_PARAM_SIZE(struct decompress_param, size_bytes, "16 MiB",
                    "largest result; the item fails", .min = "1 B",
                    .max = "1 GiB"),
    { 0 },
};

static const weir_task tasks[] = {
    {
        .name = "compress",
        .summary = "Compress an item into one zstd frame",
        .run = compress_run,
        .open = compress_open,
        .close = compress_close,
        .params = compress_params,
        .largest = "size",
    },
    {
        .name = "decompress",
        .summary = "Decompress an item of zstd frames",
        .run = decompress_run,
        .open = decompress_open,
        .close = decompress_close,
        .params = decompress_params,
        .largest = "size",
    },
    { 0 },
};

WEIR_PLUGIN(.name = "zstd", .version = PACKAGE_VERSION,
            .summary = "Compression with Zstandard", .tasks = tasks);
