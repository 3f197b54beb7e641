/*
 * Failure: a negative code, and a text with the details for this thread.
 *
 * Failing is one statement: return error_set(ERROR_CORRUPT, "file %s", path);
 * Programmer mistakes are assert(); operating failures are codes.
 *
 * Thread   error_set() and error_message() work on the calling thread's text.
 */
#pragma once

enum error_code {
    ERROR_NONE = 0,
    ERROR_BASE_ = -1000,
#define ERROR_CODE(name, text) name,
#include "base/error_codes.h"
#undef ERROR_CODE
};

/* Store a message for this thread and return `code`. The text may refer to the previous message. */
int error_set(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As error_set(), with ": <strerror(errno)>" appended; ENOSPC and EDQUOT become ERROR_FULL. */
int error_set_errno(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put context in front of this thread's message: "<context>: <message>". Returns `code`. */
int error_wrap(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* <cdef> */
/* The message of this thread's last failure; valid until its next one. Never NULL. */
const char *error_message(void);
/* The text of a code: "corrupt data". Never NULL. */
const char *error_text(int code);
/* </cdef> */
