#include "script/harness.h"

#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/manifest.h"
#include "checkpoint/restore.h"
#include "checkpoint/storage.h"
#include "codec/msgpack.h"
#include "connectors/connectors.h"
#include "script/harness_rows.h"
#include "state/backend.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS_KIND "rows"

struct tally { uint64_t checkpoint; uint32_t acks; };

struct harness {
    struct harness_config config;
    char directory[64];
    struct manifest **restored;
    uint32_t restored_count;
    struct restored_blobs *blobs;       /* by step */
    struct plan *plan;
    struct backend *backend;
    struct dataflow *dataflow;
    struct worker *worker;
    struct checkpointing checkpointing;
    struct tally *tallies;
    uint32_t tally_count;
    uint64_t last_id;                   /* of any checkpoint so far */
    uint64_t snapshot_id;               /* under way, 0: none */
    struct manifest *snapshot;
    struct buffer dumped;               /* rows of a base under way */
};

/* ---- What the worker tells its coordinator ---- */

static void on_buffer(void *self, struct state_buffer *buffer)
{
    struct harness *harness = self;
    if (buffer->dump) /* deltas are of no use here: a snapshot holds all rows */
        buffer_append_slice(&harness->dumped, buffer_slice(&buffer->rows));
    state_buffer_free(buffer);
}

static void parts_add(struct harness *harness, const struct checkpoint_ack *ack)
{
    for (uint32_t i = 0; i < ack->part_count; i++) {
        const struct checkpoint_part *part = &ack->parts[i];
        if (*part->kind == 0 || part->blob.bytes == 0)
            continue;
        manifest_add_part(harness->snapshot, &(struct manifest_part){
            .step = harness->plan->steps[part->step].name, .kind = part->kind, .subtask = harness->config.subtask,
            .parallelism = harness->config.parallelism, .bytes = buffer_slice(&part->blob) });
    }
}

static struct tally *tally_of(struct harness *harness, uint64_t checkpoint)
{
    for (uint32_t i = 0; i < harness->tally_count; i++) {
        if (harness->tallies[i].checkpoint == checkpoint)
            return &harness->tallies[i];
    }
    harness->tallies = memory_resize(harness->tallies, (harness->tally_count + 1) * sizeof harness->tallies[0]);
    harness->tallies[harness->tally_count] = (struct tally){ .checkpoint = checkpoint };
    return &harness->tallies[harness->tally_count++];
}

/* A checkpoint has completed when every chain has taken its snapshot: sinks are told at once. */
static void on_ack(void *self, struct checkpoint_ack *ack)
{
    struct harness *harness = self;
    if (ack->checkpoint > harness->last_id)
        harness->last_id = ack->checkpoint;
    if (ack->checkpoint == harness->snapshot_id)
        parts_add(harness, ack);
    struct tally *tally = tally_of(harness, ack->checkpoint);
    if (++tally->acks == harness->plan->chain_count) {
        uint64_t next = atomic_load(&harness->checkpointing.completed) + 1; /* a test's own numbers may be below a snapshot's */
        atomic_store(&harness->checkpointing.completed, ack->checkpoint > next ? ack->checkpoint : next);
        *tally = harness->tallies[--harness->tally_count];
    }
    checkpoint_ack_free(ack);
}

static void on_base_done(void *self, uint64_t base, int status)
{
    (void)self;
    (void)base;
    (void)status;
}

/* ctx:request_checkpoint(): a test takes its snapshots itself. */
static void on_request(void *self)
{
    (void)self;
}

static void on_ended(void *self, uint32_t subtask)
{
    (void)self;
    (void)subtask;
}

static void on_records(void *self, uint64_t records)
{
    (void)self;
    (void)records;
}

static int on_restore_state(void *self, uint32_t step, struct keyed_state *state)
{
    (void)step;
    const struct harness *harness = self;
    keyed_state_restore_begin(state, false);
    int status = 0;
    for (uint32_t m = 0; m < harness->restored_count; m++) {
        const struct manifest *manifest = harness->restored[m];
        for (uint32_t i = 0; i < manifest->part_count && status == 0; i++) {
            if (strcmp(manifest->parts[i].kind, ROWS_KIND) == 0)
                status = keyed_state_restore_rows(state, manifest->parts[i].bytes);
        }
    }
    return status < 0 ? status : keyed_state_restore_done(state);
}

static struct restored_blobs on_restored(void *self, uint32_t step)
{
    const struct harness *harness = self;
    return harness->blobs[step];
}

/* ---- From snapshots ---- */

static int snapshots_read(struct harness *harness, const struct slice *snapshots, uint32_t count)
{
    harness->restored = memory_new_zeroed(count + 1, sizeof harness->restored[0]);
    for (uint32_t i = 0; i < count; i++) {
        int status = manifest_read(snapshots[i], &harness->restored[i]);
        if (status < 0)
            return error_wrap(status, "snapshot %u", i + 1);
        harness->restored_count++;
        if (harness->restored[i]->head.id > harness->last_id)
            harness->last_id = harness->restored[i]->head.id;
    }
    return 0;
}

