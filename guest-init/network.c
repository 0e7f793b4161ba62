/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"

#define KERNEL_INTERFACE "eth0" /* what a NIC is called at first */
#define GENERATE_EUI64   "0"    /* a link-local address, when the interface comes up or at once */
#define GENERATE_NONE    "1"
/* Of nobody's network (RFC 5737). */
#define REHEARSAL                                                                                  \
        "{\"mac\":\"%s\",\"mtu\":1500,\"addresses\":[\"192.0.2.2/24\"],"                           \
        "\"gateways\":[\"192.0.2.1\"],\"dnsServers\":[\"192.0.2.1\"],\"dnsSearch\":[\"test\"]}"
#define IPV6_CONF "/proc/sys/net/ipv6/conf/" FG_NETWORK_INTERFACE "/"

static int change_link(int fd, int index, unsigned set_flags, uint16_t attribute, const void *value,
                       size_t len, struct fg_error *err)
{
        const struct ifinfomsg link = { .ifi_family = AF_UNSPEC,
                                        .ifi_index = index,
                                        .ifi_flags = set_flags,
                                        .ifi_change = set_flags };
        struct fg_netlink m;

        fg_netlink_begin(&m, RTM_NEWLINK, 0, &link, sizeof(link));
        if (value)
                fg_netlink_put(&m, attribute, value, len);
        return fg_netlink_talk(fd, &m, err);
}

static int set_link(int fd, const struct fg_network *n, const struct fg_netlink_link *link,
                    struct fg_error *err)
{
        const uint32_t mtu = n->mtu;

        if (!fg_streq(link->name, FG_NETWORK_INTERFACE) &&
            change_link(fd, link->index, 0, IFLA_IFNAME, FG_NETWORK_INTERFACE,
                        sizeof(FG_NETWORK_INTERFACE), err) < 0)
                return fg_wrap(err, "name %s " FG_NETWORK_INTERFACE, link->name);
        if (change_link(fd, link->index, 0, IFLA_MTU, &mtu, sizeof(mtu), err) < 0)
                return fg_wrap(err, "give " FG_NETWORK_INTERFACE " an MTU of %u", n->mtu);
        return 0;
}

/* The addresses are given: nothing is to be learned from routers, nor asked of neighbours. Without
   one of IPv6 there is no link-local one either, and nothing is sent. */
static int settle_ipv6(bool needed, struct fg_error *err)
{
        const struct {
                const char *file, *value;
        } settings[] = { { IPV6_CONF "accept_ra", "0" },
                         { IPV6_CONF "accept_dad", "0" },
                         { IPV6_CONF "addr_gen_mode", needed ? GENERATE_EUI64 : GENERATE_NONE } };

        for (size_t i = 0; i < FG_ARRAY_SIZE(settings); i++) {
                fg_autoclose int fd = open(settings[i].file, O_WRONLY | O_CLOEXEC);

                if (fd < 0 && errno == ENOENT && !needed)
                        continue; /* a kernel without IPv6 */
                if (fd < 0)
                        return fg_fail_errno(err, errno, "open %s", settings[i].file);
                if (fg_write_all(fd, settings[i].value, 1, err) < 0)
                        return fg_wrap(err, "%s", settings[i].file);
        }
        return 0;
}

static int change_address(int fd, int index, uint16_t type, uint16_t flags,
                          const struct fg_address *a, struct fg_error *err)
{
        const struct ifaddrmsg body = {
                .ifa_family = (uint8_t)a->family,
                .ifa_prefixlen = a->prefix_len,
                .ifa_flags = (uint8_t)(a->family == AF_INET6 ? IFA_F_NODAD : 0),
                .ifa_scope = RT_SCOPE_UNIVERSE,
                .ifa_index = (uint32_t)index,
        };
        char text[FG_ADDRESS_TEXT];
        struct fg_netlink m;

        fg_netlink_begin(&m, type, flags, &body, sizeof(body));
        fg_netlink_put(&m, IFA_LOCAL, a->bytes, fg_address_size(a));
        fg_netlink_put(&m, IFA_ADDRESS, a->bytes, fg_address_size(a));
        if (fg_netlink_talk(fd, &m, err) == 0)
                return 0;
        fg_address_text(a, text);
        return fg_wrap(err, "address %s/%u", text, a->prefix_len);
}

static int add_address(int fd, int index, const struct fg_address *a, struct fg_error *err)
{
        return change_address(fd, index, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, a, err);
}

static int add_default_route(int fd, int index, const struct fg_address *gateway,
                             struct fg_error *err)
{
        const struct rtmsg body = { .rtm_family = (unsigned char)gateway->family,
                                    .rtm_table = RT_TABLE_MAIN,
                                    .rtm_protocol = RTPROT_STATIC,
                                    .rtm_scope = RT_SCOPE_UNIVERSE,
                                    .rtm_type = RTN_UNICAST };
        char text[FG_ADDRESS_TEXT];
        struct fg_netlink m;

