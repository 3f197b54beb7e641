/*
 * The head of a map or list is put in front of its body when the count is known:
 * a move of the body by 1 to 5 bytes, which for the short ones that records hold
 * costs less than counting ahead. Entries that came in order, as canonical input
 * has them, are never looked at again.
 */
#include "codec/packed.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/bytes.h"
#include "codec/msgpack.h"

#include <stdlib.h>

struct entry {
    struct slice key;
    size_t bytes;   /* key and value, from key.data on */
};

/* Of most maps: these need no memory, and so few are sorted sooner than a call for each pair of keys would. */
#define ENTRIES_KEPT 32
#define ENTRIES_FEW 16
#define BODY_KEPT 1024

static void insert_head(struct buffer *out, size_t start, size_t body_end)
{
    char head[8];
    size_t head_bytes = out->bytes - body_end;
    memcpy(head, out->data + body_end, head_bytes);
    memmove(out->data + start + head_bytes, out->data + start, body_end - start);
    memcpy(out->data + start, head, head_bytes);
}

void packed_list_end(struct buffer *out, size_t start, uint32_t count)
{
    size_t body_end = out->bytes;
    msgpack_write_array(out, count);
    insert_head(out, start, body_end);
}

struct packed_map packed_map_begin(const struct buffer *out)
{
    return (struct packed_map){ .start = out->bytes, .sorted = true };
}

void packed_map_key(struct packed_map *map, const struct buffer *out, size_t key)
{
    size_t key_bytes = out->bytes - key;
    if (map->count > 0 && map->sorted) {
        struct slice last = slice_of(out->data + map->key, map->key_bytes);
        map->sorted = slice_compare(last, slice_of(out->data + key, key_bytes)) < 0;
    }
    map->key = key;
    map->key_bytes = key_bytes;
    map->count++;
}

/* By key; of equal keys the one that came later is behind. */
static int entry_compare(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = slice_compare(a->key, b->key);
    return order != 0 ? order : (a->key.data > b->key.data) - (a->key.data < b->key.data);
}

static void entries_sort(struct entry *entries, uint32_t count)
{
    if (count > ENTRIES_FEW) {
        qsort(entries, count, sizeof *entries, entry_compare);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct entry entry = entries[i];
        uint32_t to = i;
        for (; to > 0 && entry_compare(&entries[to - 1], &entry) > 0; to--)
            entries[to] = entries[to - 1];
        entries[to] = entry;
    }
}

static void entries_find(const struct packed_map *map, const char *body, size_t bytes, struct entry *entries)
{
    struct slice rest = slice_of(body, bytes);
    for (uint32_t i = 0; i < map->count; i++) {
        const char *begin = rest.data;
        msgpack_skip(&rest);
        entries[i].key = slice_of(begin, (size_t)(rest.data - begin));
        msgpack_skip(&rest);
        entries[i].bytes = (size_t)(rest.data - begin);
    }
}

/* Of a copy of the body, in order, to where it was. */
static int entries_write(struct packed_map *map, const struct entry *entries, struct buffer *out, enum packed_repeated repeated)
{
    uint32_t kept = 0;
    out->bytes = map->start;
    for (uint32_t i = 0; i < map->count; i++) {
        if (i + 1 == map->count || !slice_equal(entries[i].key, entries[i + 1].key)) {
            bytes_append_short(out, entries[i].key.data, entries[i].bytes);
            kept++;
        } else if (repeated == PACKED_REFUSE) {
            return error_set(ERROR_FORMAT, "a map has the same key twice");
        }
    }
    map->count = kept;
    return 0;
}

static int sort(struct packed_map *map, struct buffer *out, enum packed_repeated repeated)
{
    struct entry kept[ENTRIES_KEPT], *entries = map->count <= ENTRIES_KEPT ? kept : memory_new(map->count * sizeof *entries);
    size_t bytes = out->bytes - map->start;
    char short_body[BODY_KEPT], *body = bytes <= BODY_KEPT ? short_body : memory_new(bytes);
    memcpy(body, out->data + map->start, bytes);
    entries_find(map, body, bytes, entries);
    entries_sort(entries, map->count);
    int status = entries_write(map, entries, out, repeated);
    if (body != short_body)
        free(body);
    if (entries != kept)
        free(entries);
    return status;
}

int packed_map_end(struct packed_map *map, struct buffer *out, enum packed_repeated repeated)
{
    int status = map->sorted ? 0 : sort(map, out, repeated);
    if (status < 0)
        return status;
    size_t body_end = out->bytes;
    msgpack_write_map(out, map->count);
    insert_head(out, map->start, body_end);
    return 0;
}
