/*
 * The graph of a job as the workers run it: steps and the edges between them.
 * Built once, from Lua, then only read.
 *
 * A forward edge is a plain call in the same worker. An exchange is a step of its
 * own: above parallelism 1 it is a ring for each pair of workers, at parallelism 1
 * it is a forward edge too. Steps that are joined by forward edges are a chain; the
 * channels of a chain are its sources and the rings that lead into it.
 *
 * Owner    plan_new() allocates, plan_free() frees; what is set is copied.
 * Thread   building: one. Reading: any.
 * Errors   0, or the number of what was added, is success; else a negative code with error_message().
 */
#pragma once

#include "base/options.h"
#include "dataflow/sink.h"
#include "dataflow/source.h"
#include "state/keyed_state.h"
#include "time/assigner.h"
#include "time/slices.h"
#include "time/window.h"

#define PLAN_PORTS_MAX 16
#define PLAN_INPUTS_MAX 2
#define WINDOWS_PER_RECORD_MAX 1024

/* <cdef> */
enum step_kind {
    STEP_SOURCE = 1,    /* a connector in C */
    STEP_CALL = 2,      /* work in Lua: stages, process functions, Lua sources and sinks */
    STEP_KEY = 3,       /* takes the key from a field of the record */
    STEP_EXCHANGE = 4,
    STEP_SINK = 5,      /* a connector in C */
    STEP_INPUT = 6,     /* channels that are fed by hand: see dataflow/by_hand.h */
    STEP_OUTPUT = 7,    /* keeps what it gets until it is asked for it */
    STEP_ASSIGN = 8,    /* takes time stamps from a field, and makes watermarks */
    STEP_AGGREGATE = 9, /* a window step whose aggregates the engine has: tumbling, sliding or sessions, with its own trigger */
};
enum exchange_kind { EXCHANGE_HASH = 1, EXCHANGE_REBALANCE = 2, EXCHANGE_GLOBAL = 3, EXCHANGE_BROADCAST = 4, EXCHANGE_FORWARD = 5 /* within the worker */ };
enum call_kind { CALL_KIND_STEP = 0, CALL_KIND_SOURCE = 1, CALL_KIND_SINK = 2 };
/* What a state is to its author: kept as enum slot_kind, and told apart in checkpoints. */
enum state_type { STATE_VALUE = 0, STATE_MAP = 1, STATE_LIST = 2, STATE_REDUCING = 3, STATE_AGGREGATING = 4, STATE_TIMED_ROWS = 5 };
enum window_kind { WINDOW_TUMBLING = 1, WINDOW_SLIDING = 2, WINDOW_SESSION = 3, WINDOW_GLOBAL = 4 };
enum operator_state_kind { OPERATOR_STATE_LIST = 1, OPERATOR_STATE_UNION = 2, OPERATOR_STATE_BROADCAST = 3 };
enum error_policy { POLICY_FAIL = 0, POLICY_SKIP = 1, POLICY_DEAD_LETTER = 2 };

struct plan;
struct plan *plan_new(uint32_t parallelism, uint32_t max_parallelism, bool at_least_once);
void plan_free(struct plan *plan);
/* How many workers there are. */
uint32_t plan_parallelism(const struct plan *plan);
/* Once: what the author's steps are, as text, which is copied. Every worker must have made the same. */
void plan_set_text(struct plan *plan, const char *text);
/* A step; the answer is its number, from 0. Names are unique. */
int plan_add(struct plan *plan, int kind, const char *name);
/* Records of `port` of step `from` go to step `to`, into its input `input` (0, or 1 of a step of two inputs). */
int plan_connect(struct plan *plan, int from, int port, int to, int input);
int plan_set_exchange(struct plan *plan, int step, int kind);
int plan_set_call(struct plan *plan, int step, int call_kind);
int plan_set_policy(struct plan *plan, int step, int policy, int dead_letter_port);
/* A field whose value is the key, or one part of it (called once per part); `list`: the key is the list of its parts. */
int plan_add_key_field(struct plan *plan, int step, const char *field, bool list);
/*
 * The watermarks of STEP_ASSIGN, or of a step in Lua that answers the time stamps. Milliseconds; `idle_timeout` 0: none;
 * `punctuated_alone`: see time/assigner.h.
 */
