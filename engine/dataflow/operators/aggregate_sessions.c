/*
 * Sessions whose aggregates the engine has. The sessions of a key are a value of its state:
 * an array, in order of time, of heads with a slice behind each.
 *
 * A session that grows keeps the timers that it has: one that comes too early is
 * registered again for where the session ends by then. That is once a gap, not once a
 * record. Sessions of a key do not touch, and each one's timers lie within it (those that
 * forget: within it shifted by the lateness), so a time tells which session is meant.
 */
#include "dataflow/operators/aggregate.h"

#include "base/error.h"
#include "time/instant.h"

#include <string.h>

#define NOT_ARMED INT64_MIN

/* Times of the timers that are registered for it: to fire, and, with lateness, to be forgotten. */
struct session { int64_t start, end, fires, forgets; char slice[]; };
_Static_assert(sizeof(struct session) == SESSION_HEAD_BYTES, "rows of sessions are told apart by their length");

static uint32_t session_bytes(const struct aggregator *self)
{
    return (uint32_t)sizeof(struct session) + self->slices.bytes;
}

static struct session *session_at(const struct aggregator *self, char *sessions, uint32_t place)
{
    return (struct session *)(void *)(sessions + (size_t)place * session_bytes(self));
}

static char *sessions_of(const struct aggregator *self, const struct entry *entry, uint32_t *count)
{
    uint32_t bytes;
    char *sessions = value_bytes(entry, 0, &bytes);
    *count = bytes / session_bytes(self);
    return sessions;
}

static struct timers *timers_of(const struct aggregator *self)
{
    return self->timers[self->event ? DOMAIN_EVENT : DOMAIN_PROCESSING];
}

/* ---- Timers of a session ---- */

static int arm(struct aggregator *self, const struct aggregate_key *key, int64_t *armed, int64_t time, const char *space)
{
    *armed = time;
    return timers_register(timers_of(self), time, key->hash, key->bytes, slice_of_text(space));
}

static int disarm(struct aggregator *self, const struct aggregate_key *key, int64_t armed, const char *space)
{
    return armed == NOT_ARMED ? 0 : timers_delete(timers_of(self), armed, key->hash, key->bytes, slice_of_text(space));
}

static int64_t forgotten_at(const struct aggregator *self, const struct session *session)
{
    const struct window window = { session->start, session->end };
    return window_cleanup_time(&window, self->event ? self->lateness : 0);
}

static int64_t fires_at(const struct session *session)
{
    const struct window window = { session->start, session->end };
    return window_max_timestamp(&window);
}

/* What a session needs whose end is new: S24. */
static int session_arm(struct operator *op, const struct aggregate_key *key, struct session *session)
{
    struct aggregator *self = op->self;
    int64_t fires = fires_at(session), forgets = forgotten_at(self, session);
    int status = 0;
    if (session->fires == NOT_ARMED && (!self->event || fires > op->time.watermark))
        status = arm(self, key, &session->fires, fires, "");
    if (status == 0 && session->forgets == NOT_ARMED && forgets != TIME_END && forgets != fires)
        status = arm(self, key, &session->forgets, forgets, FORGET_SPACE);
    return status;
}

/* Of two sessions that become one the earlier timers stay. */
static int timers_join(struct aggregator *self, const struct aggregate_key *key, int64_t *armed, int64_t other, const char *space)
{
    int64_t gone = other;
    if (*armed == NOT_ARMED || (other != NOT_ARMED && other < *armed)) {
        gone = *armed;
        *armed = other;
    }
    return disarm(self, key, gone, space);
}

/* ---- Records ---- */

/* The first session that ends at `time` or later: records mostly belong to the last one. */
static uint32_t first_ending_from(const struct aggregator *self, char *sessions, uint32_t count, int64_t time)
{
    uint32_t place = count;
    while (place > 0 && session_at(self, sessions, place - 1)->end >= time)
        place--;
    return place;
}

static int session_insert(struct operator *op, struct entry *entry, const struct aggregate_key *key, uint32_t place, const struct window *window)
{
    struct aggregator *self = op->self;
    uint32_t count, bytes = session_bytes(self);
    sessions_of(self, entry, &count);
    char *sessions = value_bytes_resize(self->state, entry, 0, (count + 1) * bytes);
    struct session *session = session_at(self, sessions, place);
    memmove((char *)session + bytes, session, (size_t)(count - place) * bytes);
    *session = (struct session){ .start = window->start, .end = window->end, .fires = NOT_ARMED, .forgets = NOT_ARMED };
    slice_begin(&self->slices, session->slice, window->start, self->numbers);
    return session_arm(op, key, session);
}

/* Those that the session touches by now become part of it. */
static int sessions_join(struct aggregator *self, struct entry *entry, const struct aggregate_key *key, uint32_t place)
{
    uint32_t count, bytes = session_bytes(self), joined = 0;
    char *sessions = sessions_of(self, entry, &count);
    struct session *session = session_at(self, sessions, place);
    int status = 0;
    for (uint32_t i = place + 1; i < count && session_at(self, sessions, i)->start <= session->end && status == 0; i++, joined++) {
        struct session *other = session_at(self, sessions, i);
        session->end = other->end > session->end ? other->end : session->end;
        status = slice_join(&self->slices, session->slice, other->slice);
        if (status == 0)
            status = timers_join(self, key, &session->fires, other->fires, "");
        if (status == 0)
            status = timers_join(self, key, &session->forgets, other->forgets, FORGET_SPACE);
    }
    if (joined > 0) {
        char *behind = (char *)session_at(self, sessions, place + 1);
        memmove(behind, behind + (size_t)joined * bytes, (size_t)(count - place - 1 - joined) * bytes);
        value_bytes_resize(self->state, entry, 0, (count - joined) * bytes);
    }
    return status;
}

