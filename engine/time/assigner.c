#include "time/assigner_internal.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/batch.h"
#include "time/instant.h"

#include <assert.h>
#include <stdlib.h>

static int config_check(const struct assigner_config *config)
{
    if (config->max_out_of_orderness < 0 || config->max_out_of_orderness > TIME_LIMIT)
        return error_set(ERROR_ARGUMENT, "max_out_of_orderness is 0 or more");
    if (config->emit < 1)
        return error_set(ERROR_ARGUMENT, "emit is 1 record or more");
    if (config->idle_timeout <= 0)
        return error_set(ERROR_ARGUMENT, "idle_timeout is above 0");
    return 0;
}

struct assigner *assigner_new(const struct assigner_config *config)
{
    if (config_check(config) < 0)
        return NULL;
    struct assigner *assigner = memory_new_zeroed(1, sizeof *assigner);
    assigner->config = *config;
    assigner->valve = valve_new(0);
    assigner->floor_active = assigner->floor_idle = TIME_END;
    return assigner;
}

void assigner_free(struct assigner *assigner)
{
    if (assigner == NULL)
        return;
    for (uint32_t i = 0; i < assigner->channel_count; i++)
        assigner_split_deinit(&assigner->channels[i].split);
    for (uint32_t i = 0; i < assigner->kept_count; i++)
        assigner_split_deinit(&assigner->kept[i]);
    free(assigner->channels);
    free(assigner->kept);
    valve_free(assigner->valve);
    free(assigner);
}

/* Watermarks that would follow each other at once are one, so that it does not matter in which order splits fall idle (F4); MAX stands alone (S18). */
static void event_add(struct assigner *assigner, struct valve_event event)
{
    if (assigner->event_count > 0 && event.kind == VALVE_WATERMARK && event.watermark != TIME_END) {
        struct valve_event *last = &assigner->events[assigner->event_first + assigner->event_count - 1];
        if (last->kind == VALVE_WATERMARK) {
            *last = event;
            return;
        }
    }
    assert(assigner->event_first + assigner->event_count < ASSIGNER_EVENTS_MAX);
    assigner->events[assigner->event_first + assigner->event_count++] = event;
}

static void gather(struct assigner *assigner)
{
    struct valve_event event;
    while (valve_next_event(assigner->valve, &event))
        event_add(assigner, event);
}

bool assigner_next_event(struct assigner *assigner, struct valve_event *event)
{
    if (assigner->event_count == 0)
        return false;
    *event = assigner->events[assigner->event_first++];
    if (--assigner->event_count == 0)
        assigner->event_first = 0;
    return true;
}

/* The clock without the time that was spent back-pressured. */
static int64_t active_ms(struct assigner *assigner, int64_t now_ms)
{
    if (assigner->paused && now_ms > assigner->clock_ms)
        assigner->paused_ms += now_ms - assigner->clock_ms;
    assigner->clock_ms = now_ms;
    return now_ms - assigner->paused_ms;
}

static void begin(struct assigner *assigner)
{
    if (assigner->begun)
        return;
    assigner->begun = assigner->unsettled = true;
    assigner_forget_void(assigner);
}

static void settle(struct assigner *assigner)
{
    if (!assigner->unsettled)
        return;
    assigner->unsettled = false;
    int64_t floor = assigner->floor_active != TIME_END ? assigner->floor_active : assigner->floor_idle;
    if (floor != TIME_END)
        valve_start(assigner->valve, floor);
    valve_settle(assigner->valve);
    gather(assigner);
}

static struct assigner_channel *channel_at(struct assigner *assigner, uint32_t index)
{
    while (index >= assigner->channel_capacity) {
        assigner->channel_capacity = assigner->channel_capacity * 2 + 4;
        assigner->channels = memory_resize(assigner->channels, assigner->channel_capacity * sizeof assigner->channels[0]);
    }
    if (index == assigner->channel_count)
        assigner->channel_count++;
    return &assigner->channels[index];
}

uint32_t assigner_channel(struct assigner *assigner, struct slice name, int64_t now_ms)
{
    begin(assigner);
    struct assigner_split split;
    bool restored = assigner_take_kept(assigner, name, &split);
    if (!restored)
        split = (struct assigner_split){ .name = memory_copy(name.data, name.bytes), .name_bytes = (uint32_t)name.bytes,
                                         .highest = TIME_NONE, .sent = WATERMARK_MIN };
    uint32_t index = valve_add(assigner->valve, split.sent);
    int64_t emit = assigner->config.emit;
    *channel_at(assigner, index) = (struct assigner_channel){
        .split = split, .open = true, .restored = restored,
        .room = emit - (int64_t)(split.records % (uint64_t)emit), .last_event = active_ms(assigner, now_ms),
    };
    assigner->unsettled = true;
    return index;
}

/* What the bounded generator would send now; WATERMARK_MIN for nothing. */
static int64_t bounded_watermark(const struct assigner *assigner, const struct assigner_split *split)
{
    if (split->highest == TIME_NONE || (split->punctuated && assigner->config.punctuated_alone))
        return WATERMARK_MIN;
    int64_t highest = split->highest < TIME_LIMIT ? split->highest : TIME_LIMIT;
    int64_t watermark = highest - assigner->config.max_out_of_orderness - 1;
    return watermark >= -TIME_LIMIT ? watermark : WATERMARK_MIN;
}

static void send(struct assigner *assigner, uint32_t index, int64_t watermark)
{
    struct assigner_split *split = &assigner->channels[index].split;
    watermark = watermark < TIME_LIMIT ? watermark : TIME_LIMIT;
    if (watermark <= split->sent)
        return;
    split->sent = watermark;
    valve_watermark(assigner->valve, index, watermark);
    gather(assigner);
}

