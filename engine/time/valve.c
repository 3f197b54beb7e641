#include "time/valve.h"

#include "base/memory.h"

#include <stdlib.h>

#define EVENTS_MAX 4 /* of one call: ACTIVE or a flushed watermark, IDLE, MAX */

struct valve_channel {
    int64_t watermark;
    bool idle, ended;
    bool removed;     /* ended too; its index may be given out again */
    bool aligned;     /* not behind the output: a channel that was idle comes back when it has caught up (S15) */
};

struct valve {
    uint32_t channels, capacity;
    int64_t output;
    bool idle;        /* the output's status */
    struct valve_event events[EVENTS_MAX];
    uint32_t event_first, event_count;
    struct valve_channel *channel;
};

struct valve *valve_new(uint32_t channels)
{
    struct valve *valve = memory_new_zeroed(1, sizeof *valve);
    valve->output = WATERMARK_MIN;
    for (uint32_t i = 0; i < channels; i++)
        valve_add(valve, WATERMARK_MIN);
    return valve;
}

void valve_free(struct valve *valve)
{
    if (valve == NULL)
        return;
    free(valve->channel);
    free(valve);
}

static uint32_t free_channel(struct valve *valve)
{
    for (uint32_t i = 0; i < valve->channels; i++) {
        if (valve->channel[i].removed)
            return i;
    }
    if (valve->channels == valve->capacity) {
        valve->capacity = valve->capacity * 2 + 4;
        valve->channel = memory_resize(valve->channel, valve->capacity * sizeof valve->channel[0]);
    }
    return valve->channels++;
}

uint32_t valve_add(struct valve *valve, int64_t watermark)
{
    uint32_t index = free_channel(valve);
    valve->channel[index] = (struct valve_channel){ .watermark = watermark, .aligned = true };
    return index;
}

int64_t valve_output(const struct valve *valve)
{
    return valve->output;
}

bool valve_is_idle(const struct valve *valve)
{
    return valve->idle;
}

static void event_add(struct valve *valve, int kind, int64_t watermark)
{
    valve->events[(valve->event_first + valve->event_count++) % EVENTS_MAX] = (struct valve_event){ kind, watermark };
}

bool valve_next_event(struct valve *valve, struct valve_event *event)
{
    if (valve->event_count == 0)
        return false;
    *event = valve->events[valve->event_first];
    valve->event_first = (valve->event_first + 1) % EVENTS_MAX;
    valve->event_count--;
    return true;
}

static void raise_output(struct valve *valve, int64_t watermark)
{
    if (watermark <= valve->output)
        return;
    valve->output = watermark;
    event_add(valve, VALVE_WATERMARK, watermark);
}

static void raise_to_lowest(struct valve *valve)
{
    int64_t lowest = INT64_MAX;
    bool any = false;
    for (uint32_t i = 0; i < valve->channels; i++) {
        const struct valve_channel *channel = &valve->channel[i];
        if (channel->idle || channel->ended || !channel->aligned)
            continue;
        any = true;
        lowest = channel->watermark < lowest ? channel->watermark : lowest;
    }
    if (any)
        raise_output(valve, lowest);
}

int valve_holder(const struct valve *valve)
{
    int holder = -1;
    for (uint32_t i = 0; i < valve->channels; i++) {
        const struct valve_channel *channel = &valve->channel[i];
        if (channel->idle || channel->ended || !channel->aligned)
            continue;
        if (holder < 0 || channel->watermark < valve->channel[holder].watermark)
            holder = (int)i;
    }
    return holder;
}

void valve_channel(const struct valve *valve, uint32_t index, int64_t *watermark, bool *idle, bool *ended)
{
    const struct valve_channel *channel = &valve->channel[index];
    *watermark = channel->watermark;
    *idle = channel->idle;
    *ended = channel->ended;
}

static void raise_to_highest(struct valve *valve)
{
    int64_t highest = WATERMARK_MIN;
    for (uint32_t i = 0; i < valve->channels; i++) {
        const struct valve_channel *channel = &valve->channel[i];
        if (!channel->ended && channel->watermark > highest)
            highest = channel->watermark;
    }
    raise_output(valve, highest);
}

static bool has_active(const struct valve *valve)
{
    for (uint32_t i = 0; i < valve->channels; i++) {
        if (!valve->channel[i].idle && !valve->channel[i].ended)
            return true;
    }
    return false;
}

static bool all_ended(const struct valve *valve)
{
    for (uint32_t i = 0; i < valve->channels; i++) {
        if (!valve->channel[i].ended)
            return false;
    }
    return true;
}

bool valve_ended(const struct valve *valve)
{
    return all_ended(valve);
}

void valve_watermark(struct valve *valve, uint32_t index, int64_t watermark)
{
    struct valve_channel *channel = &valve->channel[index];
    if (channel->idle || channel->ended || watermark <= channel->watermark)
        return;
    channel->watermark = watermark;
    if (watermark >= valve->output)
        channel->aligned = true;
    raise_to_lowest(valve);
}

static void output_idle(struct valve *valve)
{
    if (valve->idle)
        return;
    valve->idle = true;
    event_add(valve, VALVE_IDLE, 0);
}

static void output_active(struct valve *valve)
{
    if (!valve->idle)
        return;
    valve->idle = false;
    event_add(valve, VALVE_ACTIVE, 0);
}

/* A channel left the active ones. If it was the last (S16), what it alone held back is let go. */
static void channel_left(struct valve *valve, const struct valve_channel *channel)
{
    if (has_active(valve)) {
        raise_to_lowest(valve);
        return;
    }
    if (valve->idle)
        return;
    if (channel->watermark == valve->output)
        raise_to_highest(valve);
    output_idle(valve);
}

void valve_idle(struct valve *valve, uint32_t index)
{
    struct valve_channel *channel = &valve->channel[index];
    if (channel->idle || channel->ended)
        return;
    channel->idle = true;
    channel_left(valve, channel);
}

void valve_active(struct valve *valve, uint32_t index)
{
    struct valve_channel *channel = &valve->channel[index];
    if (!channel->idle || channel->ended)
        return;
    channel->idle = false;
    channel->aligned = channel->watermark >= valve->output;
    output_active(valve);
    raise_to_lowest(valve); /* it may be the only one that is not behind */
}

void valve_end(struct valve *valve, uint32_t index)
{
    struct valve_channel *channel = &valve->channel[index];
    if (channel->ended)
        return;
    channel->ended = true;
    if (all_ended(valve))
        valve_finish(valve);
    else if (!channel->idle)
        channel_left(valve, channel);
}

void valve_finish(struct valve *valve)
{
    for (uint32_t i = 0; i < valve->channels; i++)
        valve->channel[i].ended = true;
    output_active(valve); /* MAX would be dropped on an idle output */
    raise_output(valve, INT64_MAX);
}

void valve_remove(struct valve *valve, uint32_t index)
{
    struct valve_channel *channel = &valve->channel[index];
    if (channel->ended)
        return;
    channel->ended = channel->removed = true;
    if (!channel->idle && !all_ended(valve))
        channel_left(valve, channel);
}

void valve_start(struct valve *valve, int64_t watermark)
{
    raise_output(valve, watermark);
}

void valve_settle(struct valve *valve)
{
    if (!has_active(valve))
        return;
    output_active(valve);
    raise_to_lowest(valve);
}

void valve_pause(struct valve *valve)
{
    if (all_ended(valve))
        output_idle(valve);
}