static int session_emit(struct operator *op, const struct entry *entry, const struct aggregate_key *key, uint32_t place)
{
    struct aggregator *self = op->self;
    uint32_t count;
    char *sessions = sessions_of(self, entry, &count);
    const struct session *session = session_at(self, sessions, place);
    struct window window = { session->start, session->end };
    return aggregate_emit(op, session->slice, 1, key->bytes, &window);
}

/* A sum that is not exact any more is an error of the record, which then changes nothing: tried before anything is. */
static int joins_tried(const struct aggregator *self, char *sessions, uint32_t count, uint32_t place, int64_t end)
{
    _Alignas(8) char total[SLICE_BYTES_MAX];
    memcpy(total, session_at(self, sessions, place)->slice, self->slices.bytes);
    int status = slice_add(&self->slices, total, self->numbers);
    for (uint32_t i = place + 1; i < count && session_at(self, sessions, i)->start <= end && status == 0; i++)
        status = slice_join(&self->slices, total, session_at(self, sessions, i)->slice);
    return status;
}

/* The record's window touches the session at `place`, which takes it in, and perhaps those behind it. */
static int session_grow(struct operator *op, struct entry *entry, const struct aggregate_key *key, uint32_t place, const struct window *window)
{
    struct aggregator *self = op->self;
    uint32_t count;
    char *sessions = sessions_of(self, entry, &count);
    struct session *session = session_at(self, sessions, place);
    int64_t end = session->end > window->end ? session->end : window->end;
    bool several = place + 1 < count && session_at(self, sessions, place + 1)->start <= end;
    int status = several ? joins_tried(self, sessions, count, place, end) : 0;
    value_bytes_touch(self->state, self->view, entry);
    if (status == 0)
        status = slice_add(&self->slices, session->slice, self->numbers);
    if (status < 0)
        return status;
    session->start = session->start < window->start ? session->start : window->start;
    session->end = end;
    status = several ? sessions_join(self, entry, key, place) : 0;
    return status < 0 ? status : session_arm(op, key, session);
}

int aggregate_session_record(struct operator *op, struct batch *batch, int32_t record, const struct aggregate_key *key, int64_t time)
{
    struct aggregator *self = op->self;
    struct entry *entry = self->entries[record];
    struct window window;
    int status = window_session(time, self->windows.size, &window);
    if (status < 0)
        return status;
    uint32_t count;
    char *sessions = sessions_of(self, entry, &count);
    uint32_t place = first_ending_from(self, sessions, count, window.start);
    bool joins = place < count && session_at(self, sessions, place)->start <= window.end;
    struct window grown = window;
    if (joins && session_at(self, sessions, place)->end > grown.end)
        grown.end = session_at(self, sessions, place)->end;
    if (self->event && window_is_late(&grown, self->lateness, op->time.watermark)) { /* one that is still there is late only at MAX */
        aggregate_late(op, batch, record);
        return 0;
    }
    status = aggregate_numbers(op, batch, record);
    if (status == 0)
        status = joins ? session_grow(op, entry, key, place, &window) : session_insert(op, entry, key, place, &window);
    if (status < 0 || !self->event)
        return status;
    sessions = sessions_of(self, entry, &count);
    bool complete = fires_at(session_at(self, sessions, place)) <= op->time.watermark; /* S29b */
    return complete ? session_emit(op, entry, key, place) : 0;
}

/* ---- Time ---- */

static void session_forget(struct aggregator *self, struct entry *entry, uint32_t place)
{
    uint32_t count, bytes = session_bytes(self);
    char *sessions = sessions_of(self, entry, &count);
    char *gone = sessions + (size_t)place * bytes;
    value_bytes_touch(self->state, self->view, entry);
    memmove(gone, gone + bytes, (size_t)(count - place - 1) * bytes);
    value_bytes_resize(self->state, entry, 0, (count - 1) * bytes);
}

/* The timer of a session that has grown since goes on to where it ends. */
int aggregate_session_timer(struct operator *op, struct entry *entry, const struct aggregate_key *key, int64_t time, bool fires)
{
    struct aggregator *self = op->self;
    uint32_t count, place = 0;
    char *sessions = sessions_of(self, entry, &count);
    while (place < count && (fires ? session_at(self, sessions, place)->fires : session_at(self, sessions, place)->forgets) != time)
        place++;
    if (place == count)
        return 0;
    struct session *session = session_at(self, sessions, place);
    value_bytes_touch(self->state, self->view, entry);
    if (!fires) {
        session->forgets = NOT_ARMED;
        if (forgotten_at(self, session) > time)
            return session_arm(op, key, session);
        session_forget(self, entry, place);
        return 0;
    }
    session->fires = NOT_ARMED;
    if (fires_at(session) > time)
        return arm(self, key, &session->fires, fires_at(session), "");
    int status = session_emit(op, entry, key, place);
    if (status == 0 && forgotten_at(self, session) == time && time != TIME_END)
        session_forget(self, entry, place);
    return status;
}
