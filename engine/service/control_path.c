#include "service/control_path.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int control_path_init(struct control_path *path, const char *data)
{
    *path = (struct control_path){ .address = { .sun_family = AF_UNIX }, .directory = -1 };
    size_t room = sizeof path->address.sun_path;
    if (snprintf(path->address.sun_path, room, "%s/control.sock", data) < (int)room)
        return 0;
    path->directory = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (path->directory < 0)
        return error_set_errno(errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "cannot open %s", data);
    snprintf(path->address.sun_path, room, "/proc/self/fd/%d/control.sock", path->directory);
    return 0;
}

void control_path_deinit(struct control_path *path)
{
    if (path->directory >= 0)
        close(path->directory);
    path->directory = -1;
}
