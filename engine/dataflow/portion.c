#include "dataflow/portion.h"

#include "base/clock.h"
#include "dataflow/worker_internal.h"

int32_t portion_next(uint64_t limit_ns, int32_t room, uint64_t records, uint64_t ns)
{
    uint64_t fit = records * limit_ns / (ns + 1), more = 2 * (uint64_t)room;
    uint64_t next = fit < more ? fit : more;
    return next < 1 ? 1 : next > BATCH_RECORDS_MAX ? BATCH_RECORDS_MAX : (int32_t)next;
}

static void room_set(struct chain *chain, int32_t room)
{
    chain->portion.room = room;
    uint32_t rings = 0;
    for (uint32_t i = 0; i < chain->channel_count; i++)
        rings += chain->channels[i].kind == CHANNEL_RING;
    uint32_t share = rings == 0 || room == BATCH_RECORDS_MAX ? BATCH_RECORDS_MAX : (uint32_t)room / rings;
    for (uint32_t i = 0; i < chain->channel_count; i++) {
        if (chain->channels[i].kind == CHANNEL_RING)
            ring_set_room(chain->channels[i].ring, share == 0 ? 1 : (int32_t)share);
    }
}

/* Driven by hand, a chain takes what it is given: the clock has no say. */
static uint64_t limit_ns(const struct worker *worker)
{
    return worker->by_hand ? 0 : worker->dataflow->plan->portion_ns;
}

void portion_init(const struct worker *worker, struct chain *chain)
{
    room_set(chain, limit_ns(worker) == 0 ? BATCH_RECORDS_MAX : 1);
}

static uint64_t emitted(const struct operator *source)
{
    return atomic_load_explicit(&source->records_out, memory_order_relaxed);
}

void portion_begin(struct worker *worker, struct chain *chain, const struct operator *source, uint64_t records)
{
    if (limit_ns(worker) == 0)
        return;
    worker->taker = chain;
    chain->portion.begun_ns = worker->worked_ns != 0 ? worker->worked_ns : clock_monotonic_ns();
    chain->portion.worked_ns = 0;
    chain->portion.source = source;
    chain->portion.records = source == NULL ? records : emitted(source);
}

void portion_worked(struct worker *worker)
{
    struct chain *chain = worker->taker;
    worker->taker = NULL;
    worker->worked_ns = 0;
    if (chain == NULL)
        return;
    struct portion *portion = &chain->portion;
    worker->worked_ns = clock_monotonic_ns();
    portion->worked_ns = worker->worked_ns - portion->begun_ns;
    if (portion->source != NULL)
        portion->records = emitted(portion->source) - portion->records;
    portion->pressed = !chain_has_room(worker, chain); /* now: when it is asked next, chains of this worker may have made room */
    if (portion->records == 0)
        portion->begun_ns = 0;
}

void portion_look(const struct worker *worker, struct chain *chain, bool pressed)
{
    struct portion *portion = &chain->portion;
    if (portion->begun_ns == 0)
        return;
    portion->pressed = portion->pressed || pressed;
    if (pressed)
        return;
    /* Where it had room all the time, turns of other chains since then are not its own. */
    uint64_t ns = portion->pressed ? clock_monotonic_ns() - portion->begun_ns : portion->worked_ns;
    portion->begun_ns = 0;
    int32_t room = portion_next(limit_ns(worker), portion->room, portion->records, ns);
    if (room != portion->room)
        room_set(chain, room);
}
