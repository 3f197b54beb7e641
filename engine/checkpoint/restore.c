#include "checkpoint/restore.h"

#include "base/crash.h"
#include "base/error.h"
#include "checkpoint/restore_reader.h"
#include "checkpoint/row_sample.h"

#include <stdio.h>
#include <string.h>

/* Timers are rows of columns of their own; no state of an author can have such a name. */
#define TIMERS_KIND "timers"
static const char *const timer_columns[DOMAINS] = { [DOMAIN_EVENT] = "#event_time", [DOMAIN_PROCESSING] = "#processing_time" };

/* So are panes, and the states of panes have names of their own. */
#define PANES_KIND "panes"
#define PANES_COLUMN "#panes"
#define STATE_NAME_BYTES 300

static const char *pane_state_name(const struct step_state *state, char name[STATE_NAME_BYTES])
{
    snprintf(name, STATE_NAME_BYTES, "#pane.%s", state->name);
    return name;
}

static const char *const operator_kinds[] = { [OPERATOR_STATE_LIST] = "operator_list", [OPERATOR_STATE_UNION] = "union_list", [OPERATOR_STATE_BROADCAST] = "broadcast" };
static const char *const type_names[] = {
    [STATE_VALUE] = "value", [STATE_MAP] = "map", [STATE_LIST] = "list", [STATE_REDUCING] = "reducing", [STATE_AGGREGATING] = "aggregating",
    [STATE_TIMED_ROWS] = "timed_rows",
};

static const struct manifest_column *column_find(const struct manifest *manifest, const char *step, const char *state)
{
    for (uint32_t i = 0; manifest != NULL && i < manifest->column_count; i++) {
        if (strcmp(manifest->columns[i].step, step) == 0 && strcmp(manifest->columns[i].state, state) == 0)
            return &manifest->columns[i];
    }
    return NULL;
}

/*
 * Numbers of columns are never given again: rows of a state that was dropped lie on in the base and in deltas. Where
 * the last ones given are of no state any more, a column that has no rows keeps them.
 */
#define LAST_STEP "#"
#define LAST_COLUMN "#last" /* as with timers, no name of a state */

static uint32_t column_last(const struct manifest *manifest)
{
    uint32_t last = 0;
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
    for (uint32_t i = 0; step != NULL && i < step->operator_state_count; i++) {
        if (strcmp(step->operator_states[i].name, column->state) == 0)
            return true;
    }
    if (step == NULL || !step->keyed)
        return false;
    if (*column->state == 0)
        return true;
    if (strcmp(column->kind, TIMERS_KIND) == 0)
        return step->timers;
    if (strcmp(column->kind, PANES_KIND) == 0)
        return step->pane_state_count > 0;
    for (uint32_t i = 0; i < step->pane_state_count; i++) {
        char name[STATE_NAME_BYTES];
        if (strcmp(pane_state_name(&step->pane_states[i], name), column->state) == 0)
            return true;
    }
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
        if (*column->state != 0 && strcmp(column->kind, MANIFEST_LAST) != 0 && !state_exists(plan, column))
            return error_set(ERROR_REFUSED, "checkpoint %llu has state '%s' of step \"%s\", which the job does not have any more (--allow-non-restored-state drops it)",
                             (unsigned long long)manifest->head.id, column->state, column->step);
    }
    return 0;
}

static int refuse_part(const struct manifest *manifest, const struct manifest_part *part)
{
    return error_set(ERROR_REFUSED, "checkpoint %llu has the place of the %s \"%s\", which the job does not have any more (--allow-non-restored-state drops it)",
                     (unsigned long long)manifest->head.id, part->kind, part->step);
}

/* Without its place a source begins anew, and of a sink that is gone what was written and not committed is lost. */
static int check_places(const struct plan *plan, const struct manifest *manifest)
{
    for (uint32_t i = 0; manifest != NULL && i < manifest->part_count; i++) {
        const struct manifest_part *part = &manifest->parts[i];
        const struct step *step = step_find(plan, part->step);
        char kind[PART_KIND_BYTES] = "";
        if (step != NULL)
            part_kind(step, kind);
        if (part_kind_is_place(part->kind) && strcmp(part->kind, kind) != 0)
            return refuse_part(manifest, part);
    }
    return 0;
}

