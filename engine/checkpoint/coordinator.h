/*
 * The coordinator: triggers checkpoints, writes what workers hand over, and
 * commits when all of it is there. One thread, which also does all writing of
 * state, so a worker never waits for a disk.
 *
 * Deltas form a chain: the rows of one checkpoint go into one file, and a
 * manifest names the base and all deltas since. A base is begun when the deltas
 * have grown large, by all workers in the background, and is used by checkpoints
 * that are triggered after it was finished.
 *
 * Owner    coordinator_new() allocates, coordinator_free() frees; plan, storage and
 *          backend stay the caller's.
 * Thread   new, start, stop, free: one. Requests and status: any.
 */
#pragma once

#include "checkpoint/manifest.h"
#include "checkpoint/storage.h"
#include "dataflow/checkpointing.h"
#include "dataflow/worker.h"

struct coordinator;

struct coordinator_config {
    int64_t interval_ms;         /* 0: none by time */
    uint64_t records;            /* 0: none by records */
    uint64_t timeout_ms;
    uint64_t min_pause_ms;
    uint32_t retain;
    uint32_t tolerable_failures;
    uint64_t base_bytes;         /* deltas larger than this since the last base: begin one */
    const char *job;
    const char *script;          /* hash */
    uint64_t run_id;
    uint64_t first_id;           /* number of the first checkpoint */
    bool at_least_once;
};

/* `restored` may be NULL; its files are taken over and go on being referred to. */
struct coordinator *coordinator_new(const struct coordinator_config *config, struct plan *plan, struct storage *storage, struct backend *backend,
                                    const struct manifest *restored);
void coordinator_free(struct coordinator *coordinator);
struct checkpointing *coordinator_checkpointing(struct coordinator *coordinator);
/* Its thread begins; of the dataflow it wakes the workers, which exist. Errors are those of thread_start(). */
int coordinator_start(struct coordinator *coordinator, struct dataflow *dataflow);
/* End the thread; workers have ended. */
void coordinator_stop(struct coordinator *coordinator);

/* The number of the checkpoint that answers it: the first whose barrier comes behind the request, or the last of the job where that is under way. */
uint64_t coordinator_request(struct coordinator *coordinator);
void coordinator_request_stop(struct coordinator *coordinator, bool drain);

struct coordinator_status {
    uint64_t completed, settled;           /* numbers; 0: none */
    uint64_t count_completed, count_failed; /* of this attempt */
    uint64_t last_bytes, last_duration_ns, last_completed_ns;
    uint64_t pending;                      /* number under way, 0: none */
    uint64_t written_bytes, bases;
    bool last_failed;
    char failure[512];
};
void coordinator_status(struct coordinator *coordinator, struct coordinator_status *status);
