#include "time/passed_times.h"

#include "base/error.h"
#include "codec/msgpack.h"

#define FIELDS 4

static const struct passed_time *items_of(const struct passed_times *passed, uint32_t *count)
{
    *count = (uint32_t)(passed->items.bytes / sizeof(struct passed_time));
    return (const struct passed_time *)(const void *)passed->items.data;
}

void passed_times_init(struct passed_times *passed)
{
    buffer_init(&passed->items);
    passed->latest = INT64_MIN;
}

void passed_times_deinit(struct passed_times *passed)
{
    buffer_deinit(&passed->items);
}

static int item_read(struct slice *in, struct passed_time *item)
{
    uint64_t first, last;
    int status = msgpack_read_uint(in, &first);
    status = status < 0 ? status : msgpack_read_uint(in, &last);
    status = status < 0 ? status : msgpack_read_uint(in, &item->attempt);
    status = status < 0 ? status : msgpack_read_int(in, &item->time);
    if (status < 0 || first > last || last > UINT16_MAX)
        return ERROR_CORRUPT;
    item->group_first = (uint16_t)first;
    item->group_last = (uint16_t)last;
    return 0;
}

static void add(struct passed_times *passed, struct passed_time item, uint16_t group_first, uint16_t group_last)
{
    if (item.group_first < group_first)
        item.group_first = group_first;
    if (item.group_last > group_last)
        item.group_last = group_last;
    if (item.group_first > item.group_last)
        return;
    buffer_append(&passed->items, &item, sizeof item);
    if (item.time > passed->latest)
        passed->latest = item.time;
}

int passed_times_read(struct passed_times *passed, struct slice blob, uint16_t group_first, uint16_t group_last)
{
    uint32_t count;
    int status = msgpack_read_array(&blob, &count);
    for (uint32_t i = 0; i + FIELDS <= count && status == 0; i += FIELDS) {
        struct passed_time item;
        status = item_read(&blob, &item);
        if (status == 0)
            add(passed, item, group_first, group_last);
    }
    if (status < 0 || count % FIELDS != 0 || blob.bytes > 0)
        return error_set(ERROR_CORRUPT, "the saved times of windows are damaged");
    return 0;
}

static void item_write(const struct passed_time *item, struct buffer *blob)
{
    msgpack_write_uint(blob, item->group_first);
    msgpack_write_uint(blob, item->group_last);
    msgpack_write_uint(blob, item->attempt);
    msgpack_write_int(blob, item->time);
}

/* An earlier attempt that had not come as far says nothing beyond `now`. */
void passed_times_write(const struct passed_times *passed, const struct passed_time *now, struct buffer *blob)
{
    uint32_t count, kept = now->time > INT64_MIN;
    const struct passed_time *items = items_of(passed, &count);
    for (uint32_t i = 0; i < count; i++)
        kept += items[i].time > now->time;
    if (kept == 0)
        return;
    msgpack_write_array(blob, kept * FIELDS);
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].time > now->time)
            item_write(&items[i], blob);
    }
    if (now->time > INT64_MIN)
        item_write(now, blob);
}

int64_t passed_times_since(const struct passed_times *passed, uint16_t group, uint64_t attempt)
{
    uint32_t count;
    const struct passed_time *items = items_of(passed, &count);
    int64_t latest = INT64_MIN;
    for (uint32_t i = 0; i < count; i++) {
        bool tells = items[i].attempt >= attempt && items[i].group_first <= group && group <= items[i].group_last;
        if (tells && items[i].time > latest)
            latest = items[i].time;
    }
    return latest;
}
