/*
 * What assigner.c (records and clock) and assigner_state.c (snapshots) share.
 */
#pragma once

#include "time/assigner.h"

/* What is remembered of a split. */
struct assigner_split {
    char *name;
    uint32_t name_bytes;
    uint64_t records;      /* since its beginning */
    int64_t highest;       /* TIME_NONE: no record yet */
    int64_t sent;          /* last watermark */
    bool punctuated;       /* the author's function has answered one */
    bool ended;            /* read to its end: what others still remember of it is void */
};

struct assigner_channel {
    struct assigner_split split;
    bool open, idle;
    bool restored;         /* other subtasks may remember it too */
    int64_t room;          /* records until the next bounded watermark */
    int64_t last_event;    /* by active_ms() */
};

#define ASSIGNER_EVENTS_MAX 8

struct assigner {
    struct assigner_config config;
    struct valve *valve;
    struct assigner_channel *channels;   /* indices are the valve's */
    uint32_t channel_count, channel_capacity;
    struct assigner_split *kept;         /* restored and not asked for, and ended here */
    uint32_t kept_count, kept_capacity;
    int64_t floor_active, floor_idle;    /* lowest outputs of old subtasks; INT64_MAX: none */
    uint32_t sharers;                    /* old subtasks that had records from no split */
    bool rescaled;                       /* the parallelism was another one */
    bool begun, unsettled;
    bool paused;
    int64_t clock_ms, paused_ms;         /* last reading; time that did not count */
    struct valve_event events[ASSIGNER_EVENTS_MAX];
    uint32_t event_first, event_count;
};

void assigner_split_deinit(struct assigner_split *split);
/* Take over a split's state; its name belongs to the assigner then. */
void assigner_keep(struct assigner *assigner, struct assigner_split split);
/* Take the restored state of a split out; false if there is none. */
bool assigner_take_kept(struct assigner *assigner, struct slice name, struct assigner_split *split);
/*
 * All blobs are read: splits that ended are forgotten, for nobody remembers them any more, and so is "" where several
 * subtasks had such records and others get them now.
 */
void assigner_forget_void(struct assigner *assigner);
