/* The source of integers: a record is a number that nothing but its place decides, made where it is used. */
#include "connectors/stripes.h"

#include "base/error.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>

struct source {
    struct stripes stripes;
};

struct reader {
    struct stripe stripe;
};

static const struct option_spec sequence_options[] = {
    { "from", OPTION_INTEGER, false, "1", "The first integer." },
    { "to", OPTION_INTEGER, false, NULL, "The last integer; without it the sequence never ends." },
    { "rate", OPTION_NUMBER, false, NULL, "Records per second of all subtasks together; without it as fast as they are taken." },
    { NULL, 0, false, NULL, NULL },
};

static int range_check(const char *name, int64_t number)
{
    if (number > STRIPE_NUMBER_MAX || number < -STRIPE_NUMBER_MAX)
        return error_set(ERROR_ARGUMENT, "option '%s' cannot be %" PRId64 ": it is beyond 2^62", name, number);
    return 0;
}

static int source_open(struct source **source, const struct options *options, const struct format_vtab *format,
                       const struct source_context *context)
{
    (void)format;
    int64_t from = options_integer(options, "from");
    int64_t to = options_has(options, "to") ? options_integer(options, "to") : STRIPE_NUMBER_MAX;
    struct stripes stripes;
    int status = range_check("from", from);
    if (status == 0)
        status = range_check("to", to);
    if (status == 0)
        status = stripes_init(&stripes, options, from, to, context->parallelism);
    if (status < 0)
        return status;
    *source = memory_new(sizeof **source);
    (*source)->stripes = stripes;
    return 0;
}

static int source_discover(struct source *source, struct split_list *splits)
{
    stripes_tell(&source->stripes, splits);
    return 0;
}

static void source_close(struct source *source)
{
    free(source);
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
    (*reader)->stripe = stripe;
    return 0;
}

static int reader_poll(struct reader *reader, struct batch *batch)
{
    struct stripe *stripe = &reader->stripe;
    int32_t count = stripe_due(stripe, batch->room);
    int64_t number = stripe->next;
    for (int32_t i = 0; i < count; i++, number += stripe->step) {
        batch->values[i] = cell_of_int64(number);
        batch->times[i] = TIME_NONE;
    }
    batch->count = count;
    return stripe_advance(stripe, count);
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

const struct source_vtab sequence_source = {
    .name = "sequence",
    .help = "Integers in order, made by the engine.",
    .options = sequence_options,
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
