#include "base/prefault.h"

#include "base/memory.h"
#include "base/thread.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u

struct prefault {
    pthread_t thread;
    bool started;
    atomic_bool stop;
    uint32_t count;
    struct memory_block blocks[];
};

/* The whole pages of a block. */
static int populate(const struct memory_block *block)
{
    uintptr_t start = ((uintptr_t)block->start + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
    uintptr_t end = ((uintptr_t)block->start + block->bytes) & ~(uintptr_t)(PAGE_BYTES - 1);
    return end > start ? madvise((void *)start, end - start, MADV_POPULATE_WRITE) : 0;
}

static void *run(void *self)
{
    struct prefault *prefault = self;
    for (uint32_t i = 0; i < prefault->count && !atomic_load_explicit(&prefault->stop, memory_order_relaxed); i++) {
        if (populate(&prefault->blocks[i]) < 0)
            break; /* a kernel that does not know it, or no memory: the owner will see */
    }
    return NULL;
}

struct prefault *prefault_begin(const struct memory_block *blocks, uint32_t count)
{
    struct prefault *prefault = memory_new_zeroed(1, sizeof *prefault + count * sizeof *blocks);
    prefault->count = count;
    for (uint32_t i = 0; i < count; i++)
        prefault->blocks[i] = blocks[i];
    prefault->started = thread_start(&prefault->thread, "prefault", run, prefault) == 0;
    return prefault;
}

void prefault_end(struct prefault *prefault)
{
    if (prefault == NULL)
        return;
    atomic_store_explicit(&prefault->stop, true, memory_order_relaxed);
    if (prefault->started)
        pthread_join(prefault->thread, NULL);
    free(prefault);
}
