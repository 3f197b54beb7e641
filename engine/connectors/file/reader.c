#include "connectors/file/reader.h"

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/file/fingerprint.h"
#include "connectors/file/follow.h"
#include "connectors/file/input.h"
#include "connectors/file/split.h"
#include "connectors/intake.h"

#include <inttypes.h>
#include <stdlib.h>

#define FOLLOW_WAIT_MS 20
/* So many rotated files are remembered before it is looked which of the older half are still there. */
#define PAST_MAX 16
/* In a position, where neither an identity nor a fingerprint is this: nothing can be read before the next file. */
#define POSITION_LOST 1

/* What a position says of the file that it is in; 0: nothing. */
struct known { uint64_t identity, fingerprint; };

struct reader {
    const struct file_settings *settings;
    struct file_split split;
    bool follow;             /* never set for compressed files */
    bool leaving;            /* the file has lost its name to another: read it to its end, then the other */
    uint64_t identity;       /* of the open file where the source follows, else 0 */
    uint64_t *past;          /* of the followed files before it that are still there; the newest are last */
    uint32_t past_count;
    uint64_t waited;         /* the fingerprint of a followed file where nothing more was in it at last, else 0 */
    char *moved;             /* the path of the open file where that is not the split's */
    const struct file_input_vtab *vtab;
    struct file_input *input; /* NULL: a followed file that is not there now */
    uint64_t read, end;      /* the next byte to read, and where the split ends */
    struct intake intake;
};

/* Where a rotation gave them names that match, a restored source must not take them for new files. */
static void past_add(struct reader *reader, uint64_t identity)
{
    if (reader->past_count >= PAST_MAX) {
        uint32_t older = reader->past_count - PAST_MAX / 2;
        uint32_t kept = follow_keep(reader->split.path, reader->past, older);
        memmove(reader->past + kept, reader->past + older, PAST_MAX / 2 * sizeof reader->past[0]);
        reader->past_count = kept + PAST_MAX / 2;
    }
    reader->past = memory_resize(reader->past, (reader->past_count + 1) * sizeof reader->past[0]);
    reader->past[reader->past_count++] = identity;
}

/* Let the decoder have what begins the file when the split begins in its middle. */
static int header_read(struct reader *reader)
{
    struct file_input *input;
    struct intake *intake = &reader->intake;
    struct intake_place place = intake->settled, header;
    int status = reader->vtab->open(&input, reader->moved != NULL ? reader->moved : reader->split.path);
    if (status < 0)
        return status;
    struct batch *none = batch_take();
    none->count = BATCH_RECORDS_MAX; /* full: only what comes before the first record is decoded */
    intake_restart(intake);
    while (status == 0 && !intake->begun) {
        size_t room;
        char *target = intake_room(intake, &room);
        int64_t got = reader->vtab->read(input, target, room);
        if (got > 0)
            intake_add(intake, (size_t)got);
        intake->at_end = got == 0;
        status = got < 0 ? (int)got : intake_decode(intake, none);
    }
    batch_drop(none);
    reader->vtab->close(input);
    header = intake->settled;
    intake_restart(intake);
    intake->begun = true;
    /* What stands before the header may be longer than a range. */
    if (place.offset < header.offset)
        place.offset = header.offset < reader->end ? header.offset : reader->end;
    intake_move(intake, &place);
    return status;
}

/* The file of that name, or none, until there is one of its own. */
static int named_open(struct reader *reader)
{
    int status = watch_open(reader->settings->watch, reader->split.path, &plain_input, &reader->input);
    if (status != ERROR_NOT_FOUND && status != 0)
        return status < 0 ? status : 0;
    reader->leaving = reader->intake.at_end = reader->intake.begun = true;
    return 0;
}

/* As tail -F does: the loss is told, and nothing else of the job has to wait for it. */
static int begin_anew(struct reader *reader, const char *what)
{
    log_warn("%s: %s since it was read up to byte %" PRIu64 "; what it may have held behind that is lost, and what has its name now is read from its beginning",
             reader->split.path, what, reader->intake.offset);
    free(reader->moved);
    reader->moved = NULL;
    reader->leaving = false;
    intake_restart(&reader->intake);
    return named_open(reader);
}

/* Other bytes lie where the position is: it was cut, and has grown beyond that since. */
static bool is_other(int descriptor, uint64_t offset, uint64_t fingerprint)
{
    return fingerprint != 0 && fingerprint_before(descriptor, offset) != fingerprint;
}

/* The file that the position belongs to: of that name, or beside it if it was rotated since. */
static int followed_open(struct reader *reader, const struct known *known)
{
    const char *path = reader->split.path;
    uint64_t offset = reader->intake.offset;
    if (known->identity != 0 && follow_identity(path, NULL) != known->identity) {
        reader->moved = follow_find(path, known->identity);
        if (reader->moved == NULL)
            return begin_anew(reader, "the file is gone");
    }
    int status = reader->moved != NULL ? plain_input.open(&reader->input, reader->moved) : named_open(reader);
    if (status < 0 || reader->input == NULL)
        return status;
    int descriptor = plain_input.descriptor(reader->input);
    if (follow_look(path, descriptor, offset) != FOLLOW_CUT && !is_other(descriptor, offset, known->fingerprint))
        return 0;
    plain_input.close(reader->input);
    reader->input = NULL;
    return begin_anew(reader, "the file was cut");
}

