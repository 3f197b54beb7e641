/*
 * Levelled lines on stderr: "2026-01-31T12:00:00.123Z warn  text". One write
 * per line, so lines of several threads do not mix.
 */
#pragma once

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/* "debug", "info", "warn", "error": the level, or -1. */
int log_level_of(const char *name);

/* <cdef> */
void log_set_level(int level);
/* Are lines of a level written? Any thread. */
bool log_is_on(int level);
/* One line without formatting, for Lua. */
void log_text(int level, const char *text);
/* </cdef> */
