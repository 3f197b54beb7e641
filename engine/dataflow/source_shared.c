#include "dataflow/source_shared.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/msgpack.h"
#include "dataflow/worker_internal.h"

#include <stdlib.h>

#define DISCOVER_EACH_NS 50000000u
#define SPLITS_MAX 10000000u
#define PLACE_MAX (UINT64_MAX / 2)

struct source_shared {
    pthread_mutex_t lock;
    const struct step *step;
    struct source *source;
    uint32_t parallelism, first_parallelism;
    struct split *waiting;      /* [first, count); before them [0, restored): each is one subtask's, without a name once taken */
    uint32_t restored;
    uint64_t next_place;        /* of a split that is found */
    uint32_t waiting_first, waiting_count, waiting_capacity;
    struct split *done;         /* of earlier attempts */
    uint32_t done_count;
    char **known;               /* names, an open-addressing set */
    uint32_t known_count, known_size;
    bool more;                  /* new ones may appear */
    uint64_t discovered_ns;
};

struct source_shared *source_shared_new(const struct step *step, uint32_t parallelism)
{
    struct source_shared *shared = memory_new_zeroed(1, sizeof *shared);
    shared->step = step;
    shared->parallelism = shared->first_parallelism = parallelism;
    pthread_mutex_init(&shared->lock, NULL);
    return shared;
}

static bool is_waiting(const struct source_shared *shared, uint32_t index)
{
    return index >= shared->waiting_first || (index < shared->restored && shared->waiting[index].name != NULL);
}

void source_shared_free(struct source_shared *shared)
{
    if (shared->source != NULL)
        shared->step->source->close(shared->source);
    for (uint32_t i = 0; i < shared->waiting_count; i++) {
        if (is_waiting(shared, i))
            split_deinit(&shared->waiting[i]);
    }
    for (uint32_t i = 0; i < shared->done_count; i++)
        split_deinit(&shared->done[i]);
    for (uint32_t i = 0; i < shared->known_size; i++)
        free(shared->known[i]);
    free(shared->known);
    free(shared->waiting);
    free(shared->done);
    pthread_mutex_destroy(&shared->lock);
    free(shared);
}

static uint64_t name_hash(struct slice name)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a: the set lives in memory only */
    for (size_t i = 0; i < name.bytes; i++)
        hash = (hash ^ (uint8_t)name.data[i]) * 0x100000001b3u;
    return hash;
}

static char **known_place(const struct source_shared *shared, struct slice name)
{
    uint32_t at = (uint32_t)(name_hash(name) % shared->known_size);
    while (shared->known[at] != NULL && !slice_equal(slice_of_text(shared->known[at]), name))
        at = (at + 1) % shared->known_size;
    return &shared->known[at];
}

static void known_grow(struct source_shared *shared)
{
    char **old = shared->known;
    uint32_t old_size = shared->known_size;
    shared->known_size = old_size == 0 ? 64 : old_size * 2;
    shared->known = memory_new_zeroed(shared->known_size, sizeof shared->known[0]);
    for (uint32_t i = 0; i < old_size; i++) {
        if (old[i] != NULL)
            *known_place(shared, slice_of_text(old[i])) = old[i];
    }
    free(old);
}

/* False if the name is known already. */
static bool known_add(struct source_shared *shared, struct slice name)
{
    if ((shared->known_count + 1) * 2 > shared->known_size)
        known_grow(shared);
    char **place = known_place(shared, name);
    if (*place != NULL)
        return false;
    *place = memory_copy(name.data, name.bytes);
    shared->known_count++;
    return true;
}

static void waiting_add(struct source_shared *shared, struct split split)
{
    if (shared->waiting_count == shared->waiting_capacity) {
        shared->waiting_capacity = shared->waiting_capacity * 2 + 16;
        shared->waiting = memory_resize(shared->waiting, shared->waiting_capacity * sizeof shared->waiting[0]);
    }
    shared->waiting[shared->waiting_count++] = split;
}

static void discovered(void *self, struct slice name)
{
    struct source_shared *shared = self;
    if (!known_add(shared, name))
        return;
    struct split split = { .name = memory_copy(name.data, name.bytes), .name_bytes = name.bytes, .place = shared->next_place++ };
    waiting_add(shared, split);
}

static int discover(struct source_shared *shared)
{
    struct split_list list = { discovered, shared };
    int status = shared->step->source->discover(shared->source, &list);
    shared->more = status > 0;
    shared->discovered_ns = clock_monotonic_ns();
    return status < 0 ? status : 0;
}

/*
 * First what subtasks had taken, then what waited: a split that one subtask saw
 * waiting may have been taken by another before its own barrier.
 */
