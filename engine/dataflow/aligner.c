/*
 * Exactly once: at most one checkpoint is pending; a channel whose barrier has
 * come is blocked until all have, so `blocked` is also "arrived". At least once:
 * nothing blocks, the newest barrier of each channel is kept, and the pending ids
 * wait in a list until every channel has reached them.
 */
#include "dataflow/aligner.h"

#include "base/memory.h"

#include <stdlib.h>

#define EVENTS_MAX 256
#define WAITING_MAX 128 /* the oldest is given up: a channel is that far behind; all fit into the events */

struct channel_state { bool blocked, ended; uint64_t newest; };

struct aligner {
    uint32_t channels;
    bool at_least_once;
    uint64_t pending;          /* exactly once */
    uint64_t settled;          /* the newest that was triggered or given up */
    uint64_t *waiting;         /* at least once: ids, rising */
    uint32_t waiting_count, waiting_capacity;
    struct aligner_event events[EVENTS_MAX];
    uint32_t event_first, event_count;
    struct channel_state channel[];
};

struct aligner *aligner_new(uint32_t channels, bool at_least_once)
{
    struct aligner *aligner = memory_new_zeroed(1, sizeof *aligner + channels * sizeof aligner->channel[0]);
    aligner->channels = channels;
    aligner->at_least_once = at_least_once;
    return aligner;
}

void aligner_free(struct aligner *aligner)
{
    free(aligner->waiting);
    free(aligner);
}

static void event_add(struct aligner *aligner, int kind, uint64_t checkpoint)
{
    uint32_t at = (aligner->event_first + aligner->event_count) % EVENTS_MAX;
    aligner->events[at] = (struct aligner_event){ kind, checkpoint };
    aligner->event_count++;
    if (checkpoint > aligner->settled)
        aligner->settled = checkpoint;
}

bool aligner_next_event(struct aligner *aligner, struct aligner_event *event)
{
    if (aligner->event_count == 0)
        return false;
    *event = aligner->events[aligner->event_first];
    aligner->event_first = (aligner->event_first + 1) % EVENTS_MAX;
    aligner->event_count--;
    return true;
}

bool aligner_blocked(const struct aligner *aligner, uint32_t channel)
{
    return aligner->channel[channel].blocked && !aligner->channel[channel].ended;
}

uint64_t aligner_pending(const struct aligner *aligner)
{
    return aligner->pending;
}

static void unblock_all(struct aligner *aligner)
{
    for (uint32_t i = 0; i < aligner->channels; i++)
        aligner->channel[i].blocked = false;
    aligner->pending = 0;
}

static bool all_arrived(const struct aligner *aligner)
{
    for (uint32_t i = 0; i < aligner->channels; i++) {
        if (!aligner->channel[i].blocked && !aligner->channel[i].ended)
            return false;
    }
    return true;
}

static void trigger_if_complete(struct aligner *aligner)
{
    if (aligner->pending == 0 || !all_arrived(aligner))
        return;
    uint64_t complete = aligner->pending;
    unblock_all(aligner);
    event_add(aligner, ALIGNER_TRIGGER, complete);
}

static void give_up(struct aligner *aligner)
{
    uint64_t given_up = aligner->pending;
    unblock_all(aligner);
    event_add(aligner, ALIGNER_CANCEL, given_up);
}

/* The newest id that every channel has reached; UINT64_MAX where all have ended. */
static uint64_t reached_by_all(const struct aligner *aligner)
{
    uint64_t reached = UINT64_MAX;
    for (uint32_t i = 0; i < aligner->channels; i++) {
        const struct channel_state *channel = &aligner->channel[i];
        if (!channel->ended && channel->newest < reached)
            reached = channel->newest;
    }
    return reached;
}

static void waiting_remove_front(struct aligner *aligner, uint32_t count)
{
    aligner->waiting_count -= count;
    for (uint32_t i = 0; i < aligner->waiting_count; i++)
        aligner->waiting[i] = aligner->waiting[i + count];
}

/* Completing an id gives up all older ones. */
static void waiting_complete(struct aligner *aligner)
{
    uint64_t reached = reached_by_all(aligner);
    uint32_t done = 0;
    while (done < aligner->waiting_count && aligner->waiting[done] <= reached)
        done++;
    for (uint32_t i = 0; i < done; i++)
        event_add(aligner, i + 1 < done ? ALIGNER_CANCEL : ALIGNER_TRIGGER, aligner->waiting[i]);
    waiting_remove_front(aligner, done);
}

static void waiting_add(struct aligner *aligner, uint64_t checkpoint)
{
    uint32_t at = aligner->waiting_count;
    while (at > 0 && aligner->waiting[at - 1] > checkpoint)
        at--;
    if (at > 0 && aligner->waiting[at - 1] == checkpoint)
        return;
    if (aligner->waiting_count == WAITING_MAX) {
        event_add(aligner, ALIGNER_CANCEL, aligner->waiting[0]);
        waiting_remove_front(aligner, 1);
        at -= at > 0;
    }
    if (aligner->waiting_count == aligner->waiting_capacity) {
        aligner->waiting_capacity = aligner->waiting_capacity * 2 + 8;
        aligner->waiting = memory_resize(aligner->waiting, aligner->waiting_capacity * sizeof aligner->waiting[0]);
    }
    for (uint32_t i = aligner->waiting_count; i > at; i--)
        aligner->waiting[i] = aligner->waiting[i - 1];
    aligner->waiting[at] = checkpoint;
    aligner->waiting_count++;
}

static void track(struct aligner *aligner, uint32_t channel, uint64_t checkpoint)
{
    if (checkpoint > aligner->channel[channel].newest)
        aligner->channel[channel].newest = checkpoint;
    if (checkpoint > aligner->settled)
        waiting_add(aligner, checkpoint);
    waiting_complete(aligner);
}

void aligner_barrier(struct aligner *aligner, uint32_t channel, uint64_t checkpoint)
{
    if (aligner->at_least_once) {
        track(aligner, channel, checkpoint);
        return;
    }
    if (checkpoint <= aligner->settled || checkpoint < aligner->pending)
        return;
    if (aligner->pending != 0 && checkpoint > aligner->pending)
        give_up(aligner);
    aligner->pending = checkpoint;
    aligner->channel[channel].blocked = true;
    trigger_if_complete(aligner);
}

/* At least once: older ids that are pending are given up with it, in order. */
static void waiting_cancel(struct aligner *aligner, uint64_t checkpoint)
{
    uint32_t done = 0;
    while (done < aligner->waiting_count && aligner->waiting[done] <= checkpoint)
        event_add(aligner, ALIGNER_CANCEL, aligner->waiting[done++]);
    waiting_remove_front(aligner, done);
    if (checkpoint > aligner->settled)
        event_add(aligner, ALIGNER_CANCEL, checkpoint);
}

void aligner_cancel(struct aligner *aligner, uint64_t checkpoint)
{
    if (aligner->at_least_once) {
        waiting_cancel(aligner, checkpoint);
        return;
    }
    if (checkpoint <= aligner->settled || checkpoint < aligner->pending)
        return;
    if (aligner->pending != 0)
        give_up(aligner);
    if (checkpoint > aligner->settled)
        event_add(aligner, ALIGNER_CANCEL, checkpoint);
}

void aligner_end(struct aligner *aligner, uint32_t channel)
{
    aligner->channel[channel].ended = true;
    if (aligner->at_least_once)
        waiting_complete(aligner);
    else
        trigger_if_complete(aligner);
}
