#include "service/reply.h"

#include <stdarg.h>
#include <stdio.h>

void reply_append_text(struct buffer *json, const char *text)
{
    buffer_append_byte(json, '"');
    for (; *text != 0; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            buffer_append_format(json, "\\%c", byte);
        else if (byte == '\n')
            buffer_append(json, "\\n", 2);
        else if (byte < 0x20)
            buffer_append_format(json, "\\u%04x", byte);
        else
            buffer_append_byte(json, byte);
    }
    buffer_append_byte(json, '"');
}

void reply_error(struct buffer *json, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buffer_append_format(json, "{\"ok\":false,\"error\":");
    reply_append_text(json, text);
    buffer_append_byte(json, '}');
}
