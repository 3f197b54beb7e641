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
 * The sleeper announces itself, looks for work once more, and only then waits. Who
 * brings work takes the announcement back after it has put the work there. Both are
 * exchanges of one atomic, so one of the two sees the other: no wake is lost, and a
 * push to a worker that is busy costs no lock.
 */
void waker_announce(struct waker *waker)
{
    (void)atomic_exchange(&waker->sleeping, true);
}

void waker_stay_awake(struct waker *waker)
{
    if (atomic_load_explicit(&waker->sleeping, memory_order_relaxed))
        atomic_store_explicit(&waker->sleeping, false, memory_order_relaxed);
}

void waker_wait(struct waker *waker, int64_t nanoseconds)
{
    uint64_t until = clock_monotonic_ns() + (uint64_t)nanoseconds;
    struct timespec limit = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };
    pthread_mutex_lock(&waker->lock);
    while (!waker->woken) {
        if (pthread_cond_timedwait(&waker->condition, &waker->lock, &limit) != 0)
            break;
    }
    waker->woken = false;
    pthread_mutex_unlock(&waker->lock);
    waker_announce(waker);
}

void waker_wake_sleeper(struct waker *waker)
{
    if (atomic_exchange(&waker->sleeping, false))
        waker_wake(waker);
}

void waker_wake(struct waker *waker)
{
    pthread_mutex_lock(&waker->lock);
    waker->woken = true;
    pthread_cond_signal(&waker->condition);
    pthread_mutex_unlock(&waker->lock);
}
