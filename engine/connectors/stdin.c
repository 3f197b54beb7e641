/*
 * The source that reads standard input, one split. Its bytes are gone once they
 * are read: a position only counts, it does not bring them back.
 */
#include "connectors/intake.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * A pipe that was just emptied is filled again within microseconds, one that was found empty often is not: the pause grows from
 * as short as there is (0) by a millisecond a time.
 */
#define POLLS_AT_ONCE 20
#define WAIT_MS_MAX 10

struct source {
    const struct format_vtab *format;
    struct options *options;
};

struct reader {
    struct intake intake;
    int empty_polls; /* since bytes came, as far as the pause depends on it */
};

static const struct option_spec stdin_options[] = {
    { NULL, 0, false, NULL, NULL },
};

static int source_open(struct source **source, const struct options *options, const struct format_vtab *format,
                       const struct source_context *context)
{
    (void)context;
    *source = memory_new(sizeof **source);
    **source = (struct source){ format, options_copy(options) };
    return 0;
}

static int source_discover(struct source *source, struct split_list *splits)
{
    (void)source;
    splits->add(splits->self, slice_of_text("stdin"));
    return 0;
}

static void source_close(struct source *source)
{
    options_free(source->options);
    free(source);
}

static int reader_open(struct source *source, struct slice split, struct slice position, const struct reader_context *context,
                       struct reader **reader)
{
    uint64_t identity;
    struct slice more;
    if (!slice_equal(split, slice_of_text("stdin")))
        return error_set(ERROR_CORRUPT, "'%.*s' is not the split of stdin", (int)split.bytes, split.data);
    struct reader *fresh = memory_new_zeroed(1, sizeof *fresh);
    int status = intake_open(&fresh->intake, "stdin", source->format, source->options, context->bad_record);
    if (status == 0 && position.bytes > 0)
        status = intake_restore(&fresh->intake, position, &identity, &more);
    if (status < 0) {
        intake_close(&fresh->intake);
        free(fresh);
        return status;
    }
    *reader = fresh;
    return 0;
}

/* 1: bytes were added, or the end is known; 0: nothing for now. */
static int fill(struct intake *intake)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    int ready = poll(&input, 1, 0);
    if (ready <= 0)
        return ready == 0 || errno == EINTR ? 0 : error_set_errno(ERROR_IO, "stdin");
    size_t room;
    char *target = intake_room(intake, &room);
    ssize_t got = read(STDIN_FILENO, target, room);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : error_set_errno(ERROR_IO, "stdin");
    intake_add(intake, (size_t)got);
    intake->at_end = got == 0;
    return 1;
}

static int reader_poll(struct reader *reader, struct batch *batch)
{
    struct intake *intake = &reader->intake;
    for (;;) {
        int status = intake_decode(intake, batch);
        if (status < 0)
            return status;
        if (batch_full(batch))
            return SOURCE_MORE;
        if (intake->at_end && intake_empty(intake))
            return SOURCE_END;
        status = fill(intake);
        if (status < 0)
            return status;
        if (status == 0) {
            reader->empty_polls += reader->empty_polls < POLLS_AT_ONCE + WAIT_MS_MAX;
            return batch->count > 0 ? SOURCE_MORE : SOURCE_IDLE;
        }
        reader->empty_polls = 0;
    }
}

static int reader_position(struct reader *reader, struct buffer *position)
{
    intake_position(&reader->intake, 0, position);
    return 0;
}

static int reader_wait(struct reader *reader, int *descriptor)
{
    int wait = reader->empty_polls - POLLS_AT_ONCE;
    *descriptor = STDIN_FILENO;
    return wait > 0 ? wait : 0;
}

static void reader_close(struct reader *reader)
{
    intake_close(&reader->intake);
    free(reader);
}

const struct source_vtab stdin_source = {
    .name = "stdin",
    .help = "Reads standard input; it cannot be read again.",
    .options = stdin_options,
    .has_format = true,
    .open = source_open,
    .discover = source_discover,
    .reader_open = reader_open,
    .poll = reader_poll,
    .reader_position = reader_position,
    .reader_wait = reader_wait,
    .reader_close = reader_close,
    .close = source_close,
};
