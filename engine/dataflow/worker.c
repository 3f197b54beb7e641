#include "dataflow/worker_internal.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "dataflow/keyed.h"
#include "dataflow/report.h"

#include <stdio.h>
#include <stdlib.h>

#define WAIT_NS_MAX 50000000
#define SOURCE_PAUSE_NS 1000000

void work_push(struct worker *worker, struct work work)
{
    if (worker->stack_count == worker->stack_capacity) {
        worker->stack_capacity = worker->stack_capacity * 2 + 64;
        worker->stack = memory_resize(worker->stack, worker->stack_capacity * sizeof worker->stack[0]);
    }
    worker->stack[worker->stack_count++] = work;
}

static void ops_new(struct worker *worker)
{
    const struct plan *plan = worker->dataflow->plan;
    static const struct operator_vtab *const kinds[] = {
        [STEP_SOURCE] = &operator_source, [STEP_CALL] = &operator_call, [STEP_KEY] = &operator_key,
        [STEP_EXCHANGE] = &operator_exchange, [STEP_SINK] = &operator_sink, [STEP_INPUT] = &operator_by_hand_input,
        [STEP_OUTPUT] = &operator_by_hand_output, [STEP_ASSIGN] = &operator_assign,
        [STEP_AGGREGATE] = &operator_aggregate,
    };
    worker->ops = memory_new_zeroed(plan->count + 1, sizeof worker->ops[0]);
    for (uint32_t i = 0; i < plan->count; i++) {
        struct operator *op = &worker->ops[i];
        op->step = &plan->steps[i];
        op->vtab = kinds[op->step->kind];
        op->worker = worker;
        marks_open(op);
        if (op->step->kind != STEP_CALL)
            continue;
        op->call = memory_new_zeroed(1, sizeof *op->call);
        op->call->subtask = worker->subtask;
        op->call->parallelism = plan_subtasks(plan, op->step);
        op->call->step = i;
        op->call->step_instance = op;
        arena_init(&op->call->scratch);
        arena_grow(&op->call->scratch, 1024);
    }
}

struct worker *worker_new(struct dataflow *dataflow, uint32_t subtask, bool by_hand)
{
    struct worker *worker = memory_new_zeroed(1, sizeof *worker);
    worker->dataflow = dataflow;
    worker->subtask = subtask;
    worker->by_hand = by_hand;
    worker->clock_moved = by_hand; /* what is overdue fires when the steps open */
    atomic_init(&worker->running_step, -1);
    atomic_init(&worker->standing_step, -1);
    waker_init(&worker->waker);
    ops_new(worker);
    chains_new(worker);
    dataflow->workers[subtask] = worker;
    return worker;
}

static void outputs_free(struct operator *op)
{
    for (int port = 0; port < PLAN_PORTS_MAX; port++) {
        struct operator_output *output = &op->outputs[port];
        for (uint32_t i = 0; i < output->full_count; i++) {
            if (output->full[i].batch != NULL)
                batch_drop(output->full[i].batch);
        }
        if (output->current != NULL)
            batch_drop(output->current);
        free(output->full);
        *output = (struct operator_output){ 0 };
    }
}

/* Also after a failure, in the middle of anything: what is on the stack is dropped. */
void worker_free(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->stack_count; i++) {
        if (worker->stack[i].batch != NULL)
            batch_drop(worker->stack[i].batch);
    }
    for (uint32_t i = 0; i < worker->dataflow->plan->count; i++) {
        struct operator *op = &worker->ops[i];
        if (worker->phase != WORKER_NEW)
            op->vtab->close(op);
        outputs_free(op);
        marks_close(op);
        if (op->input != NULL)
            batch_drop(op->input);
        if (op->call != NULL)
            arena_deinit(&op->call->scratch);
        free(op->call);
    }
    chains_free(worker);
    waker_deinit(&worker->waker);
    splits_free(worker);
    free(worker->ops);
    free(worker->stack);
    worker->dataflow->workers[worker->subtask] = NULL;
    free(worker);
}

void worker_wake(struct worker *worker)
{
    waker_wake(&worker->waker);
}

struct call *worker_call(struct worker *worker, int step)
{
    return worker->ops[step].call;
}

static void settle_item(struct operator *op, const struct edge *edge, const struct output_item *item)
{
    struct work work = { .kind = WORK_BATCH, .op = &op->worker->ops[edge->step], .input = edge->input, .channel = edge->channel };
    if (item->batch != NULL)
        work.batch = batch_share(item->batch);
    else
        work.kind = WORK_MARK, work.mark = item->mark, work.number = (uint64_t)item->number;
    work_push(op->worker, work);
}

