#include "state/table_stamped.h"

#include "base/fetch.h"

#define FETCH_AHEAD_BYTES 4096

uint64_t table_places(const struct table *table)
{
    uint64_t places = 0;
    for (uint32_t c = 0; c < table->chunk_count; c++)
        places += table->chunks[c]->used;
    return places;
}

/*
 * Without a branch for each: nothing tells a processor which ones are stamped. A walker looks at
 * stamps that its worker sets (walker.h), which ThreadSanitizer need not be told.
 */
__attribute__((no_sanitize_thread)) static uint32_t stamped_among(const struct table *table, char *place, uint32_t places, uint32_t epoch, struct entry **entries)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < places; i++, place += table->entry_bytes) {
        struct entry *entry = (struct entry *)(void *)place;
        fetch_line_once(place + FETCH_AHEAD_BYTES);
        entries[count] = entry;
        count += __atomic_load_n(&entry->dirty_epoch, __ATOMIC_ACQUIRE) == epoch;
    }
    return count;
}

uint32_t table_next_stamped(const struct table *table, struct table_cursor *cursor, uint32_t epoch, struct entry **entries, uint64_t *places)
{
    uint32_t count = 0;
    while (count == 0 && *places > 0 && cursor->chunk < table->chunk_count) {
        const struct table_chunk *chunk = table->chunks[cursor->chunk];
        uint32_t looked = chunk->used - cursor->index;
        if (looked > STAMPED_MAX)
            looked = STAMPED_MAX;
        if (looked > *places)
            looked = (uint32_t)*places;
        count = stamped_among(table, chunk->places + (size_t)cursor->index * table->entry_bytes, looked, epoch, entries);
        cursor->index += looked;
        *places -= looked;
        if (looked == 0)
            *cursor = (struct table_cursor){ .chunk = cursor->chunk + 1 };
    }
    return count;
}
