#include "codec/pieces.h"

#include "base/memory.h"

#include <stdlib.h>

const struct pieces *pieces_make_for(struct pieces_table *table, const struct shape *shape)
{
    struct pieces *fresh = memory_new_zeroed(1, sizeof *fresh);
    table->make(shape, fresh);
    struct pieces *first = NULL;
    if (atomic_compare_exchange_strong(&table->of_shape[shape->id], &first, fresh))
        return fresh;
    /* Another thread was faster. */
    buffer_deinit(&fresh->text);
    free(fresh);
    return first;
}
