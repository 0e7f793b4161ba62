/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/netlink.h"

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cleanup.h"

#define ANSWER_MAX     32768 /* what the kernel puts into one datagram of a dump */
#define ANSWER_SECONDS 10

static void *grow(struct fg_netlink *m, size_t len)
{
        unsigned char *at = m->data + m->len;
        const size_t room = NLMSG_ALIGN(len);

        assert(room >= len && room <= sizeof(m->data) - m->len);
        memset(at, 0, room);
        m->len += room;
        memcpy(m->data + offsetof(struct nlmsghdr, nlmsg_len), &(uint32_t){ (uint32_t)m->len },
               sizeof(uint32_t));
        return at;
}

void fg_netlink_begin(struct fg_netlink *m, uint16_t type, uint16_t flags, const void *body,
                      size_t len)
{
        const struct nlmsghdr h = { .nlmsg_type = type,
                                    .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) };

        m->len = 0;
        memcpy(grow(m, sizeof(h)), &h, sizeof(h));
        memcpy(grow(m, len), body, len);
        memcpy(m->data, &(uint32_t){ (uint32_t)m->len }, sizeof(uint32_t));
}

void fg_netlink_put(struct fg_netlink *m, uint16_t attribute, const void *data, size_t len)
{
        const struct rtattr a = { .rta_len = (uint16_t)RTA_LENGTH(len), .rta_type = attribute };

        memcpy(grow(m, sizeof(a)), &a, sizeof(a));
        memcpy(grow(m, len), data, len);
}

void fg_netlink_put_u32(struct fg_netlink *m, uint16_t attribute, uint32_t value)
{
        fg_netlink_put(m, attribute, &value, sizeof(value));
}

void fg_netlink_put_str(struct fg_netlink *m, uint16_t attribute, const char *value)
{
        fg_netlink_put(m, attribute, value, strlen(value) + 1);
}

size_t fg_netlink_nest_raw(struct fg_netlink *m, uint16_t attribute, const void *body, size_t len)
{
        const size_t nest = m->len;

        fg_netlink_put(m, attribute, body, len);
        return nest;
}

size_t fg_netlink_nest(struct fg_netlink *m, uint16_t attribute)
{
        return fg_netlink_nest_raw(m, attribute, "", 0);
}

void fg_netlink_nest_end(struct fg_netlink *m, size_t nest)
{
        const uint16_t len = (uint16_t)(m->len - nest);

        memcpy(m->data + nest + offsetof(struct rtattr, rta_len), &len, sizeof(len));
}

int fg_netlink_open(struct fg_error *err)
{
        const struct timeval limit = { .tv_sec = ANSWER_SECONDS };
        fg_autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
                return fg_fail_errno(err, errno, "netlink socket");
        return fg_take_fd(fd);
}

