#include "dataflow/worker_internal.h"

#include "base/error.h"
#include "base/memory.h"
#include "dataflow/drift.h"
#include "dataflow/pace.h"

#include <stdlib.h>

/* Of an exchange one for each pair of workers, of an input by hand one for each channel. */
static size_t ring_count(const struct plan *plan, const struct step *step)
{
    if (step->kind == STEP_INPUT)
        return step->channels;
    return step->kind == STEP_EXCHANGE && plan_has_rings(plan) ? (size_t)plan->parallelism * plan->parallelism : 0;
}

static void rings_new(struct dataflow *dataflow)
{
    const struct plan *plan = dataflow->plan;
    dataflow->rings = memory_new_zeroed(plan->count + 1, sizeof dataflow->rings[0]);
    for (uint32_t i = 0; i < plan->count; i++) {
        size_t rings = ring_count(plan, &plan->steps[i]);
        if (rings == 0)
            continue;
        dataflow->rings[i] = memory_new_aligned(64, rings * sizeof(struct ring));
        for (size_t r = 0; r < rings; r++)
            ring_init(&dataflow->rings[i][r], plan->ring_bytes);
    }
}

struct dataflow *dataflow_new(const struct plan *plan, struct checkpointing *checkpointing, const char *data, uint64_t run_id)
{
    struct dataflow *dataflow = memory_new_zeroed(1, sizeof *dataflow);
    dataflow->plan = plan;
    dataflow->checkpointing = checkpointing;
    dataflow->data = memory_copy_text(data);
    dataflow->run_id = run_id;
    dataflow->workers = memory_new_zeroed(plan->parallelism, sizeof dataflow->workers[0]);
    pthread_mutex_init(&dataflow->lock, NULL);
    rings_new(dataflow);
    dataflow->drift = drift_new(plan);
    dataflow->pace = pace_new(plan);
    dataflow->survey = survey_new(plan);
    return dataflow;
}

void dataflow_free(struct dataflow *dataflow)
{
    const struct plan *plan = dataflow->plan;
    for (uint32_t i = 0; i < plan->count; i++) {
        for (size_t r = 0; r < ring_count(plan, &plan->steps[i]); r++)
            ring_deinit(&dataflow->rings[i][r]);
        free(dataflow->rings[i]);
        if (plan->steps[i].shared != NULL)
            source_shared_free(plan->steps[i].shared);
        plan->steps[i].shared = NULL;
    }
    survey_free(dataflow->survey);
    drift_free(dataflow->drift);
    pace_free(dataflow->pace);
    pthread_mutex_destroy(&dataflow->lock);
    free(dataflow->rings);
    free(dataflow->workers);
    free(dataflow->failure);
    free(dataflow->place);
    free(dataflow->data);
    free(dataflow);
}

static int sink_recover(struct dataflow *dataflow, const struct step *step, bool older)
{
    if (step->sink->recover == NULL)
        return 0;
    struct sink_context context = { .step_name = step->name, .data = dataflow->data, .run_id = dataflow->run_id, .parallelism = dataflow->plan->parallelism };
    struct restored_blobs restored = dataflow->checkpointing->restored(dataflow->checkpointing->self, step->id);
    return step->sink->recover(step->options, step->format, &context, restored.blobs, restored.count, older);
}

static int not_prepared(const struct step *step, int status)
{
    if (step->place == NULL)
        return error_wrap(status, "step \"%s\"", step->name);
    return error_set(status, "step \"%s\": %s (%s)", step->name, error_message(), step->place);
}

int dataflow_prepare(struct dataflow *dataflow, bool older)
{
    for (uint32_t i = 0; i < dataflow->plan->count; i++) {
        struct step *step = &dataflow->plan->steps[i];
        int status = 0;
        if (step->kind == STEP_SINK)
            status = sink_recover(dataflow, step, older);
        if (step->kind == STEP_SOURCE) {
            step->shared = source_shared_new(step, plan_subtasks(dataflow->plan, step));
            status = source_shared_open(step->shared, dataflow->checkpointing->restored(dataflow->checkpointing->self, i));
        }
        if (status < 0)
            return not_prepared(step, status);
    }
    return 0;
}

void dataflow_wake_all(struct dataflow *dataflow)
{
    for (uint32_t i = 0; i < dataflow->plan->parallelism; i++) {
        struct worker *worker = dataflow->workers[i];
        if (worker != NULL)
            worker_wake(worker);
    }
}

void dataflow_fail(struct dataflow *dataflow, const char *report, const char *place)
{
    pthread_mutex_lock(&dataflow->lock);
    if (dataflow->failure == NULL) {
        dataflow->failure = memory_copy_text(report);
        dataflow->place = memory_copy_text(place);
    }
    pthread_mutex_unlock(&dataflow->lock);
    atomic_store(&dataflow->failed, true);
    dataflow_wake_all(dataflow);
}

const char *dataflow_failure(struct dataflow *dataflow, const char **place)
{
    pthread_mutex_lock(&dataflow->lock);
    const char *failure = dataflow->failure;
    if (place != NULL)
        *place = dataflow->place;
    pthread_mutex_unlock(&dataflow->lock);
    return failure;
}

struct survey *dataflow_survey(struct dataflow *dataflow)
{
    return dataflow->survey;
}

struct worker *dataflow_worker(struct dataflow *dataflow, uint32_t subtask)
{
    return dataflow->workers[subtask];
}
