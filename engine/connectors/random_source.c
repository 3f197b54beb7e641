/*
 * The source of random keys, for benchmarks and examples: record i is made from
 * its number (random_keys.h), as a number, or as a row of key, value and further
 * fields.
 */
#include "connectors/random_keys.h"
#include "connectors/stripes.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PREFIX_BYTES_MAX 128
#define FIELDS_MAX 64
#define FIELD_VALUES 65536

enum record_shape { RECORD_NUMBER, RECORD_ROW, RECORD_STRING };

struct source {
    struct stripes stripes;
    struct random_keys *keys;
    uint64_t in_order;       /* so many records come before the random ones, with the keys 1, 2, 3, ... */
    enum record_shape shape;
    uint32_t fields;         /* beside key and value */
    uint32_t row_shape;      /* of codec/shape.h */
    char prefix[PREFIX_BYTES_MAX + 1];
    size_t prefix_bytes;
    bool due, timestamps, time_field;
    uint32_t rate_per_ms;
};

struct reader {
    const struct source *source;
    struct stripe stripe;
    double keys[BATCH_RECORDS_MAX];
};

static const struct option_spec random_keys_options[] = {
    { "count", OPTION_INTEGER, false, NULL, "How many records; without it they never end." },
    { "keys", OPTION_INTEGER, false, "1000000", "How many different keys there are, 1 to 2^32; they are the numbers from 1." },
    { "distribution", OPTION_TEXT, false, "uniform", "\"uniform\" or \"zipf\"." },
    { "s", OPTION_NUMBER, false, "1", "The exponent of zipf: key k comes k^-s as often as key 1." },
    { "seed", OPTION_INTEGER, false, "1", "Another seed, other records." },
    { "every_key_first", OPTION_BOOL, false, "false", "Begin with every key once, in order: the random ones then meet no new key." },
    { "rate", OPTION_NUMBER, false, NULL, "Records per second of all subtasks together; without it as fast as they are taken." },
    { "shape", OPTION_TEXT, false, "number",
      "\"number\": the key; \"row\": { key = , value = the record's number }; \"string\": the same with a text as key." },
    { "due", OPTION_BOOL, false, "false",
      "The value of a row is not its number but when it was due by `rate`: nanoseconds of the monotonic clock, for mt.meter." },
    { "prefix", OPTION_TEXT, false, "acct-", "What the keys of shape \"string\" begin with." },
    { "fields", OPTION_INTEGER, false, "0", "Further number fields of a row: field_01, field_02, ..." },
    { "timestamps", OPTION_BOOL, false, "false", "Give records times: `rate_per_ms` of them each millisecond, from 0." },
    { "time_field", OPTION_BOOL, false, "false", "A row has the same time as its field `time`." },
    { "rate_per_ms", OPTION_INTEGER, false, "100", "Records for each millisecond of event time." },
    { NULL, 0, false, NULL, NULL },
};

static int integer_option(const struct options *options, const char *name, int64_t least, int64_t most, int64_t *value)
{
    *value = options_integer(options, name);
    if (*value < least || *value > most)
        return error_set(ERROR_ARGUMENT, "option '%s' must be %" PRId64 " to %" PRId64 ", not %" PRId64, name, least, most, *value);
    return 0;
}

static int choice_option(const struct options *options, const char *name, const char *const *choices)
{
    const char *text = options_text(options, name);
    for (int i = 0; choices[i] != NULL; i++) {
        if (strcmp(text, choices[i]) == 0)
            return i;
    }
    return error_set(ERROR_ARGUMENT, "option '%s' cannot be \"%s\"", name, text);
}

static uint32_t row_shape(uint32_t fields, bool time_field)
{
    char texts[FIELDS_MAX][16];
    struct slice names[FIELDS_MAX + 3];
    for (uint32_t i = 0; i < fields; i++)
        names[i] = slice_of(texts[i], (size_t)snprintf(texts[i], sizeof texts[i], "field_%02u", i + 1));
    names[fields++] = slice_of_text("key");
    if (time_field)
        names[fields++] = slice_of_text("time");
    names[fields++] = slice_of_text("value");
    return shape_intern(names, fields);
}