static int written_anew(const struct reader *reader)
{
    return error_set(ERROR_CORRUPT, "%s: was written anew: other bytes lie before byte %" PRIu64 ", up to which it had been read", reader->split.path,
                     reader->intake.offset);
}

/* A compressed file of a source that follows is read once, under one name; under any other it is empty. */
static int compressed_open(struct reader *reader)
{
    int status = watch_open(reader->settings->watch, reader->split.path, reader->vtab, &reader->input);
    reader->intake.at_end = status == 0;
    return status < 0 ? status : 0;
}

static int any_open(struct reader *reader, const struct known *known)
{
    if (reader->follow)
        return followed_open(reader, known);
    return reader->settings->watch != NULL ? compressed_open(reader) : reader->vtab->open(&reader->input, reader->split.path);
}

static int input_open(struct reader *reader, const struct known *known)
{
    int status = any_open(reader, known);
    if (status < 0 || reader->input == NULL)
        return status;
    status = reader->vtab->seek(reader->input, reader->intake.offset);
    reader->read = reader->intake.offset;
    int descriptor = reader->vtab->descriptor(reader->input);
    if (status == 0 && reader->settings->watch != NULL)
        reader->identity = follow_identity_of(descriptor, NULL);
    bool compared = status == 0 && !reader->follow && reader->vtab->seekable;
    return compared && is_other(descriptor, reader->intake.offset, known->fingerprint) ? written_anew(reader) : status;
}

/* In a position: the identity of the file or 0, its fingerprint, the identities of those before it, and POSITION_LOST. */
static int position_restore(struct reader *reader, struct slice position, struct known *known)
{
    struct slice more;
    uint64_t number;
    int status = intake_restore(&reader->intake, position, &number, &more);
    if (status < 0)
        return status;
    *(number & 1 ? &known->identity : &known->fingerprint) = number;
    while (position_take(&more, &number)) {
        if (number == POSITION_LOST)
            reader->intake.lost = true;
        else if (number & 1)
            past_add(reader, number);
        else
            known->fingerprint = number;
    }
    return 0;
}

void file_reader_restored(struct watch *watch, const char *path, struct slice position)
{
    uint64_t number;
    for (int i = 0; position_take(&position, &number); i++) {
        if (i >= 3 && (number & 1) != 0 && number != POSITION_LOST) /* offset, lines and records come before */
            watch_restore(watch, path, number);
    }
}

/* Where to begin, by the split's name or by the position. */
static int place(struct reader *reader, struct slice position)
{
    struct intake *intake = &reader->intake;
    struct intake_place begin = { 0 };
    struct known known = { 0 };
    int status = reader->vtab->seekable ? file_split_lines(&reader->split, &begin.offset, &reader->end) : 0;
    intake_move(intake, &begin);
    if (status == 0 && position.bytes > 0)
        status = position_restore(reader, position, &known);
    if (status == 0)
        status = input_open(reader, &known);
    if (status < 0)
        return status;
    intake->begun = intake->offset > 0 || reader->input == NULL;
    if (intake->offset > 0 && intake->format->has_header)
        status = header_read(reader);
    if (status == 0 && reader->input != NULL && intake->offset != reader->read)
        status = reader->vtab->seek(reader->input, intake->offset);
    intake->lines_known = reader->split.offset == 0;
    reader->read = intake->offset;
    return status;
}

static int reader_fill(struct reader *reader, const struct file_settings *settings, struct slice split, struct slice position,
                       const struct reader_context *context)
{
    int status = file_split_parse(&reader->split, split);
    if (status < 0)
        return status;
    reader->settings = settings;
    reader->vtab = file_input_of(reader->split.path);
    reader->follow = settings->watch != NULL && reader->vtab->seekable;
    reader->end = RANGE_TO_FILE_END;
    status = intake_open(&reader->intake, reader->split.path, settings->format, settings->options, context->bad_record);
    return status < 0 ? status : place(reader, position);
}

int file_reader_open(const struct file_settings *settings, struct slice split, struct slice position,
                     const struct reader_context *context, struct reader **reader)
{
    struct reader *fresh = memory_new_zeroed(1, sizeof *fresh);
    int status = reader_fill(fresh, settings, split, position, context);
    if (status < 0)
        file_reader_close(fresh);
    else
        *reader = fresh;
    return status;
}

