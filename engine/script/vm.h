/*
 * One Lua state with Moontide's library in it. Each worker has its own; C enters
 * it through the functions below alone, by vm_drive() once for the whole run of a
 * worker, and no C function that is reached by FFI enters Lua.
 *
 * Owner    vm_new() allocates, vm_free() closes.
 * Thread   one at a time.
 * Errors   negative codes; a Lua error is ERROR_SCRIPT with its text as message.
 */
#pragma once

#include "base/buffer.h"
#include "dataflow/worker.h"

#include <stdbool.h>
#include <stdint.h>

struct vm;

/* `memory_bytes_max`: what its Lua objects may use; beyond it Lua raises "not enough memory". */
struct vm *vm_new(uint64_t memory_bytes_max);
void vm_free(struct vm *vm);

/* Load a job's script with main.load(). `settings` ends with NULL. */
int vm_load_job(struct vm *vm, const char *script, const char *const *settings);
/* A number or text of main.config(); false if it is not set. */
bool vm_config_number(struct vm *vm, const char *name, double *number);
const char *vm_config_text(struct vm *vm, const char *name);
/* main.fill(plan), main.drive(worker), main.give_up(completed), main.explain(format). */
int vm_fill_plan(struct vm *vm, void *plan);
int vm_drive(struct vm *vm, void *worker, int *answer);
/* Behind vm_drive(), also by another thread: the worker came to no end, and no checkpoint above `completed` ever will. */
int vm_give_up(struct vm *vm, uint64_t completed);
int vm_explain(struct vm *vm, const char *format, struct buffer *out);
/* Run without the JIT, with a count hook that raises an error when one callback of the worker takes longer: to name its line. */
void vm_guard(struct vm *vm, const struct worker *worker, uint64_t callback_ms_max);
