/*
 * Files of checkpoints: the delta that is being written, bases, and the list of
 * what a manifest must name.
 */
#include "checkpoint/coordinator_internal.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "checkpoint/restore.h"

#include <stdlib.h>

/* State that the disk refused is kept for another attempt up to this much; beyond it the job fails. */
#define UNWRITTEN_BYTES_MAX (512u * 1024 * 1024)
#define DELTAS_MAX 400 /* a manifest of more files would itself become large: a base is begun */

static void live_add(struct coordinator *coordinator, struct live_file live)
{
    if (coordinator->file_count == coordinator->file_capacity) {
        coordinator->file_capacity = coordinator->file_capacity * 2 + 16;
        coordinator->files = memory_resize(coordinator->files, coordinator->file_capacity * sizeof coordinator->files[0]);
    }
    coordinator->files[coordinator->file_count++] = live;
}

static void live_free(struct live_file *live)
{
    for (uint32_t i = 0; i < live->file.entry_count; i++)
        free((char *)(uintptr_t)live->file.entries[i].name);
    free(live->file.entries);
    free(live->name);
    *live = (struct live_file){ 0 };
}

static struct live_file live_copy(const struct manifest_file *file)
{
    struct live_file live = { .file = *file, .name = memory_copy_text(file->name) };
    live.file.name = live.name;
    live.file.entries = memory_new_zeroed(file->entry_count + 1, sizeof live.file.entries[0]);
    for (uint32_t i = 0; i < file->entry_count; i++) {
        live.file.entries[i] = file->entries[i];
        live.file.entries[i].name = memory_copy_text(file->entries[i].name);
    }
    return live;
}

/*
 * What later epochs swept early into a file of the restored checkpoint is not its: the clipped epoch keeps it out for ever.
 * Where nothing else is in a file, it is named no more.
 */
void files_inherit(struct coordinator *coordinator, const struct manifest *manifest)
{
    for (uint32_t i = 0; i < manifest->file_count; i++) {
        if (manifest->files[i].kind == MANIFEST_DELTA && manifest->files[i].epoch_first > manifest->head.id)
            continue;
        struct live_file live = live_copy(&manifest->files[i]);
        if (live.file.kind == MANIFEST_DELTA && live.file.epoch_last > manifest->head.id)
            live.file.epoch_last = manifest->head.id;
        if (live.file.kind == MANIFEST_DELTA)
            coordinator->bytes_since_base += live.file.bytes;
        live_add(coordinator, live);
    }
}

void files_close(struct coordinator *coordinator)
{
    if (coordinator->delta != NULL)
        journal_discard(coordinator->delta);
    if (coordinator->dump != NULL)
        journal_discard(coordinator->dump);
    for (uint32_t i = 0; i < coordinator->file_count; i++)
        live_free(&coordinator->files[i]);
    live_free(&coordinator->next_base);
    free(coordinator->files);
    for (uint32_t i = 0; coordinator->blobs != NULL && i < coordinator->plan->count; i++)
        free((void *)(uintptr_t)coordinator->blobs[i].blobs);
    free(coordinator->blobs);
}

static int journal_of(struct coordinator *coordinator, bool dump, struct journal **journal)
{
    struct journal **place = dump ? &coordinator->dump : &coordinator->delta;
    int status = 0;
    if (*place == NULL) {
        char *name = dump ? coordinator->dump_name : coordinator->delta_name;
        storage_new_file_name(coordinator->storage, dump ? ".base" : ".delta", name, sizeof coordinator->delta_name);
        status = journal_create(storage_shared_path(coordinator->storage, name).text, dump ? JOURNAL_DUMP : JOURNAL_DELTA, place);
        if (!dump) {
            coordinator->delta_epoch_first = UINT64_MAX;
            coordinator->delta_epoch_last = 0;
        }
    }
    *journal = *place;
    return status;
}

static int append(struct coordinator *coordinator, const struct state_buffer *buffer)
{
    struct journal *journal;
    int status = journal_of(coordinator, buffer->dump, &journal);
    if (status < 0)
        return status;
    struct journal_frame frame = { .subtask = buffer->subtask, .group_first = buffer->group_first, .group_last = buffer->group_last, .epoch = buffer->epoch };
    status = journal_append(journal, &frame, buffer_slice(&buffer->rows));
    if (status < 0 || buffer->dump)
        return status;
    if (buffer->epoch < coordinator->delta_epoch_first)
        coordinator->delta_epoch_first = buffer->epoch;
    if (buffer->epoch > coordinator->delta_epoch_last)
        coordinator->delta_epoch_last = buffer->epoch;
    coordinator->bytes_since_base += buffer->rows.bytes;
    return 0;
}

