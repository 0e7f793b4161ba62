/* SPDX-License-Identifier: Apache-2.0 */
#include "net/rtnl.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"
#include "net/netlink.h"

struct fg_rtnl {
        struct fg_netlink netlink;
};

/* A request under construction. */
struct message {
        _Alignas(NLMSG_ALIGNTO) char bytes[FG_NETLINK_MAX];
};

int fg_rtnl_new(struct fg_rtnl **ret, struct fg_error *err)
{
        fg_cleanup(fg_rtnl_freep) struct fg_rtnl *rt = fg_calloc(1, sizeof(*rt));

        if (fg_netlink_open(&rt->netlink, NETLINK_ROUTE, "rtnetlink", err) < 0)
                return -1;
        *ret = fg_take_ptr(rt);
        return 0;
}

void fg_rtnl_free(struct fg_rtnl *rt)
{
        if (!rt)
                return;
        fg_netlink_close(&rt->netlink);
        free(rt);
}

static int talk(struct fg_rtnl *rt, struct nlmsghdr *nlh, mnl_cb_t fn, void *userdata)
{
        return fg_netlink_talk(&rt->netlink, nlh, fn, userdata);
}

/* @harmless: an errno that says it is so already. */
static int request(struct fg_rtnl *rt, struct message *m, int harmless, const char *what,
                   struct fg_error *err)
{
        struct nlmsghdr *nlh = (struct nlmsghdr *)(void *)m->bytes;

        nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
        if (talk(rt, nlh, NULL, NULL) == 0 || errno == harmless)
                return 0;
        return fg_fail_errno(err, errno, "%s", what);
}

static struct nlmsghdr *begin(struct message *m, unsigned type, unsigned flags)
{
        struct nlmsghdr *nlh = mnl_nlmsg_put_header(m->bytes);

        nlh->nlmsg_type = (uint16_t)type;
        nlh->nlmsg_flags = (uint16_t)flags;
        return nlh;
}

/* ---- links ---- */

static int on_link_index(const struct nlmsghdr *nlh, void *userdata)
{
        const struct ifinfomsg *ifm = mnl_nlmsg_get_payload(nlh);

        *(int *)userdata = ifm->ifi_index;
        return MNL_CB_OK;
}

int fg_rtnl_index(struct fg_rtnl *rt, const char *name, struct fg_error *err)
{
        struct message m;
        struct nlmsghdr *nlh = begin(&m, RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK);
        int index = 0;

        mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
        if (talk(rt, nlh, on_link_index, &index) < 0)
                return errno == ENODEV ? 0 : fg_fail_errno(err, errno, "network device %s", name);
        return index;
}

static struct nlmsghdr *begin_link(struct message *m, unsigned type, unsigned flags, int index,
                                   const char *name)
{
        struct nlmsghdr *nlh = begin(m, type, flags);
        struct ifinfomsg *ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));

        ifm->ifi_index = index;
        if (name)
                mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
        return nlh;
}

/* The index of a link that has to be there. */
static int need(struct fg_rtnl *rt, const char *name, struct fg_error *err)
{
        int index = fg_rtnl_index(rt, name, err);

        return index == 0 ? fg_fail(err, FG_ERR_NOT_FOUND, "there is no network device %s", name)
                          : index;
}

int fg_rtnl_add_bridge(struct fg_rtnl *rt, const char *name, const char *mac, struct fg_error *err)
{
        struct message m;
        struct nlmsghdr *nlh = begin_link(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, name);
        struct nlattr *info, *data;
        unsigned char address[6] = { 0 };

        (void)fg_mac_parse(mac, address);
        mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(address), address);
        mnl_attr_put_u32(nlh, IFLA_MTU, FG_NET_MTU);
        info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
        mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
        data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
        mnl_attr_put_u8(nlh, IFLA_BR_MCAST_SNOOPING, 0);
        mnl_attr_nest_end(nlh, data);
        mnl_attr_nest_end(nlh, info);
        return request(rt, &m, EEXIST, "make the bridge", err);
}