int plan_set_watermarks(struct plan *plan, int step, double max_out_of_orderness, double idle_timeout, double emit, bool punctuated_alone);
/* Of STEP_ASSIGN: the field and its enum time_unit; `format` is "" or what TIME_UNIT_FORMAT asks for. */
int plan_set_timestamps(struct plan *plan, int step, const char *field, int unit, const char *format);
/* What a report about the step's records names: the job, and the line of the script that the step was written in ("job.lua:3: in sum"). */
void plan_set_author(struct plan *plan, int step, const char *job, const char *place);
/* A sink that takes what other steps could not: no letter is lost because its format has no form for a value. */
void plan_set_letters(struct plan *plan, int step);
/* The connector of a source or sink; options are set one by one with plan_option(). */
int plan_set_connector(struct plan *plan, int step, const char *connector, const char *format);
int plan_option(struct plan *plan, int step, const char *name, const char *key, const char *value);
/* A state of a keyed step; `type` is enum state_type. The answer is its slot, from 0. */
int plan_add_state(struct plan *plan, int step, const char *name, int type);
int plan_set_keyed(struct plan *plan, int step);
/* A keyed step that may have timers. */
int plan_set_timers(struct plan *plan, int step);
struct step_window {
    int kind;                         /* enum window_kind; 0: no window step */
    struct window_shape shape;        /* milliseconds; size of a session is its gap, 0 where each record says its own */
    int domain, stagger;              /* enum time_domain, enum window_stagger */
    int64_t lateness;
};
/* A window step, which is keyed and has timers. */
int plan_set_window(struct plan *plan, int step, const struct step_window *window);
/* An aggregate of STEP_AGGREGATE (enum aggregate_kind of time/slices.h) of a field ("": none) as field `name` of the result. */
int plan_add_aggregate(struct plan *plan, int step, int kind, const char *field, const char *name);
/* The output of records that are too late for any window (S25). */
int plan_set_late_port(struct plan *plan, int step, int port);
/* A state of a key's window; the first one is the window's contents. The answer is its slot, from 0. */
int plan_add_pane_state(struct plan *plan, int step, const char *name, int type);
/* The version of a state's values, 1 where nothing is said; `migrates`: those of an earlier one can be made into it. */
void plan_set_state_version(struct plan *plan, int step, int slot, uint32_t version, bool migrates);
void plan_set_pane_state_version(struct plan *plan, int step, int slot, uint32_t version);
/*
 * A state of a subtask, which the step itself keeps (enum operator_state_kind); `version` is that of its
 * values, and `migrates` says that those of an earlier one can be made into it.
 */
int plan_add_operator_state(struct plan *plan, int step, const char *name, int kind, uint32_t version, bool migrates);
/* A step in Lua that adds something of its own to checkpoints, beside its keyed state (a sink: what it prepared): it is asked by CALL_SNAPSHOT. */
int plan_set_saving(struct plan *plan, int step);
/* An input of a keyed step whose records have no key: broadcast state. */
int plan_set_keyless(struct plan *plan, int step, int input);
/* The step runs in the first `subtasks` workers (all, if there are not more). Of an exchange: its records go to those. */
void plan_set_subtasks(struct plan *plan, int step, uint32_t subtasks);
/* Of STEP_INPUT: how many channels it has. */
int plan_set_channels(struct plan *plan, int step, uint32_t channels);
/* The plan of one worker alone: exchanges are forward edges whatever the parallelism. Before plan_finish(). */
void plan_set_by_hand(struct plan *plan);
/* How many key groups a job of this parallelism has, where its author names no number (S43). */
uint32_t plan_groups_by_default(uint32_t parallelism);
/* Everything is set: checks options, orders the steps, finds the chains. */
int plan_finish(struct plan *plan);
/* </cdef> */

struct source_shared;

struct step_state {
    char *name;
    uint16_t type, kind, id;          /* enum state_type, enum slot_kind */
    uint32_t version;                 /* of its values, as their author says */
    uint32_t restored_version;        /* which they had in the checkpoint; 0: it was not in it */
    bool migrates;                    /* values of an earlier version can be made into this one's */
    bool hidden;                      /* bookkeeping: not counted as rows */
    uint32_t row_bytes;               /* a value of many rows, this long each; 0: it counts one */
};

struct step_operator_state {
    char *name;
    int kind;
    uint16_t id;                      /* its place in the checkpoint's registry: it has no rows */
    uint32_t version;
    bool migrates;
};

struct step_aggregate { uint8_t kind; char *field, *name; };

struct step_assign {
    bool set;
    bool of_splits;                   /* its records come straight from sources: time is kept for each split */
    struct assigner_config watermarks;
    bool drifts;                      /* its sources wait for others: see dataflow/drift.h */
    int64_t max_drift;
    char *field, *format;
    int unit;
};

/*
 * Where records go. Time is kept for each input over its channels: an edge is one of
 * them, or, behind rings, as many as there are rings into one worker.
 */
struct edge { uint32_t step; uint32_t input; uint32_t channel /* the first one */; uint32_t place /* among the edges into that step */; };

enum time_domain { DOMAIN_EVENT = 0, DOMAIN_PROCESSING = 1, DOMAINS = 2 };