static int keys_open(struct source *source, const struct options *options)
{
    static const char *const distributions[] = { "uniform", "zipf", NULL };
    int64_t keys;
    double exponent = options_number(options, "s");
    int distribution = choice_option(options, "distribution", distributions);
    if (distribution < 0)
        return distribution;
    int status = integer_option(options, "keys", 1, (int64_t)RANDOM_KEYS_MAX, &keys);
    if (status < 0)
        return status;
    if (distribution == 1 && !(exponent > 0 && exponent <= RANDOM_KEYS_EXPONENT_MAX))
        return error_set(ERROR_ARGUMENT, "option 's' must be above 0 and at most %g", RANDOM_KEYS_EXPONENT_MAX);
    source->in_order = options_bool(options, "every_key_first") ? (uint64_t)keys : 0;
    source->keys = random_keys_new((uint64_t)keys, distribution == 1 ? exponent : 0, (uint64_t)options_integer(options, "seed"));
    return 0;
}

static int shape_open(struct source *source, const struct options *options)
{
    static const char *const shapes[] = { "number", "row", "string", NULL };
    int64_t fields;
    const char *prefix = options_text(options, "prefix");
    int shape = choice_option(options, "shape", shapes);
    if (shape < 0)
        return shape;
    int status = integer_option(options, "fields", 0, FIELDS_MAX, &fields);
    if (status < 0)
        return status;
    source->prefix_bytes = strlen(prefix);
    if (source->prefix_bytes > PREFIX_BYTES_MAX)
        return error_set(ERROR_ARGUMENT, "option 'prefix' is longer than %d bytes", PREFIX_BYTES_MAX);
    memcpy(source->prefix, prefix, source->prefix_bytes);
    source->shape = (enum record_shape)shape;
    source->fields = (uint32_t)fields;
    source->time_field = options_bool(options, "time_field");
    source->row_shape = row_shape(source->fields, source->time_field);
    return source->row_shape == SHAPE_NONE ? error_set(ERROR_TOO_LARGE, "the table of shapes is full") : 0;
}

static int stripes_open(struct source *source, const struct options *options, const struct source_context *context)
{
    int64_t count = STRIPE_NUMBER_MAX, rate_per_ms;
    int status = integer_option(options, "rate_per_ms", 1, INT32_MAX, &rate_per_ms);
    if (status == 0 && options_has(options, "count"))
        status = integer_option(options, "count", 0, STRIPE_NUMBER_MAX, &count);
    if (status < 0)
        return status;
    source->due = options_bool(options, "due");
    if (source->due && (!options_has(options, "rate") || source->shape == RECORD_NUMBER))
        return error_set(ERROR_ARGUMENT, "option 'due' needs a 'rate' and a 'shape' that is a row");
    source->timestamps = options_bool(options, "timestamps");
    source->rate_per_ms = (uint32_t)rate_per_ms;
    return stripes_init(&source->stripes, options, 0, count - 1, context->parallelism);
}

static void source_close(struct source *source)
{
    if (source->keys != NULL)
        random_keys_free(source->keys);
    free(source);
}

static int source_open(struct source **source, const struct options *options, const struct format_vtab *format,
                       const struct source_context *context)
{
    (void)format;
    struct source *fresh = memory_new_zeroed(1, sizeof *fresh);
    int status = keys_open(fresh, options);
    if (status == 0)
        status = shape_open(fresh, options);
    if (status == 0)
        status = stripes_open(fresh, options, context);
    if (status < 0)
        source_close(fresh);
    else
        *source = fresh;
    return status;
}

static int source_discover(struct source *source, struct split_list *splits)
{
    stripes_tell(&source->stripes, splits);
    return 0;
}

static int reader_open(struct source *source, struct slice split, struct slice position, const struct reader_context *context,
                       struct reader **reader)
{
    (void)context;
    struct stripe stripe;
    int status = stripe_open(&stripe, &source->stripes, split, position);
    if (status < 0)
        return status;
    *reader = memory_new(sizeof **reader);
    (*reader)->source = source;
    (*reader)->stripe = stripe;
    return 0;
}

