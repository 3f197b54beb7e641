/*
 * Which entries are dirty: what is written is marked once an epoch, and listed.
 *
 * A step that writes nearly every key it is handed has the entries of a batch marked
 * ahead, all of them in one loop right behind their lookup. Else the script meets a
 * clean entry now and then, at no moment that a processor could guess, leaves its
 * trace and calls; and a frozen entry that nobody hands over while it is near has to
 * be fetched again for the sweep. Of some batches none is marked: they tell whether it
 * pays. An entry that was marked and not written costs a row, and is right. Keys that are new are never marked.
 */
#include "state/keyed_state_internal.h"

#include "base/fetch.h"
#include "base/memory.h"
#include "state/walker.h"

#define LOOKED_EVERY 61      /* batches; a prime: in step with the trials of runtime/renewal.lua it would have them compile loops for what is rare */
#define LOOKED_CLEAN_MIN 64  /* fewer tell nothing */
#define FEW_CLEAN_SHARE 64   /* one clean entry in so many is not worth a look at the others */
#define MARKED_AT_ONCE 128
#define FETCH_AHEAD 16       /* entries; the batch is more than the nearest cache holds, and was looked up before */
#define LIST_MIN 1024

void dirty_list_reserve(struct dirty_list *list, size_t more)
{
    if (list->capacity - list->count >= more)
        return;
    list->capacity = list->capacity * 2 + more + LIST_MIN;
    list->items = memory_resize(list->items, list->capacity * sizeof list->items[0]);
}

/*
 * Entries that are gone leave their places in the list, and what is made in those comes twice: in
 * an epoch without end (no checkpoints) the list would grow without end. What is kept loses its stamp
 * while the others are looked at.
 */
static void dirty_compact(struct keyed_state *state)
{
    struct dirty_list *list = &state->dirty;
    size_t kept = 0;
    for (size_t i = list->next; i < list->count; i++) {
        struct entry *entry = item_entry(list->items[i]);
        if (!dirty_in_running_epoch(state, entry))
            continue;
        entry->dirty_epoch = 0;
        list->items[kept++] = list->items[i];
    }
    for (size_t i = 0; i < kept; i++)
        item_entry(list->items[i])->dirty_epoch = (uint32_t)state->epoch;
    list->next = 0;
    list->count = kept;
}

static void dirty_reserve(struct keyed_state *state, size_t more)
{
    struct dirty_list *list = &state->dirty;
    if (list->capacity - list->count < more && list->count > 2 * state_entries(state) + LIST_MIN)
        dirty_compact(state);
    dirty_list_reserve(list, more);
}

/* Who sweeps takes the stamp away and says that there is a row now. A walker does not: a stamp that is left of an earlier epoch says it. */
static inline uint32_t was_walked(const struct entry *entry)
{
    return (entry->dirty_epoch != 0) * ENTRY_DURABLE;
}

void state_touch(struct keyed_state *state, uint32_t column, struct entry *entry)
{
    if (dirty_in_running_epoch(state, entry))
        return;
    if (frozen_unswept(state, entry))
        state_hand_over(state, column, &entry, 1);
    state->made += column > 0 && (entry->flags & (ENTRY_UNSTORED | ENTRY_DURABLE)) == 0;
    entry->flags |= (uint16_t)(ENTRY_UNSTORED | was_walked(entry));
    entry->dirty_epoch = (uint32_t)state->epoch;
    fence_stamps();
    state->ahead.touched += column == 0;
    dirty_reserve(state, 1);
    state->dirty.items[state->dirty.count++] = dirty_item(column, entry);
}

void keyed_state_touch(struct keyed_state *state, struct entry *entry)
{
    state_touch(state, 0, entry);
}

static inline void fetch_stamp_ahead(struct entry **entries, int32_t i, int32_t count)
{
    fetch_line(&entries[i + FETCH_AHEAD < count ? i + FETCH_AHEAD : i]->dirty_epoch);
}

/* Found first, without a branch for each: nothing tells a processor which ones are. */
static void hand_over_all(struct keyed_state *state, struct entry **entries, int32_t count)
{
    struct entry *frozen[MARKED_AT_ONCE];
    uint32_t frozen_count = 0, epoch = (uint32_t)state->frozen_epoch;
    for (int32_t i = 0; i < count; i++) {
        fetch_stamp_ahead(entries, i, count);
        frozen[frozen_count] = entries[i];
        frozen_count += entries[i]->dirty_epoch == epoch;
    }
    state_hand_over(state, 0, frozen, frozen_count);
}

/* Would it be marked? Not what is new: a key that is only looked up should not be kept. */
static inline bool is_clean(const struct entry *entry, uint32_t epoch)
{
    return ((entry->dirty_epoch != epoch) & ((entry->flags & (ENTRY_UNSTORED | ENTRY_DURABLE)) != 0)) != 0;
}

/* Without a branch for each: what is not to be marked is listed too, and the next one takes its place. */
static void mark_all(struct keyed_state *state, struct entry **entries, int32_t count)
{
    dirty_reserve(state, (size_t)count + 1);
    uint64_t *items = state->dirty.items;
    size_t listed = state->dirty.count;
    uint32_t epoch = (uint32_t)state->epoch;
    for (int32_t i = 0; i < count; i++) {
        fetch_stamp_ahead(entries, i, count);
        struct entry *entry = entries[i];
        bool clean = is_clean(entry, epoch);
        items[listed] = dirty_item(0, entry);
        listed += clean;
        entry->flags |= (uint16_t)(clean * (ENTRY_UNSTORED | was_walked(entry)));
        entry->dirty_epoch = clean ? epoch : entry->dirty_epoch;
    }
    fence_stamps();
    state->dirty.count = listed;
}

/* As many at once as the nearest cache holds: entries are looked at twice. */
static void touch_all(struct keyed_state *state, struct entry **entries, int32_t count)
{
    for (int32_t from = 0; from < count; from += MARKED_AT_ONCE) {
        int32_t some = count - from < MARKED_AT_ONCE ? count - from : MARKED_AT_ONCE;
        if (state->frozen_walk || state->frozen.count > 0)
            hand_over_all(state, entries + from, some);
        mark_all(state, entries + from, some);
    }
}

static uint32_t count_clean(const struct keyed_state *state, struct entry **entries, int32_t count)
{
    uint32_t clean = 0;
    for (int32_t i = 0; i < count; i++)
        clean += is_clean(entries[i], (uint32_t)state->epoch);
    return clean;
}

void state_touch_ahead(struct keyed_state *state, struct entry **entries, int32_t count)
{
    struct touch_ahead *ahead = &state->ahead;
    uint32_t turn = ahead->turn;
    ahead->turn = (turn + 1) % LOOKED_EVERY;
    if (turn == 0) {
        ahead->clean = count_clean(state, entries, count); /* keys that come twice count twice: there are few, or calls are */
        ahead->few = ahead->clean * FEW_CLEAN_SHARE <= (uint32_t)count;
        ahead->touched = 0;
        return;
    }
    if (turn == 1 && ahead->clean >= LOOKED_CLEAN_MIN)
        ahead->pays = ahead->touched >= ahead->clean - ahead->clean / 8;
    if (ahead->pays && !ahead->few)
        touch_all(state, entries, count);
}