static void keep_unwritten(struct coordinator *coordinator, struct state_buffer *buffer)
{
    struct message *message = memory_new_zeroed(1, sizeof *message);
    message->buffer = buffer;
    struct message **last = &coordinator->unwritten;
    while (*last != NULL)
        last = &(*last)->next;
    *last = message;
    coordinator->unwritten_bytes += buffer->rows.bytes;
}

/* In order: nothing is written past a buffer that waits. */
static int retry_unwritten(struct coordinator *coordinator)
{
    while (coordinator->unwritten != NULL) {
        struct message *message = coordinator->unwritten;
        int status = append(coordinator, message->buffer);
        if (status < 0)
            return status;
        coordinator->unwritten = message->next;
        coordinator->unwritten_bytes -= message->buffer->rows.bytes;
        state_buffer_free(message->buffer);
        free(message);
    }
    return 0;
}

static void dump_discard(struct coordinator *coordinator)
{
    if (coordinator->dump != NULL)
        journal_discard(coordinator->dump);
    coordinator->dump = NULL;
}

static void base_failed(struct coordinator *coordinator)
{
    log_warn("a new base of the state could not be written: %s", error_message());
    dump_discard(coordinator);
}

/* Of a base that failed nothing may be left for the next one: its rows may be gone by then, and their tombstones with older deltas. */
static void dump_write(struct coordinator *coordinator, const struct state_buffer *buffer)
{
    int status = coordinator->base_status < 0 ? 0 : append(coordinator, buffer);
    if (status < 0) {
        coordinator->base_status = status;
        base_failed(coordinator);
    }
}

bool files_broken(const struct coordinator *coordinator)
{
    return coordinator->delta != NULL && journal_is_broken(coordinator->delta);
}

static int delta_write(struct coordinator *coordinator, struct state_buffer *buffer)
{
    int status = coordinator->unwritten == NULL ? append(coordinator, buffer) : ERROR_IO;
    if (status == 0) {
        state_buffer_free(buffer);
        return 0;
    }
    keep_unwritten(coordinator, buffer);
    return coordinator->unwritten_bytes > UNWRITTEN_BYTES_MAX || files_broken(coordinator) ? status : 0;
}

int files_write(struct coordinator *coordinator, struct state_buffer *buffer)
{
    if (!buffer->dump)
        return delta_write(coordinator, buffer);
    dump_write(coordinator, buffer);
    state_buffer_free(buffer);
    return 0;
}

static int delta_seal(struct coordinator *coordinator)
{
    int status = retry_unwritten(coordinator);
    if (status < 0 || coordinator->delta == NULL)
        return status;
    struct manifest_file file = {
        .name = coordinator->delta_name, .kind = MANIFEST_DELTA,
        .epoch_first = coordinator->delta_epoch_first, .epoch_last = coordinator->delta_epoch_last,
    };
    status = journal_seal(coordinator->delta, &file.bytes, &file.checksum);
    if (status < 0)
        return status;
    journal_close(coordinator->delta);
    coordinator->delta = NULL;
    live_add(coordinator, live_copy(&file));
    return 0;
}

/* A finished base takes the place of the old one and of the deltas before it. */
static void base_use(struct coordinator *coordinator)
{
    if (coordinator->next_base.name == NULL || coordinator->pending.id < coordinator->base_usable_from)
        return;
    uint32_t kept = 0;
    coordinator->bytes_since_base = 0;
    for (uint32_t i = 0; i < coordinator->file_count; i++) {
        struct live_file *live = &coordinator->files[i];
        if (live->file.kind == MANIFEST_DELTA && live->file.epoch_last >= coordinator->next_base_epoch) {
            coordinator->bytes_since_base += live->file.bytes;
            coordinator->files[kept++] = *live;
        } else {
            live_free(live);
        }
    }
    coordinator->file_count = kept;
    live_add(coordinator, coordinator->next_base);
    coordinator->next_base = (struct live_file){ 0 };
}

static void add_parts(struct coordinator *coordinator, struct manifest *manifest)
{
    for (const struct checkpoint_ack *ack = coordinator->pending.acks; ack != NULL; ack = ack->next) {
        for (uint32_t i = 0; i < ack->part_count; i++) {
            const struct checkpoint_part *part = &ack->parts[i];
            if (*part->kind == 0 || part->blob.bytes == 0)
                continue;
            manifest_add_part(manifest, &(struct manifest_part){
                .step = coordinator->plan->steps[part->step].name, .kind = part->kind, .subtask = part->subtask,
                .parallelism = coordinator->plan->parallelism, .bytes = buffer_slice(&part->blob) });
        }
    }
}

