#include "connectors/file/recover.h"

#include "base/crash.h"
#include "base/error.h"
#include "base/memory.h"
#include "connectors/file/committable.h"
#include "connectors/file/history.h"
#include "connectors/file/settle.h"

#include <inttypes.h>
#include <stdlib.h>

struct recovery {
    struct part_folder folder;
    struct committable *committables;
    uint32_t committable_count;
    struct history history;
    bool older;
    struct part_files *files;    /* every part of the folder, in order */
    uint64_t file_count;
    struct part *marks;
    uint64_t mark_count;
};

static int committables_read(struct recovery *recovery, const struct slice *slices, uint32_t count)
{
    recovery->committables = memory_new_zeroed(count + 1, sizeof recovery->committables[0]);
    for (uint32_t i = 0; i < count; i++) {
        if (slices[i].bytes == 0)
            continue;        /* a subtask that never came to a checkpoint */
        struct committable *committable = &recovery->committables[recovery->committable_count];
        int status = committable_read(slices[i], committable);
        if (status < 0)
            return status;
        recovery->committable_count++;
        history_add(&recovery->history, &committable->bound);
    }
    return 0;
}

static int part_compare(const struct part *left, const struct part *right)
{
    if (left->run != right->run)
        return left->run < right->run ? -1 : 1;
    if (left->subtask != right->subtask)
        return left->subtask < right->subtask ? -1 : 1;
    if (left->counter != right->counter)
        return left->counter < right->counter ? -1 : 1;
    return strcmp(left->prefix, right->prefix);
}

static int entry_compare(const void *a, const void *b)
{
    return part_compare(&((const struct part_entry *)a)->part, &((const struct part_entry *)b)->part);
}

static void file_add(struct recovery *recovery, const struct part_entry *entry)
{
    if (entry->state == PART_MARK) {
        recovery->marks[recovery->mark_count++] = entry->part;
        return;
    }
    struct part_files *last = recovery->file_count == 0 ? NULL : &recovery->files[recovery->file_count - 1];
    if (last == NULL || part_compare(&last->part, &entry->part) != 0) {
        last = &recovery->files[recovery->file_count++];
        *last = (struct part_files){ entry->part, { -1, -1, -1 } };
    }
    last->bytes[entry->state] = part_bytes(&recovery->folder, &entry->part, entry->state);
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
    recovery->marks = memory_new((list.count + recovery->committable_count + 1) * sizeof recovery->marks[0]);
    for (uint64_t i = 0; i < list.count; i++)
        file_add(recovery, &list.entries[i]);
    part_list_deinit(&list);
    return 0;
}

static int files_compare(const void *a, const void *b)
{
    return part_compare(&((const struct part_files *)a)->part, &((const struct part_files *)b)->part);
}

static bool has_other_parts(const struct recovery *recovery)
{
    for (uint64_t i = 0; i < recovery->file_count; i++) {
        if (!history_has_own(&recovery->history, recovery->files[i].part.run))
            return true;
    }
    return false;
}

static int history_check(const struct recovery *recovery)
{
    if (!recovery->older || recovery->history.whole || !has_other_parts(recovery))
        return 0;
    return error_set(ERROR_REFUSED, "%s: which parts were published after the restored checkpoint is not known: its run is not in the history",
                     recovery->folder.path);
}

/* How much of a part is there: -1 for nothing. */
static int64_t bytes_there(const struct recovery *recovery, const struct part *part)
{
    struct part_files wanted = { .part = *part };
    const struct part_files *files =
        bsearch(&wanted, recovery->files, recovery->file_count, sizeof recovery->files[0], files_compare);
    return files == NULL ? -1 : part_files_bytes(files);
}

/* It was published here: where it is not any more, a reader has taken it away, which is what it was published for. */
static bool was_published(const struct recovery *recovery, const struct part *part, uint64_t bytes)
{
    for (uint64_t i = 0; i < recovery->mark_count; i++) {
        const struct part *mark = &recovery->marks[i];
        if (mark->run == part->run && mark->subtask == part->subtask && part->counter < mark->counter && strcmp(mark->prefix, part->prefix) == 0)
            return true;
    }
    return history_published(&recovery->history, part, bytes);
}

