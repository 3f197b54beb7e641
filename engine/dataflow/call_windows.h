/*
 * What a window step (in Lua) finds beside its call cell: the windows of the records
 * or timers at hand, and for each a pane: the entry of (key, window), in a keyed state
 * of its own. States of a pane are bound over `panes` as states of a key are over the
 * step's cell; `panes.index` chooses the pane.
 *
 * Of CALL_BATCH the panes of record i are [first[i], first[i + 1]): the windows that are
 * not late, from the latest to the earliest. Sessions are added one by one, by
 * call_session_add(); then and in CALL_TIMERS pane 0 is that of the window at hand.
 *
 * A pane's state 0 is the window's contents.
 *
 * Errors   a negative code with error_message(). Thread: the worker.
 */
#pragma once

#include "dataflow/call.h"
#include "time/window.h"

/* <cdef> */
struct call_windows {
    struct call panes;            /* index, count, entries, state, view, cell, scratch, keys of the panes; nothing else is set */
    struct window *windows;       /* by pane; the global one is [-2^63, 2^63 - 1) */
    int32_t *first;
    uint8_t *late;                /* by record: enum window_record; at SESSION_LATE too */
    int32_t merged_windows;       /* of call_session_add(): windows [1, merged_windows] became part of window 0 */
    int32_t merged_panes;         /* panes [1, merged_panes] hold contents that must be merged into pane 0 */
    int64_t lateness;
    int32_t domain;               /* enum time_domain: what moves the windows */
    int64_t clock_ms;             /* processing time, as one batch has it */
    struct window_shape shape;    /* as it is when a stagger was drawn; CALL_OPEN may set what was drawn before */
    bool is_drawn;
    bool is_unkept;               /* a trigger deleted a timer that is the one of call_window_keep() as well: keep the window again */
};

enum window_record {
    WINDOW_RECORD_TAKEN = 0,      /* some window took it, or none holds it or none does any more */
    WINDOW_RECORD_LATE = 1,       /* no window took it, and it is late by its own time: to the late output (S25) */
    WINDOW_RECORD_TIMELESS = 2,   /* it has no time stamp: an error of the record (S22) */
    WINDOW_RECORD_TOO_LONG = 3,   /* its key is, beside a window: an error of the record */
};

enum session_add {
    SESSION_LATE = 0,             /* no window took it: see late[record] */
    SESSION_ADDED = 1,            /* pane 0 is its window's */
    SESSION_MERGED = 2,           /* the window is another one now: merge, tell the trigger, then call_session_merged() */
};
/* Add record `record` to the sessions of its key (S29); `gap` in milliseconds. */
int call_session_add(struct call *call, int32_t record, int64_t gap);
/* The merged windows are gone: their panes but pane 0, and their cleanup timers. */
int call_session_merged(struct call *call);
/* Let `panes` stand for a pane that does not exist: for the trigger's clear() of a window that was merged away. */
int call_window_void(struct call *call);

/* The window of timer `index` of a run, which was taken, as pane 0: 1, or 0 if there is no such window any more. */
int call_window_of_timer(struct call *call, int32_t index);

/* Timers of the window of a pane (S4: a namespace of their own). */
int call_window_register(struct call *call, int32_t pane, int domain, int64_t time);
int call_window_delete(struct call *call, int32_t pane, int domain, int64_t time);
/* Register the timer at which the window is forgotten (S24); again changes nothing. */
int call_window_keep(struct call *call, int32_t pane);
/* Is this the moment at which it is forgotten? */
bool call_window_is_cleanup(const struct call *call, int32_t pane, int domain, int64_t time);
/* Drop all states of the pane and, of a session, the window; its cleanup timer is left to fire into nothing. */
int call_window_forget(struct call *call, int32_t pane);
int64_t call_window_max_timestamp(const struct call *call, int32_t pane);
/* </cdef> */
