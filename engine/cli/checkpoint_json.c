#include "cli/checkpoint_json.h"

#include "base/clock.h"
#include "service/reply.h"

#include <stdio.h>

static void append_field(struct buffer *json, const char *name, const char *text)
{
    buffer_append_format(json, "%s\"%s\":", json->data[json->bytes - 1] == '{' ? "" : ",", name);
    if (text == NULL)
        buffer_append_format(json, "null");
    else
        reply_append_text(json, text);
}

static void append_number(struct buffer *json, const char *name, uint64_t number)
{
    buffer_append_format(json, "%s\"%s\":%llu", json->data[json->bytes - 1] == '{' ? "" : ",", name, (unsigned long long)number);
}

static void append_parent(struct buffer *json, uint64_t parent)
{
    if (parent == 0)
        append_field(json, "parent", NULL);
    else
        append_number(json, "parent", parent);
}

static void append_time(struct buffer *json, int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    char text[48], whole[64];
    if (time_ms < 0 || gmtime_r(&seconds, &parts) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        append_field(json, "time", NULL);
        return;
    }
    snprintf(whole, sizeof whole, "%s.%03dZ", text, (int)(time_ms % 1000));
    append_field(json, "time", whole);
    int64_t age_ms = clock_wall_ms() - time_ms;
    append_number(json, "age_ms", age_ms > 0 ? (uint64_t)age_ms : 0);
}

static void append_tags(struct buffer *json, const struct manifest *manifest)
{
    buffer_append_format(json, ",\"tags\":[");
    for (uint32_t i = 0; i < manifest->tag_count; i++) {
        buffer_append_format(json, "%s", i == 0 ? "" : ",");
        reply_append_text(json, manifest->tags[i]);
    }
    buffer_append_byte(json, ']');
}

static uint64_t size_of(const struct manifest *manifest)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < manifest->file_count; i++)
        bytes += manifest->files[i].bytes;
    for (uint32_t i = 0; i < manifest->part_count; i++)
        bytes += manifest->parts[i].bytes.bytes;
    return bytes;
}

void checkpoint_json_append_item(struct buffer *json, const struct storage_item *item)
{
    buffer_append_byte(json, '{');
    append_number(json, "id", item->id);
    const struct manifest *manifest = item->manifest;
    if (manifest == NULL) {
        buffer_append_format(json, ",\"parent\":null,\"time\":null,\"age_ms\":null,\"size_bytes\":null,\"files\":null,\"tags\":[]");
    } else {
        append_parent(json, manifest->head.parent);
        append_time(json, manifest->head.time_ms);
        append_number(json, "size_bytes", size_of(manifest));
        append_number(json, "files", manifest->file_count);
        append_tags(json, manifest);
    }
    buffer_append_format(json, ",\"restorable\":%s", item->code == 0 ? "true" : "false");
    append_field(json, "reason", item->reason);
    buffer_append_byte(json, '}');
}

static const char *kind_name(uint32_t kind)
{
    return kind == MANIFEST_DELTA ? "delta" : kind == MANIFEST_DUMP ? "dump" : kind == MANIFEST_ROWS ? "rows" : "unknown";
}

static void append_files(struct buffer *json, const struct manifest *manifest)
{
    buffer_append_format(json, ",\"files\":[");
    for (uint32_t i = 0; i < manifest->file_count; i++) {
        const struct manifest_file *file = &manifest->files[i];
        buffer_append_format(json, "%s{", i == 0 ? "" : ",");
        append_field(json, "name", file->name);
        append_field(json, "kind", kind_name(file->kind));
        append_number(json, "size_bytes", file->bytes);
        append_number(json, "first_id", file->epoch_first);
        append_number(json, "last_id", file->epoch_last);
        buffer_append_byte(json, '}');
    }
    buffer_append_byte(json, ']');
}

static void append_columns(struct buffer *json, const struct manifest *manifest)
{
    buffer_append_format(json, ",\"states\":[");
    bool any = false;
    for (uint32_t i = 0; i < manifest->column_count; i++) {
        const struct manifest_column *column = &manifest->columns[i];
        if (strcmp(column->kind, MANIFEST_LAST) == 0)
            continue;
        buffer_append_format(json, "%s{", any ? "," : "");
        any = true;
        append_field(json, "step", column->step);
        append_field(json, "state", column->state);
        append_field(json, "kind", column->kind);
        buffer_append_byte(json, '}');
    }
    buffer_append_byte(json, ']');
}

static void append_parts(struct buffer *json, const struct manifest *manifest)
{
    buffer_append_format(json, ",\"parts\":[");
    for (uint32_t i = 0; i < manifest->part_count; i++) {
        const struct manifest_part *part = &manifest->parts[i];
        buffer_append_format(json, "%s{", i == 0 ? "" : ",");
        append_field(json, "step", part->step);
        append_field(json, "kind", part->kind);
        append_number(json, "subtask", part->subtask);
        append_number(json, "parallelism", part->parallelism);
        append_number(json, "size_bytes", part->bytes.bytes);
        buffer_append_byte(json, '}');
    }
    buffer_append_byte(json, ']');
}

void checkpoint_json_append_manifest(struct buffer *json, const struct manifest *manifest)
{
    const struct manifest_head *head = &manifest->head;
    buffer_append_byte(json, '{');
    append_number(json, "id", head->id);
    append_field(json, "job", head->job);
    append_parent(json, head->parent);
    append_time(json, head->time_ms);
    append_number(json, "size_bytes", size_of(manifest));
    append_tags(json, manifest);
    append_field(json, "mode", head->mode);
    append_number(json, "parallelism", head->parallelism);
    append_number(json, "max_parallelism", head->max_parallelism);
    append_field(json, "script", head->script);
    append_field(json, "engine", head->engine_version);
    append_files(json, manifest);
    append_columns(json, manifest);
    append_parts(json, manifest);
    buffer_append_byte(json, '}');
}