/* Push what an output holds to all who read it, such that the first is done first. */
static void settle_port(struct operator *op, int port)
{
    struct operator_output *output = &op->outputs[port];
    const struct port *edges = &op->step->ports[port];
    if (output->current != NULL && output->current->count > 0)
        operator_output_roll(op, port);
    uint64_t records = 0;
    for (uint32_t i = output->full_count; i-- > 0;) {
        struct output_item *item = &output->full[i];
        records += item->batch == NULL ? 0 : (uint64_t)item->batch->count;
        for (uint32_t t = (uint32_t)port < op->step->port_count ? edges->count : 0; t-- > 0;)
            settle_item(op, &edges->edges[t], item);
        if (item->batch != NULL)
            batch_drop(item->batch);
    }
    output->full_count = 0;
    if (records > 0)
        counter_add(&op->records_out, records);
    if (records > 0 && op->vtab->poll != NULL && op->step->input_count == 0)
        op->worker->dataflow->checkpointing->records(op->worker->dataflow->checkpointing->self, records);
}

static void settle(struct operator *op)
{
    for (int port = PLAN_PORTS_MAX; port-- > 0;) {
        if (op->outputs[port].full_count > 0 || op->outputs[port].current != NULL)
            settle_port(op, port);
    }
}

struct batch *operator_output(struct operator *op, int port)
{
    struct operator_output *output = &op->outputs[port];
    if (output->current != NULL && batch_full(output->current))
        operator_output_roll(op, port);
    if (output->current == NULL)
        output->current = batch_take();
    if (output->current->count == 0)
        output->current->split = op->input == NULL ? 0 : op->input->split;
    return output->current;
}

void operator_queue(struct operator *op, int port, struct output_item item)
{
    struct operator_output *output = &op->outputs[port];
    if (output->current != NULL && output->current->count > 0)
        operator_output_roll(op, port);
    if (output->full_count == output->full_capacity) {
        output->full_capacity = output->full_capacity * 2 + 8;
        output->full = memory_resize(output->full, output->full_capacity * sizeof output->full[0]);
    }
    output->full[output->full_count++] = item;
}

void operator_output_roll(struct operator *op, int port)
{
    struct batch *batch = op->outputs[port].current;
    op->outputs[port].current = NULL;
    operator_queue(op, port, (struct output_item){ .batch = batch });
}

void operator_pass(struct operator *op, int port, struct batch *batch)
{
    operator_queue(op, port, (struct output_item){ .batch = batch_share(batch) });
}

static int fail(struct worker *worker, const struct operator *op, int status)
{
    char report[4400];
    snprintf(report, sizeof report, "step \"%s\", subtask %u: %s", op->step->name, worker->subtask, error_message());
    dataflow_fail(worker->dataflow, report, report_may_pass(status) ? "" : report);
    worker->failed = true;
    return WORKER_FAILED;
}

void worker_fail(struct worker *worker, const char *report, const char *place)
{
    dataflow_fail(worker->dataflow, report, place);
    worker->failed = true;
}

const char *worker_plan_text(const struct worker *worker)
{
    const char *text = worker->dataflow->plan->text;
    return text != NULL ? text : "";
}

uint32_t worker_parallelism(const struct worker *worker)
{
    return worker->dataflow->plan->parallelism;
}

static struct checkpoint_part *part_new(struct checkpoint_ack *ack, const struct operator *op)
{
    ack->parts = memory_resize(ack->parts, (ack->part_count + 1) * sizeof ack->parts[0]);
    struct checkpoint_part *part = &ack->parts[ack->part_count++];
    *part = (struct checkpoint_part){ .step = op->step->id, .subtask = op->worker->subtask };
    part_kind(op->step, part->kind);
    buffer_init(&part->blob);
    return part;
}

static int perform_snapshot(struct worker *worker, const struct work *work)
{
    struct operator *op = work->op;
    struct chain *chain = work->chain;
    bool final = chain->ended || atomic_load(&worker->dataflow->checkpointing->final) == work->number;
    struct checkpoint_part *part = part_new(chain->ack, op);
    op->blob = &part->blob;
    if (op->step->kind == STEP_EXCHANGE && plan_has_rings(worker->dataflow->plan) && !chain->ended)
        exchange_mark(op, RING_BARRIER, work->number);
    return op->vtab->snapshot == NULL ? 0 : op->vtab->snapshot(op, work->number, final, op->blob);
}

