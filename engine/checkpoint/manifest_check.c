/*
 * What must hold of a manifest before any of it is used: a name that leaves its
 * folder, a column that two states claim or a subtask beyond the parallelism
 * would do harm far from here.
 */
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/manifest.h"

#include <stdlib.h>

#define TEXT_BYTES_MAX 4096
#define NAME_BYTES_MAX 200
#define TAG_BYTES_MAX 128

static bool is_name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '.' ||
           byte == '-' || byte == '_';
}

bool manifest_name_allowed(const char *name)
{
    if (name[0] == 0 || name[0] == '.' || strlen(name) > NAME_BYTES_MAX)
        return false;
    while (is_name_byte(*name))
        name++;
    return *name == 0;
}

static int check_text(const char *what, const char *text)
{
    if (text == NULL || strlen(text) > TEXT_BYTES_MAX)
        return error_set(ERROR_CORRUPT, "manifest: %s is %s", what, text == NULL ? "missing" : "too long");
    return 0;
}

static int check_step(const char *step)
{
    int status = check_text("the name of a step", step);
    return status == 0 && step[0] == 0 ? error_set(ERROR_CORRUPT, "manifest: a step without a name") : status;
}

static int check_parallelism(uint32_t parallelism, uint32_t max)
{
    if (parallelism == 0 || parallelism > max || max > MANIFEST_PARALLELISM_MAX)
        return error_set(ERROR_CORRUPT, "manifest: parallelism %u of at most %u", parallelism, max);
    return 0;
}

static int check_head(const struct manifest_head *head)
{
    if (head->id == 0 || head->id == head->parent || head->id > INT64_MAX || head->parent > INT64_MAX)
        return error_set(ERROR_CORRUPT, "manifest: id %llu, parent %llu", (unsigned long long)head->id, (unsigned long long)head->parent);
    if (check_text("the engine version", head->engine_version) < 0 || check_text("the job's name", head->job) < 0 ||
        check_text("the mode", head->mode) < 0 || check_text("the script's hash", head->script) < 0)
        return ERROR_CORRUPT;
    if (strcmp(head->mode, "exactly_once") != 0 && strcmp(head->mode, "at_least_once") != 0)
        return error_set(ERROR_CORRUPT, "manifest: unknown mode '%s'", head->mode);
    return check_parallelism(head->parallelism, head->max_parallelism);
}

static bool is_tag(const char *tag)
{
    for (const char *byte = tag; *byte != 0; byte++) {
        if ((unsigned char)*byte < ' ' || *byte == '/' || *byte == 0x7f)
            return false;
    }
    return tag[0] != 0 && strlen(tag) <= TAG_BYTES_MAX;
}

static int check_tags(const struct manifest *manifest)
{
    for (uint32_t i = 0; i < manifest->tag_count; i++) {
        if (!is_tag(manifest->tags[i]))
            return error_set(ERROR_CORRUPT, "manifest: tag %u is empty, too long, or has '/' or control characters", i + 1);
    }
    return 0;
}

static int compare_columns(const void *a, const void *b)
{
    const struct manifest_column *left = *(const struct manifest_column *const *)a, *right = *(const struct manifest_column *const *)b;
    int order = strcmp(left->step, right->step);
    return order != 0 ? order : strcmp(left->state, right->state);
}

static int compare_files(const void *a, const void *b)
{
    return strcmp((*(const struct manifest_file *const *)a)->name, (*(const struct manifest_file *const *)b)->name);
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp((*(const struct manifest_entry *const *)a)->name, (*(const struct manifest_entry *const *)b)->name);
}

static int compare_parts(const void *a, const void *b)
{
    const struct manifest_part *left = *(const struct manifest_part *const *)a, *right = *(const struct manifest_part *const *)b;
    int order = strcmp(left->step, right->step);
    if (order == 0)
        order = strcmp(left->kind, right->kind);
    return order != 0 ? order : (left->subtask > right->subtask) - (left->subtask < right->subtask);
}

/* To be freed. */
static const void **sort(const void *items, uint32_t count, size_t item_bytes, int (*compare)(const void *, const void *))
{
    const void **sorted = memory_new((count + 1) * sizeof *sorted);
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = (const char *)items + i * item_bytes;
    qsort(sorted, count, sizeof *sorted, compare);
    return sorted;
}

/* Are two of `count` items at `items` the same? */
static bool has_repeats(const void *items, uint32_t count, size_t item_bytes, int (*compare)(const void *, const void *))
{
    const void **sorted = sort(items, count, item_bytes, compare);
    bool repeats = false;
    for (uint32_t i = 1; i < count && !repeats; i++)
        repeats = compare(&sorted[i - 1], &sorted[i]) == 0;
    free(sorted);
    return repeats;
}

