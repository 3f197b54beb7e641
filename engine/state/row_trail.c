#include "state/row_trail.h"

#define STRAYS_EACH_TRAIL 256

static void locate(const struct table *table, const struct entry *entry, struct table_cursor *cursor)
{
    for (uint32_t c = 0; c < table->chunk_count; c++) {
        uintptr_t offset = (uintptr_t)entry - (uintptr_t)table->chunks[c]->places;
        if (offset < (uintptr_t)table->chunks[c]->used * table->entry_bytes) {
            *cursor = (struct table_cursor){ c, (uint32_t)(offset / table->entry_bytes) + 1 };
            return;
        }
    }
}

/* A search among all chunks, so not for each stray where no row ever follows one. */
void row_trail_lay(struct row_trail *trail, const struct table *table, const struct entry *entry)
{
    if (trail->strays++ % STRAYS_EACH_TRAIL != 0)
        return;
    locate(table, entry, &trail->next);
    trail->laid = true;
}
