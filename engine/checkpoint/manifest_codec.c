/*
 * The bytes of a manifest: 24 bytes of envelope, then one msgpack list. The
 * envelope is the same for all format versions, so that a manifest of a newer
 * engine can be told from a damaged one.
 */
#include "base/error.h"
#include "base/hash.h"
#include "checkpoint/manifest.h"
#include "codec/msgpack.h"

#include <stddef.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "manifests are little endian");

#define MAGIC 0x464d544du /* "MTMF" */

struct envelope {
    uint32_t magic;
    uint32_t version;
    uint64_t bytes;
    uint64_t checksum;  /* of the fields before it and the bytes behind it */
};
_Static_assert(sizeof(struct envelope) == 24, "no padding");

static uint64_t checksum_of(const struct envelope *envelope, const void *bytes)
{
    uint64_t words[3];
    memcpy(words, envelope, 2 * sizeof words[0]);
    words[2] = hash_bytes(bytes, envelope->bytes);
    return hash_bytes(words, sizeof words);
}

/* ---- Writing ---- */

static void write_text(struct buffer *out, const char *text)
{
    msgpack_write_string(out, slice_of_text(text));
}

static void write_head(struct buffer *out, const struct manifest_head *head)
{
    msgpack_write_array(out, 10);
    msgpack_write_uint(out, head->id);
    msgpack_write_uint(out, head->parent);
    msgpack_write_uint(out, head->run);
    msgpack_write_int(out, head->time_ms);
    msgpack_write_uint(out, head->parallelism);
    msgpack_write_uint(out, head->max_parallelism);
    write_text(out, head->engine_version);
    write_text(out, head->job);
    write_text(out, head->mode);
    write_text(out, head->script);
}

static void write_column(struct buffer *out, const struct manifest_column *column)
{
    msgpack_write_array(out, 5);
    write_text(out, column->step);
    write_text(out, column->state);
    write_text(out, column->kind);
    msgpack_write_uint(out, column->column);
    msgpack_write_uint(out, column->format_version);
}

static void write_file(struct buffer *out, const struct manifest_file *file)
{
    msgpack_write_array(out, 7);
    write_text(out, file->name);
    msgpack_write_uint(out, file->kind);
    msgpack_write_uint(out, file->bytes);
    msgpack_write_uint(out, file->checksum);
    msgpack_write_uint(out, file->epoch_first);
    msgpack_write_uint(out, file->epoch_last);
    msgpack_write_array(out, file->entry_count);
    for (uint32_t i = 0; i < file->entry_count; i++) {
        msgpack_write_array(out, 3);
        write_text(out, file->entries[i].name);
        msgpack_write_uint(out, file->entries[i].bytes);
        msgpack_write_uint(out, file->entries[i].checksum);
    }
}

static void write_part(struct buffer *out, const struct manifest_part *part)
{
    msgpack_write_array(out, 5);
    write_text(out, part->step);
    write_text(out, part->kind);
    msgpack_write_uint(out, part->subtask);
    msgpack_write_uint(out, part->parallelism);
    msgpack_write_string(out, part->bytes);
}

static void write_payload(struct buffer *out, const struct manifest *manifest)
{
    msgpack_write_array(out, 5);
    write_head(out, &manifest->head);
    msgpack_write_array(out, manifest->tag_count);
    for (uint32_t i = 0; i < manifest->tag_count; i++)
        write_text(out, manifest->tags[i]);
    msgpack_write_array(out, manifest->column_count);
    for (uint32_t i = 0; i < manifest->column_count; i++)
        write_column(out, &manifest->columns[i]);
    msgpack_write_array(out, manifest->file_count);
    for (uint32_t i = 0; i < manifest->file_count; i++)
        write_file(out, &manifest->files[i]);
    msgpack_write_array(out, manifest->part_count);
    for (uint32_t i = 0; i < manifest->part_count; i++)
        write_part(out, &manifest->parts[i]);
}

int manifest_write(const struct manifest *manifest, struct buffer *out)
{
    int status = manifest_check(manifest);
    if (status < 0)
        return status;
    size_t start = out->bytes;
    struct envelope envelope = { .magic = MAGIC, .version = MANIFEST_VERSION };
    buffer_append(out, &envelope, sizeof envelope);
    write_payload(out, manifest);
    envelope.bytes = out->bytes - start - sizeof envelope;
    envelope.checksum = checksum_of(&envelope, out->data + start + sizeof envelope);
    memcpy(out->data + start, &envelope, sizeof envelope);
    if (envelope.bytes <= MANIFEST_BYTES_MAX)
        return 0;
    out->bytes = start;
    return error_set(ERROR_TOO_LARGE, "manifest: %llu bytes", (unsigned long long)envelope.bytes);
}

