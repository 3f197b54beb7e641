/*
 * Which parts does the restored checkpoint know? Those of its own run up to its
 * bounds, and those of the runs before it, each up to where the next had begun from
 * it. Nothing else that runs of the same *tree* published, those that go back to one
 * fresh start, is known to it; nor is what later trees published. What earlier trees published
 * was there before, and stays.
 */
#include "connectors/file/recover.h"

#include "base/crash.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/file/committable.h"
#include "connectors/file/runs.h"
#include "connectors/file/settle.h"

#include <inttypes.h>
#include <stdlib.h>

struct recovery {
    struct part_folder folder;
    struct committable *committables;
    uint32_t committable_count;
    struct runs runs;
    struct part_bound *bounds;   /* those of the checkpoint, then of the runs before it; in order of run once the history is read */
    uint32_t own_count;          /* of the checkpoint */
    uint32_t bound_count;
    uint32_t *trees;             /* of each run, the line of the fresh start that it goes back to */
    uint32_t tree;               /* of the checkpoint */
    bool older;
    struct part_files *files;    /* every part of the folder, in order */
    uint64_t file_count;
};

static void bounds_append(struct recovery *recovery, const struct part_bound *bounds, uint32_t count)
{
    recovery->bounds = memory_resize(recovery->bounds, (recovery->bound_count + count + 1) * sizeof recovery->bounds[0]);
    for (uint32_t i = 0; i < count; i++)
        recovery->bounds[recovery->bound_count++] = bounds[i];
}

static int committables_read(struct recovery *recovery, const struct slice *slices, uint32_t count)
{
    recovery->committables = memory_new_zeroed(count + 1, sizeof recovery->committables[0]);
    bounds_append(recovery, NULL, 0);
    for (uint32_t i = 0; i < count; i++) {
        if (slices[i].bytes == 0)
            continue;        /* a subtask that never came to a checkpoint */
        struct committable *committable = &recovery->committables[recovery->committable_count];
        int status = committable_read(slices[i], committable);
        if (status < 0)
            return status;
        recovery->committable_count++;
        bounds_append(recovery, &committable->bound, 1);
    }
    recovery->own_count = recovery->bound_count;
    return 0;
}

static int bound_compare(const void *a, const void *b)
{
    const struct part_bound *left = a, *right = b;
    if (left->run != right->run)
        return left->run < right->run ? -1 : 1;
    return (left->subtask > right->subtask) - (left->subtask < right->subtask);
}

static bool is_own_run(const struct recovery *recovery, uint64_t run)
{
    for (uint32_t i = 0; i < recovery->own_count; i++) {
        if (recovery->bounds[i].run == run)
            return true;
    }
    return false;
}

/* Add the bounds of the runs that those in `bounds` go back to, and theirs; each run's line once. What the checkpoint says itself counts. */
static void history_add(struct recovery *recovery)
{
    bool *added = memory_new_zeroed(recovery->runs.count + 1, sizeof added[0]);
    for (uint32_t i = 0; i < recovery->bound_count; i++) {
        const struct run *run = runs_find(&recovery->runs, recovery->bounds[i].run);
        if (run == NULL || added[run - recovery->runs.list])
            continue;
        added[run - recovery->runs.list] = true;
        for (uint32_t b = 0; b < run->count; b++) {
            if (!is_own_run(recovery, run->bounds[b].run))
                bounds_append(recovery, &run->bounds[b], 1);
        }
    }
    free(added);
}

static bool has_other_parts(const struct recovery *recovery)
{
    for (uint64_t i = 0; i < recovery->file_count; i++) {
        if (!is_own_run(recovery, recovery->files[i].part.run))
            return true;
    }
    return false;
}

static void trees_find(struct recovery *recovery)
{
    const struct runs *runs = &recovery->runs;
    recovery->trees = memory_new((runs->count + 1) * sizeof recovery->trees[0]);
    for (uint32_t i = 0; i < runs->count; i++) {
        const struct run *parent = runs->list[i].count == 0 ? NULL : runs_find(runs, runs->list[i].bounds[0].run);
        /* A run begins from one that was before it; anything else is a line that someone wrote by hand. */
        bool known = parent != NULL && parent < &runs->list[i];
        recovery->trees[i] = known ? recovery->trees[parent - runs->list] : i;
    }
}

