/*
 * The sink that prints: the records of a batch in one write, so that those of
 * several subtasks do not mix within a line. A lock, because a pipe takes a
 * large write in pieces.
 *
 * A format with a header has it once, from whichever subtask writes first, and
 * what it says of the records holds for those of all of them: the subtasks of a
 * step share a `struct printed_step`.
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
    struct batch *first;     /* the first record that was printed; NULL: none was */
};

struct sink {
    const struct format_vtab *format;
    struct encoder *encoder;
    struct printed_step *step;
    struct buffer buffer;
    bool begun;              /* the encoder knows what its records follow */
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
        if (step->first != NULL)
            batch_drop(step->first);
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
    (*sink)->begun = format->encode_begin_file == NULL;
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

/* The buffer's records, of which there are some. The lock is held. */
static int records_print(struct sink *sink, const struct batch *batch, int32_t from)
{
    struct printed_step *step = sink->step;
    int status = output_write(buffer_slice(&sink->buffer));
    if (status < 0)
        return status;
    sink->bytes += sink->buffer.bytes;
    sink->begun = true;
    if (step->first == NULL) {
        step->first = batch_take();
        batch_append_record(step->first, batch, from);
    }
    return 0;
}

/* What begins the output is made from the first record of it, whoever printed that. */
static int header_encode(struct sink *sink, const struct batch *batch, int32_t from)
{
    struct batch first = *batch;
    first.values += from;
    first.times += from;
    first.keys += from;
    first.count = 1;
    const struct batch *printed = sink->step->first;
    int status = sink->format->encode_begin_file(sink->encoder, printed == NULL ? &first : printed, &sink->buffer);
    if (printed != NULL)
        buffer_clear(&sink->buffer);
    return status;
}

/* `locked`: the caller has the lock. */
static int records_write(struct sink *sink, const struct batch *batch, int32_t from, int32_t to, int32_t *failed, bool locked)
{
    int status = sink->format->encode(sink->encoder, batch, from, to, &sink->buffer, failed);
    int32_t taken = status < 0 ? *failed : to;
    if (taken == from)
        return status;       /* a header waits for the first record that follows it */
    if (!locked)
        pthread_mutex_lock(&lock);
    int output = records_print(sink, batch, from);
    if (!locked)
        pthread_mutex_unlock(&lock);
    if (output < 0) {
        *failed = -1;
        return output;
    }
    sink->records += (uint64_t)(taken - from);
    return status;
}

static int sink_write(struct sink *sink, const struct batch *batch, int32_t from, int32_t to, int32_t *failed)
{
    *failed = from;
    buffer_clear(&sink->buffer);
    if (from == to)
        return 0;
    if (sink->begun)
        return records_write(sink, batch, from, to, failed, false);
    pthread_mutex_lock(&lock); /* nobody prints a first record between the header and ours */
    int status = header_encode(sink, batch, from);
    if (status == 0)
        status = records_write(sink, batch, from, to, failed, true);
    pthread_mutex_unlock(&lock);
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