static int check_columns(const struct manifest *manifest)
{
    bool *taken = memory_new_zeroed(UINT16_MAX + 1, sizeof *taken);
    int status = 0;
    for (uint32_t i = 0; i < manifest->column_count && status == 0; i++) {
        const struct manifest_column *column = &manifest->columns[i];
        status = check_step(column->step);
        if (status == 0 && (check_text("the name of a state", column->state) < 0 || check_text("the kind of a state", column->kind) < 0))
            status = ERROR_CORRUPT;
        if (status == 0 && taken[column->column])
            status = error_set(ERROR_CORRUPT, "manifest: column %u is claimed twice", column->column);
        taken[column->column] = true;
    }
    free(taken);
    if (status == 0 && has_repeats(manifest->columns, manifest->column_count, sizeof manifest->columns[0], compare_columns))
        return error_set(ERROR_CORRUPT, "manifest: a state has two columns");
    return status;
}

static int check_entries(const struct manifest_file *file)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < file->entry_count; i++) {
        const struct manifest_entry *entry = &file->entries[i];
        if (!manifest_name_allowed(entry->name) || entry->bytes > INT64_MAX - bytes)
            return error_set(ERROR_CORRUPT, "manifest: %s: entry %u has a name or size that cannot be", file->name, i + 1);
        bytes += entry->bytes;
    }
    if (bytes != file->bytes)
        return error_set(ERROR_CORRUPT, "manifest: %s: its entries do not add up", file->name);
    if (has_repeats(file->entries, file->entry_count, sizeof file->entries[0], compare_entries))
        return error_set(ERROR_CORRUPT, "manifest: %s names an entry twice", file->name);
    return 0;
}

static int check_file(const struct manifest_file *file)
{
    if (file->name == NULL || !manifest_name_allowed(file->name))
        return error_set(ERROR_CORRUPT, "manifest: a file whose name leaves its folder");
    if (file->kind < MANIFEST_DELTA || file->kind > MANIFEST_ROWS || file->epoch_first > file->epoch_last || file->bytes > INT64_MAX)
        return error_set(ERROR_CORRUPT, "manifest: %s: kind %u, epochs %llu to %llu, %llu bytes", file->name, file->kind,
                         (unsigned long long)file->epoch_first, (unsigned long long)file->epoch_last, (unsigned long long)file->bytes);
    if ((file->kind == MANIFEST_ROWS) != (file->entry_count > 0))
        return error_set(ERROR_CORRUPT, "manifest: %s: %u entries", file->name, file->entry_count);
    return file->kind == MANIFEST_ROWS ? check_entries(file) : 0;
}

static int check_files(const struct manifest *manifest)
{
    for (uint32_t i = 0; i < manifest->file_count; i++) {
        int status = check_file(&manifest->files[i]);
        if (status < 0)
            return status;
    }
    if (has_repeats(manifest->files, manifest->file_count, sizeof manifest->files[0], compare_files))
        return error_set(ERROR_CORRUPT, "manifest: a file is named twice");
    return 0;
}

/* Is a step of one parallelism in one of its parts and of another in the next? */
static bool parts_disagree(const struct manifest *manifest)
{
    const void **sorted = sort(manifest->parts, manifest->part_count, sizeof manifest->parts[0], compare_parts);
    bool disagree = false;
    for (uint32_t i = 1; i < manifest->part_count && !disagree; i++) {
        const struct manifest_part *before = sorted[i - 1], *part = sorted[i];
        disagree = strcmp(before->step, part->step) == 0 && before->parallelism != part->parallelism;
    }
    free(sorted);
    return disagree;
}

static int check_parts(const struct manifest *manifest)
{
    for (uint32_t i = 0; i < manifest->part_count; i++) {
        const struct manifest_part *part = &manifest->parts[i];
        if (check_step(part->step) < 0 || check_text("the kind of a part", part->kind) < 0 ||
            check_parallelism(part->parallelism, MANIFEST_PARALLELISM_MAX) < 0)
            return ERROR_CORRUPT;
        if (part->subtask >= part->parallelism)
            return error_set(ERROR_CORRUPT, "manifest: step '%s': subtask %u of %u", part->step, part->subtask, part->parallelism);
    }
    if (has_repeats(manifest->parts, manifest->part_count, sizeof manifest->parts[0], compare_parts))
        return error_set(ERROR_CORRUPT, "manifest: a subtask has two parts of one kind");
    if (parts_disagree(manifest))
        return error_set(ERROR_CORRUPT, "manifest: the parts of a step are of more than one parallelism");
    return 0;
}

int manifest_check(const struct manifest *manifest)
{
    int status = check_head(&manifest->head);
    if (status == 0)
        status = check_tags(manifest);
    if (status == 0)
        status = check_columns(manifest);
    if (status == 0)
        status = check_files(manifest);
    return status < 0 ? status : check_parts(manifest);
}
