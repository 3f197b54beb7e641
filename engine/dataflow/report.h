/*
 * What a failure in a step of the engine reads like: the form of
 * lua/moontide/runtime/report.lua, which tells of failures of the author's code.
 *
 * Thread   the worker's.
 */
#pragma once

#include "dataflow/operator.h"

/* The job fails by record `index` of the batch: `status` and error_message() say why. */
void report_record(struct operator *op, const struct batch *batch, int32_t index, int status);
/* The same where there is no record to show: a window, bytes of a file. */
void report_step(struct operator *op, int status);
/* What the world did may be over at the next attempt; what a record or the script did is not. */
bool report_may_pass(int status);
