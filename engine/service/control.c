#include "service/control.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "service/control_path.h"
#include "service/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct client {
    int descriptor;             /* -1: a free place */
    uint64_t id;
    struct buffer input, output;
    size_t sent;                /* of output */
    enum control_wait wait;
    uint64_t deadline_ms, active_ms;
    bool closing;               /* asks no more: closed when its reply is sent */
};

struct control {
    struct control_path path;
    int listener;
    struct control_handler handler;
    uint64_t last_id;
    struct client clients[CONTROL_CLIENTS_MAX];
};

static int listen_at(const struct control_path *path)
{
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return error_set_errno(ERROR_IO, "cannot open the control socket");
    /* The directory's lock is ours, so whoever left a socket here is dead. */
    unlink(path->address.sun_path);
    mode_t mask = umask(0177);
    int bound = bind(descriptor, (const struct sockaddr *)&path->address, sizeof path->address);
    umask(mask);
    if (bound == 0 && listen(descriptor, 64) == 0)
        return descriptor;
    int status = error_set_errno(ERROR_IO, "cannot listen at %s", path->address.sun_path);
    close(descriptor);
    return status;
}

int control_open(const char *data, const struct control_handler *handler, struct control **control)
{
    struct control *opened = memory_new_zeroed(1, sizeof *opened);
    opened->handler = *handler;
    for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        opened->clients[i].descriptor = -1;
    int status = control_path_init(&opened->path, data);
    opened->listener = status < 0 ? status : listen_at(&opened->path);
    if (opened->listener < 0) {
        status = opened->listener;
        control_path_deinit(&opened->path);
        free(opened);
        return status;
    }
    *control = opened;
    return 0;
}

static void client_drop(struct client *client)
{
    if (client->descriptor >= 0)
        close(client->descriptor);
    buffer_deinit(&client->input);
    buffer_deinit(&client->output);
    *client = (struct client){ .descriptor = -1 };
}

void control_close(struct control *control)
{
    if (control == NULL)
        return;
    for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        client_drop(&control->clients[i]);
    if (control->listener >= 0)
        close(control->listener);
    control_path_deinit(&control->path);
    free(control);
}

void control_unlink(struct control *control)
{
    if (control == NULL || control->listener < 0)
        return;
    unlink(control->path.address.sun_path);
    close(control->listener);
    control->listener = -1;
}

/* A free place, or that of the client that has idled longest; NULL if all of them wait for a reply. */
static struct client *find_place(struct control *control)
{
    struct client *best = NULL;
    for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = &control->clients[i];
        if (client->descriptor < 0)
            return client;
        if (client->wait == CONTROL_NOTHING && (best == NULL || client->active_ms < best->active_ms))
            best = client;
    }
    return best;
}

static void accept_clients(struct control *control)
{
    struct client *place;
    while ((place = find_place(control)) != NULL) {
        int descriptor = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (descriptor < 0)
            return;
        client_drop(place);
        *place = (struct client){ .descriptor = descriptor, .id = ++control->last_id, .active_ms = clock_monotonic_ms() };
    }
}

static void client_send(struct client *client)
{
    while (client->sent < client->output.bytes) {
        ssize_t sent = send(client->descriptor, client->output.data + client->sent, client->output.bytes - client->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0) {
            client_drop(client);
            return;
        }
        client->sent += (size_t)sent;
        client->active_ms = clock_monotonic_ms();
    }
    buffer_clear(&client->output);
    client->sent = 0;
    if (client->closing && client->wait == CONTROL_NOTHING)
        client_drop(client);
}

static void client_reply(struct client *client, struct slice json)
{
    client->wait = CONTROL_NOTHING;
    buffer_append_slice(&client->output, json);
    buffer_append_byte(&client->output, '\n');
    client_send(client);
}

static bool may_ask(const struct client *client)
{
    return client->descriptor >= 0 && client->wait == CONTROL_NOTHING && client->output.bytes == 0;
}

/* Hand over the whole lines that have come, one at a time: the next waits for the reply to the one before. */
static void take_lines(struct control *control, struct client *client)
{
    while (may_ask(client)) {
        char *start = client->input.data;
        char *end = client->input.bytes == 0 ? NULL : memchr(start, '\n', client->input.bytes);
        if (end == NULL && client->input.bytes > CONTROL_LINE_BYTES_MAX) {
            client->closing = true;
            buffer_clear(&client->input);
            control_reply_error(control, client->id, "the request is too long");
        }
        if (end == NULL)
            return;
        char line[CONTROL_LINE_BYTES_MAX + 1];
        size_t bytes = (size_t)(end - start) < sizeof line ? (size_t)(end - start) : sizeof line - 1;
        memcpy(line, start, bytes);
        line[bytes > 0 && line[bytes - 1] == '\r' ? bytes - 1 : bytes] = 0;
        client->input.bytes -= (size_t)(end - start) + 1;
        memmove(start, end + 1, client->input.bytes);
        control->handler.request(control->handler.self, client->id, line);
    }
}