static bool same_columns(const struct manifest *a, const struct manifest *b)
{
    if (a->column_count != b->column_count)
        return false;
    for (uint32_t i = 0; i < a->column_count; i++) {
        const struct manifest_column *left = &a->columns[i], *right = &b->columns[i];
        if (left->column != right->column || strcmp(left->step, right->step) != 0 || strcmp(left->state, right->state) != 0 || strcmp(left->kind, right->kind) != 0)
            return false;
    }
    return true;
}

static int snapshots_compare(const struct harness *harness)
{
    for (uint32_t i = 1; i < harness->restored_count; i++) {
        const struct manifest *first = harness->restored[0], *other = harness->restored[i];
        if (first->head.max_parallelism != other->head.max_parallelism || !same_columns(first, other))
            return error_set(ERROR_REFUSED, "snapshot %u is of another job than the first one", i + 1);
    }
    return 0;
}

/* S45: the snapshot's number wins unless another one is asked for, which is refused. */
static int groups_choose(const struct harness *harness, uint32_t *groups)
{
    const struct harness_config *config = &harness->config;
    *groups = config->max_parallelism > 0 ? config->max_parallelism : plan_groups_by_default(config->parallelism);
    if (harness->restored_count > 0) {
        uint32_t saved = harness->restored[0]->head.max_parallelism;
        if (config->max_parallelism > 0 && config->max_parallelism != saved)
            return error_set(ERROR_REFUSED, "max_parallelism is %u in the snapshot and %u here: it cannot be changed", saved, config->max_parallelism);
        *groups = saved;
    }
    if (*groups < config->parallelism)
        return error_set(ERROR_REFUSED, "parallelism %u is above max_parallelism %u", config->parallelism, *groups);
    return 0;
}

static struct restored_blobs blobs_of(const struct harness *harness, const char *step)
{
    uint32_t count = 0;
    struct slice *blobs = memory_new_zeroed(harness->restored_count + 1, sizeof *blobs);
    for (uint32_t m = 0; m < harness->restored_count; m++) {
        const struct manifest *manifest = harness->restored[m];
        for (uint32_t i = 0; i < manifest->part_count; i++) {
            if (strcmp(manifest->parts[i].step, step) == 0 && strcmp(manifest->parts[i].kind, ROWS_KIND) != 0)
                blobs[m] = manifest->parts[i].bytes;
        }
        count = m + 1;
    }
    return (struct restored_blobs){ blobs, count };
}

bool harness_was_ended(const struct harness *harness, int step, uint32_t channel)
{
    const struct restored_blobs *blobs = &harness->blobs[step];
    for (uint32_t i = 0; i < blobs->count; i++) {
        struct slice in = blobs->blobs[i];
        uint32_t channels;
        bool ended = false;
        if (msgpack_read_array(&in, &channels) < 0 || channel >= channels)
            return false;
        for (uint32_t c = 0; c <= channel; c++) {
            if (msgpack_read_bool(&in, &ended) < 0)
                return false;
        }
        if (!ended)
            return false;
    }
    return blobs->count > 0;
}

/* ---- Life ---- */

static int directory_make(struct harness *harness)
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || strlen(parent) > sizeof harness->directory - 32)
        parent = "/tmp";
    snprintf(harness->directory, sizeof harness->directory, "%s/moontide-harness-XXXXXX", parent);
    if (mkdtemp(harness->directory) != NULL)
        return 0;
    harness->directory[0] = 0;
    return error_set_errno(ERROR_IO, "a temporary directory");
}

static int prepare(struct harness *harness, const struct slice *snapshots, uint32_t count)
{
    uint32_t groups = 0;
    int status = snapshots_read(harness, snapshots, count);
    if (status == 0)
        status = snapshots_compare(harness);
    if (status == 0)
        status = groups_choose(harness, &groups);
    if (status == 0)
        status = directory_make(harness);
    if (status < 0)
        return status;
    harness->plan = plan_new(harness->config.parallelism, groups, harness->config.at_least_once);
    plan_set_by_hand(harness->plan);
    return 0;
}

int harness_new(const struct harness_config *config, const struct slice *snapshots, uint32_t snapshot_count, struct harness **out)
{
    plan_use_connectors(source_find, sink_find);
    struct harness *harness = memory_new_zeroed(1, sizeof *harness);
    harness->config = *config;
    buffer_init(&harness->dumped);
    int status = prepare(harness, snapshots, snapshot_count);
    if (status < 0) {
        harness_free(harness);
        return status;
    }
    *out = harness;
    return 0;
}

