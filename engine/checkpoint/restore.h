/*
 * From a manifest back to running state: which columns rows have, what each step
 * saved, and the rows themselves.
 *
 * Thread   restore_columns: one, before the workers. restore_keyed_state: a worker's.
 * Errors   0 or a negative code with error_message().
 */
#pragma once

#include "checkpoint/manifest.h"
#include "checkpoint/storage.h"
#include "dataflow/checkpointing.h"
#include "dataflow/plan.h"

/*
 * Give all columns of the plan their numbers: those of the manifest (NULL: none) by
 * step and state name, else new ones. ERROR_REFUSED where state would be lost or
 * changes its kind.
 */
int restore_columns(struct plan *plan, const struct manifest *manifest, bool allow_non_restored_state);
/* The columns of a plan, into a manifest. */
void restore_save_columns(const struct plan *plan, struct manifest *manifest);
/* All rows of the manifest's files that belong to `state`. */
int restore_keyed_state(struct storage *storage, const struct manifest *manifest, struct keyed_state *state);
/* Does a base of the store's own files belong to it? Its name in the shared folder, or NULL. */
const char *restore_rows_directory(const struct manifest *manifest);
