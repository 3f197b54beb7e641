#include "time/alignment.h"

#include "base/memory.h"
#include "time/instant.h"
#include "time/valve.h"

#include <stdatomic.h>
#include <stdlib.h>

#define LINE_BYTES 64 /* of the cache: a member that publishes does not disturb the others */

/* TIME_END: does not count. The numbers say nothing about other memory, so relaxed order is enough. */
struct member { _Alignas(LINE_BYTES) _Atomic int64_t watermark; };

struct alignment {
    uint32_t count;
    struct member *members;
};

struct alignment *alignment_new(uint32_t members)
{
    struct alignment *alignment = memory_new_zeroed(1, sizeof *alignment);
    alignment->count = members;
    alignment->members = memory_new_aligned(LINE_BYTES, (members + 1) * sizeof alignment->members[0]);
    for (uint32_t i = 0; i < members; i++)
        atomic_init(&alignment->members[i].watermark, WATERMARK_MIN);
    return alignment;
}

void alignment_free(struct alignment *alignment)
{
    if (alignment == NULL)
        return;
    free(alignment->members);
    free(alignment);
}

void alignment_publish(struct alignment *alignment, uint32_t member, int64_t watermark)
{
    atomic_store_explicit(&alignment->members[member].watermark, watermark, memory_order_relaxed);
}

void alignment_leave(struct alignment *alignment, uint32_t member)
{
    alignment_publish(alignment, member, TIME_END);
}

bool alignment_pauses(const struct alignment *alignment, uint32_t member, int64_t max_drift)
{
    int64_t own = atomic_load_explicit(&alignment->members[member].watermark, memory_order_relaxed);
    if (own == TIME_END)
        return false;
    int64_t lowest = own;
    for (uint32_t i = 0; i < alignment->count; i++) {
        int64_t other = atomic_load_explicit(&alignment->members[i].watermark, memory_order_relaxed);
        lowest = other < lowest ? other : lowest;
    }
    return (uint64_t)own - (uint64_t)lowest > (uint64_t)max_drift; /* own >= lowest, and MIN to 2^53 has room without a sign */
}
