#include "connectors/stripes.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS_MAX 1000

int stripes_init(struct stripes *stripes, const struct options *options, int64_t from, int64_t to, uint32_t count)
{
    *stripes = (struct stripes){ .from = from, .to = to, .count = count, .rate = options_number(options, "rate") };
    if (options_has(options, "rate") && !(stripes->rate > 0 && isfinite(stripes->rate)))
        return error_set(ERROR_ARGUMENT, "option 'rate' must be a number of records per second above 0");
    if (count == 0 || count > STRIPES_MAX)
        return error_set(ERROR_ARGUMENT, "%" PRIu32 " stripes: there can be 1 to %d", count, STRIPES_MAX);
    return 0;
}

void stripes_tell(const struct stripes *stripes, struct split_list *splits)
{
    for (uint32_t i = 0; i < stripes->count; i++) {
        char name[32];
        int bytes = snprintf(name, sizeof name, "%" PRIu32 "/%" PRIu32, i, stripes->count);
        splits->add(splits->self, slice_of(name, (size_t)bytes));
    }
}

/* Two numbers with a slash between them, and nothing else. */
static int name_parse(struct slice name, uint32_t *index, uint32_t *step)
{
    char text[32] = { 0 };
    int end = 0;
    if (name.bytes < sizeof text)
        memcpy(text, name.data, name.bytes);
    if (sscanf(text, "%" SCNu32 "/%" SCNu32 "%n", index, step, &end) != 2 || (size_t)end != name.bytes)
        return error_set(ERROR_CORRUPT, "'%.*s' is not the name of a stripe", (int)name.bytes, name.data);
    if (*step == 0 || *step > STRIPES_MAX || *index >= *step)
        return error_set(ERROR_CORRUPT, "there is no stripe '%s'", text);
    return 0;
}

static int position_parse(struct slice position, int64_t *next)
{
    char text[32] = { 0 };
    char *end;
    if (position.bytes < sizeof text)
        memcpy(text, position.data, position.bytes);
    errno = 0;
    *next = strtoll(text, &end, 10);
    bool whole = errno == 0 && position.bytes > 0 && (size_t)(end - text) == position.bytes;
    if (!whole || llabs(*next) > STRIPE_NUMBER_MAX + STRIPES_MAX)
        return error_set(ERROR_CORRUPT, "'%.*s' is not the position of a stripe", (int)position.bytes, position.data);
    return 0;
}

int stripe_open(struct stripe *stripe, const struct stripes *stripes, struct slice name, struct slice position)
{
    *stripe = (struct stripe){ .to = stripes->to, .rate = stripes->rate, .opened_ns = clock_monotonic_ns() };
    int status = name_parse(name, &stripe->index, &stripe->step);
    if (status < 0)
        return status;
    stripe->next = stripes->from + stripe->index;
    return position.bytes == 0 ? 0 : position_parse(position, &stripe->next);
}

static uint64_t left(const struct stripe *stripe)
{
    if (stripe->next > stripe->to)
        return 0;
    return ((uint64_t)stripe->to - (uint64_t)stripe->next) / stripe->step + 1;
}

/* Records of this stripe whose time has come since it was opened. */
static uint64_t due_since_opened(const struct stripe *stripe)
{
    double seconds = (double)(clock_monotonic_ns() - stripe->opened_ns) / 1e9;
    double all = seconds * stripe->rate - stripe->index;
    return all < 0 ? 0 : (uint64_t)(all / stripe->step) + 1;
}

int32_t stripe_due(const struct stripe *stripe, int32_t room)
{
    uint64_t due = left(stripe);
    if (stripe->rate > 0) {
        uint64_t by_clock = due_since_opened(stripe) - stripe->made;
        due = by_clock < due ? by_clock : due;
    }
    return due < (uint64_t)room ? (int32_t)due : room;
}

int stripe_advance(struct stripe *stripe, int32_t count)
{
    stripe->next += (int64_t)stripe->step * count;
    stripe->made += (uint64_t)count;
    if (left(stripe) == 0)
        return SOURCE_END;
    return count > 0 ? SOURCE_MORE : SOURCE_IDLE;
}

void stripe_position(const struct stripe *stripe, struct buffer *position)
{
    buffer_append_format(position, "%" PRId64, stripe->next);
}

int stripe_wait_ms(const struct stripe *stripe)
{
    if (stripe->rate <= 0 || left(stripe) == 0)
        return 0;
    double due_seconds = ((double)stripe->made * stripe->step + stripe->index) / stripe->rate;
    double gone_seconds = (double)(clock_monotonic_ns() - stripe->opened_ns) / 1e9;
    double wait_ms = floor((due_seconds - gone_seconds) * 1e3);
    return wait_ms < 0 ? 0 : wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : (int)wait_ms;
}
