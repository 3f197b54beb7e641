/*
 * store.h over RocksDB: the only file that knows rocksdb/c.h.
 *
 * The write-ahead log is off, since durability is the checkpoint. The memory
 * that it is given: a quarter for each of two memtables, an eighth for the block
 * cache, the rest for filters and indexes, which lie beside the files' readers
 * and take what they need (10 bits a row and more): store_sizes() tells, and its
 * owner makes room. In a cache that is too small for them they would be read again for
 * every row, a filter of a megabyte for each of 22 bytes.
 *
 * What was measured (10 million rows of 22 bytes, uniform keys, memory for a
 * sixth of them) and decided so: blocks of 2 KB (1 KB, 4 KB, and indexes by hash
 * within them: no faster); no compression (unpacking and packing them was a third
 * of a record's time); no mapped reads (a tenth faster, but all files then count
 * as memory of the process, and a bad sector ends it); batched sorted reads
 * (a third faster than single ones), which leave the block cache alone: rows that
 * the cache above has missed are hardly neighbours.
 */
#include "state/store_write.h"

#include "base/error.h"
#include "base/memory.h"

#include <rocksdb/c.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_BYTES_MIN (8u << 20)
#define MEMTABLE_BYTES_MAX (64u << 20)
#define BLOCK_BYTES 2048
#define FILE_BYTES (16u << 20)
#define CACHE_SHARD_BITS 2
/* Twice RocksDB's own number: fewer rewrites of the rows below, at the price of a few more filters asked. */
#define LEVEL0_FILES 8
/*
 * From this many rows on a batch is sorted and handed over as a file of rows: 700 ns a row with all that
 * follows in the background, and less the larger it is, where the memtable takes 2400.
 */
#define INGEST_ROWS 16384
#define FILTER_BITS_PER_KEY 10
/* RocksDB looks keys up in groups of 32; a few of them per call keep our arrays on the stack. */
#define READ_GROUP 256

struct store {
    rocksdb_t *db;
    rocksdb_column_family_handle_t *rows;
    rocksdb_options_t *options;
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read, *read_many;
    rocksdb_writeoptions_t *write;
    char *directory;
    _Atomic uint32_t ingested;   /* numbers the files */
};

struct store_iterator {
    rocksdb_iterator_t *rows;
    rocksdb_readoptions_t *read;
    char *prefix;
    char *upper;
};

/* ---- Errors ---- */

static int code_of(const char *text)
{
    if (strstr(text, "No space") != NULL || strstr(text, "no space") != NULL)
        return ERROR_FULL;
    if (strncmp(text, "Corruption", 10) == 0)
        return ERROR_CORRUPT;
    return ERROR_IO;
}

/* Takes `text`, which RocksDB allocated. */
static int fail(struct store *store, const char *doing, char *text)
{
    int code = error_set(code_of(text), "state store %s: %s: %s", store->directory, doing, text);
    rocksdb_free(text);
    return code;
}

/* ---- Open and close ---- */

static void configure_tables(struct store *store, uint64_t cache_bytes)
{
    rocksdb_block_based_table_options_t *tables = rocksdb_block_based_options_create();
    rocksdb_lru_cache_options_t *cache = rocksdb_lru_cache_options_create();
    rocksdb_lru_cache_options_set_capacity(cache, cache_bytes);
    rocksdb_lru_cache_options_set_num_shard_bits(cache, CACHE_SHARD_BITS);
    store->cache = rocksdb_cache_create_lru_opts(cache);
    rocksdb_lru_cache_options_destroy(cache);
    rocksdb_block_based_options_set_block_cache(tables, store->cache);
    rocksdb_block_based_options_set_block_size(tables, BLOCK_BYTES);
    rocksdb_block_based_options_set_format_version(tables, 5);
    rocksdb_block_based_options_set_filter_policy(tables, rocksdb_filterpolicy_create_bloom_full(FILTER_BITS_PER_KEY));
    rocksdb_block_based_options_set_whole_key_filtering(tables, 1);
    rocksdb_options_set_block_based_table_factory(store->options, tables);
    rocksdb_block_based_options_destroy(tables);
}