/* "acct-123", written backwards: the digits of a whole number below 2^53. */
static struct cell text_append(const struct source *source, struct arena *arena, uint64_t key)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + key % 10);
        key /= 10;
    } while (key > 0);
    uint64_t offset = arena_append(arena, source->prefix, source->prefix_bytes);
    arena_append(arena, digits + at, sizeof digits - at);
    return (struct cell){ .tag = CELL_STRING, .length = (uint32_t)(arena->used - offset), .offset = offset };
}

static int64_t time_of(const struct source *source, int64_t number)
{
    return number / source->rate_per_ms;
}

static struct cell row_append(const struct source *source, struct arena *arena, double key, int64_t number, struct cell value)
{
    uint64_t offset = arena_allocate(arena, (source->fields + (source->time_field ? 3 : 2)) * sizeof(struct cell));
    struct cell key_cell = cell_of_number(key);
    if (source->shape == RECORD_STRING)
        key_cell = text_append(source, arena, (uint64_t)key);
    struct cell *fields = arena_at(arena, offset);
    for (uint32_t i = 0; i < source->fields; i++)
        fields[i] = cell_of_number((double)(((uint64_t)number * 2654435761u + i * 40503u) % FIELD_VALUES));
    fields += source->fields;
    *fields++ = key_cell;
    if (source->time_field)
        *fields++ = cell_of_int64(time_of(source, number));
    *fields = value;
    return (struct cell){ .tag = CELL_ROW, .length = source->row_shape, .offset = offset };
}

/* When record `index` of those that are made next is due. */
static struct cell due_of(const struct stripe *stripe, int32_t index)
{
    double number = (double)(stripe->made + (uint64_t)index) * stripe->step + stripe->index;
    return cell_of_int64((int64_t)stripe->opened_ns + (int64_t)(number / stripe->rate * 1e9));
}

static void numbers_append(struct batch *batch, const double *keys, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        batch->values[i] = cell_of_number(keys[i]);
    batch->count = count;
}

/* Fewer than `count` where the batch is full by bytes. */
static void rows_append(const struct reader *reader, struct batch *batch, int32_t count)
{
    int64_t number = reader->stripe.next;
    for (int32_t i = 0; i < count && !batch_full(batch); i++, number += reader->stripe.step) {
        struct cell value = reader->source->due ? due_of(&reader->stripe, i) : cell_of_int64(number);
        batch->values[i] = row_append(reader->source, &batch->arena, reader->keys[i], number, value);
        batch->count++;
    }
}

static void times_fill(const struct reader *reader, struct batch *batch)
{
    int64_t number = reader->stripe.next;
    for (int32_t i = 0; i < batch->count; i++, number += reader->stripe.step)
        batch->times[i] = reader->source->timestamps ? time_of(reader->source, number) : TIME_NONE;
}

static void keys_fill(struct reader *reader, uint32_t count)
{
    const struct source *source = reader->source;
    uint64_t number = (uint64_t)reader->stripe.next, step = reader->stripe.step;
    random_keys_fill(source->keys, number, step, reader->keys, count);
    for (uint32_t i = 0; i < count && number < source->in_order; i++, number += step)
        reader->keys[i] = (double)(number + 1);
}

static int reader_poll(struct reader *reader, struct batch *batch)
{
    struct stripe *stripe = &reader->stripe;
    int32_t count = stripe_due(stripe, batch->room);
    keys_fill(reader, (uint32_t)count);
    if (reader->source->shape == RECORD_NUMBER)
        numbers_append(batch, reader->keys, count);
    else
        rows_append(reader, batch, count);
    times_fill(reader, batch);
    return stripe_advance(stripe, batch->count);
}

static int reader_position(struct reader *reader, struct buffer *position)
{
    stripe_position(&reader->stripe, position);
    return 0;
}

static int reader_wait(struct reader *reader, int *descriptor)
{
    *descriptor = -1;
    return stripe_wait_ms(&reader->stripe);
}

static void reader_close(struct reader *reader)
{
    free(reader);
}

const struct source_vtab random_keys_source = {
    .name = "random_keys",
    .help = "Random keys, uniform or Zipf, made by the engine; the same for the same seed.",
    .options = random_keys_options,
    .replayable = true,
    .open = source_open,
    .discover = source_discover,
    .reader_open = reader_open,
    .poll = reader_poll,
    .reader_position = reader_position,
    .reader_wait = reader_wait,
    .reader_close = reader_close,
    .close = source_close,
};
