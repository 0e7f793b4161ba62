/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/network.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/str.h"

#define MTU_MIN      576
#define MTU_MIN_IPV6 1280
#define MTU_MAX      65535
#define DOMAIN_MAX   253

size_t fg_address_size(const struct fg_address *a)
{
        return a->family == AF_INET ? 4 : 16;
}

void fg_address_text(const struct fg_address *a, char ret[FG_ADDRESS_TEXT])
{
        (void)inet_ntop(a->family, a->bytes, ret, FG_ADDRESS_TEXT);
}

struct fg_address fg_address_subnet(const struct fg_address *a)
{
        struct fg_address subnet = *a;

        for (unsigned bit = a->prefix_len; bit < 8 * fg_address_size(a); bit++)
                subnet.bytes[bit / 8] &= (unsigned char)~(0x80u >> (bit % 8));
        return subnet;
}

static const struct fg_address *find(const struct fg_address *list, size_t count, int family)
{
        for (size_t i = 0; i < count; i++) {
                if (list[i].family == family)
                        return &list[i];
        }
        return NULL;
}

const struct fg_address *fg_network_first(const struct fg_network *n, int family)
{
        return find(n->addresses, n->address_count, family);
}

const struct fg_address *fg_network_gateway(const struct fg_network *n, int family)
{
        return find(n->gateways, n->gateway_count, family);
}

static bool parse_address(const char *text, struct fg_address *ret)
{
        *ret = (struct fg_address){ .family = strchr(text, ':') ? AF_INET6 : AF_INET };
        ret->prefix_len = (unsigned char)(8 * fg_address_size(ret));
        return inet_pton(ret->family, text, ret->bytes) == 1;
}

/* "172.31.0.10/20" */
static bool parse_subnet(const char *text, struct fg_address *ret)
{
        const char *slash = strchr(text, '/');
        char address[FG_ADDRESS_TEXT];
        uint64_t prefix;

        if (!slash || (size_t)(slash - text) >= sizeof(address) ||
            !fg_parse_u64(slash + 1, &prefix))
                return false;
        memcpy(address, text, (size_t)(slash - text));
        address[slash - text] = '\0';
        if (!parse_address(address, ret) || prefix < 1 || prefix > ret->prefix_len)
                return false;
        ret->prefix_len = (unsigned char)prefix;
        return true;
}

static bool parse_mac(const char *text, unsigned char ret[FG_MAC_LEN])
{
        static const unsigned char none[FG_MAC_LEN];
        char again[FG_MAC_TEXT];
        unsigned v[FG_MAC_LEN];

        if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) !=
            FG_MAC_LEN)
                return false;
        for (size_t i = 0; i < FG_MAC_LEN; i++)
                ret[i] = (unsigned char)v[i];
        fg_mac_text(ret, again);
        /* sscanf() takes more than we do; a group's address is nobody's. */
        return fg_streq(again, text) && !(ret[0] & 1) && memcmp(ret, none, FG_MAC_LEN) != 0;
}

/* Letters, digits and hyphens in parts of 1 to 63; it goes into files as it is. */
static bool is_domain(const char *s)
{
        const char *alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

        if (strlen(s) > DOMAIN_MAX)
                return false;
        for (;;) {
                size_t n = strspn(s, alphabet);

                if (n < 1 || n > 63 || *s == '-')
                        return false;
                s += n;
                if (*s == '\0')
                        return true;
                if (*s++ != '.')
                        return false;
        }
}

bool fg_hostname_valid(const char *s)
{
        return strlen(s) <= HOST_NAME_MAX && is_domain(s);
}

/* One entry of a list; false when it is wrong or there is no room for it. */
typedef bool (*take_fn)(struct fg_network *n, const char *text);

static bool take_address(struct fg_network *n, const char *text)
{
        return n->address_count < FG_NETWORK_ADDRESSES_MAX &&
               parse_subnet(text, &n->addresses[n->address_count++]);
}