static void configure_memory(struct store *store, uint64_t memory_bytes)
{
    if (memory_bytes < MEMORY_BYTES_MIN)
        memory_bytes = MEMORY_BYTES_MIN;
    uint64_t memtable_bytes = memory_bytes / 4 < MEMTABLE_BYTES_MAX ? memory_bytes / 4 : MEMTABLE_BYTES_MAX;
    rocksdb_options_set_write_buffer_size(store->options, memtable_bytes);
    rocksdb_options_set_max_write_buffer_number(store->options, 2);
    configure_tables(store, memory_bytes / 8);
}

static void configure_files(rocksdb_options_t *options)
{
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_max_open_files(options, -1);
    rocksdb_options_set_max_background_jobs(options, 2);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_options_set_target_file_size_base(options, FILE_BYTES);
    rocksdb_options_set_level0_file_num_compaction_trigger(options, LEVEL0_FILES);
    rocksdb_options_set_compaction_style(options, rocksdb_universal_compaction);
    rocksdb_options_set_info_log_level(options, 2 /* warn */);
    rocksdb_options_set_max_log_file_size(options, 1 << 20);
    rocksdb_options_set_keep_log_file_num(options, 1);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    rocksdb_options_set_manifest_preallocation_size(options, 64 << 10);
}

/* Closing writes no memtables: the rows have no value without a checkpoint. The C functions lack this option, its text form does not. */
static int configure_close(struct store *store)
{
    char *text = NULL;
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_get_options_from_string(store->options, "avoid_flush_during_shutdown=true", options, &text);
    rocksdb_options_destroy(store->options);
    store->options = options;
    return text == NULL ? 0 : fail(store, "options", text);
}

static int open_rows(struct store *store)
{
    if (mkdir(store->directory, 0777) < 0 && errno != EEXIST)
        return error_set_errno(ERROR_IO, "state store %s", store->directory);
    /* By its name, since the batched read wants the handle of a column family. */
    const char *family = "default";
    const rocksdb_options_t *options = store->options;
    char *text = NULL;
    store->db = rocksdb_open_column_families(store->options, store->directory, 1, &family, &options, &store->rows, &text);
    return text == NULL ? 0 : fail(store, "open", text);
}

int store_open(const struct store_config *config, struct store **out)
{
    struct store *store = memory_new_zeroed(1, sizeof *store);
    store->directory = memory_copy_text(config->directory);
    store->options = rocksdb_options_create();
    configure_files(store->options);
    configure_memory(store, config->memory_bytes);
    store->read = rocksdb_readoptions_create();
    store->read_many = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(store->read_many, 0);
    store->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(store->write, 1);
    int status = configure_close(store);
    if (status == 0)
        status = open_rows(store);
    if (status < 0) {
        store_close(store);
        return status;
    }
    *out = store;
    return 0;
}

void store_close(struct store *store)
{
    if (store->rows != NULL)
        rocksdb_column_family_handle_destroy(store->rows);
    if (store->db != NULL)
        rocksdb_close(store->db);
    rocksdb_writeoptions_destroy(store->write);
    rocksdb_readoptions_destroy(store->read);
    rocksdb_readoptions_destroy(store->read_many);
    rocksdb_options_destroy(store->options);
    rocksdb_cache_destroy(store->cache);
    free(store->directory);
    free(store);
}

/* ---- Reading ---- */

static void append_value(struct buffer *out, rocksdb_pinnableslice_t *pinned)
{
    size_t bytes;
    const char *data = rocksdb_pinnableslice_value(pinned, &bytes);
    buffer_append(out, data, bytes);
    rocksdb_pinnableslice_destroy(pinned);
}

int store_get(struct store *store, struct slice key, struct buffer *value, bool *found)
{
    char *text = NULL;
    rocksdb_pinnableslice_t *pinned = rocksdb_get_pinned(store->db, store->read, key.data, key.bytes, &text);
    if (text != NULL)
        return fail(store, "get", text);
    *found = pinned != NULL;
    if (pinned != NULL)
        append_value(value, pinned);
    return 0;
}

/* Where a key stands in the caller's order. */
struct asked {
    struct slice key;
    uint32_t index;
};

static int compare_asked(const void *a, const void *b)
{
    return slice_compare(((const struct asked *)a)->key, ((const struct asked *)b)->key);
}

