/*
 * A walk over a table that stops only at the entries that bear the stamp of an epoch
 * (their dirty_epoch). Whoever works on many of them goes through their pages once, as
 * fast as memory can be read, instead of at random.
 *
 * Thread   the worker that owns the table, or a walker that has a copy of its chunks.
 */
#pragma once

#include "state/table.h"

/* Entries that one call finds at most. */
#define STAMPED_MAX 64

/* Places that a walk looks at: of entries, and of those that are gone. */
uint64_t table_places(const struct table *table);

/*
 * Looks at the next places, up to `*places`, from which those are taken that were looked at; up to
 * STAMPED_MAX entries found among them go to `entries`, and the answer is how many. None with
 * places left: the walk is at its end. Entries stamped during it may be missed.
 */
uint32_t table_next_stamped(const struct table *table, struct table_cursor *cursor, uint32_t epoch, struct entry **entries, uint64_t *places);
