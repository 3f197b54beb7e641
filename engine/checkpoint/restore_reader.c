#include "checkpoint/restore_reader.h"

#include "base/buffer.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread.h"
#include "checkpoint/journal.h"

#include <stdio.h>
#include <stdlib.h>

#define FRAMES_AHEAD 4

struct read_frame { struct buffer rows; const char *name; };

struct restore_reader {
    const struct storage *storage;
    const struct manifest *manifest;
    uint16_t group_first, group_last;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct read_frame frames[FRAMES_AHEAD];
    uint64_t filled, taken;      /* numbers of frames; what is taken is in use until the next call */
    bool ended, stop;
    int status;
    char *message;               /* of a negative status: messages are of their thread */
};

/* A place for the next frame, when the user has done with what lay there; NULL: no more are wanted. */
static struct read_frame *place_wait(struct restore_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    while (reader->filled - reader->taken == FRAMES_AHEAD - 1 && !reader->stop)
        pthread_cond_wait(&reader->changed, &reader->lock);
    bool stop = reader->stop;
    pthread_mutex_unlock(&reader->lock);
    return stop ? NULL : &reader->frames[reader->filled % FRAMES_AHEAD];
}

static void place_filled(struct restore_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    reader->filled++;
    pthread_cond_signal(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
}

static bool wanted(const struct restore_reader *reader, const struct journal_frame *frame, uint64_t epoch_last)
{
    return frame->epoch <= epoch_last && frame->group_last >= reader->group_first && frame->group_first <= reader->group_last;
}

/* 1: no more frames are wanted. */
static int read_frames(struct restore_reader *reader, struct journal_reader *journal, const char *name, uint64_t epoch_last)
{
    struct journal_frame frame;
    struct slice rows;
    int status;
    while ((status = journal_next(journal, &frame, &rows)) > 0) {
        if (!wanted(reader, &frame, epoch_last))
            continue;
        struct read_frame *place = place_wait(reader);
        if (place == NULL)
            return 1;
        journal_swap_payload(journal, &place->rows);
        place->name = name;
        place_filled(reader);
    }
    return status;
}

static int read_file(struct restore_reader *reader, const struct manifest_file *file)
{
    uint64_t id = reader->manifest->head.id;
    uint64_t epoch_last = file->kind == MANIFEST_DUMP ? UINT64_MAX : file->epoch_last < id ? file->epoch_last : id;
    struct storage_path path = storage_shared_path(reader->storage, file->name);
    crash_point("restore.before_file");
    struct journal_reader *journal;
    int status = journal_open(path.text, file->bytes, file->checksum, &journal);
    if (status < 0)
        return status;
    status = read_frames(reader, journal, file->name, epoch_last);
    journal_reader_close(journal);
    return status;
}

static int read_kind(struct restore_reader *reader, uint32_t kind)
{
    int status = 0;
    for (uint32_t i = 0; i < reader->manifest->file_count && status == 0; i++) {
        if (reader->manifest->files[i].kind == kind)
            status = read_file(reader, &reader->manifest->files[i]);
    }
    return status;
}

static void *run(void *self)
{
    struct restore_reader *reader = self;
    int status = read_kind(reader, MANIFEST_DUMP);
    if (status == 0)
        status = read_kind(reader, MANIFEST_DELTA);
    pthread_mutex_lock(&reader->lock);
    reader->status = status < 0 ? status : 0;
    reader->message = status < 0 ? memory_copy_text(error_message()) : NULL;
    reader->ended = true;
    pthread_cond_signal(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
    return NULL;
}

struct restore_reader *restore_reader_begin(const struct storage *storage, const struct manifest *manifest, uint16_t group_first, uint16_t group_last)
{
    struct restore_reader *reader = memory_new_zeroed(1, sizeof *reader);
    reader->storage = storage;
    reader->manifest = manifest;
    reader->group_first = group_first;
    reader->group_last = group_last;
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->changed, NULL);
    if (thread_start(&reader->thread, "restore reader", run, reader) < 0) {
        fprintf(stderr, "moontide: %s\n", error_message());
        abort();
    }
    return reader;
}

int restore_reader_next(struct restore_reader *reader, struct slice *rows, const char **name)
{
    pthread_mutex_lock(&reader->lock);
    while (reader->filled == reader->taken && !reader->ended)
        pthread_cond_wait(&reader->changed, &reader->lock);
    bool any = reader->filled > reader->taken;
    struct read_frame *frame = any ? &reader->frames[reader->taken++ % FRAMES_AHEAD] : NULL;
    pthread_cond_signal(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
    if (frame == NULL)
        return reader->status < 0 ? error_set(reader->status, "%s", reader->message) : 0;
    *rows = buffer_slice(&frame->rows);
    *name = frame->name;
    return 1;
}

void restore_reader_end(struct restore_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    reader->stop = true;
    pthread_cond_signal(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
    pthread_join(reader->thread, NULL);
    pthread_cond_destroy(&reader->changed);
    pthread_mutex_destroy(&reader->lock);
    for (uint32_t i = 0; i < FRAMES_AHEAD; i++)
        buffer_deinit(&reader->frames[i].rows);
    free(reader->message);
    free(reader);
}
