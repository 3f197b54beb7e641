/* What a running job tells about itself: from any thread, without stopping it. */
#include "script/job_internal.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdio.h>

void job_text_append(struct buffer *json, struct slice text)
{
    buffer_append_byte(json, '"');
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte == '"' || byte == '\\')
            buffer_append_byte(json, '\\');
        if (byte < 0x20)
            buffer_append_format(json, "\\u%04x", byte);
        else
            buffer_append_byte(json, byte);
    }
    buffer_append_byte(json, '"');
}

static void text_append(struct buffer *json, const char *text)
{
    job_text_append(json, slice_of_text(text));
}

static bool is_source(const struct step *step)
{
    return step->input_count == 0 && (step->kind == STEP_SOURCE || step->call_kind == CALL_KIND_SOURCE);
}

static bool is_sink(const struct step *step)
{
    return step->kind == STEP_SINK || step->call_kind == CALL_KIND_SINK;
}

static struct step_counters counters_of(const struct job *job, uint32_t step)
{
    struct step_counters sum = { 0 };
    for (uint32_t i = 0; i < job->parallelism; i++) {
        struct step_counters counters = { 0 };
        worker_step_counters(dataflow_worker(job->dataflow, i), step, &counters);
        sum.records_in += counters.records_in;
        sum.records_out += counters.records_out;
        sum.errors += counters.errors;
        sum.late += counters.late;
    }
    return sum;
}

static void totals(const struct job *job, uint64_t *in, uint64_t *out)
{
    *in = *out = 0;
    for (uint32_t i = 0; i < job->plan->count; i++) {
        const struct step *step = &job->plan->steps[i];
        if (is_source(step))
            *in += counters_of(job, i).records_out;
        if (is_sink(step))
            *out += counters_of(job, i).records_in;
    }
}

static const char *kind_of(const struct step *step)
{
    static const char *const kinds[] = {
        [STEP_SOURCE] = "source", [STEP_CALL] = "process", [STEP_KEY] = "key_by", [STEP_EXCHANGE] = "exchange", [STEP_SINK] = "sink",
        [STEP_ASSIGN] = "assign_timestamps", [STEP_AGGREGATE] = "window",
    };
    return is_source(step) ? "source" : is_sink(step) ? "sink" : kinds[step->kind];
}

static void counters_append(const struct job *job, struct buffer *json, const struct step_counters *counters)
{
    buffer_append_format(json, "\"records_in\":%llu,\"records_out\":%llu,\"errors\":%llu", (unsigned long long)counters->records_in,
                         (unsigned long long)counters->records_out, (unsigned long long)counters->errors);
    if (job_has_time(job))
        buffer_append_format(json, ",\"late\":%llu", (unsigned long long)counters->late);
}

static void subtasks_append(const struct job *job, struct buffer *json, uint32_t step)
{
    buffer_append_format(json, ",\"subtasks\":[");
    for (uint32_t s = 0; s < job->parallelism; s++) {
        struct step_counters counters = { 0 };
        worker_step_counters(dataflow_worker(job->dataflow, s), step, &counters);
        buffer_append_format(json, "%s{", s == 0 ? "" : ",");
        counters_append(job, json, &counters);
        if (job_has_time(job))
            job_time_append(job, json, (struct survey_place){ step, s });
        buffer_append_byte(json, '}');
    }
    buffer_append_byte(json, ']');
}

static void steps_append(const struct job *job, struct buffer *json)
{
    buffer_append_format(json, ",\"steps\":[");
    for (uint32_t i = 0; i < job->plan->count; i++) {
        const struct step *step = &job->plan->steps[i];
        buffer_append_format(json, "%s{\"name\":", i == 0 ? "" : ",");
        text_append(json, step->name);
        struct step_counters sum = counters_of(job, i);
        buffer_append_format(json, ",\"kind\":\"%s\",", kind_of(step));
        counters_append(job, json, &sum);
        if (job_has_time(job))
            job_time_append_slowest(job, json, i);
        subtasks_append(job, json, i);
        buffer_append_byte(json, '}');
    }
    buffer_append_byte(json, ']');
}