static int restore_split(struct source_shared *shared, struct slice *in, bool waiting)
{
    uint32_t parts;
    struct slice name, position;
    uint64_t state, place;
    if (msgpack_read_array(in, &parts) < 0 || parts != 4 || msgpack_read_string(in, &name) < 0 || msgpack_read_uint(in, &state) < 0
        || msgpack_read_uint(in, &place) < 0 || place > PLACE_MAX || msgpack_read_string(in, &position) < 0
        || memchr(name.data, 0, name.bytes) != NULL)
        return error_set(ERROR_CORRUPT, "source \"%s\": damaged position in the checkpoint", shared->step->name);
    if ((state == SPLIT_WAITING) != waiting)
        return 0;
    if (!known_add(shared, name)) {
        if (waiting)
            return 0;
        return error_set(ERROR_CORRUPT, "source \"%s\": split '%.*s' stands twice in the checkpoint", shared->step->name, (int)name.bytes, name.data);
    }
    if (place >= shared->next_place)
        shared->next_place = place + 1;
    struct split split = {
        .name = memory_copy(name.data, name.bytes), .name_bytes = name.bytes, .place = place,
        .position = memory_copy(position.data, position.bytes), .position_bytes = position.bytes, .done = state == SPLIT_DONE,
    };
    if (!split.done) {
        waiting_add(shared, split);
        return 0;
    }
    shared->done = memory_resize(shared->done, (shared->done_count + 1) * sizeof shared->done[0]);
    shared->done[shared->done_count++] = split;
    return 0;
}

static int restore_blob(struct source_shared *shared, struct slice in, bool waiting)
{
    uint32_t parts, count;
    uint64_t parallelism;
    if (msgpack_read_array(&in, &parts) < 0 || parts != 2 || msgpack_read_uint(&in, &parallelism) < 0 || parallelism == 0
        || parallelism > 32768 || msgpack_read_array(&in, &count) < 0 || count > SPLITS_MAX)
        return error_set(ERROR_CORRUPT, "source \"%s\": damaged position in the checkpoint", shared->step->name);
    shared->first_parallelism = (uint32_t)parallelism;
    int status = 0;
    while (status == 0 && count-- > 0)
        status = restore_split(shared, &in, waiting);
    return status;
}

static void tell_restored(const struct source_shared *shared, const struct split *splits, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slice position = slice_of(splits[i].position, splits[i].position_bytes);
        shared->step->source->restored(shared->source, slice_of(splits[i].name, splits[i].name_bytes), position);
    }
}

int source_shared_open(struct source_shared *shared, struct restored_blobs restored)
{
    const struct step *step = shared->step;
    int status = 0;
    uint32_t open = 0;
    for (uint32_t i = 0; i < 2 * restored.count && status == 0; i++) {
        struct slice blob = restored.blobs[i % restored.count];
        if (i == restored.count)
            open = shared->waiting_count;
        status = blob.bytes == 0 ? 0 : restore_blob(shared, blob, i >= restored.count);
    }
    if (status < 0)
        return status;
    shared->restored = shared->waiting_first = split_order(shared->waiting, open, shared->waiting_count);
    struct source_context context = { .step_name = step->name, .parallelism = shared->first_parallelism };
    status = step->source->open(&shared->source, step->options, step->format, &context);
    /* A source that names its splits anew after a restore must know which there were. */
    if (status == 0 && step->source->restored != NULL) {
        tell_restored(shared, shared->done, shared->done_count);
        tell_restored(shared, shared->waiting, shared->waiting_count);
    }
    return status < 0 ? status : discover(shared);
}

struct source *source_shared_source(struct source_shared *shared)
{
    return shared->source;
}

int source_shared_take(struct source_shared *shared, struct split *split)
{
    pthread_mutex_lock(&shared->lock);
    int status = 0;
    if (shared->waiting_first == shared->waiting_count && shared->more && clock_monotonic_ns() - shared->discovered_ns > DISCOVER_EACH_NS)
        status = discover(shared);
    if (status == 0 && shared->waiting_first < shared->waiting_count) {
        *split = shared->waiting[shared->waiting_first++];
        status = 1;
    } else if (status == 0 && !shared->more) {
        status = SOURCE_END;
    }
    pthread_mutex_unlock(&shared->lock);
    return status;
}

int source_shared_take_restored(struct source_shared *shared, uint32_t subtask, struct split *split)
{
    uint64_t restored = shared->restored, first = restored * subtask / shared->parallelism, end = restored * (subtask + 1) / shared->parallelism;
    int status = 0;
    pthread_mutex_lock(&shared->lock);
    for (uint64_t i = first; i < end && status == 0; i++) {
        if (shared->waiting[i].name == NULL)
            continue;
        *split = shared->waiting[i];
        shared->waiting[i] = (struct split){ 0 };
        status = 1;
    }
    pthread_mutex_unlock(&shared->lock);
    return status;
}

void source_shared_each_waiting(struct source_shared *shared, void (*visit)(void *self, const struct split *split), void *self)
{
    pthread_mutex_lock(&shared->lock);
    for (uint32_t i = 0; i < shared->waiting_count; i++) {
        if (is_waiting(shared, i))
            visit(self, &shared->waiting[i]);
    }
    pthread_mutex_unlock(&shared->lock);
}

uint32_t source_shared_first_parallelism(const struct source_shared *shared)
{
    return shared->first_parallelism;
}

uint32_t source_shared_done(const struct source_shared *shared, const struct split **done)
{
    *done = shared->done;
    return shared->done_count;
}