int fg_rtnl_add_veth(struct fg_rtnl *rt, const char *name, const char *peer, const char *mac,
                     int peer_ns, struct fg_error *err)
{
        struct message m;
        struct nlmsghdr *nlh = begin_link(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, name);
        struct nlattr *info, *data, *other;
        unsigned char address[6] = { 0 };

        info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
        mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
        data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
        other = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
        mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(nlh, IFLA_IFNAME, peer);
        if (mac && fg_mac_parse(mac, address))
                mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(address), address);
        mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)peer_ns);
        mnl_attr_nest_end(nlh, other);
        mnl_attr_nest_end(nlh, data);
        mnl_attr_nest_end(nlh, info);
        return request(rt, &m, EEXIST, "make a pair of devices", err);
}

int fg_rtnl_remove(struct fg_rtnl *rt, const char *name, struct fg_error *err)
{
        struct message m;
        int index = fg_rtnl_index(rt, name, err);

        if (index <= 0)
                return index;
        begin_link(&m, RTM_DELLINK, 0, index, NULL);
        return request(rt, &m, ENODEV, "remove a network device", err);
}

int fg_rtnl_up(struct fg_rtnl *rt, const char *name, struct fg_error *err)
{
        struct message m;
        int index = need(rt, name, err);
        struct nlmsghdr *nlh;
        struct ifinfomsg *ifm;

        if (index < 0)
                return -1;
        nlh = begin_link(&m, RTM_NEWLINK, 0, index, NULL);
        ifm = mnl_nlmsg_get_payload(nlh);
        ifm->ifi_flags = ifm->ifi_change = IFF_UP;
        return request(rt, &m, 0, "switch a network device on", err);
}

int fg_rtnl_join(struct fg_rtnl *rt, const char *name, const char *bridge, struct fg_error *err)
{
        static const struct {
                uint16_t attribute;
                uint8_t value;
        } flags[] = { { IFLA_BRPORT_ISOLATED, 1 },
                      { IFLA_BRPORT_LEARNING, 0 },
                      { IFLA_BRPORT_UNICAST_FLOOD, 0 },
                      { IFLA_BRPORT_MCAST_FLOOD, 0 },
                      { IFLA_BRPORT_BCAST_FLOOD, 0 } };
        int index = need(rt, name, err), master = index < 0 ? -1 : need(rt, bridge, err);
        struct nlattr *info, *data;
        struct ifinfomsg *ifm;
        struct nlmsghdr *nlh;
        struct message m;

        if (master < 0)
                return -1;
        nlh = begin_link(&m, RTM_NEWLINK, 0, index, NULL);
        /* Frames to the bridge itself (01:80:c2:00:00:00 and on) come by the port, past all rules;
           the port's own ARP would remember whatever they say. */
        ifm = mnl_nlmsg_get_payload(nlh);
        ifm->ifi_flags = ifm->ifi_change = IFF_NOARP;
        mnl_attr_put_u32(nlh, IFLA_MASTER, (uint32_t)master);
        if (request(rt, &m, 0, "join the bridge", err) < 0)
                return -1;
        nlh = begin_link(&m, RTM_NEWLINK, 0, index, NULL);
        info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
        mnl_attr_put_strz(nlh, IFLA_INFO_SLAVE_KIND, "bridge");
        data = mnl_attr_nest_start(nlh, IFLA_INFO_SLAVE_DATA);
        for (size_t i = 0; i < FG_ARRAY_SIZE(flags); i++)
                mnl_attr_put_u8(nlh, flags[i].attribute, flags[i].value);
        mnl_attr_nest_end(nlh, data);
        mnl_attr_nest_end(nlh, info);
        return request(rt, &m, 0, "isolate a port of the bridge", err);
}

/* ---- addresses and routes ---- */