static void client_receive(struct control *control, struct client *client)
{
    size_t room = CONTROL_LINE_BYTES_MAX + 1;
    ssize_t received = recv(client->descriptor, buffer_reserve(&client->input, room), room, 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (received < 0) {
        client_drop(client);
        return;
    }
    client->active_ms = clock_monotonic_ms();
    client->input.bytes += (size_t)received;
    take_lines(control, client);
    if (received > 0 || client->descriptor < 0)
        return;
    client->closing = true; /* it may still read its reply */
    if (may_ask(client))
        client_drop(client);
}

uint32_t control_poll_fill(struct control *control, struct pollfd *wait)
{
    if (control == NULL)
        return 0;
    uint32_t count = 0;
    bool accepts = control->listener >= 0 && find_place(control) != NULL;
    wait[count++] = (struct pollfd){ accepts ? control->listener : -1, POLLIN, 0 };
    for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = &control->clients[i];
        short events = client->output.bytes > 0 ? POLLOUT : client->closing || client->wait != CONTROL_NOTHING ? 0 : POLLIN;
        wait[count++] = (struct pollfd){ client->descriptor, events, 0 };
    }
    return count;
}

void control_poll_serve(struct control *control, const struct pollfd *wait, uint32_t count)
{
    if (control == NULL || count == 0)
        return;
    for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX && i + 1 < count; i++) {
        struct client *client = &control->clients[i];
        short found = wait[i + 1].revents;
        if (client->descriptor < 0 || client->descriptor != wait[i + 1].fd)
            continue;
        if (found & POLLOUT)
            client_send(client);
        if (client->descriptor >= 0 && (found & POLLIN))
            client_receive(control, client);
        else if (client->descriptor >= 0 && (found & (POLLHUP | POLLERR)))
            client_drop(client);
        take_lines(control, client); /* also those that waited for the reply to the one before */
    }
    if (wait[0].revents != 0)
        accept_clients(control);
}

static struct client *find(struct control *control, uint64_t id)
{
    for (uint32_t i = 0; control != NULL && i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i].descriptor >= 0 && control->clients[i].id == id)
            return &control->clients[i];
    }
    return NULL;
}

void control_wait(struct control *control, uint64_t id, enum control_wait wait, uint64_t deadline_ms)
{
    struct client *client = find(control, id);
    if (client == NULL)
        return;
    client->wait = wait;
    client->deadline_ms = deadline_ms;
}

void control_reply(struct control *control, uint64_t id, struct slice json)
{
    struct client *client = find(control, id);
    if (client != NULL)
        client_reply(client, json);
}

void control_reply_error(struct control *control, uint64_t id, const char *text)
{
    struct buffer json = { 0 };
    reply_error(&json, "%s", text);
    control_reply(control, id, buffer_slice(&json));
    buffer_deinit(&json);
}

void control_reply_all(struct control *control, enum control_wait wait, struct slice json)
{
    for (uint32_t i = 0; control != NULL && i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i].descriptor >= 0 && control->clients[i].wait == wait)
            client_reply(&control->clients[i], json);
    }
}

void control_expire(struct control *control, uint64_t now)
{
    for (uint32_t i = 0; control != NULL && i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = &control->clients[i];
        bool late = client->deadline_ms != 0 && now >= client->deadline_ms;
        if (client->descriptor >= 0 && client->wait != CONTROL_NOTHING && late)
            control_reply_error(control, client->id, "the job does not answer");
    }
}

static bool has_output(const struct control *control)
{
    for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i].descriptor >= 0 && control->clients[i].output.bytes > 0)
            return true;
    }
    return false;
}

void control_flush(struct control *control, uint32_t limit_ms)
{
    if (control == NULL)
        return;
    uint64_t end_ms = clock_monotonic_ms() + limit_ms;
    for (uint64_t now = clock_monotonic_ms(); now < end_ms && has_output(control); now = clock_monotonic_ms()) {
        struct pollfd wait[CONTROL_CLIENTS_MAX];
        for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
            struct client *client = &control->clients[i];
            wait[i] = (struct pollfd){ client->output.bytes > 0 ? client->descriptor : -1, POLLOUT, 0 };
        }
        poll(wait, CONTROL_CLIENTS_MAX, (int)(end_ms - now));
        for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
            if (wait[i].revents != 0)
                client_send(&control->clients[i]);
        }
    }
}