static struct manifest *manifest_make(struct coordinator *coordinator)
{
    struct manifest_head head = {
        .id = coordinator->pending.id, .parent = coordinator->last_completed, .run = coordinator->config.run_id, .time_ms = clock_wall_ms(),
        .parallelism = coordinator->plan->parallelism, .max_parallelism = coordinator->plan->max_parallelism,
        .engine_version = MOONTIDE_VERSION, .job = coordinator->config.job,
        .mode = coordinator->config.at_least_once ? "at_least_once" : "exactly_once", .script = coordinator->config.script,
    };
    struct manifest *manifest = manifest_new(&head);
    restore_save_columns(coordinator->plan, manifest);
    for (uint32_t i = 0; i < coordinator->file_count; i++) {
        const struct manifest_file *file = &coordinator->files[i].file;
        struct manifest_file bare = *file;
        bare.entry_count = 0;
        bare.entries = NULL;
        bare.bytes = file->entry_count > 0 ? 0 : file->bytes;
        manifest_add_file(manifest, &bare);
        for (uint32_t e = 0; e < file->entry_count; e++)
            manifest_add_entry(manifest, &file->entries[e]);
    }
    add_parts(coordinator, manifest);
    return manifest;
}

static void note_bytes(struct coordinator *coordinator, uint64_t bytes)
{
    pthread_mutex_lock(&coordinator->lock);
    coordinator->status.last_bytes = bytes;
    coordinator->status.written_bytes += bytes;
    pthread_mutex_unlock(&coordinator->lock);
}

static void retain(struct coordinator *coordinator)
{
    const char *living[3];
    uint32_t count = 0;
    if (coordinator->delta != NULL)
        living[count++] = coordinator->delta_name;
    if (coordinator->dump != NULL)
        living[count++] = coordinator->dump_name;
    if (coordinator->next_base.name != NULL)
        living[count++] = coordinator->next_base.name;
    if (storage_retain(coordinator->storage, coordinator->config.retain, living, count) < 0)
        log_warn("old checkpoints could not be removed: %s", error_message());
}

int files_commit(struct coordinator *coordinator)
{
    uint32_t before = coordinator->file_count;
    int status = delta_seal(coordinator);
    if (status < 0)
        return status;
    uint64_t bytes = coordinator->file_count > before ? coordinator->files[before].file.bytes : 0;
    base_use(coordinator);
    struct manifest *manifest = manifest_make(coordinator);
    status = storage_commit(coordinator->storage, manifest);
    manifest_free(manifest);
    if (status < 0)
        return status;
    note_bytes(coordinator, bytes);
    retain(coordinator);
    if (coordinator->file_count > DELTAS_MAX)
        coordinator->bytes_since_base += coordinator->config.base_bytes;
    return 0;
}

void files_base_begin(struct coordinator *coordinator)
{
    struct checkpointing *checkpointing = &coordinator->checkpointing;
    coordinator->base_running = true;
    coordinator->base_into_store = backend_store_opened(coordinator->backend) != NULL;
    coordinator->base_epoch = atomic_load(&checkpointing->requested);
    coordinator->base_acks = 0;
    coordinator->base_status = 0;
    coordinator->bytes_since_base = 0;
    atomic_store(&checkpointing->base_into_store, coordinator->base_into_store);
    atomic_fetch_add_explicit(&checkpointing->base, 1, memory_order_release);
    crash_point("base.begun");
}

static int dump_finish(struct coordinator *coordinator, struct live_file *base)
{
    struct journal *journal;
    int status = journal_of(coordinator, true, &journal); /* also of no rows at all */
    if (status < 0)
        return status;
    struct manifest_file file = { .name = coordinator->dump_name, .kind = MANIFEST_DUMP, .epoch_first = coordinator->base_epoch, .epoch_last = coordinator->next_id };
    status = journal_seal(coordinator->dump, &file.bytes, &file.checksum);
    if (status < 0)
        return status;
    journal_close(coordinator->dump);
    coordinator->dump = NULL;
    note_bytes(coordinator, file.bytes);
    *base = live_copy(&file);
    return 0;
}

static const struct manifest_file *rows_before(const struct coordinator *coordinator)
{
    for (uint32_t i = 0; i < coordinator->file_count; i++) {
        if (coordinator->files[i].file.kind == MANIFEST_ROWS)
            return &coordinator->files[i].file;
    }
    return NULL;
}