/* What the checkpoint goes back to, from the lines of the runs. */
static int history_read(struct recovery *recovery, const char *step_name)
{
    int status = runs_read(&recovery->runs, &recovery->folder, step_name);
    if (status < 0)
        return status;
    trees_find(recovery);
    /* Without a checkpoint: before all trees where the job goes back, behind them where it starts afresh. */
    recovery->tree = recovery->older && recovery->own_count == 0 ? 0 : recovery->runs.count;
    for (uint32_t i = 0; i < recovery->own_count; i++) {
        const struct run *run = runs_find(&recovery->runs, recovery->bounds[i].run);
        if (run != NULL)
            recovery->tree = recovery->trees[run - recovery->runs.list];
        else if (recovery->older && has_other_parts(recovery))
            return error_set(ERROR_REFUSED, "%s: which parts were published after the restored checkpoint is not known: the history has no run %016" PRIx64,
                             recovery->folder.path, recovery->bounds[i].run);
    }
    history_add(recovery);
    qsort(recovery->bounds, recovery->bound_count, sizeof recovery->bounds[0], bound_compare);
    return 0;
}

static int entry_compare(const void *a, const void *b)
{
    const struct part *left = &((const struct part_entry *)a)->part, *right = &((const struct part_entry *)b)->part;
    if (left->run != right->run)
        return left->run < right->run ? -1 : 1;
    if (left->subtask != right->subtask)
        return left->subtask < right->subtask ? -1 : 1;
    if (left->counter != right->counter)
        return left->counter < right->counter ? -1 : 1;
    return strcmp(left->prefix, right->prefix);
}

/* The files of each part together. */
static int files_read(struct recovery *recovery)
{
    struct part_list list;
    int status = part_list_read(&list, &recovery->folder);
    if (status < 0)
        return status;
    if (list.count > 0)
        qsort(list.entries, list.count, sizeof list.entries[0], entry_compare);
    recovery->files = memory_new((list.count + 1) * sizeof recovery->files[0]);
    for (uint64_t i = 0; i < list.count; i++) {
        const struct part_entry *entry = &list.entries[i];
        if (i == 0 || entry_compare(entry, entry - 1) != 0)
            recovery->files[recovery->file_count++] = (struct part_files){ entry->part, { -1, -1, -1 } };
        recovery->files[recovery->file_count - 1].bytes[entry->state] = part_bytes(&recovery->folder, &entry->part, entry->state);
    }
    part_list_deinit(&list);
    return 0;
}

static int files_compare(const void *a, const void *b)
{
    struct part_entry left = { .part = ((const struct part_files *)a)->part }, right = { .part = ((const struct part_files *)b)->part };
    return entry_compare(&left, &right);
}

/* How much of a part is there: -1 for nothing. */
static int64_t bytes_there(const struct recovery *recovery, const struct part *part)
{
    struct part_files wanted = { .part = *part };
    const struct part_files *files =
        bsearch(&wanted, recovery->files, recovery->file_count, sizeof recovery->files[0], files_compare);
    return files == NULL ? -1 : part_files_bytes(files);
}

static int part_check(const struct recovery *recovery, const struct committable *committable, uint64_t counter, uint64_t bytes)
{
    struct part part = committable_part(committable, counter);
    int64_t there = bytes_there(recovery, &part);
    if (there >= (int64_t)bytes)
        return 0;
    char name[PART_NAME_BYTES];
    part_format(&part, PART_PUBLISHED, name);
    if (there < 0)
        return error_set(ERROR_CORRUPT, "%s: part %s of the checkpoint is missing", recovery->folder.path, name);
    return error_set(ERROR_CORRUPT, "%s: part %s has %" PRId64 " bytes, the checkpoint %" PRIu64, recovery->folder.path, name, there, bytes);
}

/* All that the checkpoint counts on must be there before anything is changed. */
static int check(const struct recovery *recovery)
{
    for (uint32_t i = 0; i < recovery->committable_count; i++) {
        const struct committable *committable = &recovery->committables[i];
        int status = 0;
        if (committable->bound.open_bytes > 0)
            status = part_check(recovery, committable, committable->bound.whole, committable->bound.open_bytes);
        for (uint32_t c = 0; status == 0 && c < committable->closed_count; c++)
            status = part_check(recovery, committable, committable->closed[c], 0);
        if (status < 0)
            return status;
    }
    return 0;
}