/* Look up `count` <= READ_GROUP keys in key order. values[] gets offsets, as the buffer may still move. */
static int get_group(struct store *store, const struct asked *asked, uint32_t count, struct buffer *out, struct slice *values, bool *found)
{
    const char *keys[READ_GROUP] = { 0 };
    size_t key_bytes[READ_GROUP] = { 0 };
    rocksdb_pinnableslice_t *pinned[READ_GROUP];
    char *texts[READ_GROUP];
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = asked[i].key.data;
        key_bytes[i] = asked[i].key.bytes;
    }
    rocksdb_batched_multi_get_cf(store->db, store->read_many, store->rows, count, keys, key_bytes, pinned, texts, true);
    int status = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = asked[i].index;
        size_t offset = out->bytes;
        found[index] = pinned[i] != NULL;
        if (pinned[i] != NULL)
            append_value(out, pinned[i]);
        values[index] = (struct slice){ (const char *)(uintptr_t)offset, out->bytes - offset };
        if (texts[i] != NULL)
            status = fail(store, "get", texts[i]);
    }
    return status;
}

int store_get_many(struct store *store, const struct slice *keys, uint32_t count, struct buffer *arena_out, struct slice *values, bool *found)
{
    struct asked *asked = memory_new(count * sizeof *asked);
    for (uint32_t i = 0; i < count; i++)
        asked[i] = (struct asked){ keys[i], i };
    if (count > 1)
        qsort(asked, count, sizeof *asked, compare_asked);
    int status = 0;
    for (uint32_t from = 0; from < count && status == 0; from += READ_GROUP) {
        uint32_t group = count - from < READ_GROUP ? count - from : READ_GROUP;
        status = get_group(store, asked + from, group, arena_out, values, found);
    }
    for (uint32_t i = 0; i < count && status == 0; i++)
        values[i].data = arena_out->data + (uintptr_t)values[i].data;
    free(asked);
    return status;
}

/* ---- Writing ---- */

static void write_sorted(rocksdb_sstfilewriter_t *writer, const struct store_write *write, char **text)
{
    for (uint32_t i = 0; i < write->count && *text == NULL; i++) {
        const struct store_row *row = &write->rows[i];
        struct slice key = store_row_key(write, row), value = store_row_value(write, row);
        if (row->removed)
            rocksdb_sstfilewriter_delete(writer, key.data, key.bytes, text);
        else
            rocksdb_sstfilewriter_put(writer, key.data, key.bytes, value.data, value.bytes, text);
    }
}

static void write_file(struct store *store, const char *path, const struct store_write *write, char **text)
{
    rocksdb_envoptions_t *environment = rocksdb_envoptions_create();
    rocksdb_sstfilewriter_t *writer = rocksdb_sstfilewriter_create(environment, store->options);
    rocksdb_sstfilewriter_open(writer, path, text);
    if (*text == NULL)
        write_sorted(writer, write, text);
    if (*text == NULL)
        rocksdb_sstfilewriter_finish(writer, text);
    rocksdb_sstfilewriter_destroy(writer);
    rocksdb_envoptions_destroy(environment);
}

static void ingest_file(struct store *store, const char *path, char **text)
{
    rocksdb_ingestexternalfileoptions_t *options = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(options, 1);
    rocksdb_ingest_external_file(store->db, &path, 1, options, text);
    rocksdb_ingestexternalfileoptions_destroy(options);
}

static void apply_large(struct store *store, struct store_write *write, char **text)
{
    struct buffer path;
    buffer_init(&path);
    buffer_append_format(&path, "%s/ingest-%u.sst", store->directory, atomic_fetch_add(&store->ingested, 1));
    store_write_sort(write);
    write_file(store, path.data, write, text);
    if (*text == NULL)
        ingest_file(store, path.data, text);
    if (*text != NULL)
        unlink(path.data);
    buffer_deinit(&path);
}

static void apply_small(struct store *store, const struct store_write *write, char **text)
{
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    for (uint32_t i = 0; i < write->count; i++) {
        const struct store_row *row = &write->rows[i];
        struct slice key = store_row_key(write, row), value = store_row_value(write, row);
        if (row->removed)
            rocksdb_writebatch_delete(batch, key.data, key.bytes);
        else
            rocksdb_writebatch_put(batch, key.data, key.bytes, value.data, value.bytes);
    }
    rocksdb_write(store->db, store->write, batch, text);
    rocksdb_writebatch_destroy(batch);
}

