/*
 * The address of `<data>/control.sock`. A sockaddr_un holds 107 bytes; a longer
 * path goes by way of /proc/self/fd, whose names are short.
 *
 * Owner    control_path_deinit() closes; the address is valid until then.
 * Errors   negative with error_message(); ERROR_NOT_FOUND: no such directory.
 */
#pragma once

#include <stdbool.h>
#include <sys/un.h>

struct control_path {
    struct sockaddr_un address;
    int directory; /* -1: the path was short enough */
};

int control_path_init(struct control_path *path, const char *data);
void control_path_deinit(struct control_path *path);
