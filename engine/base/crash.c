#include "base/crash.h"

#include "base/log.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum crash_mode { CRASH_UNKNOWN, CRASH_OFF, CRASH_ARMED };

static const char *const names[] = {
#define CRASH_POINT(name) name,
#include "base/crash_points.h"
#undef CRASH_POINT
    NULL,
};

static _Atomic int mode;
static const char *armed_name;
static _Atomic long passages_left;
static pthread_once_t once = PTHREAD_ONCE_INIT;

const char *const *crash_points(void)
{
    return names;
}

/* The table's own pointer of `bytes` bytes of text, or NULL. */
static const char *name_find(const char *text, size_t bytes)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strlen(names[i]) == bytes && memcmp(names[i], text, bytes) == 0)
            return names[i];
    }
    return NULL;
}

static inline bool name_known(const char *name)
{
    return name_find(name, strlen(name)) != NULL;
}

static void refuse(const char *setting)
{
    log_error("MOONTIDE_CRASH_POINT=%s: not a crash point", setting);
    _exit(2);
}

static void arm(void)
{
    const char *setting = getenv("MOONTIDE_CRASH_POINT");
    if (setting == NULL || setting[0] == 0) {
        atomic_store(&mode, CRASH_OFF);
        return;
    }
    size_t bytes = strcspn(setting, ":");
    char *end = (char *)setting + bytes;
    long passage = setting[bytes] == ':' ? strtol(setting + bytes + 1, &end, 10) : 1;
    armed_name = name_find(setting, bytes);
    if (armed_name == NULL || passage < 1 || *end != 0)
        refuse(setting);
    atomic_store(&passages_left, passage);
    atomic_store(&mode, CRASH_ARMED);
}

static void pass(const char *name)
{
    pthread_once(&once, arm);
    if (atomic_load(&mode) != CRASH_ARMED || strcmp(name, armed_name) != 0)
        return;
    if (atomic_fetch_sub(&passages_left, 1) != 1)
        return;
    kill(0, SIGKILL);
    for (;;)
        pause();
}

void crash_point(const char *name)
{
    assert(name_known(name));
    if (atomic_load_explicit(&mode, memory_order_relaxed) != CRASH_OFF)
        pass(name);
}