static void send_bounded(struct assigner *assigner, uint32_t index)
{
    send(assigner, index, bounded_watermark(assigner, &assigner->channels[index].split));
}

void assigner_channel_end(struct assigner *assigner, uint32_t index)
{
    struct assigner_channel *channel = &assigner->channels[index];
    settle(assigner);
    if (!channel->idle)
        send_bounded(assigner, index);
    valve_remove(assigner->valve, index);
    gather(assigner);
    channel->open = false;
    channel->split.ended = true;
    if (channel->restored)
        assigner_keep(assigner, channel->split);
    else
        assigner_split_deinit(&channel->split);
    channel->split.name = NULL;
}

void assigner_without_split(struct assigner *assigner)
{
    begin(assigner);
    settle(assigner);
    valve_pause(assigner->valve);
    gather(assigner);
}

static int64_t highest_of(const int64_t *times, int32_t count, int64_t highest)
{
    for (int32_t i = 0; i < count; i++)
        highest = times[i] > highest ? times[i] : highest;
    return highest;
}

/* How many of the records up to and with the first for which the function answered a watermark. */
static int32_t run_until_watermark(const int64_t *watermarks, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        if (watermarks[i] != TIME_NONE)
            return i + 1;
    }
    return count;
}

static void wake(struct assigner *assigner, uint32_t index, int64_t now_ms)
{
    struct assigner_channel *channel = &assigner->channels[index];
    channel->last_event = active_ms(assigner, now_ms);
    settle(assigner);
    if (!channel->idle)
        return;
    channel->idle = false;
    valve_active(assigner->valve, index);
    gather(assigner);
}

int32_t assigner_advance(struct assigner *assigner, uint32_t index, const int64_t *times, const int64_t *watermarks,
                         int32_t from, int32_t count, int64_t now_ms)
{
    if (from >= count)
        return count;
    wake(assigner, index, now_ms);
    struct assigner_channel *channel = &assigner->channels[index];
    while (from < count && assigner->event_count == 0) {
        int32_t run = channel->room < count - from ? (int32_t)channel->room : count - from;
        if (watermarks != NULL)
            run = run_until_watermark(watermarks + from, run);
        channel->split.highest = highest_of(times + from, run, channel->split.highest);
        channel->split.records += (uint64_t)run;
        channel->room -= run;
        from += run;
        bool answered = watermarks != NULL && watermarks[from - 1] != TIME_NONE;
        channel->split.punctuated = channel->split.punctuated || answered;
        if (channel->room == 0) {
            channel->room = assigner->config.emit;
            send_bounded(assigner, index);
        }
        if (answered)
            send(assigner, index, watermarks[from - 1]);
    }
    return from;
}

int32_t assigner_room(const struct assigner *assigner, uint32_t index)
{
    int64_t room = assigner->channels[index].room;
    return room < INT32_MAX ? (int32_t)room : INT32_MAX;
}

static bool is_pending(const struct assigner *assigner, const struct assigner_channel *channel)
{
    return channel->open && !channel->idle && bounded_watermark(assigner, &channel->split) > channel->split.sent;
}

static bool is_idle_due(const struct assigner *assigner, const struct assigner_channel *channel, int64_t active)
{
    return channel->open && !channel->idle && active - channel->last_event > assigner->config.idle_timeout;
}

/* From the lowest watermark to the highest: the answer must not depend on the order of the channels (F4). */
static bool one_idle(struct assigner *assigner, int64_t active)
{
    struct assigner_channel *lowest = NULL;
    for (uint32_t i = 0; i < assigner->channel_count; i++) {
        struct assigner_channel *channel = &assigner->channels[i];
        if (is_idle_due(assigner, channel, active) && (lowest == NULL || channel->split.sent < lowest->split.sent))
            lowest = channel;
    }
    if (lowest == NULL)
        return false;
    lowest->idle = true;
    valve_idle(assigner->valve, (uint32_t)(lowest - assigner->channels));
    gather(assigner);
    return true;
}

static int64_t next_due(const struct assigner *assigner, bool waits)
{
    int64_t next = TIME_END;
    for (uint32_t i = 0; i < assigner->channel_count; i++) {
        const struct assigner_channel *channel = &assigner->channels[i];
        if (!channel->open || channel->idle)
            continue;
        int64_t due = TIME_END;
        if (assigner->config.idle_timeout < TIME_LIMIT)
            due = channel->last_event + assigner->config.idle_timeout + 1;
        if (waits && is_pending(assigner, channel) && channel->last_event + ASSIGNER_PAUSE_MS < due)
            due = channel->last_event + ASSIGNER_PAUSE_MS;
        next = due < next ? due : next;
    }
    return next == TIME_END ? TIME_END : next + assigner->paused_ms;
}

int64_t assigner_clock(struct assigner *assigner, int64_t now_ms, bool back_pressured, bool waits)
{
    int64_t active = active_ms(assigner, now_ms);
    assigner->paused = back_pressured;
    settle(assigner);
    for (uint32_t i = 0; i < assigner->channel_count; i++) {
        const struct assigner_channel *channel = &assigner->channels[i];
        bool paused = waits && active - channel->last_event >= ASSIGNER_PAUSE_MS;
        if (is_pending(assigner, channel) && (paused || is_idle_due(assigner, channel, active)))
            send_bounded(assigner, i);
    }
    while (one_idle(assigner, active))
        continue;
    return back_pressured ? TIME_END : next_due(assigner, waits);
}

void assigner_end(struct assigner *assigner)
{
    begin(assigner);
    settle(assigner);
    for (uint32_t i = 0; i < assigner->channel_count; i++) {
        if (is_pending(assigner, &assigner->channels[i]))
            send_bounded(assigner, i);
    }
    valve_finish(assigner->valve);
    gather(assigner);
}
