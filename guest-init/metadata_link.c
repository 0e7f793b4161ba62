/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "guest-init/metadata.h"
#include "guest-init/netlink.h"

/*
 * As on Fargate, the endpoint is at the other end of an interface eth0 that only leads there: the
 * server's socket is in a network namespace of its own. In the task's own it would take port 80
 * from every program that listens on all addresses.
 */
#define TASK_INTERFACE  "eth0"
#define OTHER_INTERFACE "task"
#define ENDPOINT        "169.254.170.2"
#define OTHER_ADDRESS   "169.254.172.1"
#define TASK_ADDRESS    "169.254.172.2"
#define PREFIX_LEN      22
#define PORT            80
#define BACKLOG         32
#define IPV6_CONF       "/proc/sys/net/ipv6/conf/"

/* Nothing is reached over IPv6 there: no neighbours to look for, no routers to ask. */
static int no_ipv6(const char *path, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return errno == ENOENT ? 0 : fg_fail_errno(err, errno, "open %s", path);
        return fg_write_all(fd, "1", 1, err);
}

static int make_pair(int netlink, int task_ns, struct fg_error *err)
{
        const struct ifinfomsg body = { .ifi_family = AF_UNSPEC };
        struct fg_netlink m;
        size_t info, data, peer;

        fg_netlink_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
        fg_netlink_put_str(&m, IFLA_IFNAME, OTHER_INTERFACE);
        info = fg_netlink_nest(&m, IFLA_LINKINFO);
        fg_netlink_put_str(&m, IFLA_INFO_KIND, "veth");
        data = fg_netlink_nest(&m, IFLA_INFO_DATA);
        peer = fg_netlink_nest_raw(&m, VETH_INFO_PEER, &body, sizeof(body));
        fg_netlink_put_str(&m, IFLA_IFNAME, TASK_INTERFACE);
        fg_netlink_put_u32(&m, IFLA_NET_NS_FD, (uint32_t)task_ns);
        fg_netlink_nest_end(&m, peer);
        fg_netlink_nest_end(&m, data);
        fg_netlink_nest_end(&m, info);
        if (fg_netlink_talk(netlink, &m, err) < 0)
                return fg_wrap(err, "make the interface " TASK_INTERFACE);
        return 0;
}

static int add_address(int netlink, unsigned index, const char *text, uint8_t prefix_len,
                       struct fg_error *err)
{
        const struct ifaddrmsg body = { .ifa_family = AF_INET,
                                        .ifa_prefixlen = prefix_len,
                                        .ifa_scope = RT_SCOPE_UNIVERSE,
                                        .ifa_index = index };
        struct in_addr address;
        struct fg_netlink m;

        (void)inet_pton(AF_INET, text, &address);
        fg_netlink_begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
        fg_netlink_put(&m, IFA_LOCAL, &address, sizeof(address));
        fg_netlink_put(&m, IFA_ADDRESS, &address, sizeof(address));
        if (fg_netlink_talk(netlink, &m, err) < 0)
                return fg_wrap(err, "address %s", text);
        return 0;
}

static int bring_up(int netlink, unsigned index, struct fg_error *err)
{
        const struct ifinfomsg body = { .ifi_family = AF_UNSPEC,
                                        .ifi_index = (int)index,
                                        .ifi_flags = IFF_UP,
                                        .ifi_change = IFF_UP };
        struct fg_netlink m;

        fg_netlink_begin(&m, RTM_NEWLINK, 0, &body, sizeof(body));
        return fg_netlink_talk(netlink, &m, err);
}

static int add_route(int netlink, unsigned index, struct fg_error *err)
{
        const struct rtmsg body = { .rtm_family = AF_INET,
                                    .rtm_dst_len = 32,
                                    .rtm_table = RT_TABLE_MAIN,
                                    .rtm_protocol = RTPROT_STATIC,
                                    .rtm_scope = RT_SCOPE_UNIVERSE,
                                    .rtm_type = RTN_UNICAST };
        struct in_addr endpoint, gateway;
        struct fg_netlink m;

        (void)inet_pton(AF_INET, ENDPOINT, &endpoint);
        (void)inet_pton(AF_INET, OTHER_ADDRESS, &gateway);
        fg_netlink_begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
        fg_netlink_put(&m, RTA_DST, &endpoint, sizeof(endpoint));
        fg_netlink_put(&m, RTA_GATEWAY, &gateway, sizeof(gateway));
        fg_netlink_put_u32(&m, RTA_OIF, index);
        if (fg_netlink_talk(netlink, &m, err) < 0)
                return fg_wrap(err, "route to " ENDPOINT);
        return 0;
}

static int open_listener(struct fg_error *err)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };
        fg_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        (void)inet_pton(AF_INET, ENDPOINT, &address.sin_addr);
        if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(fd, BACKLOG) < 0)
                return fg_fail_errno(err, errno, "listen at " ENDPOINT);
        return fg_take_fd(fd);
}

/* In the endpoint's own namespace. Return: the listening socket, which keeps it. */
static int set_up_endpoint(int task_ns, struct fg_error *err)
{
        fg_autoclose int netlink = fg_netlink_open(err);
        unsigned index;

        if (netlink < 0 || no_ipv6(IPV6_CONF "default/disable_ipv6", err) < 0 ||
            make_pair(netlink, task_ns, err) < 0)
                return -1;
        index = if_nametoindex(OTHER_INTERFACE);
        if (add_address(netlink, index, OTHER_ADDRESS, PREFIX_LEN, err) < 0 ||
            add_address(netlink, index, ENDPOINT, 32, err) < 0 || bring_up(netlink, index, err) < 0)
                return -1;
        return open_listener(err);
}

static int set_up_task_end(struct fg_error *err)
{
        fg_autoclose int netlink = fg_netlink_open(err);
        const unsigned index = if_nametoindex(TASK_INTERFACE);

        if (netlink < 0 || no_ipv6(IPV6_CONF TASK_INTERFACE "/disable_ipv6", err) < 0 ||
            add_address(netlink, index, TASK_ADDRESS, PREFIX_LEN, err) < 0 ||
            bring_up(netlink, index, err) < 0)
                return -1;
        return add_route(netlink, index, err);
}

int fg_metadata_listen(struct fg_error *err)
{
        fg_autoclose int task_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        fg_autoclose int listener = -1;

        if (task_ns < 0 || unshare(CLONE_NEWNET) < 0)
                return fg_fail_errno(err, errno, "network namespace of the endpoint");
        listener = set_up_endpoint(task_ns, err);
        if (setns(task_ns, CLONE_NEWNET) < 0)
                return fg_fail_errno(err, errno, "return to the task's network namespace");
        if (listener < 0 || set_up_task_end(err) < 0)
                return -1;
        return fg_take_fd(listener);
}