/* Files that were in the base before (hard links) are not read again for their checksums. */
static int rows_describe(struct coordinator *coordinator, const char *path, struct manifest_file *file)
{
    const struct manifest_file *before = rows_before(coordinator);
    return storage_describe_rows(path, before == NULL ? NULL : storage_shared_path(coordinator->storage, before->name).text, before, file);
}

static int rows_finish(struct coordinator *coordinator, struct live_file *base)
{
    storage_new_file_name(coordinator->storage, ".rows", coordinator->dump_name, sizeof coordinator->dump_name);
    struct storage_path path = storage_shared_path(coordinator->storage, coordinator->dump_name);
    int status = store_checkpoint(backend_store_opened(coordinator->backend), path.text);
    if (status < 0)
        return status;
    struct live_file live = { .name = memory_copy_text(coordinator->dump_name) };
    status = rows_describe(coordinator, path.text, &live.file);
    live.file.name = live.name;
    live.file.kind = MANIFEST_ROWS;
    live.file.epoch_first = coordinator->base_epoch;
    live.file.epoch_last = coordinator->next_id;
    *base = live;
    if (status < 0)
        return status;
    crash_point("base.before_sync");
    return storage_sync_tree(path.text);
}

/* What a failed attempt left of it would take space on a disk that may be full. */
static void rows_discard(struct coordinator *coordinator)
{
    storage_remove_tree(storage_shared_path(coordinator->storage, coordinator->dump_name).text);
}

static int base_finish(struct coordinator *coordinator, struct live_file *base)
{
    int status = coordinator->base_into_store ? rows_finish(coordinator, base) : dump_finish(coordinator, base);
    if (status == 0)
        return 0;
    base_failed(coordinator);
    if (coordinator->base_into_store)
        rows_discard(coordinator);
    live_free(base);
    return status;
}

/*
 * A base that failed costs nothing but the work: the deltas before it are all still named.
 * ERROR_STATE: the store was opened after the base was begun without it; the next one goes there.
 */
void files_base_done(struct coordinator *coordinator, int status)
{
    struct live_file base = { 0 };
    crash_point("base.before_finish");
    coordinator->base_running = false;
    if (status == ERROR_STATE && !coordinator->base_into_store && backend_store_opened(coordinator->backend) != NULL) {
        dump_discard(coordinator);
        files_base_begin(coordinator);
        dataflow_wake_all(coordinator->dataflow);
        return;
    }
    if (status < 0 && coordinator->base_into_store) /* else it was told when the disk refused its rows */
        log_warn("a new base of the state could not be written: %s", error_text(status));
    if (status < 0)
        dump_discard(coordinator);
    if (status < 0 || base_finish(coordinator, &base) < 0)
        return;
    crash_point("base.finished");
    coordinator->next_base = base;
    coordinator->next_base_epoch = coordinator->base_epoch;
    coordinator->base_usable_from = coordinator->next_id;
    pthread_mutex_lock(&coordinator->lock);
    coordinator->status.bases++;
    pthread_mutex_unlock(&coordinator->lock);
}

int coordinator_restore_state(struct coordinator *coordinator, struct keyed_state *state)
{
    return restore_keyed_state(coordinator->storage, coordinator->restored, state);
}

static struct restored_blobs blobs_of(const struct manifest *manifest, const struct step *step)
{
    char kind[PART_KIND_BYTES];
    part_kind(step, kind);
    struct slice *blobs = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < manifest->part_count; i++) {
        const struct manifest_part *part = &manifest->parts[i];
        if (strcmp(part->step, step->name) != 0 || strcmp(part->kind, kind) != 0)
            continue;
        if (blobs == NULL)
            blobs = memory_new_zeroed(part->parallelism, sizeof *blobs);
        blobs[part->subtask] = part->bytes;
        count = part->parallelism;
    }
    return (struct restored_blobs){ blobs, count };
}

struct restored_blobs coordinator_restored_blobs(struct coordinator *coordinator, uint32_t step)
{
    if (coordinator->restored == NULL)
        return (struct restored_blobs){ NULL, 0 };
    pthread_mutex_lock(&coordinator->lock);
    if (coordinator->blobs == NULL) {
        coordinator->blobs = memory_new_zeroed(coordinator->plan->count, sizeof coordinator->blobs[0]);
        for (uint32_t i = 0; i < coordinator->plan->count; i++)
            coordinator->blobs[i] = blobs_of(coordinator->restored, &coordinator->plan->steps[i]);
    }
    pthread_mutex_unlock(&coordinator->lock);
    return coordinator->blobs[step];
}
