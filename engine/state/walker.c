#include "state/walker.h"

#include "base/memory.h"
#include "base/thread.h"
#include "state/row_numbers.h"
#include "state/table_stamped.h"

#include <stdlib.h>

#define ENTRY_BYTES_MAX (offsetof(struct entry, slots) + WALKER_SLOTS_MAX * sizeof(struct cell))
#define ENTRY_WORDS_MAX (ENTRY_BYTES_MAX / sizeof(uint64_t))

struct walker {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;             /* of what follows up to the line */
    pthread_cond_t changed;
    bool begun, end;                  /* begun: a walk is, and not done */
    struct state_buffer *full, **full_last;
    /* ---- of the thread while a walk is begun, else of the worker ---- */
    struct table table;               /* nothing but chunks */
    struct table_chunk *chunks;
    struct row_layout layout;
    struct state_buffer head;
    struct state_buffer *buffer;
    struct entry **left;
    size_t left_count, left_capacity;
    uint64_t rows;
};

struct walker *walker_new(void)
{
    struct walker *walker = memory_new_zeroed(1, sizeof *walker);
    pthread_mutex_init(&walker->lock, NULL);
    pthread_cond_init(&walker->changed, NULL);
    walker->full_last = &walker->full;
    return walker;
}

static void push_full(struct walker *walker)
{
    struct state_buffer *buffer = walker->buffer;
    walker->buffer = NULL;
    if (buffer == NULL)
        return;
    pthread_mutex_lock(&walker->lock);
    *walker->full_last = buffer;
    walker->full_last = &buffer->next;
    pthread_mutex_unlock(&walker->lock);
}

static struct buffer *rows_of(struct walker *walker)
{
    if (walker->buffer != NULL && walker->buffer->rows.bytes >= STATE_BUFFER_BYTES)
        push_full(walker);
    if (walker->buffer == NULL)
        walker->buffer = state_buffer_new(&walker->head);
    return &walker->buffer->rows;
}

static void leave(struct walker *walker, struct entry *entry)
{
    if (walker->left_count == walker->left_capacity) {
        walker->left_capacity = walker->left_capacity * 2 + 1024;
        walker->left = memory_resize(walker->left, walker->left_capacity * sizeof walker->left[0]);
    }
    walker->left[walker->left_count++] = entry;
}

/*
 * The entry as it was frozen; false if the worker has been there. The worker's stores are no
 * part of this race that could matter (see the head of walker.h), so ThreadSanitizer is not asked.
 */
__attribute__((no_sanitize_thread)) static bool copy_frozen(const struct entry *entry, uint32_t words, uint32_t epoch, uint64_t *copy)
{
    const uint64_t *from = (const uint64_t *)(const void *)entry;
    for (uint32_t i = 0; i < words; i++)
        copy[i] = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
    return __atomic_load_n(&entry->dirty_epoch, __ATOMIC_RELAXED) == epoch;
}

static void write_rows(struct walker *walker, struct entry **entries, struct entry **copies, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t written = row_write_numbers(rows_of(walker), &walker->layout, copies + i, count - i);
        walker->rows += written;
        i += written;
        if (i < count)
            leave(walker, entries[i]);
    }
}

static void write_found(struct walker *walker, struct entry **entries, uint32_t count)
{
    uint64_t memory[STAMPED_MAX][ENTRY_WORDS_MAX];
    struct entry *copies[STAMPED_MAX];
    uint32_t copied = 0, words = walker->table.entry_bytes / (uint32_t)sizeof(uint64_t);
    for (uint32_t i = 0; i < count; i++) {
        copies[copied] = (struct entry *)(void *)memory[copied];
        entries[copied] = entries[i];
        copied += copy_frozen(entries[i], words, (uint32_t)walker->head.epoch, memory[copied]);
    }
    write_rows(walker, entries, copies, copied);
}

static bool is_ending(struct walker *walker)
{
    pthread_mutex_lock(&walker->lock);
    bool end = walker->end;
    pthread_mutex_unlock(&walker->lock);
    return end;
}