void harness_free(struct harness *harness)
{
    if (harness->worker != NULL)
        worker_free(harness->worker);
    if (harness->dataflow != NULL)
        dataflow_free(harness->dataflow);
    if (harness->backend != NULL)
        backend_free(harness->backend);
    for (uint32_t i = 0; harness->blobs != NULL && i < harness->plan->count; i++)
        free((void *)(uintptr_t)harness->blobs[i].blobs);
    if (harness->plan != NULL)
        plan_free(harness->plan);
    for (uint32_t i = 0; i < harness->restored_count; i++)
        manifest_free(harness->restored[i]);
    manifest_free(harness->snapshot);
    if (harness->directory[0] != 0)
        storage_remove_tree(harness->directory);
    buffer_deinit(&harness->dumped);
    free(harness->restored);
    free(harness->blobs);
    free(harness->tallies);
    free(harness);
}

struct plan *harness_plan(struct harness *harness)
{
    return harness->plan;
}

static void checkpointing_init(struct harness *harness)
{
    struct checkpointing *checkpointing = &harness->checkpointing;
    checkpointing->self = harness;
    checkpointing->take = on_buffer;
    checkpointing->ack = on_ack;
    checkpointing->base_done = on_base_done;
    checkpointing->request = on_request;
    checkpointing->ended = on_ended;
    checkpointing->records = on_records;
    checkpointing->restore_state = on_restore_state;
    checkpointing->restored = on_restored;
    checkpointing->epoch = harness->last_id + 1;
    checkpointing->backend = harness->backend;
}

int harness_open(struct harness *harness)
{
    char state[128];
    snprintf(state, sizeof state, "%s/state", harness->directory);
    struct backend_config config = { .directory = harness->config.memory_backend ? NULL : state, .memory_bytes = harness->config.memory_bytes };
    int status = restore_columns(harness->plan, harness->restored_count > 0 ? harness->restored[0] : NULL, false);
    if (status < 0)
        return status;
    harness->backend = backend_new(&config);
    harness->blobs = memory_new_zeroed(harness->plan->count + 1, sizeof harness->blobs[0]);
    for (uint32_t i = 0; i < harness->plan->count; i++)
        harness->blobs[i] = blobs_of(harness, harness->plan->steps[i].name);
    checkpointing_init(harness);
    harness->dataflow = dataflow_new(harness->plan, &harness->checkpointing, harness->directory, 1);
    status = dataflow_prepare(harness->dataflow, false);
    if (status == 0)
        harness->worker = worker_new(harness->dataflow, harness->config.subtask, true);
    return status;
}

struct worker *harness_worker(struct harness *harness)
{
    return harness->worker;
}

const char *harness_failure(const struct harness *harness)
{
    const char *failure = harness->dataflow == NULL ? NULL : dataflow_failure(harness->dataflow, NULL);
    return failure == NULL ? "" : failure;
}

void harness_finish(struct harness *harness)
{
    atomic_store(&harness->checkpointing.finish, true);
}

/* ---- Snapshots ---- */

void harness_snapshot_begin(struct harness *harness)
{
    harness->snapshot_id = harness->last_id + 1;
    struct manifest_head head = {
        .id = harness->snapshot_id, .parallelism = harness->config.parallelism, .max_parallelism = harness->plan->max_parallelism,
        .engine_version = MOONTIDE_VERSION, .job = "harness", .mode = harness->config.at_least_once ? "at_least_once" : "exactly_once", .script = "",
    };
    manifest_free(harness->snapshot);
    harness->snapshot = manifest_new(&head);
    restore_save_columns(harness->plan, harness->snapshot);
    by_hand_snapshot(harness->worker, harness->snapshot_id);
}

static const char *first_keyed_step(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->steps[i].keyed)
            return plan->steps[i].name;
    }
    return NULL;
}

static int rows_gather(struct harness *harness)
{
    buffer_clear(&harness->dumped);
    return harness_rows_gather(harness->plan, harness->worker, harness->backend, &harness->dumped);
}

int harness_snapshot_take(struct harness *harness, struct buffer *out)
{
    harness->snapshot_id = 0;
    const char *step = first_keyed_step(harness->plan); /* of all steps together: rows know their columns */
    int status = step == NULL ? 0 : rows_gather(harness);
    if (status < 0)
        return status;
    if (step != NULL)
        manifest_add_part(harness->snapshot, &(struct manifest_part){
            .step = step, .kind = ROWS_KIND, .subtask = harness->config.subtask,
            .parallelism = harness->config.parallelism, .bytes = buffer_slice(&harness->dumped) });
    return manifest_write(harness->snapshot, out);
}

int64_t harness_state_rows(struct harness *harness)
{
    if (backend_store_opened(harness->backend) == NULL)
        return harness_rows_cached(harness->plan, harness->worker);
    int status = rows_gather(harness);
    return status < 0 ? status : harness_rows_count(harness->plan, harness->config.subtask, buffer_slice(&harness->dumped));
}
