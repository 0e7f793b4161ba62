/* SPDX-License-Identifier: Apache-2.0 */
#include "net/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/str.h"
#include "net/netlink.h"

#define DELETE_MAX 512         /* the longest request to delete one */
#define FOUND_MAX  (64u << 20) /* a quarter of a million connections */

struct fg_conntrack {
        struct fg_netlink netlink;
};

int fg_conntrack_new(struct fg_conntrack **ret, struct fg_error *err)
{
        fg_cleanup(fg_conntrack_freep) struct fg_conntrack *ct = fg_calloc(1, sizeof(*ct));

        if (fg_netlink_open(&ct->netlink, NETLINK_NETFILTER, "ctnetlink", err) < 0)
                return -1;
        *ret = fg_take_ptr(ct);
        return 0;
}

void fg_conntrack_free(struct fg_conntrack *ct)
{
        if (!ct)
                return;
        fg_netlink_close(&ct->netlink);
        free(ct);
}

static struct nlmsghdr *begin(char *bytes, unsigned type, unsigned flags, int family)
{
        struct nlmsghdr *nlh = mnl_nlmsg_put_header(bytes);
        struct nfgenmsg *nfg;

        nlh->nlmsg_type = (uint16_t)((NFNL_SUBSYS_CTNETLINK << 8) | type);
        nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
        nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
        nfg->nfgen_family = (uint8_t)family;
        nfg->version = NFNETLINK_V0;
        return nlh;
}

/* ---- one direction of a connection ---- */

struct tuple {
        struct fg_ip source, destination;
        uint8_t protocol;
        uint16_t source_port;
};

static void read_ip(const struct nlattr *attr, int family, struct fg_ip *ret)
{
        *ret = (struct fg_ip){ .family = family };
        if (mnl_attr_get_payload_len(attr) == fg_ip_len(ret))
                memcpy(ret->bytes, mnl_attr_get_payload(attr), fg_ip_len(ret));
}

static void read_addresses(const struct nlattr *nest, struct tuple *t)
{
        struct nlattr *attr;

        mnl_attr_for_each_nested(attr, nest)
        {
                switch (mnl_attr_get_type(attr)) {
                case CTA_IP_V4_SRC:
                        read_ip(attr, AF_INET, &t->source);
                        break;
                case CTA_IP_V4_DST:
                        read_ip(attr, AF_INET, &t->destination);
                        break;
                case CTA_IP_V6_SRC:
                        read_ip(attr, AF_INET6, &t->source);
                        break;
                case CTA_IP_V6_DST:
                        read_ip(attr, AF_INET6, &t->destination);
                        break;
                default:
                        break;
                }
        }
}

static void read_protocol(const struct nlattr *nest, struct tuple *t)
{
        struct nlattr *attr;

        mnl_attr_for_each_nested(attr, nest)
        {
                if (mnl_attr_get_type(attr) == CTA_PROTO_NUM)
                        t->protocol = mnl_attr_get_u8(attr);
                else if (mnl_attr_get_type(attr) == CTA_PROTO_SRC_PORT)
                        t->source_port = ntohs(mnl_attr_get_u16(attr));
        }
}

static void read_tuple(const struct nlattr *nest, struct tuple *t)
{
        struct nlattr *attr;

        mnl_attr_for_each_nested(attr, nest)
        {
                if (mnl_attr_get_type(attr) == CTA_TUPLE_IP)
                        read_addresses(attr, t);
                else if (mnl_attr_get_type(attr) == CTA_TUPLE_PROTO)
                        read_protocol(attr, t);
        }
}

/* ---- which ones ---- */

struct search {
        const struct fg_conntrack_end *ends;
        size_t n;
        struct fg_buf *found; /* messages that delete them; none while the kernel still lists */
        struct fg_error *err;
};

static bool same_ip(const struct fg_ip *a, const struct fg_ip *b)
{
        return a->family == b->family && memcmp(a->bytes, b->bytes, fg_ip_len(a)) == 0;
}

static bool has(const struct tuple *t, const struct fg_ip *ip)
{
        return same_ip(&t->source, ip) || same_ip(&t->destination, ip);
}

