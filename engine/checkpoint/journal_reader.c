/*
 * The file is read by read(), not mapped: a bad sector or a file that somebody
 * cuts short is then an error of this call and not a signal, and the frame is
 * hashed while it is in the processor's cache anyway.
 */
#include "checkpoint/journal.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/journal_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define END_BYTES (sizeof(struct journal_frame_header) + sizeof(struct journal_totals))
#define FILE_BYTES_MIN (sizeof(struct journal_file_header) + END_BYTES)

struct journal_reader {
    int descriptor;
    char *path;
    int kind;
    uint64_t bytes;
    uint64_t offset;
    struct journal_totals seen;
    struct buffer payload;
};

static int corrupt(const struct journal_reader *reader, uint64_t offset, const char *what)
{
    return error_set(ERROR_CORRUPT, "journal %s: offset %llu: %s", reader->path, (unsigned long long)offset, what);
}

static int read_at(const struct journal_reader *reader, uint64_t offset, void *bytes, size_t count)
{
    for (size_t done = 0; done < count;) {
        ssize_t got = pread(reader->descriptor, (char *)bytes + done, count - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(ERROR_IO, "journal %s: offset %llu: read", reader->path, (unsigned long long)(offset + done));
        if (got == 0)
            return corrupt(reader, offset + done, "the file has become shorter");
        done += (size_t)got;
    }
    return 0;
}

static int check_size(struct journal_reader *reader, uint64_t bytes)
{
    struct stat status;
    if (fstat(reader->descriptor, &status) < 0)
        return error_set_errno(ERROR_IO, "journal %s", reader->path);
    reader->bytes = (uint64_t)status.st_size;
    if (!S_ISREG(status.st_mode) || reader->bytes < FILE_BYTES_MIN)
        return corrupt(reader, 0, "too short for a journal");
    if (bytes != 0 && bytes != reader->bytes)
        return error_set(ERROR_CORRUPT, "journal %s: offset 0: %llu bytes where %llu were written", reader->path,
                         (unsigned long long)reader->bytes, (unsigned long long)bytes);
    return 0;
}

static int check_header(struct journal_reader *reader)
{
    struct journal_file_header header;
    int status = read_at(reader, 0, &header, sizeof header);
    if (status < 0)
        return status;
    if (header.magic != JOURNAL_MAGIC || header.checksum != journal_header_checksum(&header))
        return corrupt(reader, 0, "not a journal");
    if (header.version != JOURNAL_VERSION)
        return error_set(ERROR_UNSUPPORTED, "journal %s: format version %u", reader->path, header.version);
    if (header.kind != JOURNAL_DELTA && header.kind != JOURNAL_DUMP)
        return corrupt(reader, 0, "unknown kind");
    reader->kind = header.kind;
    reader->offset = sizeof header;
    reader->seen.chain = header.checksum;
    return 0;
}

/* The end frame first: a file that is whole but another one is refused before any of it is used. */
static int check_end(struct journal_reader *reader, uint64_t checksum)
{
    char end[END_BYTES];
    uint64_t offset = reader->bytes - END_BYTES;
    int status = read_at(reader, offset, end, sizeof end);
    if (status < 0)
        return status;
    struct journal_frame_header header;
    struct journal_totals totals;
    memcpy(&header, end, sizeof header);
    memcpy(&totals, end + sizeof header, sizeof totals);
    if (header.magic != JOURNAL_END_MAGIC || header.payload_bytes != sizeof totals ||
        header.checksum != journal_frame_checksum(&header, &totals, offset))
        return corrupt(reader, offset, "the end frame is damaged or missing");
    if (checksum != 0 && totals.chain != checksum)
        return corrupt(reader, offset, "the checksum is not that of the file that was written");
    return 0;
}

static int open_checked(struct journal_reader *reader, uint64_t bytes, uint64_t checksum)
{
    reader->descriptor = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (reader->descriptor < 0)
        return error_set_errno(errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "journal %s", reader->path);
    int status = check_size(reader, bytes);
    if (status == 0)
        status = check_header(reader);
    if (status == 0)
        status = check_end(reader, checksum);
    (void)posix_fadvise(reader->descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
    return status;
}

int journal_open(const char *path, uint64_t bytes, uint64_t checksum, struct journal_reader **out)
{
    struct journal_reader *reader = memory_new_zeroed(1, sizeof *reader);
    reader->path = memory_copy_text(path);
    int status = open_checked(reader, bytes, checksum);
    if (status < 0)
        journal_reader_close(reader);
    else
        *out = reader;
    return status;
}

int journal_reader_kind(const struct journal_reader *reader)
{
    return reader->kind;
}

/* The frame at reader->offset, whose payload lies within the file. */
static int read_payload(struct journal_reader *reader, const struct journal_frame_header *header)
{
    buffer_clear(&reader->payload);
    char *payload = buffer_reserve(&reader->payload, (size_t)header->payload_bytes + 1);
    int status = read_at(reader, reader->offset + sizeof *header, payload, header->payload_bytes);
    if (status < 0)
        return status;
    if (header->checksum != journal_frame_checksum(header, payload, reader->offset))
        return corrupt(reader, reader->offset, "the checksum of a frame does not match");
    reader->payload.bytes = header->payload_bytes;
    return 0;
}

static int read_header(struct journal_reader *reader, struct journal_frame_header *header)
{
    uint64_t left = reader->bytes - reader->offset;
    if (left < END_BYTES)
        return corrupt(reader, reader->offset, "frames beyond the end frame");
    int status = read_at(reader, reader->offset, header, sizeof *header);
    if (status < 0)
        return status;
    if (header->magic != JOURNAL_FRAME_MAGIC && header->magic != JOURNAL_END_MAGIC)
        return corrupt(reader, reader->offset, "no frame begins here");
    if (header->payload_bytes > left - sizeof *header || header->payload_bytes > JOURNAL_PAYLOAD_BYTES_MAX)
        return corrupt(reader, reader->offset, "a frame reaches beyond the end of the file");
    return 0;
}

/* At the end frame, whose place check_end() has looked at: are the frames before it the ones it counts? */
static int check_totals(const struct journal_reader *reader)
{
    if (reader->offset != reader->bytes - END_BYTES)
        return corrupt(reader, reader->offset, "an end frame before the end");
    if (memcmp(reader->payload.data, &reader->seen, sizeof reader->seen) != 0)
        return corrupt(reader, reader->offset, "the totals do not match the frames");
    return 0;
}

int journal_next(struct journal_reader *reader, struct journal_frame *frame, struct slice *payload)
{
    struct journal_frame_header header;
    int status = read_header(reader, &header);
    if (status == 0)
        status = read_payload(reader, &header);
    if (status < 0)
        return status;
    if (header.magic == JOURNAL_END_MAGIC)
        return check_totals(reader);
    reader->offset += sizeof header + header.payload_bytes;
    reader->seen.frames++;
    reader->seen.payload_bytes += header.payload_bytes;
    reader->seen.chain = journal_chain(reader->seen.chain, header.checksum);
    *frame = (struct journal_frame){ header.subtask, header.group_first, header.group_last, header.epoch };
    *payload = buffer_slice(&reader->payload);
    return 1;
}

void journal_swap_payload(struct journal_reader *reader, struct buffer *payload)
{
    struct buffer taken = reader->payload;
    reader->payload = *payload;
    *payload = taken;
}

int journal_peek(struct journal_reader *reader, char *start, size_t room, struct slice *first, uint32_t *payload_bytes)
{
    struct journal_frame_header header;
    int status = read_header(reader, &header);
    if (status < 0 || header.magic == JOURNAL_END_MAGIC)
        return status;
    size_t bytes = header.payload_bytes < room ? header.payload_bytes : room;
    status = read_at(reader, reader->offset + sizeof header, start, bytes);
    if (status < 0)
        return status;
    reader->offset += sizeof header + header.payload_bytes;
    *first = slice_of(start, bytes);
    *payload_bytes = header.payload_bytes;
    return 1;
}

void journal_reader_close(struct journal_reader *reader)
{
    if (reader->descriptor >= 0)
        close(reader->descriptor);
    buffer_deinit(&reader->payload);
    free(reader->path);
    free(reader);
}

int journal_verify(const char *path, uint64_t bytes, uint64_t checksum)
{
    struct journal_reader *reader;
    int status = journal_open(path, bytes, checksum, &reader);
    if (status < 0)
        return status;
    struct journal_frame frame;
    struct slice payload;
    do
        status = journal_next(reader, &frame, &payload);
    while (status > 0);
    journal_reader_close(reader);
    return status;
}
