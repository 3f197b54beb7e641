/*
 * The inside of struct coordinator, for coordinator.c (thread, triggers) and
 * coordinator_files.c (deltas, bases, the commit). Nobody else includes it.
 *
 * Thread   `lock` guards what other threads touch: messages, requests, status.
 *          Everything else is the coordinator's thread's.
 */
#pragma once

#include "checkpoint/coordinator.h"
#include "checkpoint/journal.h"

#include <pthread.h>

enum message_kind { MESSAGE_BUFFER, MESSAGE_ACK, MESSAGE_BASE_DONE };

struct message {
    struct message *next;
    enum message_kind kind;
    struct state_buffer *buffer;
    struct checkpoint_ack *ack;
    uint64_t base;
    int status;
};

/* A file in the shared folder that coming manifests name. */
struct live_file {
    struct manifest_file file;
    char *name;
};

struct pending_checkpoint {
    uint64_t id;                 /* 0: none */
    uint64_t started_ns;
    bool final;
    struct checkpoint_ack *acks; /* a list */
    uint32_t ack_count;
};

struct coordinator {
    struct checkpointing checkpointing;
    struct coordinator_config config;
    struct plan *plan;
    struct storage *storage;
    struct backend *backend;
    struct dataflow *dataflow;
    const struct manifest *restored;
    pthread_t thread;
    bool thread_runs;

    pthread_mutex_t lock;
    pthread_cond_t condition;
    struct message *first, **last;
    bool requested, stop_requested, exit;
    uint32_t ended;              /* subtasks all of whose chains have ended */
    atomic_ullong records;
    struct coordinator_status status;

    struct pending_checkpoint pending;
    uint64_t next_id, last_completed, last_trigger_ns, last_end_ns;
    uint32_t failures;           /* in a row */
    bool final_triggered, done;

    struct journal *delta, *dump;
    char delta_name[64], dump_name[64];
    uint64_t delta_epoch_first, delta_epoch_last;
    struct message *unwritten;   /* buffers that the disk refused, oldest first */
    uint64_t unwritten_bytes;
    struct live_file *files;
    uint32_t file_count, file_capacity;

    bool base_running;
    bool base_into_store;
    uint64_t base_epoch;         /* deltas from here on are replayed over the base under way */
    uint32_t base_acks;
    int base_status;
    uint64_t bytes_since_base;
    uint64_t base_usable_from;   /* a finished base waits for a checkpoint of at least this number */
    struct restored_blobs *blobs; /* by step, what was restored */
    struct live_file next_base;  /* name NULL: none */
    uint64_t next_base_epoch;
};

/* What is restored: coordinator_files.c. */
int coordinator_restore_state(struct coordinator *coordinator, struct keyed_state *state);
struct restored_blobs coordinator_restored_blobs(struct coordinator *coordinator, uint32_t step);

/* coordinator_files.c */
int files_write(struct coordinator *coordinator, struct state_buffer *buffer);
/* Have rows been lost that every later checkpoint needs? */
bool files_broken(const struct coordinator *coordinator);
/* Everything for checkpoint `pending` has arrived: seal, write the manifest, commit. */
int files_commit(struct coordinator *coordinator);
void files_base_begin(struct coordinator *coordinator);
void files_base_done(struct coordinator *coordinator, int status);
void files_inherit(struct coordinator *coordinator, const struct manifest *manifest);
void files_close(struct coordinator *coordinator);
