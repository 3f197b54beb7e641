#include "connectors/file/committable.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/msgpack.h"

#include <stdlib.h>

#define VERSION 1
#define ELEMENTS 8

void committable_write(const struct committable *committable, struct buffer *out)
{
    msgpack_write_array(out, ELEMENTS);
    msgpack_write_uint(out, VERSION);
    msgpack_write_string(out, slice_of_text(committable->prefix));
    msgpack_write_string(out, slice_of_text(committable->extension));
    msgpack_write_uint(out, committable->bound.run);
    msgpack_write_uint(out, committable->bound.subtask);
    msgpack_write_uint(out, committable->bound.whole);
    msgpack_write_uint(out, committable->bound.open_bytes);
    msgpack_write_array(out, committable->closed_count);
    for (uint32_t i = 0; i < committable->closed_count; i++)
        msgpack_write_uint(out, committable->closed[i]);
}

static bool text_read(struct slice *in, char *target, size_t bytes_max)
{
    struct slice text;
    if (msgpack_read_string(in, &text) < 0 || text.bytes > bytes_max || memchr(text.data, 0, text.bytes) != NULL)
        return false;
    memcpy(target, text.data, text.bytes);
    target[text.bytes] = 0;
    return true;
}

static bool bound_read(struct slice *in, struct part_bound *bound)
{
    uint64_t subtask;
    bool whole = msgpack_read_uint(in, &bound->run) == 0 && msgpack_read_uint(in, &subtask) == 0 &&
                 msgpack_read_uint(in, &bound->whole) == 0 && msgpack_read_uint(in, &bound->open_bytes) == 0;
    if (!whole || subtask > UINT32_MAX || bound->open_bytes > INT64_MAX)
        return false;
    bound->subtask = (uint32_t)subtask;
    return true;
}

static bool closed_read(struct slice *in, struct committable *committable)
{
    uint32_t count;
    /* Every counter takes a byte at least: a count beyond the bytes is a lie. */
    if (msgpack_read_array(in, &count) < 0 || count > in->bytes || count > COMMITTABLE_CLOSED_MAX)
        return false;
    committable->closed = memory_new((count + 1) * sizeof committable->closed[0]);
    for (; committable->closed_count < count; committable->closed_count++) {
        uint64_t *counter = &committable->closed[committable->closed_count];
        if (msgpack_read_uint(in, counter) < 0 || *counter >= committable->bound.whole)
            return false;
    }
    return true;
}

int committable_read(struct slice bytes, struct committable *committable)
{
    uint32_t elements;
    uint64_t version;
    *committable = (struct committable){ 0 };
    if (msgpack_read_array(&bytes, &elements) < 0 || elements != ELEMENTS || msgpack_read_uint(&bytes, &version) < 0)
        return error_set(ERROR_CORRUPT, "what the checkpoint holds of a file sink is damaged");
    if (version != VERSION)
        return error_set(ERROR_UNSUPPORTED, "the checkpoint holds a file sink of version %llu", (unsigned long long)version);
    bool whole = text_read(&bytes, committable->prefix, PART_PREFIX_MAX) && part_prefix_valid(committable->prefix) &&
                 text_read(&bytes, committable->extension, PART_EXTENSION_MAX) && part_extension_valid(committable->extension) &&
                 bound_read(&bytes, &committable->bound) && closed_read(&bytes, committable) && bytes.bytes == 0;
    if (whole)
        return 0;
    committable_deinit(committable);
    return error_set(ERROR_CORRUPT, "what the checkpoint holds of a file sink is damaged");
}

void committable_deinit(struct committable *committable)
{
    free(committable->closed);
    committable->closed = NULL;
    committable->closed_count = 0;
}

struct part committable_part(const struct committable *committable, uint64_t counter)
{
    struct part part = { .run = committable->bound.run, .subtask = committable->bound.subtask, .counter = counter };
    memcpy(part.prefix, committable->prefix, sizeof part.prefix);
    memcpy(part.extension, committable->extension, sizeof part.extension);
    return part;
}
