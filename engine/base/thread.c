#include "base/thread.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES 16 /* of the kernel */

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *self), void *self)
{
    char shown[NAME_BYTES];
    int failure = pthread_create(thread, NULL, run, self);
    if (failure != 0)
        return error_set(ERROR_MEMORY, "cannot start the thread '%s': %s", name, strerror(failure));
    snprintf(shown, sizeof shown, "%s", name);
    pthread_setname_np(*thread, shown);
    return 0;
}