struct step {
    uint32_t id;
    char *name;
    char *job, *place;                /* of its author; NULL: nothing is known */
    bool letters;                     /* a sink of dead letters */
    int kind;
    int exchange;
    int call_kind;
    int policy;
    int dead_port;
    bool keyed;                       /* has keyed state */
    bool timers;                      /* and timers */
    bool saving;                      /* CALL_SNAPSHOT is asked of it */
    bool keyless[PLAN_INPUTS_MAX];    /* inputs whose records have no key */
    uint16_t timer_columns[DOMAINS];  /* as `column` */
    struct step_window window;
    struct step_assign assign;
    struct step_aggregate aggregates[AGGREGATES_MAX];
    uint32_t aggregate_count;
    int late_port;                    /* -1: late records are counted */
    struct step_state pane_states[KEYED_STATES_MAX];
    uint32_t pane_state_count;
    uint16_t pane_column;             /* as `column`, of (key, window) */
    uint32_t sessions_slot;           /* of a session: the state of the key that lists them */
    uint32_t subtasks;                /* 0: one in each worker; see plan_subtasks() */
    bool key_list;
    char **key_fields;
    uint32_t key_field_count;
    const struct source_vtab *source;
    const struct sink_vtab *sink;
    const struct format_vtab *format;
    struct options *options;
    struct option_spec *option_specs; /* of the connector and its format */
    struct step_state states[KEYED_STATES_MAX];
    uint32_t state_count;
    struct step_operator_state *operator_states;
    uint32_t operator_state_count;
    uint16_t column;                  /* of key rows; given by the checkpoint's registry */
    uint32_t port_count;
    struct port { struct edge *edges; uint32_t count; } ports[PLAN_PORTS_MAX];
    uint32_t input_count;             /* edges that lead here */
    uint32_t input_channels[PLAN_INPUTS_MAX];
    uint32_t chain;                   /* of an exchange: the chain that sends */
    uint32_t receiver_chain;          /* of an exchange: the chain that receives */
    uint32_t rank;                    /* place in topological order */
    struct source_shared *shared;     /* of a source */
    uint32_t channels;                /* of an input by hand */
};

struct plan {
    uint32_t parallelism, max_parallelism;
    char *text;                       /* see plan_set_text(); NULL: nobody said */
    bool at_least_once;
    bool by_hand;                     /* one worker alone: no rings between workers */
    size_t ring_bytes;                /* of each ring between two workers; RING_BYTES by default */
    uint64_t portion_ns;              /* how long what a chain takes in at once should take; PORTION_NS by default, 0: as long as it does */
    struct step *steps;
    uint32_t count, capacity;
    uint32_t *order;                  /* step numbers, upstream first */
    uint32_t chain_count;
    uint16_t last_column;             /* the highest number that a column ever had; given by the checkpoint's registry */
};

static inline bool step_is_source(const struct step *step)
{
    return step->kind == STEP_SOURCE || (step->kind == STEP_CALL && step->call_kind == CALL_KIND_SOURCE);
}

/* Is the exchange a ring, or a forward edge? */
static inline bool plan_has_rings(const struct plan *plan)
{
    return plan->parallelism > 1 && !plan->by_hand;
}

/* Do records of `from` come to `to` without an exchange between? */
bool plan_reaches(const struct plan *plan, const struct step *from, const struct step *to);

/* Connectors lie two floors up: their tables are handed down once, before the first plan. */
void plan_use_connectors(const struct source_vtab *(*source)(const char *), const struct sink_vtab *(*sink)(const char *));

/*
 * What a step's keyed state is made of, for one subtask: of its keys, or of the panes of its
 * windows. Epoch, backend, output and undo are the caller's to set.
 */
void plan_state_config(const struct plan *plan, const struct step *step, uint32_t subtask, bool panes, struct keyed_state_config *config);

/* Of STEP_AGGREGATE: the state that holds its slices, and what they are. */
int plan_slices_add(struct plan *plan, struct step *step);
void plan_slices(const struct step *step, struct slices_shape *shape);

/* In how many workers a step has something to do: its own parallelism. A worker alone has one of as many as the plan says. */
static inline uint32_t plan_subtasks(const struct plan *plan, const struct step *step)
{
    bool fewer = step->subtasks > 0 && step->subtasks < plan->parallelism && !plan->by_hand;
    return fewer ? step->subtasks : plan->parallelism;
}

/* The subtask of a step, or behind an exchange, that a key group belongs to (S43). */
static inline uint32_t plan_subtask_of_group(const struct plan *plan, const struct step *step, uint32_t group)
{
    return group * plan_subtasks(plan, step) / plan->max_parallelism;
}
