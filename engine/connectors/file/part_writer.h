/*
 * Writes one part after another: bytes collect in `pending` and go to the open
 * part in large writes, at places that are known, so that a write that failed is repeated over
 * itself.
 *
 * Owner    part_writer_open() on the caller's memory, part_writer_close() frees; what is pending is dropped.
 * Errors   ERROR_FULL, ERROR_IO with the part's name. After a failed sync no later
 *          one can be trusted (the kernel may have dropped the bytes): the writer stays failed.
 */
#pragma once

#include "base/buffer.h"
#include "connectors/file/part.h"

struct part_writer {
    struct part_folder folder;
    struct part part;        /* its counter is that of the open part, or of the next */
    bool active;             /* a part is open, though perhaps nothing of it is written */
    bool created;            /* its file is there */
    bool new_names;          /* files were made since the folder was synced */
    bool torn;               /* a failed write may have left bytes behind `written` */
    bool failed;
    int fd;
    uint64_t written, synced, pushed;
    uint64_t begun_ns;
    struct buffer pending;
};

int part_writer_open(struct part_writer *writer, const char *folder_path, const struct part *first);
void part_writer_close(struct part_writer *writer);

void part_writer_begin(struct part_writer *writer);
/* Bytes of the open part, pending ones among them. */
uint64_t part_writer_bytes(const struct part_writer *writer);
/* Give what is pending to the system. */
int part_writer_write(struct part_writer *writer);
/* Make all that was added so far durable, and the names of new files. */
int part_writer_sync(struct part_writer *writer);
/* Nothing is pending and all is synced: the next part is another one. */
void part_writer_end(struct part_writer *writer);
