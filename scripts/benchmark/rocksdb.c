/*
 * What the small-memory row is compared with: RocksDB itself from C, one get and
 * one put for each record, as well tuned as its options allow for that work
 * within the same memory.
 *
 * usage: bench_rocksdb DIRECTORY KEYS EXPONENT MEMORY_BYTES SECONDS
 */
#include "base/clock.h"
#include "connectors/random_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rocksdb/c.h>

#define BATCH 1024

static void check(char *error)
{
    if (error == NULL)
        return;
    fprintf(stderr, "bench_rocksdb: %s\n", error);
    exit(1);
}

/* Point reads: a bloom filter, a hash index within blocks; index and filters in the one cache, which the memtables share. */
static rocksdb_block_based_table_options_t *table_options(uint64_t memory)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_ribbon_hybrid(10, 1));
    rocksdb_block_based_options_set_block_cache(table, rocksdb_cache_create_lru(memory * 5 / 8));
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    rocksdb_block_based_options_set_data_block_index_type(table, rocksdb_block_based_table_data_block_index_type_binary_search_and_hash);
    rocksdb_block_based_options_set_data_block_hash_ratio(table, 0.75);
    rocksdb_block_based_options_set_format_version(table, 5);
    rocksdb_block_based_options_set_block_size(table, 4096);
    return table;
}

static rocksdb_t *database_open(const char *directory, uint64_t memory)
{
    char *error = NULL;
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_block_based_table_factory(options, table_options(memory));
    rocksdb_options_set_write_buffer_size(options, memory / 8);
    rocksdb_options_set_max_write_buffer_number(options, 3);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_options_set_max_background_jobs(options, 2);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    rocksdb_options_set_max_open_files(options, -1);
    rocksdb_options_set_optimize_filters_for_hits(options, 1);
    rocksdb_t *database = rocksdb_open(options, directory, &error);
    check(error);
    return database;
}

static void key_bytes(uint64_t key, char bytes[8])
{
    for (int i = 7; i >= 0; i--, key >>= 8)
        bytes[i] = (char)(key & 0xff);
}

static void preload(rocksdb_t *database, const rocksdb_writeoptions_t *options, uint64_t keys)
{
    char *error = NULL, bytes[8];
    double one = 1;
    for (uint64_t key = 1; key <= keys; key++) {
        key_bytes(key, bytes);
        rocksdb_put(database, options, bytes, sizeof bytes, (const char *)&one, sizeof one, &error);
        check(error);
    }
    rocksdb_compact_range(database, NULL, 0, NULL, 0);
}

static void count_one(rocksdb_t *database, const rocksdb_readoptions_t *reads, const rocksdb_writeoptions_t *writes, uint64_t key)
{
    char *error = NULL, bytes[8];
    double number = 0;
    key_bytes(key, bytes);
    rocksdb_pinnableslice_t *value = rocksdb_get_pinned(database, reads, bytes, sizeof bytes, &error);
    check(error);
    if (value != NULL) {
        size_t length;
        const char *data = rocksdb_pinnableslice_value(value, &length);
        if (length == sizeof number)
            memcpy(&number, data, sizeof number);
        rocksdb_pinnableslice_destroy(value);
    }
    number++;
    rocksdb_put(database, writes, bytes, sizeof bytes, (const char *)&number, sizeof number, &error);
    check(error);
}

int main(int count, char **arguments)
{
    if (count != 6) {
        fprintf(stderr, "usage: bench_rocksdb DIRECTORY KEYS EXPONENT MEMORY_BYTES SECONDS\n");
        return 2;
    }
    uint64_t keys = strtoull(arguments[2], NULL, 10), records = 0;
    struct random_keys *generator = random_keys_new(keys, strtod(arguments[3], NULL), 1);
    rocksdb_t *database = database_open(arguments[1], strtoull(arguments[4], NULL, 10));
    rocksdb_readoptions_t *reads = rocksdb_readoptions_create();
    rocksdb_writeoptions_t *writes = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(writes, 1);
    preload(database, writes, keys);

    double batch[BATCH], limit = strtod(arguments[5], NULL);
    uint64_t begin_ns = clock_monotonic_ns(), begin_cpu_ns = clock_process_cpu_ns();
    /* The first third warms the cache, and is not counted. */
    for (uint64_t number = 0, warm = 1; clock_monotonic_ns() - begin_ns < (uint64_t)(limit * 1e9); number += BATCH) {
        if (warm && clock_monotonic_ns() - begin_ns > (uint64_t)(limit / 3 * 1e9)) {
            warm = 0, records = 0, limit -= limit / 3;
            begin_ns = clock_monotonic_ns(), begin_cpu_ns = clock_process_cpu_ns();
        }
        random_keys_fill(generator, number, 1, batch, BATCH);
        for (int i = 0; i < BATCH; i++)
            count_one(database, reads, writes, (uint64_t)batch[i]);
        records += BATCH;
    }
    double seconds = (double)(clock_monotonic_ns() - begin_ns) / 1e9, cpu_seconds = (double)(clock_process_cpu_ns() - begin_cpu_ns) / 1e9;
    printf("{\"records\":%" PRIu64 ",\"seconds\":%.6f,\"cpu_seconds\":%.6f}\n", records, seconds, cpu_seconds);
    rocksdb_close(database);
    return 0;
}