static int submit(int fd, const struct fg_netlink *m, struct fg_error *err)
{
        const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

        if (sendto(fd, m->data, m->len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
                return fg_fail_errno(err, errno, "send to the kernel");
        return 0;
}

int fg_netlink_talk(int fd, struct fg_netlink *m, struct fg_error *err)
{
        struct {
                struct nlmsghdr h;
                struct nlmsgerr e;
                unsigned char rest[FG_NETLINK_MAX]; /* a refused request comes back */
        } answer = { 0 };
        uint16_t flags;
        ssize_t n;

        memcpy(&flags, m->data + offsetof(struct nlmsghdr, nlmsg_flags), sizeof(flags));
        flags |= NLM_F_ACK;
        memcpy(m->data + offsetof(struct nlmsghdr, nlmsg_flags), &flags, sizeof(flags));
        if (submit(fd, m, err) < 0)
                return -1;
        n = recv(fd, &answer, sizeof(answer), 0);
        if (n < 0)
                return fg_fail_errno(err, errno, "answer of the kernel");
        if ((size_t)n < sizeof(answer.h) + sizeof(answer.e.error) ||
            answer.h.nlmsg_type != NLMSG_ERROR)
                return fg_fail(err, FG_ERR_INTERNAL, "answer of the kernel: not understood");
        return answer.e.error ? fg_fail_errno(err, -answer.e.error, "the kernel refuses") : 0;
}

static void parse_attributes(const unsigned char *at, size_t len, struct fg_netlink_link *ret)
{
        struct rtattr a;

        while (len >= sizeof(a)) {
                size_t size;

                memcpy(&a, at, sizeof(a));
                if (a.rta_len < sizeof(a) || a.rta_len > len)
                        return;
                size = a.rta_len - sizeof(a);
                if (a.rta_type == IFLA_IFNAME && size > 0 && size <= sizeof(ret->name))
                        memcpy(ret->name, at + sizeof(a), size - 1);
                if (a.rta_type == IFLA_ADDRESS && size == FG_MAC_LEN)
                        memcpy(ret->mac, at + sizeof(a), size);
                size = RTA_ALIGN(a.rta_len);
                if (size >= len)
                        return;
                at += size;
                len -= size;
        }
}

long fg_netlink_parse_link(const void *data, size_t len, struct fg_netlink_link *ret,
                           bool *ret_last, struct fg_error *err)
{
        struct ifinfomsg body;
        struct nlmsghdr h;
        size_t size;

        *ret = (struct fg_netlink_link){ 0 };
        if (len == 0)
                return 0;
        if (len < sizeof(h))
                return fg_fail(err, FG_ERR_INVALID, "netlink: a message is cut off");
        memcpy(&h, data, sizeof(h));
        if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
                return fg_fail(err, FG_ERR_INVALID, "netlink: a message of %u bytes in %zu",
                               h.nlmsg_len, len);
        if (h.nlmsg_type == NLMSG_DONE || h.nlmsg_type == NLMSG_ERROR)
                *ret_last = true;
        if (h.nlmsg_type == RTM_NEWLINK && h.nlmsg_len >= sizeof(h) + sizeof(body)) {
                const unsigned char *at = (const unsigned char *)data + sizeof(h);

                memcpy(&body, at, sizeof(body));
                ret->index = body.ifi_index > 0 ? body.ifi_index : 0;
                parse_attributes(at + sizeof(body), h.nlmsg_len - sizeof(h) - sizeof(body), ret);
        }
        size = NLMSG_ALIGN((size_t)h.nlmsg_len);
        return (long)(size < len ? size : len);
}

int fg_netlink_find(int fd, const unsigned char mac[FG_MAC_LEN], struct fg_netlink_link *ret,
                    struct fg_error *err)
{
        const struct ifinfomsg any = { .ifi_family = AF_UNSPEC };
        fg_autofree unsigned char *answer = malloc(ANSWER_MAX);
        struct fg_netlink_link link;
        struct fg_netlink m;
        bool last = false;
        int found = 0;

        if (!answer)
                return fg_fail(err, FG_ERR_CAPACITY, "no memory for netlink");
        fg_netlink_begin(&m, RTM_GETLINK, NLM_F_DUMP, &any, sizeof(any));
        if (submit(fd, &m, err) < 0)
                return -1;
        while (!last) { /* all of it: what is not read now would answer the next request */
                ssize_t n = recv(fd, answer, ANSWER_MAX, 0);
                size_t at = 0;
                long size;

                if (n <= 0)
                        return fg_fail_errno(err, n < 0 ? errno : EIO, "list the interfaces");
                while ((size = fg_netlink_parse_link(answer + at, (size_t)n - at, &link, &last,
                                                     err)) > 0) {
                        at += (size_t)size;
                        if (link.index == 0 || memcmp(link.mac, mac, FG_MAC_LEN) != 0)
                                continue;
                        *ret = link;
                        found = 1;
                }
                if (size < 0)
                        return -1;
        }
        return found;
}

void fg_mac_text(const unsigned char mac[FG_MAC_LEN], char ret[FG_MAC_TEXT])
{
        (void)snprintf(ret, FG_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                       mac[3], mac[4], mac[5]);
}
