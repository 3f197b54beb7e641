/*
 * Replies of the control protocol: one JSON object on one line.
 */
#pragma once

#include "base/buffer.h"

/* {"ok":false,"error":"..."}, appended. */
void reply_error(struct buffer *json, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `text` as a JSON string with its quotes, appended. Bytes that are no UTF-8 are passed on as they are. */
void reply_append_text(struct buffer *json, const char *text);
