/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/uevents.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "core/cleanup.h"

#define KERNEL_GROUP 1 /* of the two kinds of device events, the kernel's own */

int fg_uevents_open(struct fg_error *err)
{
        const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
        fg_autoclose int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

        if (fd < 0 || bind(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
                return fg_fail_errno(err, errno, "watch devices");
        return fg_take_fd(fd);
}

void fg_uevents_drain(int fd)
{
        char event[4096];

        while (recv(fd, event, sizeof(event), MSG_DONTWAIT) > 0)
                ;
}
