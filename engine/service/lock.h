/*
 * The data directory of a run: made if it is absent, and held by one process at a time.
 *
 * `<data>/lock` is locked with flock() and holds the pid. The lock belongs to
 * the open file, which a forked child shares: as long as the engine's process
 * lives, nobody else gets the directory, even if its supervisor was killed.
 *
 * Owner    lock_acquire() fills, lock_release() empties and, if the directory
 *          was a temporary one, removes it with everything in it.
 * Thread   the supervisor's only thread.
 * Errors   ERROR_STATE: another process holds it; else what the system said.
 */
#pragma once

#include <stdbool.h>

struct lock {
    char *directory;
    int descriptor;
    bool temporary;
};

/* `directory` NULL: a new one below TMPDIR, or /tmp. */
int lock_acquire(struct lock *lock, const char *directory);
void lock_release(struct lock *lock);
