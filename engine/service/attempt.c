#include "service/attempt.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_if_open(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

static void redirect(int pipe_ends[2], int target)
{
    if (pipe_ends[1] < 0)
        return;
    dup2(pipe_ends[1], target);
    close_if_open(&pipe_ends[0]);
    close_if_open(&pipe_ends[1]);
}

struct channels {
    int wire[2];
    int pipes[2][2]; /* stdout, stderr: read end, write end */
};

static void channels_close(struct channels *channels)
{
    for (int i = 0; i < 2; i++) {
        close_if_open(&channels->wire[i]);
        close_if_open(&channels->pipes[0][i]);
        close_if_open(&channels->pipes[1][i]);
    }
}

static int channels_open(struct channels *channels, const bool capture[2])
{
    *channels = (struct channels){ { -1, -1 }, { { -1, -1 }, { -1, -1 } } };
    bool open = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channels->wire) == 0;
    for (int i = 0; i < 2; i++)
        open = open && (!capture[i] || pipe2(channels->pipes[i], O_CLOEXEC) == 0);
    if (open)
        return 0;
    int status = error_set_errno(ERROR_IO, "cannot open a channel to a new process");
    channels_close(channels);
    return status;
}

static _Noreturn void become_child(const struct attempt_plan *plan, struct channels *channels, pid_t supervisor)
{
    plan->in_child(plan->self);
    close_if_open(&channels->wire[0]);
    redirect(channels->pipes[0], STDOUT_FILENO);
    redirect(channels->pipes[1], STDERR_FILENO);
    child_run(&(struct child_plan){
        .arguments = plan->arguments,
        .attempt = plan->attempt,
        .previous_failure = plan->previous_failure,
        .wire = channels->wire[1],
        .supervisor = supervisor,
        .buffer_lines = plan->capture[0],
    });
}

int attempt_start(struct attempt *attempt, const struct attempt_plan *plan)
{
    *attempt = (struct attempt){ .wire = -1, .output = { -1, -1 }, .end = ATTEMPT_CRASHED };
    struct channels channels;
    int status = channels_open(&channels, plan->capture);
    if (status < 0)
        return status;
    pid_t supervisor = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become_child(plan, &channels, supervisor);
    if (pid < 0) {
        status = error_set_errno(ERROR_IO, "cannot start a process");
        channels_close(&channels);
        return status;
    }
    attempt->pid = pid;
    attempt->wire = channels.wire[0];
    channels.wire[0] = -1;
    for (int i = 0; i < 2; i++) {
        attempt->output[i] = channels.pipes[i][0];
        channels.pipes[i][0] = -1;
        if (attempt->output[i] >= 0)
            fcntl(attempt->output[i], F_SETFL, O_NONBLOCK);
    }
    channels_close(&channels);
    return 0;
}

void attempt_kill(struct attempt *attempt)
{
    if (attempt->pid > 0)
        kill(attempt->pid, SIGKILL);
}

int attempt_receive(struct attempt *attempt)
{
    int status = wire_receive(attempt->wire, &attempt->reader, MSG_DONTWAIT);
    if (status == 0)
        close_if_open(&attempt->wire);
    return status;
}

static void note_end(struct attempt *attempt, const struct wire_message *message)
{
    struct wire_end fixed;
    size_t offset = sizeof fixed;
    if (!wire_fixed(message, &fixed, sizeof fixed))
        return;
    bool known = fixed.end >= JOB_FINISHED && fixed.end <= JOB_REFUSED;
    attempt->ended = true;
    attempt->end = known ? (enum attempt_end)fixed.end : ATTEMPT_NOT_LOADED;
    free(attempt->failure);
    free(attempt->message);
    attempt->failure = memory_copy_text(wire_text(message, &offset));
    attempt->message = memory_copy_text(wire_text(message, &offset));
}

int attempt_next(struct attempt *attempt, struct wire_message *message)
{
    int status = wire_next(&attempt->reader, message);
    if (status > 0 && message->kind == WIRE_END)
        note_end(attempt, message);
    return status;
}

static int send_text(struct attempt *attempt, enum wire_kind kind, uint64_t id, const char *text)
{
    if (attempt->wire < 0)
        return error_set(ERROR_STOPPED, "the job's process has ended");
    return wire_send(attempt->wire, kind, id, slice_of(text, strlen(text) + 1), MSG_DONTWAIT);
}

int attempt_request(struct attempt *attempt, uint64_t id, const char *line)
{
    return send_text(attempt, WIRE_REQUEST, id, line);
}

int attempt_go(struct attempt *attempt, const char *data)
{
    return send_text(attempt, WIRE_GO, 0, data);
}

bool attempt_reap(struct attempt *attempt)
{
    if (attempt->pid <= 0)
        return false;
    pid_t ended;
    while ((ended = waitpid(attempt->pid, &attempt->wait_status, WNOHANG)) < 0 && errno == EINTR)
        continue;
    if (ended != attempt->pid)
        return false;
    attempt->pid = 0;
    return true;
}

void attempt_describe_crash(const struct attempt *attempt, char *text, size_t bytes)
{
    if (WIFSIGNALED(attempt->wait_status)) {
        int number = WTERMSIG(attempt->wait_status);
        snprintf(text, bytes, "was ended by signal %d (%s)", number, strsignal(number));
    } else {
        snprintf(text, bytes, "ended by itself with status %d", WEXITSTATUS(attempt->wait_status));
    }
}

void attempt_deinit(struct attempt *attempt)
{
    close_if_open(&attempt->wire);
    close_if_open(&attempt->output[0]);
    close_if_open(&attempt->output[1]);
    wire_reader_deinit(&attempt->reader);
    free(attempt->failure);
    free(attempt->message);
    *attempt = (struct attempt){ .wire = -1, .output = { -1, -1 } };
}
