/*
 * The sink that prints: the records of a batch in one write, so that those of
 * several subtasks do not mix within a line. A lock, because a pipe takes a
 * large write in pieces.
 *
 * A format with a header has it once, from whichever subtask writes first: the
 * subtasks of a step share a `struct printed_step`.
 */
#include "dataflow/sink.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct printed_step {
    struct printed_step *next;
    char *name;
    uint64_t run_id;
    uint32_t users;
    bool begun;
};

struct sink {
    const struct format_vtab *format;
    struct encoder *encoder;
    struct printed_step *step;
    struct buffer buffer;
    bool begun;              /* the encoder knows its header */
    uint64_t records, bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct printed_step *steps;

static const struct option_spec stdout_options[] = {
    { NULL, 0, false, NULL, NULL },
};

static struct printed_step *step_find(const struct sink_context *context)
{
    for (struct printed_step *step = steps; step != NULL; step = step->next) {
        if (step->run_id == context->run_id && strcmp(step->name, context->step_name) == 0)
            return step;
    }
    return NULL;
}

static struct printed_step *step_join(const struct sink_context *context)
{
    pthread_mutex_lock(&lock);
    struct printed_step *step = step_find(context);
    if (step == NULL) {
        step = memory_new_zeroed(1, sizeof *step);
        step->name = memory_copy_text(context->step_name);
        step->run_id = context->run_id;
        step->next = steps;
        steps = step;
    }
    step->users++;
    pthread_mutex_unlock(&lock);
    return step;
}

static void step_leave(struct printed_step *step)
{
    pthread_mutex_lock(&lock);
    bool last = --step->users == 0;
    if (last) {
        struct printed_step **link = &steps;
        while (*link != step)
            link = &(*link)->next;
        *link = step->next;
    }
    pthread_mutex_unlock(&lock);
    if (last) {
        free(step->name);
        free(step);
    }
}

/* A reader that went away is an error of the write, and is reported by the step: not the end of the process. */
static void pipe_signal_ignore(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

static int sink_open(struct sink **sink, const struct options *options, const struct format_vtab *format,
                     const struct sink_context *context)
{
    struct encoder *encoder;
    int status = format->encoder_open(options, &encoder);
    if (status < 0)
        return status;
    pipe_signal_ignore();
    *sink = memory_new_zeroed(1, sizeof **sink);
    (*sink)->format = format;
    (*sink)->encoder = encoder;
    (*sink)->step = step_join(context);
    buffer_init(&(*sink)->buffer);
    return 0;
}

/* Wait where stdout is a pipe that was set to answer at once. */
static int output_wait(void)
{
    struct pollfd output = { .fd = STDOUT_FILENO, .events = POLLOUT };
    return poll(&output, 1, -1) < 0 && errno != EINTR ? error_set_errno(ERROR_IO, "stdout") : 0;
}

static int output_write(struct slice bytes)
{
    while (bytes.bytes > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes.data, bytes.bytes);
        if (written >= 0)
            bytes = slice_of(bytes.data + written, bytes.bytes - (size_t)written);
        else if (errno == EAGAIN && output_wait() < 0)
            return ERROR_IO;
        else if (errno != EAGAIN && errno != EINTR)
            return error_set_errno(ERROR_IO, "stdout");
    }
    return 0;
}

/* The header goes out with the first records, under their lock: no other subtask's records come before it. */
static int buffer_write(struct sink *sink, size_t header_bytes)
{
    pthread_mutex_lock(&lock);
    size_t skipped = sink->step->begun ? header_bytes : 0;
    int status = output_write(slice_of(sink->buffer.data + skipped, sink->buffer.bytes - skipped));
    if (status == 0)
        sink->step->begun = true;
    pthread_mutex_unlock(&lock);
    if (status == 0)
        sink->bytes += sink->buffer.bytes - skipped;
    return status;
}

static int header_encode(struct sink *sink, const struct batch *batch, int32_t from, int32_t to)
{
    if (sink->begun || sink->format->encode_begin_file == NULL)
        return 0;
    struct batch rest = *batch;
    rest.values += from;
    rest.times += from;
    rest.keys += from;
    rest.count = to - from;
    int status = sink->format->encode_begin_file(sink->encoder, &rest, &sink->buffer);
    sink->begun = status == 0;
    return status;
}

static int sink_write(struct sink *sink, const struct batch *batch, int32_t from, int32_t to, int32_t *failed)
{
    *failed = from;
    buffer_clear(&sink->buffer);
    int status = header_encode(sink, batch, from, to);
    if (status < 0)
        return status;
    size_t header_bytes = sink->buffer.bytes;
    status = sink->format->encode(sink->encoder, batch, from, to, &sink->buffer, failed);
    int32_t taken = status < 0 ? *failed : to;
    if (taken == from) {
        sink->begun = sink->begun && header_bytes == 0; /* a header waits for the first record that follows it */
        return status;
    }
    int output = buffer_write(sink, header_bytes);
    if (output < 0) {
        *failed = -1;
        return output;
    }
    sink->records += (uint64_t)(taken - from);
    return status;
}

static void sink_counts(struct sink *sink, uint64_t *records, uint64_t *bytes)
{
    *records = sink->records;
    *bytes = sink->bytes;
}

static void sink_close(struct sink *sink)
{
    sink->format->encoder_close(sink->encoder);
    step_leave(sink->step);
    buffer_deinit(&sink->buffer);
    free(sink);
}

const struct sink_vtab stdout_sink = {
    .name = "stdout",
    .help = "Prints records, whole ones.",
    .options = stdout_options,
    .has_format = true,
    .guarantee = SINK_AT_LEAST_ONCE,
    .open = sink_open,
    .write = sink_write,
    .counts = sink_counts,
    .close = sink_close,
};
