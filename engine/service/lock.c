#include "service/lock.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The child of a killed supervisor dies a moment after it: how long that moment may last. */
#define ORPHAN_WAIT_MS 5000
#define RETRY_MS 5

static int make_directories(const char *directory)
{
    char *path = memory_copy_text(directory);
    int status = 0;
    for (char *end = path + 1; status == 0 && *path != 0; end++) {
        char kept = *end;
        if (kept != '/' && kept != 0)
            continue;
        *end = 0;
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            status = error_set_errno(ERROR_IO, "cannot make directory %s", path);
        *end = kept;
        if (kept == 0)
            break;
    }
    free(path);
    return status;
}

static char *make_temporary(void)
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || *parent == 0)
        parent = "/tmp";
    size_t bytes = strlen(parent) + sizeof "/moontide-XXXXXX";
    char *path = memory_new(bytes);
    snprintf(path, bytes, "%s/moontide-XXXXXX", parent);
    if (mkdtemp(path) != NULL)
        return path;
    error_set_errno(ERROR_IO, "cannot make a temporary directory below %s", parent);
    free(path);
    return NULL;
}

static pid_t read_holder(int descriptor)
{
    char text[24];
    ssize_t bytes = pread(descriptor, text, sizeof text - 1, 0);
    text[bytes > 0 ? bytes : 0] = 0;
    return (pid_t)strtol(text, NULL, 10);
}

static int write_holder(int descriptor)
{
    char text[24];
    int bytes = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, text, (size_t)bytes, 0) != bytes)
        return error_set_errno(ERROR_IO, "cannot write the lock file");
    return 0;
}

static bool is_alive(pid_t pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

static int hold(int descriptor, const char *directory)
{
    uint64_t begun_ns = clock_monotonic_ns();
    while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_set_errno(ERROR_IO, "cannot lock %s", directory);
        pid_t holder = read_holder(descriptor);
        if (is_alive(holder) || clock_monotonic_ns() - begun_ns > ORPHAN_WAIT_MS * 1000000ull)
            return error_set(ERROR_STATE, "another process (pid %d) runs this data directory: %s", (int)holder, directory);
        nanosleep(&(struct timespec){ .tv_nsec = RETRY_MS * 1000000l }, NULL);
    }
    return write_holder(descriptor);
}

int lock_acquire(struct lock *lock, const char *directory)
{
    *lock = (struct lock){ .descriptor = -1, .temporary = directory == NULL };
    if (directory != NULL && *directory == 0)
        return error_set(ERROR_ARGUMENT, "the path of the data directory is empty");
    lock->directory = directory == NULL ? make_temporary() : memory_copy_text(directory);
    if (lock->directory == NULL)
        return ERROR_IO;
    int status = make_directories(lock->directory);
    char path[4096];
    if (status == 0 && snprintf(path, sizeof path, "%s/lock", lock->directory) >= (int)sizeof path)
        status = error_set(ERROR_ARGUMENT, "the path of the data directory is too long");
    if (status == 0) {
        lock->descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        status = lock->descriptor < 0 ? error_set_errno(ERROR_IO, "cannot open %s", path) : hold(lock->descriptor, lock->directory);
    }
    if (status < 0)
        lock_release(lock);
    return status;
}

void lock_release(struct lock *lock)
{
    if (lock->descriptor >= 0)
        close(lock->descriptor);
    if (lock->directory != NULL && lock->temporary)
        storage_remove_tree(lock->directory); /* what cannot be removed is left: nothing better is to be done at the end of a run */
    free(lock->directory);
    *lock = (struct lock){ .descriptor = -1 };
}