int fg_rtnl_add_address(struct fg_rtnl *rt, const char *name, const struct fg_ip *ip, unsigned bits,
                        struct fg_error *err)
{
        struct message m;
        int index = need(rt, name, err);
        struct nlmsghdr *nlh;
        struct ifaddrmsg *ifa;

        if (index < 0)
                return -1;
        nlh = begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
        ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
        ifa->ifa_family = (unsigned char)ip->family;
        ifa->ifa_prefixlen = (unsigned char)bits;
        ifa->ifa_flags = ip->family == AF_INET6 ? IFA_F_NODAD : 0;
        ifa->ifa_index = (unsigned)index;
        if (ip->family == AF_INET)
                mnl_attr_put(nlh, IFA_LOCAL, fg_ip_len(ip), ip->bytes);
        mnl_attr_put(nlh, IFA_ADDRESS, fg_ip_len(ip), ip->bytes);
        return request(rt, &m, EEXIST, "add an address", err);
}

int fg_rtnl_add_default_route(struct fg_rtnl *rt, const char *name, const struct fg_ip *via,
                              struct fg_error *err)
{
        struct message m;
        int index = need(rt, name, err);
        struct nlmsghdr *nlh;
        struct rtmsg *rtm;

        if (index < 0)
                return -1;
        nlh = begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
        rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
        rtm->rtm_family = (unsigned char)via->family;
        rtm->rtm_table = RT_TABLE_MAIN;
        rtm->rtm_protocol = RTPROT_STATIC;
        rtm->rtm_scope = RT_SCOPE_UNIVERSE;
        rtm->rtm_type = RTN_UNICAST;
        mnl_attr_put(nlh, RTA_GATEWAY, fg_ip_len(via), via->bytes);
        mnl_attr_put_u32(nlh, RTA_OIF, (uint32_t)index);
        return request(rt, &m, EEXIST, "add the default route", err);
}

/* ---- neighbours ---- */

struct neighbour {
        int family;
        unsigned state, flags;
        const struct fg_ip *ip; /* or NULL */
        const char *mac;        /* or NULL */
};

static int put_neighbour(struct fg_rtnl *rt, const char *name, const struct neighbour *n, bool on,
                         struct fg_error *err)
{
        struct message m;
        int index = on ? need(rt, name, err) : fg_rtnl_index(rt, name, err);
        unsigned char address[6] = { 0 };
        struct nlmsghdr *nlh;
        struct ndmsg *ndm;

        if (index <= 0)
                return index;
        nlh = begin(&m, on ? RTM_NEWNEIGH : RTM_DELNEIGH, on ? NLM_F_CREATE | NLM_F_REPLACE : 0);
        ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
        ndm->ndm_family = (unsigned char)n->family;
        ndm->ndm_ifindex = index;
        ndm->ndm_state = (uint16_t)n->state;
        ndm->ndm_flags = (uint8_t)n->flags;
        if (n->ip)
                mnl_attr_put(nlh, NDA_DST, fg_ip_len(n->ip), n->ip->bytes);
        if (n->mac && fg_mac_parse(n->mac, address))
                mnl_attr_put(nlh, NDA_LLADDR, sizeof(address), address);
        return request(rt, &m, on ? 0 : ENOENT, "neighbour", err);
}

int fg_rtnl_neighbour(struct fg_rtnl *rt, const char *name, const struct fg_ip *ip, const char *mac,
                      struct fg_error *err)
{
        struct neighbour n = { .family = ip->family, .state = NUD_PERMANENT, .ip = ip, .mac = mac };

        return put_neighbour(rt, name, &n, mac != NULL, err);
}

int fg_rtnl_proxy(struct fg_rtnl *rt, const char *name, const struct fg_ip *ip, bool on,
                  struct fg_error *err)
{
        struct neighbour n = {
                .family = ip->family, .state = NUD_PERMANENT, .flags = NTF_PROXY, .ip = ip
        };

        return put_neighbour(rt, name, &n, on, err);
}