static void checkpoints_append(const struct job *job, struct buffer *json)
{
    struct coordinator_status status;
    coordinator_status(job->coordinator, &status);
    buffer_append_format(json, ",\"checkpoints\":{\"completed\":%llu,\"failed\":%llu,\"bases\":%llu,\"bytes_written\":%llu", (unsigned long long)status.count_completed,
                         (unsigned long long)status.count_failed, (unsigned long long)status.bases, (unsigned long long)status.written_bytes);
    if (status.completed > 0)
        buffer_append_format(json, ",\"last\":{\"id\":%llu,\"bytes\":%llu,\"duration_ms\":%.1f,\"age_ms\":%llu}", (unsigned long long)status.completed,
                             (unsigned long long)status.last_bytes, (double)status.last_duration_ns / 1e6,
                             (unsigned long long)((clock_monotonic_ns() - status.last_completed_ns) / 1000000u));
    if (status.last_failed) {
        buffer_append_format(json, ",\"failure\":");
        text_append(json, status.failure);
    }
    buffer_append_byte(json, '}');
}

void job_status(struct job *job, struct buffer *json)
{
    buffer_append_format(json, "{\"job\":");
    text_append(json, job->name);
    pthread_mutex_lock(&job->lock);
    buffer_append_format(json, ",\"state\":\"%s\",\"attempt\":%u,\"uptime_ms\":%llu,\"parallelism\":%u", job->running ? "running" : "starting", job->attempt + 1,
                         (unsigned long long)((clock_monotonic_ns() - job->started_ns) / 1000000u), job->parallelism);
    if (job->running) {
        uint64_t in, out;
        totals(job, &in, &out);
        buffer_append_format(json, ",\"records_in\":%llu,\"records_out\":%llu", (unsigned long long)in, (unsigned long long)out);
        buffer_append_format(json, ",\"state_bytes\":%llu", (unsigned long long)backend_used(job->backend));
        checkpoints_append(job, json);
        job_time_begin(job);
        steps_append(job, json);
        job_time_end(job);
    }
    pthread_mutex_unlock(&job->lock);
    buffer_append_byte(json, '}');
}

void job_progress(struct job *job, struct job_progress *progress)
{
    pthread_mutex_lock(&job->lock);
    *progress = job->last;
    if (job->running) {
        struct coordinator_status status;
        coordinator_status(job->coordinator, &status);
        totals(job, &progress->records_in, &progress->records_out);
        progress->running = true;
        progress->has_watermark = job_time_watermark(job, &progress->watermark);
        progress->last_checkpoint = status.completed;
        progress->checkpoints = status.count_completed;
        progress->last_checkpoint_ms_ago = status.completed == 0 ? 0 : (clock_monotonic_ns() - status.last_completed_ns) / 1000000u;
    }
    pthread_mutex_unlock(&job->lock);
}

uint64_t job_checkpoint_settled(struct job *job, const char **failure)
{
    pthread_mutex_lock(&job->lock);
    struct coordinator_status status = job->last_checkpoints;
    if (job->running)
        coordinator_status(job->coordinator, &status);
    snprintf(job->settled_failure, sizeof job->settled_failure, "%s", status.failure);
    pthread_mutex_unlock(&job->lock);
    if (failure != NULL)
        *failure = status.last_failed ? job->settled_failure : NULL;
    return status.settled;
}

/* A callback has not returned while the place of its batch has not moved: looked at each time this is called. */
const char *job_longest_callback(struct job *job, uint64_t *running_ms)
{
    const char *name = NULL;
    *running_ms = 0;
    uint64_t now = clock_monotonic_ns();
    pthread_mutex_lock(&job->lock);
    for (uint32_t i = 0; job->running && i < job->parallelism; i++) {
        uint64_t progress = 0;
        int step = worker_running(dataflow_worker(job->dataflow, i), &progress);
        struct callback_watch *watch = &job->watched[i];
        if (step != watch->step || progress != watch->progress)
            *watch = (struct callback_watch){ step, progress, now };
        uint64_t ms = (now - watch->since_ns) / 1000000u;
        if (step >= 0 && (name == NULL || ms > *running_ms)) {
            *running_ms = ms;
            name = job->plan->steps[step].name;
        }
    }
    /* The plan may be gone as soon as the lock is. */
    if (name != NULL)
        name = strncpy(job->longest_step, name, sizeof job->longest_step - 1);
    pthread_mutex_unlock(&job->lock);
    return name;
}
