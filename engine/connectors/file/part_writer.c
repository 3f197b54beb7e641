#include "connectors/file/part_writer.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The system begins to write what is this far behind, so that the sync at a barrier has little left to do. */
#define PUSH_BYTES (8 * 1024 * 1024)

int part_writer_open(struct part_writer *writer, const char *folder_path, const struct part *first)
{
    *writer = (struct part_writer){ .part = *first, .fd = -1 };
    buffer_init(&writer->pending);
    return part_folder_open(&writer->folder, folder_path);
}

void part_writer_close(struct part_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    buffer_deinit(&writer->pending);
    part_folder_close(&writer->folder);
}

void part_writer_begin(struct part_writer *writer)
{
    writer->active = true;
    writer->begun_ns = clock_monotonic_ns();
}

uint64_t part_writer_bytes(const struct part_writer *writer)
{
    return writer->written + writer->pending.bytes;
}

static int fail(const struct part_writer *writer)
{
    char name[PART_NAME_BYTES];
    part_format(&writer->part, PART_HIDDEN, name);
    return error_set_errno(ERROR_IO, "%s/%s", writer->folder.path, name);
}

static int create(struct part_writer *writer)
{
    int fd = part_create(&writer->folder, &writer->part);
    if (fd < 0)
        return fd;
    writer->fd = fd;
    writer->created = writer->new_names = true;
    return 0;
}

static void push(struct part_writer *writer)
{
    if (writer->written - writer->pushed < PUSH_BYTES)
        return;
    sync_file_range(writer->fd, (off_t)writer->pushed, (off_t)(writer->written - writer->pushed), SYNC_FILE_RANGE_WRITE);
    writer->pushed = writer->written;
}

int part_writer_write(struct part_writer *writer)
{
    struct slice rest = buffer_slice(&writer->pending);
    if (rest.bytes == 0)
        return 0;
    int status = writer->created ? 0 : create(writer);
    if (status < 0)
        return status;
    uint64_t at = writer->written;
    while (rest.bytes > 0) {
        ssize_t done = pwrite(writer->fd, rest.data, rest.bytes, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            status = fail(writer);
            writer->torn = ftruncate(writer->fd, (off_t)writer->written) < 0;
            return status;
        }
        rest = slice_of(rest.data + done, rest.bytes - (size_t)done);
        at += (uint64_t)done;
    }
    writer->written = at;
    buffer_clear(&writer->pending);
    push(writer);
    return 0;
}

static int data_sync(struct part_writer *writer)
{
    if (!writer->created || (writer->written == writer->synced && !writer->torn))
        return 0;
    crash_point("sink.before_sync");
    if (writer->torn && ftruncate(writer->fd, (off_t)writer->written) < 0)
        return fail(writer);
    writer->torn = false;
    if (fdatasync(writer->fd) < 0) {
        writer->failed = true;
        return fail(writer);
    }
    writer->synced = writer->written;
    crash_point("sink.after_sync");
    return 0;
}

static int names_sync(struct part_writer *writer)
{
    if (!writer->new_names)
        return 0;
    int status = part_folder_sync(&writer->folder);
    if (status < 0) {
        writer->failed = true;
        return status;
    }
    writer->new_names = false;
    crash_point("sink.after_directory_sync");
    return 0;
}

int part_writer_sync(struct part_writer *writer)
{
    if (writer->failed)
        return error_set(ERROR_IO, "%s: an earlier sync failed, what was written since the last checkpoint may be lost", writer->folder.path);
    int status = part_writer_write(writer);
    if (status == 0)
        status = data_sync(writer);
    return status < 0 ? status : names_sync(writer);
}

void part_writer_end(struct part_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    writer->fd = -1;
    writer->active = writer->created = false;
    writer->written = writer->synced = writer->pushed = 0;
    writer->part.counter++;
}
