#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_BYTES_MAX 4096

static _Thread_local char message[MESSAGE_BYTES_MAX];

/* Formatted apart first, since the arguments may point into the old message. */
static void message_format(const char *format, va_list arguments)
{
    char fresh[MESSAGE_BYTES_MAX];
    vsnprintf(fresh, sizeof fresh, format, arguments);
    memcpy(message, fresh, sizeof fresh);
}

static void message_append(const char *text)
{
    size_t used = strlen(message);
    snprintf(message + used, sizeof message - used, ": %s", text);
}

int error_set(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    message_format(format, arguments);
    va_end(arguments);
    return code;
}

int error_set_errno(int code, const char *format, ...)
{
    int number = errno;
    va_list arguments;
    va_start(arguments, format);
    message_format(format, arguments);
    va_end(arguments);
    char text[128];
    message_append(strerror_r(number, text, sizeof text));
    return number == ENOSPC || number == EDQUOT ? ERROR_FULL : code;
}

int error_wrap(int code, const char *format, ...)
{
    char old[MESSAGE_BYTES_MAX];
    memcpy(old, message, sizeof old);
    va_list arguments;
    va_start(arguments, format);
    message_format(format, arguments);
    va_end(arguments);
    message_append(old);
    return code;
}

const char *error_message(void)
{
    return message;
}

const char *error_text(int code)
{
    switch (code) {
    case ERROR_NONE: return "success";
#define ERROR_CODE(name, text) case name: return text;
#include "base/error_codes.h"
#undef ERROR_CODE
    default: return "unknown error";
    }
}