        fg_netlink_begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
        fg_netlink_put(&m, RTA_GATEWAY, gateway->bytes, fg_address_size(gateway));
        fg_netlink_put_u32(&m, RTA_OIF, (uint32_t)index);
        if (fg_netlink_talk(fd, &m, err) == 0)
                return 0;
        fg_address_text(gateway, text);
        return fg_wrap(err, "default route via %s", text);
}

static int read_mac(unsigned char ret[FG_MAC_LEN], struct fg_error *err)
{
        fg_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq r = { .ifr_name = FG_NETWORK_INTERFACE };

        if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &r) < 0)
                return fg_fail_errno(err, errno, "MAC address of " FG_NETWORK_INTERFACE);
        memcpy(ret, r.ifr_hwaddr.sa_data, FG_MAC_LEN);
        return 0;
}

/* The one that was parked. In a guest that was made from another's memory it has the other's MAC
   address. */
static int take_parked(int fd, const struct fg_network *n, struct fg_netlink_link *ret,
                       struct fg_error *err)
{
        unsigned char mac[FG_MAC_LEN];
        char text[FG_MAC_TEXT];

        *ret = (struct fg_netlink_link){ .index = (int)if_nametoindex(FG_NETWORK_INTERFACE),
                                         .name = FG_NETWORK_INTERFACE };
        if (ret->index == 0)
                return fg_fail(err, FG_ERR_NOT_FOUND, "there is no interface");
        if (read_mac(mac, err) < 0)
                return -1;
        if (memcmp(mac, n->mac, FG_MAC_LEN) == 0)
                return 0;
        fg_mac_text(n->mac, text);
        if (change_link(fd, ret->index, 0, IFLA_ADDRESS, n->mac, FG_MAC_LEN, err) < 0)
                return fg_wrap(err, "give " FG_NETWORK_INTERFACE " the MAC address %s", text);
        return 0;
}

static int find(int fd, const struct fg_network *n, struct fg_netlink_link *ret,
                struct fg_error *err)
{
        int found = fg_netlink_find(fd, n->mac, ret, err);
        char mac[FG_MAC_TEXT];

        fg_mac_text(n->mac, mac);
        if (found == 0)
                return fg_fail(err, FG_ERR_NOT_FOUND, "no interface has the MAC address %s", mac);
        return found < 0 ? -1 : 0;
}

static int configure(int fd, const struct fg_network *n, bool parked, struct fg_error *err)
{
        const bool ipv6 = fg_network_first(n, AF_INET6) != NULL;
        struct fg_netlink_link link;

        if ((parked ? take_parked : find)(fd, n, &link, err) < 0 || set_link(fd, n, &link, err) < 0)
                return -1;
        if ((!parked || ipv6) && settle_ipv6(ipv6, err) < 0)
                return -1;
        if (change_link(fd, link.index, IFF_UP, 0, NULL, 0, err) < 0)
                return fg_wrap(err, "bring " FG_NETWORK_INTERFACE " up");
        for (size_t i = 0; i < n->address_count; i++) {
                if (add_address(fd, link.index, &n->addresses[i], err) < 0)
                        return -1;
        }
        for (size_t i = 0; i < n->gateway_count; i++) {
                if (add_default_route(fd, link.index, &n->gateways[i], err) < 0)
                        return -1;
        }
        return 0;
}

int fg_network_park(struct fg_error *err)
{
        fg_autoclose int fd = fg_netlink_open(err);
        const unsigned index = if_nametoindex(KERNEL_INTERFACE);

        if (fd < 0)
                return -1;
        if (index == 0)
                return 0;
        if (change_link(fd, (int)index, 0, IFLA_IFNAME, FG_NETWORK_INTERFACE,
                        sizeof(FG_NETWORK_INTERFACE), err) < 0)
                return fg_wrap(err, "name " KERNEL_INTERFACE " " FG_NETWORK_INTERFACE);
        if (settle_ipv6(false, err) < 0)
                return -1;
        if (change_link(fd, (int)index, IFF_UP, 0, NULL, 0, err) < 0)
                return fg_wrap(err, "bring " FG_NETWORK_INTERFACE " up");
        return 0;
}

int fg_network_rehearse(struct fg_error *err)
{
        const int index = (int)if_nametoindex(FG_NETWORK_INTERFACE);
        fg_autoclose int fd = fg_netlink_open(err);
        fg_autojson *json = NULL;
        unsigned char mac[FG_MAC_LEN];
        char mac_text[FG_MAC_TEXT];
        fg_autofree char *text = NULL;
        struct fg_network n;

        if (index == 0)
                return 0;
        if (fd < 0 || read_mac(mac, err) < 0)
                return -1;
        fg_mac_text(mac, mac_text);
        text = fg_asprintf(REHEARSAL, mac_text);
        json = fg_json_parse(text, strlen(text), err);
        if (!json || fg_network_parse(json, &n, err) < 0 || configure(fd, &n, true, err) < 0)
                return -1;
        return change_address(fd, index, RTM_DELADDR, 0, &n.addresses[0], err); /* and its routes */
}

int fg_network_configure(const struct fg_network *n, bool parked, struct fg_error *err)
{
        fg_autoclose int fd = fg_netlink_open(err);

        return fd < 0 ? -1 : configure(fd, n, parked, err);
}
