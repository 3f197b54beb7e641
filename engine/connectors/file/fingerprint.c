#include "connectors/file/fingerprint.h"

#include "base/hash.h"

#include <unistd.h>

#define BYTES_MAX 256u

uint64_t fingerprint_before(int descriptor, uint64_t offset)
{
    char bytes[BYTES_MAX];
    size_t count = offset < BYTES_MAX ? (size_t)offset : BYTES_MAX;
    if (count == 0 || pread(descriptor, bytes, count, (off_t)(offset - count)) != (ssize_t)count)
        return 0;
    uint64_t hash = hash_bytes(bytes, count) & ~UINT64_C(1);
    return hash == 0 ? 2 : hash;
}
