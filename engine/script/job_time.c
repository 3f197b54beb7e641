/* What a running job tells about event time. */
#include "script/job_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "dataflow/why.h"

/* How long the workers may take to say where they are: one that is in a callback is told of as it was before. */
#define ANSWER_LIMIT_MS 100u

bool job_has_time(const struct job *job)
{
    for (uint32_t i = 0; i < job->plan->count; i++) {
        if (job->plan->steps[i].assign.set || survey_is_timed(&job->plan->steps[i]))
            return true;
    }
    return false;
}

void job_time_begin(struct job *job)
{
    survey_ask(job->dataflow);
    survey_wait(dataflow_survey(job->dataflow), ANSWER_LIMIT_MS);
    survey_lock(dataflow_survey(job->dataflow));
}

void job_time_end(struct job *job)
{
    survey_unlock(dataflow_survey(job->dataflow));
}

/* A source has none: the step behind it makes them. */
static void watermark_append(struct buffer *json, int64_t watermark, bool has)
{
    if (!has) {
        buffer_append_format(json, ",\"watermark\":null,\"lag_ms\":null");
        return;
    }
    buffer_append_format(json, ",\"watermark\":\"");
    if (watermark == WATERMARK_MIN || watermark == INT64_MAX)
        buffer_append_format(json, "%s", watermark == INT64_MAX ? "MAX" : "MIN");
    else
        text_append_time(json, watermark);
    buffer_append_byte(json, '"');
    if (watermark == WATERMARK_MIN || watermark == INT64_MAX)
        buffer_append_format(json, ",\"lag_ms\":null");
    else
        buffer_append_format(json, ",\"lag_ms\":%lld", (long long)(clock_wall_ms() - watermark));
}

/* "" is null. */
static void optional_append(struct buffer *json, const char *name, struct slice text)
{
    buffer_append_format(json, ",\"%s\":", name);
    if (text.bytes == 0)
        buffer_append_format(json, "null");
    else
        job_text_append(json, text);
}

void job_time_append(const struct job *job, struct buffer *json, struct survey_place place)
{
    const struct survey *survey = dataflow_survey(job->dataflow);
    struct buffer text = { 0 };
    bool has = job->plan->steps[place.step].input_count > 0;
    watermark_append(json, survey_step(survey, place)->watermark, has);
    if (has)
        why_append_holder(job->plan, survey, place, &text);
    optional_append(json, "held_by", buffer_slice(&text));
    buffer_clear(&text);
    why_append_idle(job->plan, survey, place, &text);
    optional_append(json, "idle", buffer_slice(&text));
    buffer_deinit(&text);
}

void job_time_append_slowest(const struct job *job, struct buffer *json, uint32_t step)
{
    struct survey_place place = { .step = step };
    survey_slowest(dataflow_survey(job->dataflow), step, &place.subtask);
    job_time_append(job, json, place);
}

bool job_time_watermark(struct job *job, int64_t *watermark)
{
    struct survey *survey = dataflow_survey(job->dataflow);
    if (!job_has_time(job))
        return false;
    survey_lock(survey);
    *watermark = survey_watermark(survey);
    survey_unlock(survey);
    survey_ask(job->dataflow); /* for the next time: nobody waits for it here */
    return *watermark != WATERMARK_MIN && *watermark != INT64_MAX;
}

void job_why(struct job *job, struct buffer *json)
{
    struct why_facts facts = { .now_ms = clock_wall_ms() };
    struct buffer text = { 0 };
    bool good = true;
    facts.callback = job_longest_callback(job, &facts.callback_ms);
    pthread_mutex_lock(&job->lock);
    if (job->running) {
        job_time_begin(job);
        good = why_append(job->plan, dataflow_survey(job->dataflow), &facts, &text);
        job_time_end(job);
    } else {
        buffer_append_format(&text, "the job is only starting");
    }
    pthread_mutex_unlock(&job->lock);
    buffer_append_format(json, "{\"waits\":%s,\"why\":", good ? "false" : "true");
    job_text_append(json, buffer_slice(&text));
    buffer_append_byte(json, '}');
    buffer_deinit(&text);
}
