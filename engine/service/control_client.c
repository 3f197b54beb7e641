#include "service/control_client.h"

#include "base/error.h"
#include "service/control_path.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_BYTES_MAX (128u << 20)

static int nobody_runs(const char *data)
{
    if (access(data, F_OK) < 0)
        return error_set(ERROR_NOT_FOUND, "no job runs in %s: there is no such directory", data);
    return error_set(ERROR_NOT_FOUND, "no job runs in %s", data);
}

static int connect_to(const char *data, int *descriptor)
{
    struct control_path path;
    int status = control_path_init(&path, data);
    if (status < 0)
        return status == ERROR_NOT_FOUND ? nobody_runs(data) : status;
    *descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*descriptor < 0)
        status = error_set_errno(ERROR_IO, "cannot open a socket");
    else if (connect(*descriptor, (const struct sockaddr *)&path.address, sizeof path.address) == 0)
        status = 0;
    else if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
        status = nobody_runs(data);
    else
        status = error_set_errno(ERROR_IO, "cannot speak to the job in %s", data);
    control_path_deinit(&path);
    if (status < 0 && *descriptor >= 0)
        close(*descriptor);
    return status;
}

static int send_line(int descriptor, const char *line)
{
    struct buffer request = { 0 };
    buffer_append_format(&request, "%s\n", line);
    ssize_t sent = send(descriptor, request.data, request.bytes, MSG_NOSIGNAL);
    bool whole = sent == (ssize_t)request.bytes;
    buffer_deinit(&request);
    return whole ? 0 : error_set_errno(ERROR_IO, "cannot speak to the job");
}

static int receive_line(int descriptor, struct buffer *reply)
{
    for (;;) {
        char *start = buffer_reserve(reply, 16384);
        ssize_t received = recv(descriptor, start, 16384, 0);
        if (received < 0 && errno == EINTR)
            continue;
        if (received <= 0)
            return error_set(ERROR_IO, "the job ended before it answered");
        const char *end = memchr(start, '\n', (size_t)received);
        reply->bytes += end == NULL ? (size_t)received : (size_t)(end - start);
        if (end != NULL)
            return 0;
        if (reply->bytes > REPLY_BYTES_MAX)
            return error_set(ERROR_TOO_LARGE, "the reply of the job is too long");
    }
}

int control_client_request(const char *data, const char *line, struct buffer *reply)
{
    int descriptor = -1;
    int status = connect_to(data, &descriptor);
    if (status < 0)
        return status;
    status = send_line(descriptor, line);
    if (status == 0)
        status = receive_line(descriptor, reply);
    close(descriptor);
    return status;
}
