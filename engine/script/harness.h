/*
 * One subtask of a job without thread, clock or coordinator, for moontide.testing:
 * its plan, backend and worker, and snapshots of it as bytes.
 *
 * A snapshot is a manifest without files: what subtasks of steps add to any
 * checkpoint, and the rows of keyed state as parts of the kind "rows".
 *
 * Owner    harness_new() allocates, harness_free() frees all of it, also in the
 *          middle of a failure, and removes the directory. plan and worker are borrowed.
 * Thread   one.
 * Errors   0 or a negative code with error_message().
 */
#pragma once

#include "base/buffer.h"
#include "dataflow/by_hand.h"

/* <cdef> */
struct harness;
struct harness_config {
    uint32_t parallelism, subtask;
    uint32_t max_parallelism;     /* 0: the snapshot's, or by the parallelism */
    bool at_least_once;
    bool memory_backend;
    uint64_t memory_bytes;
};
/* `snapshots` are those of all old subtasks, none on a fresh start. ERROR_REFUSED where they cannot be restored like this (S45). */
int harness_new(const struct harness_config *config, const struct slice *snapshots, uint32_t snapshot_count, struct harness **harness);
void harness_free(struct harness *harness);
/* To be filled before harness_open(). */
struct plan *harness_plan(struct harness *harness);
int harness_open(struct harness *harness);
struct worker *harness_worker(struct harness *harness);
/* Had this channel of an input ended in all snapshots? */
bool harness_was_ended(const struct harness *harness, int step, uint32_t channel);
/* The report of what failed; "" if nothing did. */
const char *harness_failure(const struct harness *harness);
/* Begin a snapshot; when the worker is idle again, harness_snapshot_take() appends it. */
void harness_snapshot_begin(struct harness *harness);
int harness_snapshot_take(struct harness *harness, struct buffer *out);
/* Rows of keyed state of all steps, or negative. */
int64_t harness_state_rows(struct harness *harness);
/* The worker closes its steps and ends. */
void harness_finish(struct harness *harness);
/* </cdef> */
