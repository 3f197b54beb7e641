/*
 * The floor under the keyed rows: the same records in a plain C loop, one probe
 * of an open-addressing table for each, no prefetch. What one writes by hand.
 *
 * usage: bench_floor count|text|table KEYS EXPONENT SECONDS
 *   count  a number for each number: read, add, write
 *   text   two numbers for each "acct-123"
 *   table  a record of two texts and two numbers, made, changed, filtered; three numbers for each text
 */
#include "base/clock.h"
#include "connectors/random_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 1024
#define TEXT_BYTES 16

struct number_entry {
    uint64_t key; /* 0: free */
    double count;
};

struct text_entry {
    char text[TEXT_BYTES]; /* "": free */
    double values[3];
};

struct floor {
    struct random_keys *generator;
    uint64_t keys, mask, made;
    struct number_entry *numbers;
    struct text_entry *texts;
    double batch[BATCH], out[BATCH];
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
    x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
    return x ^ (x >> 33);
}

static void count_one(struct floor *floor, uint64_t key, double *out)
{
    uint64_t place = mix(key) & floor->mask;
    while (floor->numbers[place].key != key && floor->numbers[place].key != 0)
        place = (place + 1) & floor->mask;
    floor->numbers[place].key = key;
    *out = ++floor->numbers[place].count;
}

/* "acct-123", and zeros to the end. */
static void text_of(uint64_t key, char text[TEXT_BYTES])
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + key % 10);
        key /= 10;
    } while (key > 0);
    memset(text, 0, TEXT_BYTES);
    memcpy(text, "acct-", 5);
    memcpy(text + 5, digits + at, sizeof digits - at);
}

static uint64_t text_hash(const char text[TEXT_BYTES])
{
    uint64_t halves[2];
    memcpy(halves, text, sizeof halves);
    return mix(halves[0] ^ mix(halves[1]));
}

static struct text_entry *text_find(struct floor *floor, const char text[TEXT_BYTES])
{
    uint64_t place = text_hash(text) & floor->mask;
    while (floor->texts[place].text[0] != 0 && memcmp(floor->texts[place].text, text, TEXT_BYTES) != 0)
        place = (place + 1) & floor->mask;
    memcpy(floor->texts[place].text, text, TEXT_BYTES);
    return &floor->texts[place];
}

static void text_one(struct floor *floor, uint64_t key, double *out)
{
    char text[TEXT_BYTES];
    text_of(key, text);
    struct text_entry *entry = text_find(floor, text);
    entry->values[1] += (double)(key & 0xff);
    *out = ++entry->values[0];
}

struct table_record {
    char account[TEXT_BYTES], kind[8];
    double amount, number;
};

static void table_one(struct floor *floor, uint64_t key, double *out)
{
    static const char *const kinds[] = { "card", "cash", "wire", "check" };
    struct table_record record = { .amount = (double)(floor->made * 2654435761u % 65536), .number = (double)floor->made };
    text_of(key, record.account);
    strcpy(record.kind, kinds[floor->made % 4]);
    floor->made++;
    record.amount = record.amount * 1.1 + 1;
    if (strcmp(record.kind, "wire") == 0)
        return;
    struct text_entry *entry = text_find(floor, record.account);
    entry->values[0]++;
    entry->values[1] += record.amount;
    entry->values[2] = record.amount > entry->values[2] ? record.amount : entry->values[2];
    *out = entry->values[1] / entry->values[0];
}

typedef void one_record(struct floor *floor, uint64_t key, double *out);

static one_record *work_of(const char *name)
{
    return strcmp(name, "count") == 0 ? count_one : strcmp(name, "text") == 0 ? text_one : strcmp(name, "table") == 0 ? table_one : NULL;
}

static void tables_allocate(struct floor *floor, one_record *work)
{
    uint64_t capacity = 1;
    while (capacity < floor->keys * 2)
        capacity *= 2;
    floor->mask = capacity - 1;
    if (work == count_one)
        floor->numbers = calloc(capacity, sizeof floor->numbers[0]);
    else
        floor->texts = calloc(capacity, sizeof floor->texts[0]);
    if (floor->numbers == NULL && floor->texts == NULL) {
        fprintf(stderr, "bench_floor: no memory for %" PRIu64 " keys\n", floor->keys);
        exit(1);
    }
}

/* The checksum keeps the compiler from leaving out what nobody reads. */
static uint64_t run(struct floor *floor, one_record *work, double seconds, double *checksum)
{
    uint64_t records = 0, end_ns = clock_monotonic_ns() + (uint64_t)(seconds * 1e9);
    while (clock_monotonic_ns() < end_ns) {
        for (int i = 0; i < 64; i++, records += BATCH) {
            random_keys_fill(floor->generator, records, 1, floor->batch, BATCH);
            for (int k = 0; k < BATCH; k++)
                work(floor, (uint64_t)floor->batch[k], &floor->out[k]);
            *checksum += floor->out[records / BATCH % BATCH];
        }
    }
    return records;
}

int main(int count, char **arguments)
{
    one_record *work = count == 5 ? work_of(arguments[1]) : NULL;
    if (work == NULL) {
        fprintf(stderr, "usage: bench_floor count|text|table KEYS EXPONENT SECONDS\n");
        return 2;
    }
    static struct floor floor;
    double checksum = 0;
    floor.keys = strtoull(arguments[2], NULL, 10);
    floor.generator = random_keys_new(floor.keys, strtod(arguments[3], NULL), 1);
    tables_allocate(&floor, work);
    for (uint64_t key = 1; key <= floor.keys; key++)
        work(&floor, key, &floor.out[key % BATCH]);
    uint64_t begin_ns = clock_monotonic_ns(), begin_cpu_ns = clock_process_cpu_ns();
    uint64_t records = run(&floor, work, strtod(arguments[4], NULL), &checksum);
    double seconds = (double)(clock_monotonic_ns() - begin_ns) / 1e9, cpu_seconds = (double)(clock_process_cpu_ns() - begin_cpu_ns) / 1e9;
    printf("{\"records\":%" PRIu64 ",\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"checksum\":%.0f}\n", records, seconds, cpu_seconds, checksum);
    random_keys_free(floor.generator);
    free(floor.numbers);
    free(floor.texts);
    return 0;
}
