/*
 * Watermarks of a step, whoever took the time stamps: the engine, from a field, or the
 * author's function, in Lua. See time/assigner.h.
 *
 * Thread   the worker.
 */
#pragma once

#include "dataflow/worker_internal.h"

struct assign;

int assign_open(struct operator *op, struct assign **assign);
void assign_close(struct assign *assign);
const struct assigner *assign_assigner(const struct assign *assign);
/*
 * Emit a batch whose records have time stamps, with the watermarks at their places.
 * `watermarks` is NULL or has for each record what the author's function answered beside
 * the time (TIME_NONE: nothing).
 */
int assign_pass(struct operator *op, struct assign *assign, struct batch *batch, const int64_t *watermarks);
/* As in struct operator_vtab. */
int assign_time(struct operator *op, struct assign *assign, uint32_t mark, int64_t number);
int assign_tick(struct operator *op, struct assign *assign);
int64_t assign_clock(struct operator *op, struct assign *assign, int64_t now_ms);
void assign_snapshot(const struct assign *assign, struct buffer *blob);