static int perform_end(struct worker *worker, const struct work *work)
{
    struct operator *op = work->op;
    int status = op->vtab->end == NULL ? 0 : op->vtab->end(op);
    op->ended = true;
    /* A job that is drained may go on behind its last checkpoint: what waits for the clock waits for that, too. */
    if (status == 0 && !atomic_load(&worker->dataflow->checkpointing->drain))
        status = operator_timers_end(op);
    if (status == 0 && op->step->kind == STEP_EXCHANGE && plan_has_rings(worker->dataflow->plan))
        exchange_mark(op, RING_END, 0);
    return status;
}

/* A source that has nothing now is asked again after a pause of its own choice. */
void source_pause(struct operator *op)
{
    op->wait_until_ns = clock_monotonic_ns() + (uint64_t)(op->wait_ns > 0 ? op->wait_ns : SOURCE_PAUSE_NS);
}

static int perform_poll(const struct work *work)
{
    struct operator *op = work->op;
    bool more = true;
    int status = op->vtab->poll(op, &more);
    if (status == 0 && !more)
        source_pause(op);
    return status;
}

static int perform_batch(const struct work *work)
{
    struct operator *op = work->op;
    if (work->number == 0) /* else the rest of a batch that was begun */
        counter_add(&op->records_in, (uint64_t)work->batch->count);
    op->input_from = (int32_t)work->number;
    op->input_number = work->input;
    return op->vtab->batch(op, work->batch);
}

/* Behind what the step emits by it, its followers are told. */
static int perform_time(struct worker *worker, const struct work *work)
{
    struct operator *op = work->op;
    if (op->step->assign.set) /* it makes its own time, and hands that on itself */
        return op->vtab->time(op, work->mark, (int64_t)work->number);
    if (work->mark == MARK_WATERMARK)
        op->time.watermark = (int64_t)work->number;
    if (work->mark == MARK_IDLE || work->mark == MARK_ACTIVE)
        op->time.idle = work->mark == MARK_IDLE;
    /* The steps behind learn the end of time from the end itself: a watermark MAX would be the only one where their other channels are idle (F1). */
    bool tell = !op->time.ended || work->mark != MARK_WATERMARK;
    if (op->vtab->time == NULL) {
        if (tell)
            marks_forward(op, work->mark, (int64_t)work->number);
        return 0;
    }
    if (tell)
        work_push(worker, (struct work){ .kind = WORK_FORWARD, .op = op, .mark = work->mark, .number = work->number });
    return op->vtab->time(op, work->mark, (int64_t)work->number);
}

static int perform(struct worker *worker, struct work *work)
{
    struct operator *op = work->op;
    switch (work->kind) {
    case WORK_BATCH: return perform_batch(work);
    case WORK_MARK: marks_receive(op, work->input, work->channel, work->mark, (int64_t)work->number); return 0;
    case WORK_TIME: return perform_time(worker, work);
    case WORK_FORWARD: marks_forward(op, work->mark, (int64_t)work->number); return 0;
    case WORK_TIMERS: return op->vtab->timers(op, work->mark, (int64_t)work->number);
    case WORK_POLL: return perform_poll(work);
    case WORK_OPEN: return op->vtab->open == NULL ? 0 : op->vtab->open(op);
    case WORK_SNAPSHOT: return perform_snapshot(worker, work);
    case WORK_SNAPSHOT_DONE: chain_snapshot_done(worker, work->chain); return 0;
    case WORK_COMMIT: return op->vtab->committed == NULL ? 0 : op->vtab->committed(op, work->number);
    case WORK_END: return perform_end(worker, work);
    case WORK_END_DONE: chain_end_done(worker, work->chain); return 0;
    case WORK_CLOSE: return op->call == NULL || operator_rests(op) ? 0 : (op->call->request = CALL_CLOSE, OPERATOR_CALL);
    }
    return 0;
}

/* Everything on the stack, until Lua is needed (its step), all is done (-1) or something failed (WORKER_FAILED). */
static int run_stack(struct worker *worker)
{
    while (worker->stack_count > 0) {
        struct work work = worker->stack[--worker->stack_count];
        int status = perform(worker, &work);
        if (work.batch != NULL)
            batch_drop(work.batch);
        if (status == OPERATOR_CALL) {
            worker->calling = work.op;
            atomic_store_explicit(&worker->running_step, (int)work.op->step->id, memory_order_relaxed);
            return (int)work.op->step->id;
        }
        if (status < 0)
            return fail(worker, work.op, status);
        if (work.op != NULL)
            settle(work.op);
    }
    return -1;
}

