#include "service/wire.h"

#include "base/error.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PAYLOAD_BYTES_MAX (64u << 20)
#define RECEIVE_BYTES (64u << 10)

struct header {
    uint32_t kind, bytes;
    uint64_t id;
};

/* Drop the first `sent` bytes of both pieces. */
static void advance(struct iovec pieces[2], size_t sent)
{
    for (int i = 0; i < 2; i++) {
        size_t part = sent < pieces[i].iov_len ? sent : pieces[i].iov_len;
        pieces[i].iov_base = (char *)pieces[i].iov_base + part;
        pieces[i].iov_len -= part;
        sent -= part;
    }
}

int wire_send(int descriptor, enum wire_kind kind, uint64_t id, struct slice payload, int flags)
{
    if (payload.bytes > PAYLOAD_BYTES_MAX)
        return error_set(ERROR_TOO_LARGE, "a message of %zu bytes", payload.bytes);
    struct header header = { (uint32_t)kind, (uint32_t)payload.bytes, id };
    struct iovec pieces[2] = { { &header, sizeof header }, { (char *)payload.data, payload.bytes } };
    bool begun = false;
    while (pieces[0].iov_len + pieces[1].iov_len > 0) {
        struct msghdr whole = { .msg_iov = pieces, .msg_iovlen = 2 };
        /* The rest of a message that was begun has to follow, or the next one could not be read. */
        ssize_t sent = sendmsg(descriptor, &whole, MSG_NOSIGNAL | (begun ? 0 : flags));
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return error_set(ERROR_TIMEOUT, "the other process does not read");
        if (sent < 0)
            return error_set_errno(ERROR_IO, "cannot speak to the other process");
        begun = true;
        advance(pieces, (size_t)sent);
    }
    return 0;
}

int wire_receive(int descriptor, struct wire_reader *reader, int flags)
{
    struct buffer *bytes = &reader->bytes;
    if (reader->taken > 0) {
        memmove(bytes->data, bytes->data + reader->taken, bytes->bytes - reader->taken);
        bytes->bytes -= reader->taken;
        reader->taken = 0;
    }
    ssize_t received = recv(descriptor, buffer_reserve(bytes, RECEIVE_BYTES), RECEIVE_BYTES, flags);
    if (received < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
        return WIRE_NOTHING;
    if (received < 0 && errno == ECONNRESET)
        return 0;
    if (received < 0)
        return error_set_errno(ERROR_IO, "cannot hear the other process");
    bytes->bytes += (size_t)received;
    return received > 0;
}

int wire_next(struct wire_reader *reader, struct wire_message *message)
{
    size_t left = reader->bytes.bytes - reader->taken;
    struct header header;
    if (left < sizeof header)
        return 0;
    const char *start = reader->bytes.data + reader->taken;
    memcpy(&header, start, sizeof header);
    if (header.kind < WIRE_CONFIG || header.kind > WIRE_END || header.bytes > PAYLOAD_BYTES_MAX)
        return error_set(ERROR_CORRUPT, "a message of kind %u and %u bytes", header.kind, header.bytes);
    if (left - sizeof header < header.bytes)
        return 0;
    *message = (struct wire_message){ header.kind, header.id, start + sizeof header, header.bytes };
    reader->taken += sizeof header + header.bytes;
    return 1;
}

void wire_reader_deinit(struct wire_reader *reader)
{
    buffer_deinit(&reader->bytes);
    reader->taken = 0;
}

bool wire_fixed(const struct wire_message *message, void *target, size_t bytes)
{
    if (message->bytes < bytes)
        return false;
    memcpy(target, message->data, bytes);
    return true;
}

const char *wire_text(const struct wire_message *message, size_t *offset)
{
    if (*offset >= message->bytes)
        return NULL;
    const char *text = message->data + *offset;
    const char *end = memchr(text, 0, message->bytes - *offset);
    if (end == NULL)
        return NULL;
    *offset += (size_t)(end - text) + 1;
    return text;
}
