/*
 * Buffers go from workers to the thread that writes them, a megabyte each. A few
 * that came back are kept: fresh memory costs the worker a page fault every four
 * kilobytes, and giving it back interrupts all threads of the process.
 */
#include "state/keyed_state.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>

#define KEPT_MAX 8
#define KEPT_BYTES_MAX (2u << 20)
#define ROOM_BYTES (STATE_BUFFER_BYTES + 16384) /* and the rows that fill it */

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static struct state_buffer *kept;
static uint32_t kept_count;

static struct state_buffer *kept_take(void)
{
    pthread_mutex_lock(&kept_lock);
    struct state_buffer *buffer = kept;
    if (buffer != NULL) {
        kept = buffer->next;
        kept_count--;
    }
    pthread_mutex_unlock(&kept_lock);
    return buffer;
}

static bool kept_add(struct state_buffer *buffer)
{
    pthread_mutex_lock(&kept_lock);
    bool room = kept_count < KEPT_MAX;
    if (room) {
        buffer->next = kept;
        kept = buffer;
        kept_count++;
    }
    pthread_mutex_unlock(&kept_lock);
    return room;
}

struct state_buffer *state_buffer_new(const struct state_buffer *head)
{
    struct state_buffer *buffer = kept_take();
    if (buffer == NULL) {
        buffer = memory_new_zeroed(1, sizeof *buffer);
        buffer_reserve(&buffer->rows, ROOM_BYTES);
    }
    struct buffer rows = buffer->rows;
    buffer_clear(&rows);
    *buffer = *head;
    buffer->next = NULL;
    buffer->rows = rows;
    return buffer;
}

void state_buffer_free(struct state_buffer *buffer)
{
    if (buffer->rows.capacity <= KEPT_BYTES_MAX && kept_add(buffer))
        return;
    buffer_deinit(&buffer->rows);
    free(buffer);
}