static int finish_call(struct worker *worker)
{
    struct operator *op = worker->calling;
    worker->calling = NULL;
    atomic_store_explicit(&worker->running_step, -1, memory_order_relaxed);
    int status = op->vtab->returned(op, op->call->request);
    if (status < 0)
        return fail(worker, op, status);
    settle(op);
    return 0;
}

static void open_all(struct worker *worker)
{
    const struct plan *plan = worker->dataflow->plan;
    for (uint32_t i = 0; i < plan->count; i++) /* the last pushed, furthest downstream, opens first */
        work_push(worker, (struct work){ .kind = WORK_OPEN, .op = &worker->ops[plan->order[i]] });
    worker->phase = WORKER_RUNNING;
}

static void close_all(struct worker *worker)
{
    const struct plan *plan = worker->dataflow->plan;
    for (uint32_t i = plan->count; i-- > 0;)
        work_push(worker, (struct work){ .kind = WORK_CLOSE, .op = &worker->ops[plan->order[i]] });
    worker->phase = WORKER_CLOSING;
}

static int flush_all(struct worker *worker)
{
    const struct plan *plan = worker->dataflow->plan;
    for (uint32_t i = 0; i < plan->count; i++) {
        struct operator *op = &worker->ops[plan->order[i]];
        int status = op->vtab->flush == NULL ? 0 : op->vtab->flush(op);
        if (status < 0)
            return fail(worker, op, status);
    }
    return 0;
}

static int wait_for_work(struct worker *worker, int64_t wait_ns)
{
    if (!worker->idle_flushed) {
        worker->idle_flushed = true;
        waker_announce(&worker->waker);
        return flush_all(worker); /* and look once more: flushing may have made room */
    }
    worker->clock_moved = false;
    if (worker->by_hand)
        return WORKER_IDLE;
    waker_wait(&worker->waker, wait_ns);
    worker->worked_ns = 0;
    return 0;
}

int64_t worker_clock_ms(const struct worker *worker)
{
    return worker->by_hand ? worker->clock_by_hand_ms : clock_wall_ms();
}

/* What is due by the clock becomes work; *wait_ns is lowered to when to look again. */
static void clocks_look(struct worker *worker, int64_t *wait_ns)
{
    const struct plan *plan = worker->dataflow->plan;
    for (uint32_t i = 0; i < plan->count; i++) {
        struct operator *op = &worker->ops[plan->order[i]];
        if (op->vtab->clock == NULL || op->ended)
            continue;
        int64_t now = worker_clock_ms(worker), next = op->vtab->clock(op, now);
        if (!worker->by_hand && next - now < *wait_ns / 1000000)
            *wait_ns = next <= now ? 0 : (next - now) * 1000000;
    }
}

/* Between two inputs: 0 to go on, else an answer. */
static int between(struct worker *worker)
{
    struct checkpointing *checkpointing = worker->dataflow->checkpointing;
    if (atomic_load_explicit(&worker->dataflow->failed, memory_order_relaxed) || atomic_load_explicit(&checkpointing->cancel, memory_order_relaxed))
        return WORKER_FAILED;
    if (worker->phase == WORKER_CLOSING) {
        worker->phase = WORKER_CLOSED;
        return WORKER_DONE;
    }
    portion_worked(worker);
    survey_answer(worker);
    chains_checkpoint(worker);
    if (worker->stack_count > 0)
        return 0;
    if (atomic_load(&checkpointing->finish) && worker->committed >= atomic_load(&checkpointing->completed)) {
        close_all(worker);
        return 0;
    }
    int64_t wait_ns = WAIT_NS_MAX;
    clocks_look(worker, &wait_ns);
    if (worker->stack_count > 0)
        return 0;
    int status = chains_poll(worker, &wait_ns);
    if (status > 0) {
        worker->idle_flushed = false;
        waker_stay_awake(&worker->waker);
        return 0;
    }
    if (status < 0)
        return WORKER_FAILED;
    return wait_ns == 0 ? 0 : wait_for_work(worker, wait_ns);
}

int worker_next(struct worker *worker)
{
    if (worker->failed)
        return WORKER_FAILED;
    if (worker->phase == WORKER_CLOSED)
        return WORKER_DONE;
    if (worker->phase == WORKER_NEW)
        open_all(worker);
    if (worker->calling != NULL && finish_call(worker) < 0)
        return WORKER_FAILED;
    for (;;) {
        int answer = run_stack(worker);
        if (answer != -1)
            return answer;
        answer = between(worker);
        if (answer < 0)
            return answer;
    }
}
