/* SPDX-License-Identifier: Apache-2.0 */
#include "net/netlink.h"

#include <errno.h>
#include <sys/socket.h>

#define REPLY_MAX 16384 /* the kernel's largest page of a dump */

int fg_netlink_open(struct fg_netlink *nl, int bus, const char *what, struct fg_error *err)
{
        nl->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
        if (!nl->socket || mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0)
                return fg_fail_errno(err, errno, "%s", what);
        nl->port = mnl_socket_get_portid(nl->socket);
        return 0;
}

void fg_netlink_close(struct fg_netlink *nl)
{
        if (nl->socket)
                (void)mnl_socket_close(nl->socket);
        nl->socket = NULL;
}

int fg_netlink_talk(struct fg_netlink *nl, struct nlmsghdr *nlh, mnl_cb_t fn, void *userdata)
{
        char reply[REPLY_MAX];
        ssize_t n;
        int r = 1;

        /* What an exchange that broke off has left unread is no answer to this one. */
        while (recv(mnl_socket_get_fd(nl->socket), reply, sizeof(reply), MSG_DONTWAIT) >= 0)
                ;
        nlh->nlmsg_seq = ++nl->seq;
        if (mnl_socket_sendto(nl->socket, nlh, nlh->nlmsg_len) < 0)
                return -1;
        while (r > 0) {
                n = mnl_socket_recvfrom(nl->socket, reply, sizeof(reply));
                if (n < 0)
                        return -1;
                r = mnl_cb_run(reply, (size_t)n, nl->seq, nl->port, fn, userdata);
        }
        return r;
}