static int refuse_kind(const struct step *step, const char *state, const struct manifest_column *old, const char *kind)
{
    return error_set(ERROR_REFUSED, "state '%s' of step \"%s\" is a %s in the checkpoint and a %s in the job", state, step->name, old->kind, kind);
}

static int version_check(const struct step *step, const char *state, const struct manifest_column *old, uint32_t version, bool migrates)
{
    if (old->format_version > version)
        return error_set(ERROR_REFUSED, "state '%s' of step \"%s\" has version %u in the checkpoint, and only %u in the job", state, step->name,
                         old->format_version, version);
    if (old->format_version < version && !migrates)
        return error_set(ERROR_REFUSED, "state '%s' of step \"%s\" has version %u in the checkpoint and %u in the job, which has no 'migrate' for it",
                         state, step->name, old->format_version, version);
    return 0;
}

static int state_column(const struct step *step, struct step_state *state, const char *name, const struct manifest *manifest, uint32_t *last)
{
    const struct manifest_column *old = column_find(manifest, step->name, name);
    if (old != NULL && strcmp(old->kind, type_names[state->type]) != 0)
        return refuse_kind(step, state->name, old, type_names[state->type]);
    state->id = old != NULL ? old->column : (uint16_t)++*last;
    state->restored_version = old != NULL ? old->format_version : 0;
    return old == NULL ? 0 : version_check(step, state->name, old, state->version, state->migrates);
}

static int pane_columns(struct step *step, const struct manifest *manifest, uint32_t *last)
{
    if (step->pane_state_count == 0)
        return 0;
    const struct manifest_column *old = column_find(manifest, step->name, PANES_COLUMN);
    step->pane_column = old != NULL ? old->column : (uint16_t)++*last;
    int status = 0;
    for (uint32_t s = 0; s < step->pane_state_count && status == 0; s++) {
        char name[STATE_NAME_BYTES];
        status = state_column(step, &step->pane_states[s], pane_state_name(&step->pane_states[s], name), manifest, last);
    }
    return status;
}

static int operator_column(const struct step *step, struct step_operator_state *state, const struct manifest *manifest, uint32_t *last)
{
    const struct manifest_column *old = column_find(manifest, step->name, state->name);
    state->id = old != NULL ? old->column : (uint16_t)++*last;
    if (old == NULL)
        return 0;
    if (strcmp(old->kind, operator_kinds[state->kind]) != 0)
        return refuse_kind(step, state->name, old, operator_kinds[state->kind]);
    return version_check(step, state->name, old, state->version, state->migrates);
}

static int keyed_columns(struct step *step, const struct manifest *manifest, uint32_t *last)
{
    const struct manifest_column *old = column_find(manifest, step->name, "");
    step->column = old != NULL ? old->column : (uint16_t)++*last;
    for (int domain = 0; step->timers && domain < DOMAINS; domain++) {
        old = column_find(manifest, step->name, timer_columns[domain]);
        step->timer_columns[domain] = old != NULL ? old->column : (uint16_t)++*last;
    }
    int status = 0;
    for (uint32_t s = 0; s < step->state_count && status == 0; s++)
        status = state_column(step, &step->states[s], step->states[s].name, manifest, last);
    return status == 0 ? pane_columns(step, manifest, last) : status;
}

int restore_columns(struct plan *plan, const struct manifest *manifest, bool allow_non_restored_state)
{
    int status = allow_non_restored_state ? 0 : check_orphans(plan, manifest);
    if (status == 0 && !allow_non_restored_state)
        status = check_places(plan, manifest);
    uint32_t last = column_last(manifest);
    for (uint32_t i = 0; i < plan->count && status == 0; i++) {
        struct step *step = &plan->steps[i];
        for (uint32_t s = 0; s < step->operator_state_count && status == 0; s++)
            status = operator_column(step, &step->operator_states[s], manifest, &last);
        if (step->keyed && status == 0)
            status = keyed_columns(step, manifest, &last);
    }
    if (status == 0 && last > UINT16_MAX)
        return error_set(ERROR_REFUSED, "%u states, with those that were dropped, are more than there can be", last);
    plan->last_column = (uint16_t)last;
    return status;
}

