/* SPDX-License-Identifier: Apache-2.0 */
#include "core/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/cleanup.h"

#define OWN "/proc/thread-self/ns/net"

int fg_netns_enter(int fd, struct fg_error *err)
{
        fg_autoclose int back = open(OWN, O_RDONLY | O_CLOEXEC);

        if (back < 0)
                return fg_fail_errno(err, errno, OWN);
        if (setns(fd, CLONE_NEWNET) < 0)
                return fg_fail_errno(err, errno, "enter the network namespace");
        return fg_take_fd(back);
}

int fg_netns_enter_path(const char *path, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? fg_fail_errno(err, errno, "%s", path) : fg_netns_enter(fd, err);
}

void fg_netns_leave(int back)
{
        /* A thread in the wrong namespace would do its work in the wrong place. */
        if (setns(back, CLONE_NEWNET) < 0)
                abort();
        (void)close(back);
}