int store_write_apply(struct store *store, struct store_write *write)
{
    char *text = NULL;
    if (write->count >= INGEST_ROWS)
        apply_large(store, write, &text);
    else
        apply_small(store, write, &text);
    if (text != NULL)
        return fail(store, "write", text);
    store_write_clear(write);
    return 0;
}

/* ---- Iterating ---- */

/* The first key behind all that begin with `prefix`; 0 bytes if there is none. */
static size_t prefix_end(char *upper, size_t bytes)
{
    while (bytes > 0 && (unsigned char)upper[bytes - 1] == 0xff)
        bytes--;
    if (bytes > 0)
        upper[bytes - 1] = (char)(upper[bytes - 1] + 1);
    return bytes;
}

struct store_iterator *store_iterate_from(struct store *store, struct slice prefix, struct slice from)
{
    struct store_iterator *iterator = memory_new_zeroed(1, sizeof *iterator);
    iterator->prefix = memory_copy(prefix.data, prefix.bytes);
    iterator->upper = memory_copy(prefix.data, prefix.bytes);
    iterator->read = rocksdb_readoptions_create();
    size_t upper_bytes = prefix_end(iterator->upper, prefix.bytes);
    if (upper_bytes > 0)
        rocksdb_readoptions_set_iterate_upper_bound(iterator->read, iterator->upper, upper_bytes);
    rocksdb_readoptions_set_total_order_seek(iterator->read, 1);
    iterator->rows = rocksdb_create_iterator(store->db, iterator->read);
    rocksdb_iter_seek(iterator->rows, from.data, from.bytes);
    return iterator;
}

struct store_iterator *store_iterate(struct store *store, struct slice prefix)
{
    return store_iterate_from(store, prefix, prefix);
}

bool store_iterator_valid(struct store_iterator *iterator)
{
    return rocksdb_iter_valid(iterator->rows);
}

struct slice store_iterator_key(struct store_iterator *iterator)
{
    size_t bytes;
    const char *data = rocksdb_iter_key(iterator->rows, &bytes);
    return slice_of(data, bytes);
}

struct slice store_iterator_value(struct store_iterator *iterator)
{
    size_t bytes;
    const char *data = rocksdb_iter_value(iterator->rows, &bytes);
    return slice_of(data, bytes);
}

void store_iterator_next(struct store_iterator *iterator)
{
    rocksdb_iter_next(iterator->rows);
}

int store_iterator_close(struct store_iterator *iterator)
{
    char *text = NULL;
    rocksdb_iter_get_error(iterator->rows, &text);
    int status = text == NULL ? 0 : error_set(code_of(text), "state store: iterate: %s", text);
    rocksdb_free(text);
    rocksdb_iter_destroy(iterator->rows);
    rocksdb_readoptions_destroy(iterator->read);
    free(iterator->prefix);
    free(iterator->upper);
    free(iterator);
    return status;
}

/* ---- Checkpoint and sizes ---- */

int store_checkpoint(struct store *store, const char *directory)
{
    if (access(directory, F_OK) == 0)
        return error_set(ERROR_EXISTS, "state store %s: checkpoint: %s exists", store->directory, directory);
    char *text = NULL;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(store->db, &text);
    if (text != NULL)
        return fail(store, "checkpoint", text);
    /* 0: flush the memtable first. With the log off, any other value would leave its rows out in silence. */
    rocksdb_checkpoint_create(checkpoint, directory, 0, &text);
    rocksdb_checkpoint_object_destroy(checkpoint);
    return text == NULL ? 0 : fail(store, "checkpoint", text);
}

static uint64_t property(struct store *store, const char *name)
{
    uint64_t value = 0;
    return rocksdb_property_int(store->db, name, &value) == 0 ? value : 0;
}

void store_sizes(struct store *store, uint64_t *memory_bytes, uint64_t *disk_bytes)
{
    *memory_bytes = rocksdb_cache_get_usage(store->cache) + property(store, "rocksdb.cur-size-all-mem-tables") +
                    property(store, "rocksdb.estimate-table-readers-mem");
    *disk_bytes = property(store, "rocksdb.total-sst-files-size");
}