static int part_check(const struct recovery *recovery, const struct committable *committable, uint64_t counter, uint64_t bytes)
{
    struct part part = committable_part(committable, counter);
    int64_t there = bytes_there(recovery, &part);
    if (there >= (int64_t)bytes || (there < 0 && was_published(recovery, &part, bytes)))
        return 0;
    char name[PART_NAME_BYTES];
    part_format(&part, PART_PUBLISHED, name);
    if (there < 0)
        return error_set(ERROR_REFUSED, "%s: part %s of the checkpoint is missing, and was never published here", recovery->folder.path, name);
    return error_set(ERROR_REFUSED, "%s: part %s has %" PRId64 " bytes, the checkpoint %" PRIu64, recovery->folder.path, name, there, bytes);
}

/* All that the checkpoint counts on must be there before anything is changed. */
static int check(const struct recovery *recovery)
{
    int status = history_check(recovery);
    for (uint32_t i = 0; status == 0 && i < recovery->committable_count; i++) {
        const struct committable *committable = &recovery->committables[i];
        if (committable->bound.open_bytes > 0)
            status = part_check(recovery, committable, committable->bound.whole, committable->bound.open_bytes);
        for (uint32_t c = 0; status == 0 && c < committable->closed_count; c++)
            status = part_check(recovery, committable, committable->closed[c], 0);
    }
    return status;
}

static bool prefix_known(const struct recovery *recovery, const struct part *part)
{
    for (uint32_t i = 0; i < recovery->committable_count; i++) {
        const struct committable *committable = &recovery->committables[i];
        if (committable->bound.run == part->run)
            return strcmp(committable->prefix, part->prefix) == 0;
    }
    const struct run *run = runs_find(&recovery->history.runs, part->run);
    return run != NULL && strcmp(run->prefix, part->prefix) == 0;
}

static int part_settle(const struct recovery *recovery, const struct part_files *files)
{
    const struct part *part = &files->part;
    const struct part_bound *bound = history_bound(&recovery->history, part->run, part->subtask);
    if (bound != NULL && part->counter < bound->whole)
        return settle_whole(&recovery->folder, files);
    if (bound != NULL && part->counter == bound->whole && bound->open_bytes > 0) {
        if (part_files_bytes(files) < (int64_t)bound->open_bytes)
            return 0;        /* of an earlier run, and its reader has changed it; check() saw to our own */
        return settle_cut(&recovery->folder, files, bound->open_bytes, recovery->older);
    }
    if (history_withdraws(&recovery->history, part->run))
        return settle_unknown(&recovery->folder, files, recovery->older);
    return settle_hidden(&recovery->folder, files);
}

/* As before a commit: what is published now may be gone when a recovery that was killed is done again. */
static int marks_leave(struct recovery *recovery)
{
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < recovery->committable_count; i++) {
        const struct committable *committable = &recovery->committables[i];
        bool open = committable->bound.open_bytes > 0;
        if (!open && committable->closed_count == 0)
            continue;
        struct part next = committable_part(committable, committable->bound.whole + open);
        recovery->marks[recovery->mark_count++] = next;
        status = part_mark(&recovery->folder, &next);
    }
    return status;
}

static int settle(struct recovery *recovery)
{
    int status = marks_leave(recovery);
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

/* The line of the new run tells now what they told. */
static int marks_remove(const struct recovery *recovery)
{
    int status = 0;
    for (uint64_t i = 0; status == 0 && i < recovery->mark_count; i++) {
        if (prefix_known(recovery, &recovery->marks[i]))
            status = part_remove(&recovery->folder, &recovery->marks[i], PART_MARK);
    }
    return status;
}

static void recovery_deinit(struct recovery *recovery)
{
    for (uint32_t i = 0; i < recovery->committable_count; i++)
        committable_deinit(&recovery->committables[i]);
    free(recovery->committables);
    free(recovery->files);
    free(recovery->marks);
    history_deinit(&recovery->history);
    part_folder_close(&recovery->folder);
}

int file_sink_recover(const char *folder_path, const char *prefix, const struct sink_context *context,
                      const struct slice *committables, uint32_t count, bool older)
{
    struct recovery recovery = { .older = older };
    int status = part_folder_open(&recovery.folder, folder_path);
    if (status < 0)
        return status;
    history_init(&recovery.history);
    status = committables_read(&recovery, committables, count);
    if (status == 0)
        status = files_read(&recovery);
    if (status == 0)
        status = history_read(&recovery.history, &recovery.folder, context->step_name, older);
    if (status == 0)
        status = check(&recovery);
    if (status == 0)
        status = settle(&recovery);
    if (status == 0)
        status = run_note(&recovery, prefix, context);
    if (status == 0 && !older)
        status = marks_remove(&recovery);
    recovery_deinit(&recovery);
    return status;
}