/* ---- Reading ---- */

/* The reader fails once and stays failed: what it answers after that is zero and empty. */
struct reader {
    struct slice in;
    struct buffer scratch;   /* texts with a zero byte behind them; cleared per item */
    int status;
};

static uint64_t read_uint(struct reader *reader, uint64_t max)
{
    uint64_t natural = 0;
    if (reader->status == 0)
        reader->status = msgpack_read_uint(&reader->in, &natural);
    if (reader->status == 0 && natural > max)
        reader->status = error_set(ERROR_CORRUPT, "manifest: a number is out of range");
    return reader->status == 0 ? natural : 0;
}

static int64_t read_int(struct reader *reader)
{
    int64_t integer = 0;
    if (reader->status == 0)
        reader->status = msgpack_read_int(&reader->in, &integer);
    return reader->status == 0 ? integer : 0;
}

static struct slice read_bytes(struct reader *reader)
{
    struct slice bytes = slice_of("", 0);
    if (reader->status == 0)
        reader->status = msgpack_read_string(&reader->in, &bytes);
    return reader->status == 0 ? bytes : slice_of("", 0);
}

/* An offset into scratch, since scratch may move. */
static size_t read_text(struct reader *reader)
{
    struct slice text = read_bytes(reader);
    if (text.bytes > 0 && memchr(text.data, 0, text.bytes) != NULL)
        reader->status = error_set(ERROR_CORRUPT, "manifest: a text with a zero byte");
    size_t offset = reader->scratch.bytes;
    buffer_append_slice(&reader->scratch, text);
    buffer_append_byte(&reader->scratch, 0);
    return offset;
}

static const char *text_at(const struct reader *reader, size_t offset)
{
    return reader->scratch.data + offset;
}

static uint32_t read_count(struct reader *reader)
{
    uint32_t count = 0;
    if (reader->status == 0)
        reader->status = msgpack_read_array(&reader->in, &count);
    return reader->status == 0 ? count : 0;
}

static void expect_count(struct reader *reader, uint32_t count)
{
    if (read_count(reader) != count && reader->status == 0)
        reader->status = error_set(ERROR_CORRUPT, "manifest: a list of another length than %u", count);
}

static struct manifest *read_head(struct reader *reader)
{
    struct manifest_head head = { 0 };
    expect_count(reader, 10);
    head.id = read_uint(reader, INT64_MAX);
    head.parent = read_uint(reader, INT64_MAX);
    head.run = read_uint(reader, UINT64_MAX);
    head.time_ms = read_int(reader);
    head.parallelism = (uint32_t)read_uint(reader, UINT32_MAX);
    head.max_parallelism = (uint32_t)read_uint(reader, UINT32_MAX);
    size_t engine_version = read_text(reader), job = read_text(reader), mode = read_text(reader), script = read_text(reader);
    head.engine_version = text_at(reader, engine_version);
    head.job = text_at(reader, job);
    head.mode = text_at(reader, mode);
    head.script = text_at(reader, script);
    return manifest_new(&head);
}

static void read_column(struct reader *reader, struct manifest *manifest)
{
    struct manifest_column column = { 0 };
    expect_count(reader, 5);
    size_t step = read_text(reader), state = read_text(reader), kind = read_text(reader);
    column.column = (uint16_t)read_uint(reader, UINT16_MAX);
    column.format_version = (uint32_t)read_uint(reader, UINT32_MAX);
    column.step = text_at(reader, step);
    column.state = text_at(reader, state);
    column.kind = text_at(reader, kind);
    manifest_add_column(manifest, &column);
}

static void read_entry(struct reader *reader, struct manifest *manifest)
{
    struct manifest_entry entry = { 0 };
    expect_count(reader, 3);
    size_t name = read_text(reader);
    entry.bytes = read_uint(reader, INT64_MAX);
    entry.checksum = read_uint(reader, UINT64_MAX);
    entry.name = text_at(reader, name);
    manifest_add_entry(manifest, &entry);
}

