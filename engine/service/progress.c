#include "service/progress.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_WITHOUT_ANSWER 80u
#define FORWARD_BYTES 65536u

void progress_init(struct progress *progress, bool wanted)
{
    const char *terminal = getenv("TERM"), *plain = getenv("NO_COLOR");
    bool moves = terminal != NULL && *terminal != 0 && strcmp(terminal, "dumb") != 0;
    *progress = (struct progress){ .enabled = wanted && moves && isatty(STDERR_FILENO) };
    progress->dimmed = plain == NULL || *plain == 0;
}

void progress_restart(struct progress *progress, uint64_t now_ms)
{
    progress->samples[0].at_ms = now_ms;
    progress->samples[0].records = 0;
    progress->sample_count = 1;
}

/* A terminal that has gone is not the job's concern: what cannot be shown is dropped. */
static void write_all(int target, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(target, bytes, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return;
        bytes += written;
        count -= (size_t)written;
    }
}

void progress_clear(struct progress *progress)
{
    if (progress->shown)
        write_all(STDERR_FILENO, "\r\033[K", 4);
    progress->shown = false;
}

/* Records a second over the samples at hand. */
static uint64_t take_rate(struct progress *progress, uint64_t records, uint64_t now_ms)
{
    uint32_t count = progress->sample_count++;
    uint32_t oldest = count < PROGRESS_SAMPLES ? 0 : count % PROGRESS_SAMPLES;
    uint64_t since_ms = progress->samples[oldest].at_ms, before = progress->samples[oldest].records;
    progress->samples[count % PROGRESS_SAMPLES].at_ms = now_ms;
    progress->samples[count % PROGRESS_SAMPLES].records = records;
    return now_ms > since_ms && records > before ? (records - before) * 1000 / (now_ms - since_ms) : 0;
}

static size_t terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS_WITHOUT_ANSWER;
}

/* Event time runs behind the clock, but input may also be dated ahead of it. */
static void append_lag(struct buffer *line, int64_t lag_ms)
{
    buffer_append_format(line, "  time ");
    text_append_duration(line, (uint64_t)(lag_ms < 0 ? -lag_ms : lag_ms));
    buffer_append_format(line, lag_ms < 0 ? " ahead" : " behind");
}

static void append_line(struct buffer *line, const char *name, const struct job_progress *numbers, uint64_t rate)
{
    buffer_append_format(line, "%s  ", name);
    text_append_count(line, numbers->records_in);
    buffer_append_format(line, " in  ");
    text_append_count(line, rate);
    buffer_append_format(line, "/s  ");
    text_append_count(line, numbers->records_out);
    buffer_append_format(line, " out");
    if (numbers->has_watermark)
        append_lag(line, clock_wall_ms() - numbers->watermark);
    if (numbers->last_checkpoint == 0)
        return;
    buffer_append_format(line, "  checkpoint %llu, ", (unsigned long long)numbers->last_checkpoint);
    text_append_duration(line, numbers->last_checkpoint_ms_ago);
    buffer_append_format(line, " ago");
}

void progress_draw(struct progress *progress, const char *name, const struct job_progress *numbers, uint64_t now_ms)
{
    uint64_t rate = take_rate(progress, numbers->records_in, now_ms);
    if (!progress->enabled || progress->unfinished)
        return;
    struct buffer line = { 0 };
    append_line(&line, name, numbers, rate);
    size_t columns = terminal_columns() - 1; /* a full line would wrap, and could not be taken away */
    struct buffer frame = { 0 };
    buffer_append_format(&frame, "\r%s", progress->dimmed ? "\033[2m" : "");
    buffer_append(&frame, line.data, line.bytes < columns ? line.bytes : columns);
    buffer_append_format(&frame, "%s\033[K", progress->dimmed ? "\033[0m" : "");
    write_all(STDERR_FILENO, frame.data, frame.bytes);
    progress->shown = true;
    buffer_deinit(&frame);
    buffer_deinit(&line);
}

void progress_message(struct progress *progress, const char *format, ...)
{
    progress_clear(progress);
    char line[4096];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (bytes < 0)
        return;
    size_t used = (size_t)bytes < sizeof line - 1 ? (size_t)bytes : sizeof line - 2;
    line[used++] = '\n';
    if (progress->unfinished)
        write_all(STDERR_FILENO, "\n", 1);
    progress->unfinished = false;
    write_all(STDERR_FILENO, line, used); /* at once, so that it does not mix with a line of the child's */
}

int progress_forward(struct progress *progress, int source, int target)
{
    char bytes[FORWARD_BYTES];
    ssize_t count = read(source, bytes, sizeof bytes);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (count == 0)
        return -1;
    progress_clear(progress);
    write_all(target, bytes, (size_t)count);
    progress->unfinished = bytes[count - 1] != '\n';
    return 1;
}
