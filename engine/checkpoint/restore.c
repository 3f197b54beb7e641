#include "checkpoint/restore.h"

#include "base/crash.h"
#include "base/error.h"
#include "checkpoint/journal.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = { [KIND_VALUE] = "value", [KIND_MAP] = "map", [KIND_LIST] = "list" };

static const struct manifest_column *column_find(const struct manifest *manifest, const char *step, const char *state)
{
    for (uint32_t i = 0; manifest != NULL && i < manifest->column_count; i++) {
        if (strcmp(manifest->columns[i].step, step) == 0 && strcmp(manifest->columns[i].state, state) == 0)
            return &manifest->columns[i];
    }
    return NULL;
}

static uint16_t column_last(const struct manifest *manifest)
{
    uint16_t last = 0;
    for (uint32_t i = 0; manifest != NULL && i < manifest->column_count; i++)
        last = manifest->columns[i].column > last ? manifest->columns[i].column : last;
    return last;
}

static const struct step *step_find(const struct plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        if (strcmp(plan->steps[i].name, name) == 0)
            return &plan->steps[i];
    }
    return NULL;
}

static bool state_exists(const struct plan *plan, const struct manifest_column *column)
{
    const struct step *step = step_find(plan, column->step);
    if (step == NULL || !step->keyed)
        return false;
    if (*column->state == 0)
        return true;
    for (uint32_t i = 0; i < step->state_count; i++) {
        if (strcmp(step->states[i].name, column->state) == 0)
            return true;
    }
    return false;
}

static int check_orphans(const struct plan *plan, const struct manifest *manifest)
{
    for (uint32_t i = 0; manifest != NULL && i < manifest->column_count; i++) {
        const struct manifest_column *column = &manifest->columns[i];
        if (*column->state != 0 && !state_exists(plan, column))
            return error_set(ERROR_REFUSED, "checkpoint %llu has state '%s' of step \"%s\", which the job does not have any more (--allow-non-restored-state drops it)",
                             (unsigned long long)manifest->head.id, column->state, column->step);
    }
    return 0;
}

static int state_column(const struct plan *plan, struct step *step, struct step_state *state, const struct manifest *manifest, uint16_t *last)
{
    (void)plan;
    const struct manifest_column *old = column_find(manifest, step->name, state->name);
    if (old != NULL && strcmp(old->kind, kind_names[state->kind]) != 0)
        return error_set(ERROR_REFUSED, "state '%s' of step \"%s\" is a %s in the checkpoint and a %s in the job", state->name, step->name, old->kind,
                         kind_names[state->kind]);
    state->id = old != NULL ? old->column : ++*last;
    return 0;
}

int restore_columns(struct plan *plan, const struct manifest *manifest, bool allow_non_restored_state)
{
    int status = allow_non_restored_state ? 0 : check_orphans(plan, manifest);
    uint16_t last = column_last(manifest);
    for (uint32_t i = 0; i < plan->count && status == 0; i++) {
        struct step *step = &plan->steps[i];
        if (!step->keyed)
            continue;
        const struct manifest_column *old = column_find(manifest, step->name, "");
        step->column = old != NULL ? old->column : ++last;
        for (uint32_t s = 0; s < step->state_count && status == 0; s++)
            status = state_column(plan, step, &step->states[s], manifest, &last);
    }
    return status;
}

void restore_save_columns(const struct plan *plan, struct manifest *manifest)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        if (!step->keyed)
            continue;
        manifest_add_column(manifest, &(struct manifest_column){ step->name, "", "keys", step->column, ROW_VERSION });
        for (uint32_t s = 0; s < step->state_count; s++) {
            const struct step_state *state = &step->states[s];
            manifest_add_column(manifest, &(struct manifest_column){ step->name, state->name, kind_names[state->kind], state->id, ROW_VERSION });
        }
    }
}

const char *restore_rows_directory(const struct manifest *manifest)
{
    for (uint32_t i = 0; manifest != NULL && i < manifest->file_count; i++) {
        if (manifest->files[i].kind == MANIFEST_ROWS)
            return manifest->files[i].name;
    }
    return NULL;
}

/* Frames of epochs behind the checkpoint were swept early for one that never was. */
static int restore_file(struct storage *storage, const struct manifest_file *file, uint64_t epoch_last, struct keyed_state *state)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", storage_shared_directory(storage), file->name);
    struct journal_reader *reader;
    int status = journal_open(path, file->bytes, file->checksum, &reader);
    if (status < 0)
        return status;
    struct journal_frame frame;
    struct slice rows;
    uint16_t first, last;
    keyed_state_groups(state, &first, &last);
    while ((status = journal_next(reader, &frame, &rows)) > 0) {
        if (frame.epoch > epoch_last || frame.group_last < first || frame.group_first > last)
            continue;
        status = keyed_state_restore_rows(state, rows);
        if (status < 0) {
            status = error_wrap(status, "%s", path);
            break;
        }
    }
    journal_reader_close(reader);
    return status;
}

int restore_keyed_state(struct storage *storage, const struct manifest *manifest, struct keyed_state *state)
{
    keyed_state_restore_begin(state, restore_rows_directory(manifest) != NULL);
    uint64_t dumped_bytes = 0;
    for (uint32_t i = 0; manifest != NULL && i < manifest->file_count; i++)
        dumped_bytes += manifest->files[i].kind == MANIFEST_DUMP ? manifest->files[i].bytes : 0;
    keyed_state_restore_expect(state, dumped_bytes);
    int status = 0;
    for (uint32_t pass = 0; pass < 2 && status == 0; pass++) { /* the base, then what changed since, oldest first */
        for (uint32_t i = 0; manifest != NULL && i < manifest->file_count && status == 0; i++) {
            const struct manifest_file *file = &manifest->files[i];
            bool base = file->kind == MANIFEST_DUMP;
            if (file->kind == MANIFEST_ROWS || base != (pass == 0))
                continue;
            crash_point("restore.before_file");
            uint64_t epoch_last = base ? UINT64_MAX : file->epoch_last < manifest->head.id ? file->epoch_last : manifest->head.id;
            status = restore_file(storage, file, epoch_last, state);
        }
    }
    if (status == 0)
        status = keyed_state_restore_done(state);
    crash_point("restore.done");
    return status;
}