static void read_file(struct reader *reader, struct manifest *manifest)
{
    struct manifest_file file = { 0 };
    expect_count(reader, 7);
    size_t name = read_text(reader);
    file.kind = (uint32_t)read_uint(reader, UINT32_MAX);
    file.bytes = read_uint(reader, INT64_MAX);
    file.checksum = read_uint(reader, UINT64_MAX);
    file.epoch_first = read_uint(reader, INT64_MAX);
    file.epoch_last = read_uint(reader, INT64_MAX);
    file.name = text_at(reader, name);
    manifest_add_file(manifest, &file);
    uint32_t entries = read_count(reader);
    for (uint32_t i = 0; i < entries && reader->status == 0; i++) {
        buffer_clear(&reader->scratch);
        read_entry(reader, manifest);
    }
    /* Adding entries sums up their bytes; what the file itself claims must be the same: see manifest_check(). */
    manifest->files[manifest->file_count - 1].bytes = file.bytes;
}

static void read_part(struct reader *reader, struct manifest *manifest)
{
    struct manifest_part part = { 0 };
    expect_count(reader, 5);
    size_t step = read_text(reader), kind = read_text(reader);
    part.subtask = (uint32_t)read_uint(reader, UINT32_MAX);
    part.parallelism = (uint32_t)read_uint(reader, UINT32_MAX);
    part.bytes = read_bytes(reader);
    part.step = text_at(reader, step);
    part.kind = text_at(reader, kind);
    manifest_add_part(manifest, &part);
}

static void read_tag(struct reader *reader, struct manifest *manifest)
{
    size_t tag = read_text(reader);
    manifest_add_tag(manifest, text_at(reader, tag));
}

static void read_list(struct reader *reader, struct manifest *manifest, void (*read_item)(struct reader *, struct manifest *))
{
    uint32_t count = read_count(reader);
    for (uint32_t i = 0; i < count && reader->status == 0; i++) {
        buffer_clear(&reader->scratch);
        read_item(reader, manifest);
    }
}

static struct manifest *read_payload(struct reader *reader)
{
    expect_count(reader, 5);
    struct manifest *manifest = read_head(reader);
    read_list(reader, manifest, read_tag);
    read_list(reader, manifest, read_column);
    read_list(reader, manifest, read_file);
    read_list(reader, manifest, read_part);
    if (reader->status == 0 && reader->in.bytes != 0)
        reader->status = error_set(ERROR_CORRUPT, "manifest: bytes behind its end");
    if (reader->status == 0)
        reader->status = manifest_check(manifest);
    return manifest;
}

/* Leaves `bytes` at the payload. */
static int open_envelope(struct slice *bytes)
{
    struct envelope envelope;
    if (bytes->bytes < sizeof envelope)
        return error_set(ERROR_CORRUPT, "manifest: cut short: %zu bytes", bytes->bytes);
    memcpy(&envelope, bytes->data, sizeof envelope);
    *bytes = slice_of(bytes->data + sizeof envelope, bytes->bytes - sizeof envelope);
    if (envelope.magic != MAGIC)
        return error_set(ERROR_CORRUPT, "manifest: not a manifest");
    if (envelope.bytes != bytes->bytes || envelope.bytes > MANIFEST_BYTES_MAX)
        return error_set(ERROR_CORRUPT, "manifest: %zu bytes where %llu were written", bytes->bytes, (unsigned long long)envelope.bytes);
    if (envelope.checksum != checksum_of(&envelope, bytes->data))
        return error_set(ERROR_CORRUPT, "manifest: the checksum does not match");
    if (envelope.version != MANIFEST_VERSION)
        return error_set(ERROR_UNSUPPORTED, "manifest: format version %u; this engine knows %u", envelope.version, MANIFEST_VERSION);
    return 0;
}

int manifest_read(struct slice bytes, struct manifest **out)
{
    int status = open_envelope(&bytes);
    if (status < 0)
        return status;
    struct reader reader = { .in = bytes };
    buffer_init(&reader.scratch);
    struct manifest *manifest = read_payload(&reader);
    buffer_deinit(&reader.scratch);
    if (reader.status == 0) {
        *out = manifest;
        return 0;
    }
    manifest_free(manifest);
    return reader.status == ERROR_CORRUPT ? ERROR_CORRUPT : error_wrap(ERROR_CORRUPT, "manifest");
}
