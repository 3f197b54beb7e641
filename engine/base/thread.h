/* Threads with names. */
#pragma once

#include <pthread.h>

/*
 * Start a thread; join it by pthread_join(). `name` is what `top -H`, `perf` and `gdb` show, cut after 15 bytes.
 * ERROR_MEMORY: the machine, or a limit on this process, has no room for another one.
 */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *self), void *self);