static int set_no_delay(struct fg_rtnl *rt, const char *table, int index, struct fg_error *err)
{
        struct message m;
        struct nlmsghdr *nlh = begin(&m, RTM_SETNEIGHTBL, 0);
        struct nlattr *params;

        mnl_nlmsg_put_extra_header(nlh, sizeof(struct ndtmsg));
        mnl_attr_put_strz(nlh, NDTA_NAME, table);
        params = mnl_attr_nest_start(nlh, NDTA_PARMS);
        mnl_attr_put_u32(nlh, NDTPA_IFINDEX, (uint32_t)index);
        mnl_attr_put_u64(nlh, NDTPA_PROXY_DELAY, 0);
        mnl_attr_nest_end(nlh, params);
        return request(rt, &m, ENOENT, table, err); /* a kernel without IPv6 has one table less */
}

int fg_rtnl_answer_at_once(struct fg_rtnl *rt, const char *name, struct fg_error *err)
{
        int index = fg_rtnl_index(rt, name, err);

        if (index <= 0)
                return index < 0 ? -1 : fg_fail(err, FG_ERR_NOT_FOUND, "no device %s", name);
        return set_no_delay(rt, "arp_cache", index, err) < 0 ||
                               set_no_delay(rt, "ndisc_cache", index, err) < 0
                       ? -1
                       : 0;
}

int fg_rtnl_forward(struct fg_rtnl *rt, const char *name, const char *mac, struct fg_error *err)
{
        struct neighbour n = {
                .family = AF_BRIDGE, .state = NUD_NOARP, .flags = NTF_MASTER, .mac = mac
        };

        return put_neighbour(rt, name, &n, true, err);
}

/* ---- lists ---- */

struct listing {
        fg_rtnl_link_fn link;
        fg_rtnl_address_fn address;
        void *userdata;
};

static int on_listed_link(const struct nlmsghdr *nlh, void *userdata)
{
        struct listing *l = userdata;
        struct nlattr *attr;

        mnl_attr_for_each(attr, nlh,
                          sizeof(struct ifinfomsg)) if (mnl_attr_get_type(attr) == IFLA_IFNAME)
                l->link(l->userdata, mnl_attr_get_str(attr));
        return MNL_CB_OK;
}

static int on_listed_address(const struct nlmsghdr *nlh, void *userdata)
{
        const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
        struct listing *l = userdata;
        struct fg_ip ip = { .family = ifa->ifa_family };
        bool local = false; /* on a point-to-point link the other attribute is the peer's */
        struct nlattr *attr;

        mnl_attr_for_each(attr, nlh, sizeof(*ifa))
        {
                uint16_t type = mnl_attr_get_type(attr);

                local = local || type == IFA_LOCAL;
                if ((type == IFA_LOCAL || (type == IFA_ADDRESS && !local)) &&
                    mnl_attr_get_payload_len(attr) <= sizeof(ip.bytes))
                        memcpy(ip.bytes, mnl_attr_get_payload(attr),
                               mnl_attr_get_payload_len(attr));
        }
        l->address(l->userdata, &ip, ifa->ifa_prefixlen);
        return MNL_CB_OK;
}

int fg_rtnl_each_link(struct fg_rtnl *rt, fg_rtnl_link_fn fn, void *userdata, struct fg_error *err)
{
        struct listing l = { .link = fn, .userdata = userdata };
        struct message m;
        struct nlmsghdr *nlh = begin(&m, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP);

        mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
        return talk(rt, nlh, on_listed_link, &l) < 0 ? fg_fail_errno(err, errno, "list devices")
                                                     : 0;
}

int fg_rtnl_each_address(struct fg_rtnl *rt, fg_rtnl_address_fn fn, void *userdata,
                         struct fg_error *err)
{
        struct listing l = { .address = fn, .userdata = userdata };
        struct message m;
        struct nlmsghdr *nlh = begin(&m, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP);

        mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
        return talk(rt, nlh, on_listed_address, &l) < 0
                       ? fg_fail_errno(err, errno, "list addresses")
                       : 0;
}