static void walk(struct walker *walker)
{
    struct table_cursor cursor = { 0 };
    uint32_t chunk = 0;
    for (;;) {
        uint64_t places = UINT64_MAX;
        struct entry *found[STAMPED_MAX];
        uint32_t count = table_next_stamped(&walker->table, &cursor, (uint32_t)walker->head.epoch, found, &places);
        if (count == 0 || (cursor.chunk != chunk && is_ending(walker)))
            break;
        chunk = cursor.chunk;
        write_found(walker, found, count);
    }
    push_full(walker);
}

static void *run(void *self)
{
    struct walker *walker = self;
    pthread_mutex_lock(&walker->lock);
    while (!walker->end) {
        if (!walker->begun) {
            pthread_cond_wait(&walker->changed, &walker->lock);
            continue;
        }
        pthread_mutex_unlock(&walker->lock);
        walk(walker);
        pthread_mutex_lock(&walker->lock);
        walker->begun = false;
        pthread_cond_broadcast(&walker->changed);
    }
    pthread_mutex_unlock(&walker->lock);
    return NULL;
}

/* A walk is not disturbed by chunks that come later, nor by entries in them: what is frozen is in these. */
static void copy_chunks(struct walker *walker, const struct table *table)
{
    walker->chunks = memory_resize(walker->chunks, table->chunk_count * sizeof walker->chunks[0]);
    walker->table.chunks = memory_resize(walker->table.chunks, table->chunk_count * sizeof walker->table.chunks[0]);
    for (uint32_t i = 0; i < table->chunk_count; i++) {
        walker->chunks[i] = *table->chunks[i];
        walker->table.chunks[i] = &walker->chunks[i];
    }
    walker->table.chunk_count = table->chunk_count;
    walker->table.entry_bytes = table->entry_bytes;
}

void walker_begin(struct walker *walker, const struct walk_order *order)
{
    copy_chunks(walker, order->table);
    walker->layout = *order->layout;
    walker->head = order->head;
    walker->left_count = 0;
    walker->rows = 0;
    pthread_mutex_lock(&walker->lock);
    walker->begun = true;
    pthread_cond_broadcast(&walker->changed);
    pthread_mutex_unlock(&walker->lock);
    if (!walker->started)
        walker->started = thread_start(&walker->thread, "walker", run, walker) == 0;
    if (!walker->started) { /* then here */
        walk(walker);
        walker->begun = false;
    }
}

struct state_buffer *walker_take(struct walker *walker)
{
    pthread_mutex_lock(&walker->lock);
    struct state_buffer *first = walker->full;
    walker->full = NULL;
    walker->full_last = &walker->full;
    pthread_mutex_unlock(&walker->lock);
    return first;
}

bool walker_is_done(struct walker *walker)
{
    pthread_mutex_lock(&walker->lock);
    bool done = !walker->begun;
    pthread_mutex_unlock(&walker->lock);
    return done;
}

void walker_wait(struct walker *walker)
{
    pthread_mutex_lock(&walker->lock);
    while (walker->begun)
        pthread_cond_wait(&walker->changed, &walker->lock);
    pthread_mutex_unlock(&walker->lock);
}

struct entry *const *walker_left(const struct walker *walker, size_t *count, uint64_t *rows)
{
    *count = walker->left_count;
    *rows = walker->rows;
    return walker->left;
}

void walker_free(struct walker *walker)
{
    if (walker == NULL)
        return;
    pthread_mutex_lock(&walker->lock);
    walker->end = true;
    pthread_cond_broadcast(&walker->changed);
    pthread_mutex_unlock(&walker->lock);
    if (walker->started)
        pthread_join(walker->thread, NULL);
    for (struct state_buffer *buffer = walker_take(walker), *next; buffer != NULL; buffer = next) {
        next = buffer->next;
        state_buffer_free(buffer);
    }
    pthread_cond_destroy(&walker->changed);
    pthread_mutex_destroy(&walker->lock);
    free(walker->chunks);
    free(walker->table.chunks);
    free(walker->left);
    free(walker);
}
