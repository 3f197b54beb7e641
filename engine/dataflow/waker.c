#include "dataflow/worker_internal.h"

#include "base/clock.h"

void waker_init(struct waker *waker)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&waker->lock, NULL);
    pthread_cond_init(&waker->condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
    atomic_init(&waker->sleeping, false);
    waker->woken = false;
}

void waker_deinit(struct waker *waker)
{
    pthread_cond_destroy(&waker->condition);
    pthread_mutex_destroy(&waker->lock);
}

/*
 * Who wakes looks at `sleeping` without the lock, so most pushes cost a load. A
 * push that falls between the sleeper's last look and its sleep is caught by the
 * time limit: short, since the sleeper looks again by itself.
 */
void waker_wait(struct waker *waker, int64_t nanoseconds)
{
    uint64_t until = clock_monotonic_ns() + (uint64_t)nanoseconds;
    struct timespec limit = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };
    pthread_mutex_lock(&waker->lock);
    atomic_store(&waker->sleeping, true);
    while (!waker->woken) {
        if (pthread_cond_timedwait(&waker->condition, &waker->lock, &limit) != 0)
            break;
    }
    waker->woken = false;
    atomic_store(&waker->sleeping, false);
    pthread_mutex_unlock(&waker->lock);
}

void waker_wake(struct waker *waker)
{
    pthread_mutex_lock(&waker->lock);
    waker->woken = true;
    pthread_cond_signal(&waker->condition);
    pthread_mutex_unlock(&waker->lock);
}
