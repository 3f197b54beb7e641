/*
 * The other end of the control socket: one request to a running job.
 *
 * Errors   ERROR_NOT_FOUND: no job runs in this directory; else negative with
 *          error_message(). A reply of {"ok":false,...} is a success here.
 */
#pragma once

#include "base/buffer.h"

/* Waits for the reply, however long it takes; its line, without its end, is appended. */
int control_client_request(const char *data, const char *line, struct buffer *reply);