static bool prefix_known(const struct recovery *recovery, const struct part *part)
{
    for (uint32_t i = 0; i < recovery->committable_count; i++) {
        const struct committable *committable = &recovery->committables[i];
        if (committable->bound.run == part->run)
            return strcmp(committable->prefix, part->prefix) == 0;
    }
    const struct run *run = runs_find(&recovery->runs, part->run);
    return run != NULL && strcmp(run->prefix, part->prefix) == 0;
}

/* Is the run among those that the checkpoint goes back to? */
static bool run_bounded(const struct recovery *recovery, uint64_t run)
{
    uint32_t low = 0, high = recovery->bound_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (recovery->bounds[middle].run < run)
            low = middle + 1;
        else
            high = middle;
    }
    return low < recovery->bound_count && recovery->bounds[low].run == run;
}

static int part_settle(const struct recovery *recovery, const struct part_files *files)
{
    const struct part *part = &files->part;
    struct part_bound wanted = { .run = part->run, .subtask = part->subtask };
    const struct part_bound *bound =
        bsearch(&wanted, recovery->bounds, recovery->bound_count, sizeof recovery->bounds[0], bound_compare);
    const struct run *run = runs_find(&recovery->runs, part->run);
    if (bound != NULL && part->counter < bound->whole)
        return settle_whole(&recovery->folder, files);
    if (bound != NULL && part->counter == bound->whole && bound->open_bytes > 0) {
        if (part_files_bytes(files) < (int64_t)bound->open_bytes)
            return 0;        /* of an earlier run, and its reader has changed it; check() saw to our own */
        return settle_cut(&recovery->folder, files, bound->open_bytes, recovery->older);
    }
    bool unknown = run != NULL && recovery->trees[run - recovery->runs.list] >= recovery->tree;
    if (unknown || run_bounded(recovery, part->run))
        return settle_unknown(&recovery->folder, files, recovery->older);
    return settle_hidden(&recovery->folder, files);
}

static int settle(const struct recovery *recovery)
{
    int status = 0;
    for (uint64_t i = 0; status == 0 && i < recovery->file_count; i++) {
        if (prefix_known(recovery, &recovery->files[i].part))
            status = part_settle(recovery, &recovery->files[i]);
    }
    if (status < 0)
        return status;
    crash_point("recover.before_directory_sync");
    return part_folder_sync(&recovery->folder);
}

static int run_note(const struct recovery *recovery, const char *prefix, const struct sink_context *context)
{
    struct run run = { .id = context->run_id, .count = recovery->committable_count };
    run.bounds = memory_new((run.count + 1) * sizeof run.bounds[0]);
    for (uint32_t i = 0; i < run.count; i++)
        run.bounds[i] = recovery->committables[i].bound;
    strcpy(run.prefix, prefix);
    crash_point("recover.before_run");
    int status = runs_append(&recovery->folder, context->step_name, &run);
    crash_point("recover.after_run");
    free(run.bounds);
    return status;
}

static void recovery_deinit(struct recovery *recovery)
{
    for (uint32_t i = 0; i < recovery->committable_count; i++)
        committable_deinit(&recovery->committables[i]);
    free(recovery->committables);
    free(recovery->bounds);
    free(recovery->trees);
    free(recovery->files);
    runs_deinit(&recovery->runs);
    part_folder_close(&recovery->folder);
}

int file_sink_recover(const char *folder_path, const char *prefix, const struct sink_context *context,
                      const struct slice *committables, uint32_t count, bool older)
{
    struct recovery recovery = { .older = older };
    int status = part_folder_open(&recovery.folder, folder_path);
    if (status < 0)
        return status;
    status = committables_read(&recovery, committables, count);
    if (status == 0)
        status = files_read(&recovery);
    if (status == 0)
        status = history_read(&recovery, context->step_name);
    if (status == 0)
        status = check(&recovery);
    if (status == 0)
        status = settle(&recovery);
    if (status == 0)
        status = run_note(&recovery, prefix, context);
    recovery_deinit(&recovery);
    return status;
}