static bool matches(const struct search *s, const struct tuple *original, const struct tuple *reply)
{
        for (size_t i = 0; i < s->n; i++) {
                const struct fg_conntrack_end *e = &s->ends[i];

                /* Who answers is where it arrived, whatever it was sent to. */
                if (e->port ? same_ip(&reply->source, &e->ip) && reply->source_port == e->port &&
                                      reply->protocol == e->protocol
                            : has(original, &e->ip) || has(reply, &e->ip))
                        return true;
        }
        return false;
}

static void copy_attribute(struct nlmsghdr *nlh, const struct nlattr *attr)
{
        if (attr)
                mnl_attr_put(nlh, attr->nla_type, mnl_attr_get_payload_len(attr),
                             mnl_attr_get_payload(attr));
}

static int on_connection(const struct nlmsghdr *nlh, void *userdata)
{
        const struct nlattr *original = NULL, *id = NULL, *zone = NULL;
        _Alignas(NLMSG_ALIGNTO) char bytes[DELETE_MAX];
        struct tuple there = { .protocol = 0 }, back = { .protocol = 0 };
        const int family = ((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family;
        struct search *s = userdata;
        struct nlmsghdr *request;
        struct nlattr *attr;

        mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
        {
                switch (mnl_attr_get_type(attr)) {
                case CTA_TUPLE_ORIG:
                        original = attr;
                        read_tuple(attr, &there);
                        break;
                case CTA_TUPLE_REPLY:
                        read_tuple(attr, &back);
                        break;
                case CTA_ID:
                        id = attr;
                        break;
                case CTA_ZONE:
                        zone = attr;
                        break;
                default:
                        break;
                }
        }
        if (!original || original->nla_len > DELETE_MAX / 2 || !matches(s, &there, &back))
                return MNL_CB_OK;
        request = begin(bytes, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, family);
        copy_attribute(request, original);
        copy_attribute(request, zone);
        copy_attribute(request, id);
        return fg_buf_append(s->found, request, request->nlmsg_len, s->err) < 0 ? MNL_CB_ERROR
                                                                                : MNL_CB_OK;
}

static int delete_found(struct fg_conntrack *ct, struct search *s)
{
        for (size_t at = 0; at < s->found->len;) {
                struct nlmsghdr *nlh = (struct nlmsghdr *)(void *)(s->found->data + at);

                at += nlh->nlmsg_len;
                if (fg_netlink_talk(&ct->netlink, nlh, NULL, NULL) < 0 &&
                    errno != ENOENT) /* it ended by itself */
                        return fg_fail_errno(s->err, errno, "delete a connection");
        }
        return 0;
}

/* ---- are there any ---- */

static int on_stats(const struct nlmsghdr *nlh, void *userdata)
{
        struct nlattr *attr;

        mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
        {
                if (mnl_attr_get_type(attr) == CTA_STATS_GLOBAL_ENTRIES)
                        *(bool *)userdata = mnl_attr_get_u32(attr) != 0;
        }
        return MNL_CB_STOP;
}

/* A list walks the table of all namespaces, which takes milliseconds; this takes none. */
static bool has_any(struct fg_conntrack *ct)
{
        _Alignas(NLMSG_ALIGNTO) char bytes[DELETE_MAX];
        bool any = true;

        (void)fg_netlink_talk(&ct->netlink, begin(bytes, IPCTNL_MSG_CT_GET_STATS, 0, AF_UNSPEC),
                              on_stats, &any);
        return any;
}

int fg_conntrack_forget(struct fg_conntrack *ct, const struct fg_conntrack_end *ends, size_t n,
                        struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf found = FG_BUF_INIT(FOUND_MAX);
        struct search s = { .ends = ends, .n = n, .found = &found, .err = err };
        _Alignas(NLMSG_ALIGNTO) char bytes[DELETE_MAX];

        if (n == 0 || !has_any(ct))
                return 0;
        if (fg_netlink_talk(&ct->netlink, begin(bytes, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC),
                            on_connection, &s) < 0)
                return fg_fail_errno(err, errno, "list connections");
        return delete_found(ct, &s);
}
