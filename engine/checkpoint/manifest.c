#include "checkpoint/manifest.h"

#include "base/memory.h"

#include <stdlib.h>

/* Room for one more item behind `count`: lists grow at powers of two, so they need no capacity. */
static void *list_grow(void *list, uint32_t count, size_t item_bytes)
{
    if ((count & (count - 1)) != 0)
        return list;
    return memory_resize(list, (count == 0 ? 1 : (size_t)count * 2) * item_bytes);
}

static void *own(struct manifest *manifest, void *memory)
{
    manifest->owned = list_grow(manifest->owned, manifest->owned_count, sizeof manifest->owned[0]);
    manifest->owned[manifest->owned_count++] = memory;
    return memory;
}

static const char *keep_text(struct manifest *manifest, const char *text)
{
    return own(manifest, memory_copy_text(text));
}

struct manifest *manifest_new(const struct manifest_head *head)
{
    struct manifest *manifest = memory_new_zeroed(1, sizeof *manifest);
    manifest->format_version = MANIFEST_VERSION;
    manifest->head = *head;
    manifest->head.engine_version = keep_text(manifest, head->engine_version);
    manifest->head.job = keep_text(manifest, head->job);
    manifest->head.mode = keep_text(manifest, head->mode);
    manifest->head.script = keep_text(manifest, head->script);
    return manifest;
}

void manifest_free(struct manifest *manifest)
{
    if (manifest == NULL)
        return;
    for (uint32_t i = 0; i < manifest->owned_count; i++)
        free(manifest->owned[i]);
    for (uint32_t i = 0; i < manifest->file_count; i++)
        free(manifest->files[i].entries);
    free(manifest->owned);
    free(manifest->tags);
    free(manifest->columns);
    free(manifest->files);
    free(manifest->parts);
    free(manifest);
}

bool manifest_has_tag(const struct manifest *manifest, const char *tag)
{
    for (uint32_t i = 0; i < manifest->tag_count; i++) {
        if (strcmp(manifest->tags[i], tag) == 0)
            return true;
    }
    return false;
}

void manifest_add_tag(struct manifest *manifest, const char *tag)
{
    manifest->tags = list_grow(manifest->tags, manifest->tag_count, sizeof manifest->tags[0]);
    manifest->tags[manifest->tag_count++] = keep_text(manifest, tag);
}

void manifest_add_column(struct manifest *manifest, const struct manifest_column *column)
{
    manifest->columns = list_grow(manifest->columns, manifest->column_count, sizeof *column);
    struct manifest_column *added = &manifest->columns[manifest->column_count++];
    *added = *column;
    added->step = keep_text(manifest, column->step);
    added->state = keep_text(manifest, column->state);
    added->kind = keep_text(manifest, column->kind);
}

void manifest_add_file(struct manifest *manifest, const struct manifest_file *file)
{
    manifest->files = list_grow(manifest->files, manifest->file_count, sizeof *file);
    struct manifest_file *added = &manifest->files[manifest->file_count++];
    *added = *file;
    added->name = keep_text(manifest, file->name);
    added->entry_count = 0;
    added->entries = NULL;
    if (file->kind == MANIFEST_ROWS)
        added->bytes = 0;
}

void manifest_add_entry(struct manifest *manifest, const struct manifest_entry *entry)
{
    struct manifest_file *file = &manifest->files[manifest->file_count - 1];
    file->entries = list_grow(file->entries, file->entry_count, sizeof *entry);
    struct manifest_entry *added = &file->entries[file->entry_count++];
    *added = *entry;
    added->name = keep_text(manifest, entry->name);
    file->bytes += entry->bytes;
}

void manifest_add_part(struct manifest *manifest, const struct manifest_part *part)
{
    manifest->parts = list_grow(manifest->parts, manifest->part_count, sizeof *part);
    struct manifest_part *added = &manifest->parts[manifest->part_count++];
    *added = *part;
    added->step = keep_text(manifest, part->step);
    added->kind = keep_text(manifest, part->kind);
    added->bytes.data = own(manifest, memory_copy(part->bytes.data, part->bytes.bytes));
}
