/*
 * Replies of a job, which are JSON, as people read them. Fields keep the order
 * in which the job wrote them, which is why this walks the text itself.
 *
 * Owner    all slices point into the text.
 * Errors   malformed text reads as empty: what is shown ends there.
 */
#pragma once

#include "base/buffer.h"

/* A field of an object, as its text, a string with its quotes; empty if there is none. */
struct slice json_view_field(struct slice object, const char *name);
bool json_view_is(struct slice value, const char *text);

/* A scalar, or a list of them, as text, appended: strings without quotes, and by the name of its field "uptime_ms" as a duration, "bytes" as a size. */
void json_view_append(struct buffer *text, struct slice name, struct slice value);
/* A list of objects as a table, whose columns are the scalars of the first one, appended. */
void json_view_append_table(struct buffer *text, struct slice list);
/* An object as lines "name  value", lists of objects as tables below, appended. */
void json_view_append_object(struct buffer *text, struct slice object);
