#include "dataflow/operators/name_space.h"

#include "base/error.h"
#include "state/row.h"

#define MSGPACK_NIL 0xc0
#define FIXSTR 0xa0
#define FIXSTR_BYTES_MAX 31

void name_space_write(struct buffer *out, const struct window *window)
{
    if (window->start == WINDOW_OF_ALL.start) {
        buffer_append(out, &(uint8_t){ MSGPACK_NIL }, 1);
        return;
    }
    size_t head = out->bytes;
    buffer_append(out, &(uint8_t){ FIXSTR }, 1);
    varint_write(out, (uint64_t)window->start << 1 ^ (uint64_t)(window->start >> 63));
    varint_write(out, (uint64_t)window->end - (uint64_t)window->start);
    out->data[head] = (char)(FIXSTR | (out->bytes - head - 1));
}

int name_space_read(struct slice name_space, struct window *window)
{
    uint8_t head = name_space.bytes == 0 ? 0 : (uint8_t)name_space.data[0];
    *window = WINDOW_OF_ALL;
    if (head == MSGPACK_NIL && name_space.bytes == 1)
        return 0;
    struct slice rest = slice_of(name_space.data + 1, name_space.bytes - 1);
    uint64_t start, length;
    if (head < FIXSTR || head > (FIXSTR | FIXSTR_BYTES_MAX) || varint_read(&rest, &start) < 0 || varint_read(&rest, &length) < 0 || rest.bytes > 0)
        return error_set(ERROR_CORRUPT, "a timer's namespace is no window");
    window->start = (int64_t)(start >> 1 ^ (~(start & 1) + 1));
    window->end = (int64_t)((uint64_t)window->start + length);
    return 0;
}
