/*
 * What the supervisor shows on the terminal: one line on stderr that is drawn
 * over and over, and messages of one line that scroll. Whatever else goes to
 * the terminal passes through progress_forward(), which takes the line away
 * first; only so the two never mix.
 *
 * Without a terminal (or with it turned off) only the messages are written.
 *
 * Owner    progress_init() on the caller's memory; nothing to free.
 * Thread   the supervisor's only thread.
 */
#pragma once

#include "base/buffer.h"
#include "script/job.h"

#define PROGRESS_SAMPLES 6u   /* the rate is that of the last second: reports come 5 times a second */

struct progress {
    bool enabled, dimmed;
    bool shown;                 /* the line is on the screen */
    bool unfinished;            /* what was forwarded last did not end its line */
    struct { uint64_t at_ms, records; } samples[PROGRESS_SAMPLES];
    uint32_t sample_count;      /* ever taken */
};

/* `wanted` false: never a line. Else one if stderr is a terminal that can move its cursor. */
void progress_init(struct progress *progress, bool wanted);
/* Begin to measure the rate anew, from no records: another attempt. */
void progress_restart(struct progress *progress, uint64_t now_ms);
void progress_draw(struct progress *progress, const char *name, const struct job_progress *numbers, uint64_t now_ms);
void progress_clear(struct progress *progress);
/* One line on stderr, above the progress line. */
void progress_message(struct progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Pass on what `source` has to `target` (STDOUT_FILENO or STDERR_FILENO): 1, 0: nothing now, -1: it has come to its end. */
int progress_forward(struct progress *progress, int source, int target);