/* The file of this name from its beginning: 1, or 0 where there is none. */
static int next_open(struct reader *reader)
{
    struct file_input *input;
    int status = watch_open(reader->settings->watch, reader->split.path, &plain_input, &input);
    if (status <= 0)
        return status == ERROR_NOT_FOUND ? 0 : status;
    uint64_t identity = follow_identity_of(plain_input.descriptor(input), NULL);
    if (reader->input != NULL)
        plain_input.close(reader->input);
    if (reader->identity != 0 && reader->identity != identity)
        past_add(reader, reader->identity);
    free(reader->moved);
    reader->moved = NULL;
    reader->input = input;
    reader->identity = identity;
    reader->leaving = false;
    reader->read = reader->waited = 0;
    intake_restart(&reader->intake);
    return 1;
}

/* The file is the same, whatever has its name by now. */
static int cut(struct reader *reader)
{
    log_warn("%s: was cut below byte %" PRIu64 ", reading it from its beginning", reader->split.path, reader->read);
    intake_restart(&reader->intake);
    reader->read = reader->waited = 0;
    int status = plain_input.seek(reader->input, 0);
    return status < 0 ? status : 1;
}

/* At the end of a file that may grow: 1 where there is something to do, 0 to wait. */
static int grown(struct reader *reader)
{
    switch (follow_look(reader->split.path, plain_input.descriptor(reader->input), reader->read)) {
    case FOLLOW_ROTATED:
        /* Once more, for what was written between our last read and the move. */
        reader->leaving = !watch_is_others(reader->settings->watch, reader->split.path);
        return reader->leaving;
    case FOLLOW_CUT:
        return cut(reader);
    default:
        if (reader->waited == 0)
            reader->waited = fingerprint_before(plain_input.descriptor(reader->input), reader->read);
        return 0;
    }
}

/* Where nothing more is read: 1, 0 where a compressed file is still being written, or negative where it is cut short. */
static int end(struct reader *reader)
{
    int status = reader->vtab->end(reader->input);
    bool compressed = reader->settings->watch != NULL && !reader->follow;
    if (status < 0 && compressed && follow_identity(reader->split.path, NULL) == reader->identity)
        return 0;
    if (status == 0 && compressed)
        watch_ended(reader->settings->watch, reader->split.path, reader->vtab->descriptor(reader->input));
    return status < 0 ? status : 1;
}

/* 1: bytes were added, or the end is known; 0: nothing for now. */
static int fill(struct reader *reader)
{
    size_t room;
    char *target = intake_room(&reader->intake, &room);
    if (room > reader->end - reader->read)
        room = (size_t)(reader->end - reader->read);
    int64_t got = room == 0 ? 0 : reader->vtab->read(reader->input, target, room);
    if (got < 0)
        return (int)got;
    if (got == 0 && reader->follow && !reader->leaving)
        return grown(reader);
    if (got > 0 && is_other(reader->vtab->descriptor(reader->input), reader->read, reader->waited))
        return cut(reader);
    reader->waited = 0;
    int ended = got == 0 && reader->read < reader->end ? end(reader) : 1;
    if (ended <= 0)
        return ended;
    intake_add(&reader->intake, (size_t)got);
    reader->read += (uint64_t)got;
    reader->intake.at_end = got == 0 || reader->read == reader->end;
    return 1;
}

int file_reader_poll(struct reader *reader, struct batch *batch)
{
    struct intake *intake = &reader->intake;
    for (;;) {
        int status = intake_decode(intake, batch);
        if (status < 0)
            return status;
        if (batch_full(batch))
            return SOURCE_MORE;
        bool finished = intake->at_end && intake_empty(intake);
        if (finished && !reader->leaving)
            return SOURCE_END;
        status = finished ? next_open(reader) : fill(reader);
        if (status < 0)
            return status;
        if (status == 0)
            return batch->count > 0 ? SOURCE_MORE : SOURCE_IDLE;
    }
}

int file_reader_position(struct reader *reader, struct buffer *position)
{
    bool plain = reader->input != NULL && reader->vtab->seekable;
    uint64_t fingerprint = plain ? fingerprint_before(reader->vtab->descriptor(reader->input), reader->intake.settled.offset) : 0;
    intake_position(&reader->intake, plain && !reader->follow ? fingerprint : reader->identity, position);
    if (reader->follow)
        buffer_append_format(position, " %" PRIu64, fingerprint);
    for (uint32_t i = 0; i < reader->past_count; i++)
        buffer_append_format(position, " %" PRIu64, reader->past[i]);
    if (reader->follow && reader->intake.lost)
        buffer_append_format(position, " %d", POSITION_LOST);
    return 0;
}

int file_reader_wait(struct reader *reader, int *descriptor)
{
    (void)reader;
    *descriptor = -1;
    return FOLLOW_WAIT_MS;
}

void file_reader_close(struct reader *reader)
{
    if (reader->input != NULL)
        reader->vtab->close(reader->input);
    intake_close(&reader->intake);
    file_split_deinit(&reader->split);
    free(reader->moved);
    free(reader->past);
    free(reader);
}