static void pane_columns_save(const struct step *step, struct manifest *manifest)
{
    if (step->pane_state_count == 0)
        return;
    manifest_add_column(manifest, &(struct manifest_column){ step->name, PANES_COLUMN, PANES_KIND, step->pane_column, ROW_VERSION });
    for (uint32_t s = 0; s < step->pane_state_count; s++) {
        const struct step_state *state = &step->pane_states[s];
        char name[STATE_NAME_BYTES];
        manifest_add_column(manifest, &(struct manifest_column){ step->name, pane_state_name(state, name), type_names[state->type], state->id, state->version });
    }
}

void restore_save_columns(const struct plan *plan, struct manifest *manifest)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        for (uint32_t s = 0; s < step->operator_state_count; s++) {
            const struct step_operator_state *state = &step->operator_states[s];
            manifest_add_column(manifest, &(struct manifest_column){ step->name, state->name, operator_kinds[state->kind], state->id, state->version });
        }
        if (!step->keyed)
            continue;
        manifest_add_column(manifest, &(struct manifest_column){ step->name, "", "keys", step->column, ROW_VERSION });
        for (int domain = 0; step->timers && domain < DOMAINS; domain++)
            manifest_add_column(manifest, &(struct manifest_column){ step->name, timer_columns[domain], TIMERS_KIND, step->timer_columns[domain], ROW_VERSION });
        for (uint32_t s = 0; s < step->state_count; s++) {
            const struct step_state *state = &step->states[s];
            manifest_add_column(manifest, &(struct manifest_column){ step->name, state->name, type_names[state->type], state->id, state->version });
        }
        pane_columns_save(step, manifest);
    }
    if (column_last(manifest) < plan->last_column)
        manifest_add_column(manifest, &(struct manifest_column){ LAST_STEP, LAST_COLUMN, MANIFEST_LAST, plan->last_column, ROW_VERSION });
}

const char *restore_rows_directory(const struct manifest *manifest)
{
    for (uint32_t i = 0; manifest != NULL && i < manifest->file_count; i++) {
        if (manifest->files[i].kind == MANIFEST_ROWS)
            return manifest->files[i].name;
    }
    return NULL;
}

static uint64_t rows_expected(const struct storage *storage, const struct manifest *manifest, const struct keyed_state *state)
{
    uint16_t first, last;
    keyed_state_groups(state, &first, &last);
    uint64_t rows = 0;
    for (uint32_t i = 0; i < manifest->file_count; i++) {
        if (manifest->files[i].kind != MANIFEST_DUMP)
            continue;
        struct storage_path path = storage_shared_path(storage, manifest->files[i].name);
        rows += row_sample_count(path.text, keyed_state_column(state), first, last);
    }
    return rows;
}

static int restore_files(struct storage *storage, const struct manifest *manifest, struct keyed_state *state)
{
    uint16_t first, last;
    keyed_state_groups(state, &first, &last);
    struct restore_reader *reader = restore_reader_begin(storage, manifest, first, last);
    struct slice rows;
    const char *name;
    int status;
    while ((status = restore_reader_next(reader, &rows, &name)) > 0) {
        status = keyed_state_restore_rows(state, rows);
        if (status < 0) {
            status = error_wrap(status, "%s", storage_shared_path(storage, name).text);
            break;
        }
    }
    restore_reader_end(reader);
    return status;
}

int restore_keyed_state(struct storage *storage, const struct manifest *manifest, struct keyed_state *state)
{
    keyed_state_restore_begin(state, restore_rows_directory(manifest) != NULL);
    int status = keyed_state_restore_base(state);
    if (status == 0 && manifest != NULL) {
        keyed_state_restore_expect(state, rows_expected(storage, manifest, state));
        status = restore_files(storage, manifest, state);
    }
    if (status == 0)
        status = keyed_state_restore_done(state);
    crash_point("restore.done");
    return status;
}
