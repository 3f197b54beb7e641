#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static atomic_int level_least = LOG_WARN;

int log_level_of(const char *name)
{
    for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        if (strcmp(name, level_names[level]) == 0)
            return level;
    }
    return -1;
}

void log_set_level(int level)
{
    atomic_store(&level_least, level);
}

bool log_is_on(int level)
{
    return level >= atomic_load_explicit(&level_least, memory_order_relaxed);
}

static int stamp(char *line, size_t bytes, enum log_level level)
{
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t used = strftime(line, bytes, "%Y-%m-%dT%H:%M:%S", &parts);
    return (int)used + snprintf(line + used, bytes - used, ".%03dZ %-5s ", (int)(now_ms % 1000), level_names[level]);
}

void log_line(enum log_level level, const char *format, ...)
{
    if (!log_is_on((int)level))
        return;
    char line[4096];
    int used = stamp(line, sizeof line, level);
    va_list arguments;
    va_start(arguments, format);
    int text = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, arguments);
    va_end(arguments);
    int room = (int)sizeof line - used - 2;
    used += text < room ? text : room;
    line[used++] = '\n';
    struct buffer printed = { 0 };
    text_append_printable(&printed, slice_of(line, (size_t)used));
    ssize_t written = write(STDERR_FILENO, printed.data, printed.bytes);
    (void)written; /* nowhere left to say that it failed */
    buffer_deinit(&printed);
}

void log_text(int level, const char *text)
{
    log_line((enum log_level)level, "%s", text);
}