static bool take_gateway(struct fg_network *n, const char *text)
{
        struct fg_address gateway;

        if (!parse_address(text, &gateway) || fg_network_gateway(n, gateway.family) ||
            !fg_network_first(n, gateway.family))
                return false;
        n->gateways[n->gateway_count++] = gateway;
        return true;
}

static bool take_dns(struct fg_network *n, const char *text)
{
        return n->dns_count < FG_NETWORK_DNS_MAX && parse_address(text, &n->dns[n->dns_count++]);
}

static bool take_search(struct fg_network *n, const char *text)
{
        if (n->search_count == FG_NETWORK_SEARCH_MAX || !is_domain(text))
                return false;
        n->search[n->search_count++] = text;
        return true;
}

/* In the order in which they are read: a gateway needs an address of its family. */
static const struct list {
        const char *key, *wanted;
        take_fn take;
        size_t least;
} lists[] = {
        { "addresses", "1 to 8 addresses with prefix lengths", take_address, 1 },
        { "gateways", "at most one address of each family that the task has", take_gateway, 0 },
        { "dnsServers", "at most 3 addresses", take_dns, 0 },
        { "dnsSearch", "at most 6 domain names", take_search, 0 },
};

static int parse_list(struct json_object *json, const struct list *l, struct fg_network *n,
                      struct fg_error *err)
{
        struct json_object *list = fg_json_arr(json, l->key);

        if (!list)
                return fg_fail(err, FG_ERR_INVALID, "%s: an array is wanted", l->key);
        if (json_object_array_length(list) < l->least)
                return fg_fail(err, FG_ERR_INVALID, "%s: none; wanted: %s", l->key, l->wanted);
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                struct json_object *entry = json_object_array_get_idx(list, i);
                const char *text = json_object_is_type(entry, json_type_string)
                                           ? json_object_get_string(entry)
                                           : NULL;

                if (!text || strlen(text) != (size_t)json_object_get_string_len(entry) ||
                    !l->take(n, text))
                        return fg_fail(err, FG_ERR_INVALID, "%s[%zu]: \"%.64s\"; wanted: %s",
                                       l->key, i, text ? text : "", l->wanted);
        }
        return 0;
}

static int refuse_unknown(struct json_object *json, struct fg_error *err)
{
        json_object_object_foreach(json, key, value)
        {
                bool known = fg_streq(key, "mac") || fg_streq(key, "mtu");

                (void)value;
                for (size_t i = 0; i < FG_ARRAY_SIZE(lists); i++)
                        known = known || fg_streq(key, lists[i].key);
                if (!known)
                        return fg_fail(err, FG_ERR_INVALID, "%.64s: unknown member", key);
        }
        return 0;
}

int fg_network_parse(struct json_object *json, struct fg_network *ret, struct fg_error *err)
{
        struct fg_network n = { 0 };
        const char *mac = fg_json_str(json, "mac");
        const int64_t mtu = fg_json_int(json, "mtu", 0);
        int64_t least = MTU_MIN;

        if (!json_object_is_type(json, json_type_object))
                return fg_fail(err, FG_ERR_INVALID, "an object is wanted");
        if (refuse_unknown(json, err) < 0)
                return -1;
        if (!mac || !parse_mac(mac, n.mac))
                return fg_fail(err, FG_ERR_INVALID,
                               "mac: \"%.64s\"; wanted: one such as 02:00:5e:00:53:01",
                               mac ? mac : "");
        for (size_t i = 0; i < FG_ARRAY_SIZE(lists); i++) {
                if (parse_list(json, &lists[i], &n, err) < 0)
                        return -1;
        }
        if (fg_network_first(&n, AF_INET6))
                least = MTU_MIN_IPV6;
        if (mtu < least || mtu > MTU_MAX)
                return fg_fail(err, FG_ERR_INVALID, "mtu: %lld; wanted: %lld to %d", (long long)mtu,
                               (long long)least, MTU_MAX);
        n.mtu = (unsigned)mtu;
        *ret = n;
        return 0;
}
