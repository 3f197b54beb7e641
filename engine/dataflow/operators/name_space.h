/*
 * A window as the namespace of its panes and timers: one msgpack value, short, so that
 * with a short key it is found without a pointer more. Nil for the global window, else a
 * string of two varints: the start, zigzag, and the length.
 *
 * Thread   any.
 */
#pragma once

#include "base/buffer.h"
#include "time/window.h"

/* The window of everything: its last millisecond is MAX (S31). */
#define WINDOW_OF_ALL ((struct window){ INT64_MIN, INT64_MAX })

void name_space_write(struct buffer *out, const struct window *window);
/* ERROR_CORRUPT for what is no window. */
int name_space_read(struct slice name_space, struct window *window);
