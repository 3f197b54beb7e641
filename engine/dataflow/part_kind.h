/*
 * What a step's part of a checkpoint is: "file source", "lua sink", "lua". Parts are
 * given back by step and kind: what one connector saved is never read by another.
 *
 * Thread   any.
 */
#pragma once

#include "dataflow/plan.h"

#define PART_KIND_BYTES 64

/* "" where the step saves nothing. */
void part_kind(const struct step *step, char kind[PART_KIND_BYTES]);
/* Is it a place in an input or output, which is lost if nobody takes it over? State has its own names, and time begins anew. */
bool part_kind_is_place(const char *kind);
