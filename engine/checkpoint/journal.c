#include "checkpoint/journal.h"

#include "base/buffer.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/journal_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

/* The kernel is asked to begin writing after this much, so that the sync at the end finds little left to do. */
#define WRITEBACK_BYTES (8u << 20)

struct journal {
    int descriptor;
    char *path;
    uint64_t bytes;             /* of whole frames: what the file is cut back to */
    uint64_t writeback_from;
    struct journal_totals totals;
    bool sealed;
    bool broken;                /* could not be cut back: its end is unknown */
};

/* All of `parts`, at the end of the whole frames. The parts are used up. */
static int write_parts(struct journal *journal, struct iovec *parts, int count)
{
    uint64_t offset = journal->bytes;
    while (count > 0) {
        ssize_t written = pwritev(journal->descriptor, parts, count, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        offset += (uint64_t)written;
        while (count > 0 && (size_t)written >= parts->iov_len) {
            written -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + written;
            parts->iov_len -= (size_t)written;
        }
    }
    return 0;
}

/* The write failed with errno: leave whole frames only. */
static int cut_back(struct journal *journal)
{
    int status = error_set_errno(ERROR_IO, "journal %s: offset %llu: write", journal->path, (unsigned long long)journal->bytes);
    if (ftruncate(journal->descriptor, (off_t)journal->bytes) < 0)
        journal->broken = true;
    return status;
}

static int write_file_header(struct journal *journal, int kind)
{
    struct journal_file_header header = { .magic = JOURNAL_MAGIC, .version = JOURNAL_VERSION, .kind = (uint16_t)kind };
    header.checksum = journal_header_checksum(&header);
    struct iovec part = { &header, sizeof header };
    if (write_parts(journal, &part, 1) < 0)
        return cut_back(journal);
    journal->bytes = sizeof header;
    journal->totals.chain = header.checksum;
    return 0;
}

int journal_create(const char *path, int kind, struct journal **out)
{
    struct journal *journal = memory_new_zeroed(1, sizeof *journal);
    journal->path = memory_copy_text(path);
    journal->descriptor = open(journal->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (journal->descriptor < 0) {
        int status = error_set_errno(errno == EEXIST ? ERROR_EXISTS : ERROR_IO, "journal %s", journal->path);
        journal_close(journal);
        return status;
    }
    int status = write_file_header(journal, kind);
    if (status < 0)
        journal_discard(journal);
    else
        *out = journal;
    return status;
}

static int check_writable(const struct journal *journal)
{
    if (journal->broken)
        return error_set(ERROR_STATE, "journal %s: an earlier write failed and could not be undone", journal->path);
    if (journal->sealed)
        return error_set(ERROR_STATE, "journal %s: sealed", journal->path);
    return 0;
}

static void begin_writeback(struct journal *journal)
{
    uint64_t waiting = journal->bytes - journal->writeback_from;
    if (waiting < WRITEBACK_BYTES)
        return;
    /* A hint: what it does not do is left to the sync, which reports errors. */
    (void)sync_file_range(journal->descriptor, (off_t)journal->writeback_from, (off_t)waiting, SYNC_FILE_RANGE_WRITE);
    journal->writeback_from = journal->bytes;
}

static int write_frame(struct journal *journal, struct journal_frame_header *header, struct slice payload)
{
    header->payload_bytes = (uint32_t)payload.bytes;
    header->checksum = journal_frame_checksum(header, payload.data, journal->bytes);
    struct iovec parts[2] = { { header, sizeof *header }, { (void *)payload.data, payload.bytes } };
    if (write_parts(journal, parts, 2) < 0)
        return cut_back(journal);
    journal->bytes += sizeof *header + payload.bytes;
    return 0;
}

int journal_append(struct journal *journal, const struct journal_frame *frame, struct slice payload)
{
    int status = check_writable(journal);
    if (status < 0)
        return status;
    if (payload.bytes > JOURNAL_PAYLOAD_BYTES_MAX)
        return error_set(ERROR_TOO_LARGE, "journal %s: a frame of %zu bytes", journal->path, payload.bytes);
    crash_point("journal.append");
    struct journal_frame_header header = { .magic = JOURNAL_FRAME_MAGIC, .subtask = frame->subtask,
        .group_first = frame->group_first, .group_last = frame->group_last, .epoch = frame->epoch };
    status = write_frame(journal, &header, payload);
    if (status < 0)
        return status;
    journal->totals.frames++;
    journal->totals.payload_bytes += payload.bytes;
    journal->totals.chain = journal_chain(journal->totals.chain, header.checksum);
    begin_writeback(journal);
    return 0;
}

/* The end frame is written once; a sync that failed is repeated by the next seal. */
static int write_end(struct journal *journal)
{
    crash_point("journal.before_seal");
    struct journal_frame_header header = { .magic = JOURNAL_END_MAGIC };
    int status = write_frame(journal, &header, slice_of(&journal->totals, sizeof journal->totals));
    journal->sealed = status == 0;
    return status;
}

int journal_seal(struct journal *journal, uint64_t *bytes, uint64_t *checksum)
{
    int status = journal->sealed ? 0 : check_writable(journal);
    if (status == 0 && !journal->sealed)
        status = write_end(journal);
    if (status < 0)
        return status;
    crash_point("journal.before_sync");
    if (fdatasync(journal->descriptor) < 0) {
        /* The kernel may have dropped the pages it could not write: a second sync would succeed without them. */
        journal->broken = true;
        journal->sealed = false;
        return error_set_errno(ERROR_IO, "journal %s: sync", journal->path);
    }
    crash_point("journal.after_sync");
    *bytes = journal->bytes;
    *checksum = journal->totals.chain;
    return 0;
}

bool journal_is_broken(const struct journal *journal)
{
    return journal->broken;
}

uint64_t journal_bytes(const struct journal *journal)
{
    return journal->bytes;
}

void journal_close(struct journal *journal)
{
    if (journal->descriptor >= 0)
        close(journal->descriptor);
    free(journal->path);
    free(journal);
}

void journal_discard(struct journal *journal)
{
    unlink(journal->path);
    journal_close(journal);
}
