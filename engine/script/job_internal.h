/*
 * The inside of struct job, for job.c (loading, preparing), job_run.c (threads)
 * and job_status.c. Nobody else includes it.
 *
 * Thread   `lock` guards `running`, and with it the pointers that status and
 *          requests use; everything else is the main thread's.
 */
#pragma once

#include "checkpoint/coordinator.h"
#include "checkpoint/restore.h"
#include "checkpoint/storage.h"
#include "dataflow/survey.h"
#include "script/job.h"
#include "script/vm.h"
#include "state/backend.h"

#include <pthread.h>

struct job {
    struct job_arguments arguments;
    struct job_config config;
    char *name, *data;
    char script_hash[17];
    uint32_t parallelism;
    bool at_least_once, older;
    bool reads_once;                   /* has a source that cannot be read again */
    struct vm *vm;                     /* of the main thread, and of worker 0 */
    const char *data_directory;
    uint64_t run_id;
    uint32_t attempt;
    uint64_t started_ns;
    struct plan *plan;
    struct storage *storage;
    struct manifest *manifest;         /* that is restored, or NULL */
    struct backend *backend;
    struct coordinator *coordinator;
    struct dataflow *dataflow;
    pthread_mutex_t lock;
    bool running, stop_requested;
    char *failure;                     /* its place */
    char settled_failure[512];
    char longest_step[256];            /* what job_longest_callback() answered */
    struct job_progress last;          /* when it ended */
    struct coordinator_status last_checkpoints; /* likewise */
    struct callback_watch { int step; uint64_t progress; uint64_t since_ns; } *watched; /* by subtask */
};

int job_prepare(struct job *job, const char *data);
/* A JSON string, appended. */
void job_text_append(struct buffer *json, struct slice text);

/* job_time.c; all with the lock held. Steps are told of between begin, which waits for the workers' answers, and end. */
bool job_has_time(const struct job *job);
void job_time_begin(struct job *job);
void job_time_end(struct job *job);
void job_time_append(const struct job *job, struct buffer *json, struct survey_place place);
/* The same of the subtask that is furthest behind. */
void job_time_append_slowest(const struct job *job, struct buffer *json, uint32_t step);
/* As last seen; false: there is none. */
bool job_time_watermark(struct job *job, int64_t *watermark);
void job_unprepare(struct job *job);
