/* SPDX-License-Identifier: Apache-2.0 */
#include "net/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "core/str.h"

unsigned fg_ip_len(const struct fg_ip *ip)
{
        return ip->family == AF_INET ? 4 : 16;
}

bool fg_ip_parse(const char *text, struct fg_ip *ret)
{
        *ret = (struct fg_ip){ .family = strchr(text, ':') ? AF_INET6 : AF_INET };
        return inet_pton(ret->family, text, ret->bytes) == 1;
}

void fg_ip_format(const struct fg_ip *ip, char ret[FG_NET_IP_MAX])
{
        if (!inet_ntop(ip->family, ip->bytes, ret, FG_NET_IP_MAX))
                ret[0] = '\0';
}

/* Is bit @i (from the front) set? */
static bool bit(const struct fg_ip *ip, unsigned i)
{
        return ip->bytes[i / 8] & (0x80u >> (i % 8));
}

bool fg_cidr_parse(const char *text, struct fg_cidr *ret)
{
        const char *slash = strchr(text, '/');
        char address[FG_NET_IP_MAX];
        uint64_t bits;

        if (!slash || (size_t)(slash - text) >= sizeof(address) || !fg_parse_u64(slash + 1, &bits))
                return false;
        memcpy(address, text, (size_t)(slash - text));
        address[slash - text] = '\0';
        if (!fg_ip_parse(address, &ret->ip) || bits > 8 * fg_ip_len(&ret->ip))
                return false;
        ret->bits = (unsigned)bits;
        for (unsigned i = ret->bits; i < 8 * fg_ip_len(&ret->ip); i++)
                if (bit(&ret->ip, i))
                        return false;
        return true;
}

bool fg_cidr_contains(const struct fg_cidr *c, const struct fg_ip *ip)
{
        if (c->ip.family != ip->family)
                return false;
        for (unsigned i = 0; i < c->bits; i++)
                if (bit(&c->ip, i) != bit(ip, i))
                        return false;
        return true;
}

struct fg_ip fg_cidr_host(const struct fg_cidr *c, uint32_t n)
{
        struct fg_ip ip = c->ip;
        unsigned last = fg_ip_len(&ip) - 1;

        for (unsigned i = 0; i < 4; i++)
                ip.bytes[last - i] |= (unsigned char)(n >> (8 * i));
        return ip;
}

uint32_t fg_cidr_index(const struct fg_cidr *c, const struct fg_ip *ip)
{
        unsigned last = fg_ip_len(ip) - 1;
        uint32_t n = 0;

        for (unsigned i = 0; i < 4; i++)
                n |= (uint32_t)(ip->bytes[last - i] ^ c->ip.bytes[last - i]) << (8 * i);
        return n;
}

bool fg_mac_parse(const char *text, unsigned char ret[6])
{
        return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &ret[0], &ret[1], &ret[2],
                      &ret[3], &ret[4], &ret[5]) == 6;
}

void fg_mac_link_local(const char *mac, char ret[FG_NET_IP_MAX])
{
        struct fg_ip ip = { .family = AF_INET6, .bytes = { 0xfe, 0x80 } };
        unsigned char m[6] = { 0 };

        (void)fg_mac_parse(mac, m);
        ip.bytes[8] = m[0] ^ 2;
        ip.bytes[9] = m[1];
        ip.bytes[10] = m[2];
        ip.bytes[11] = 0xff;
        ip.bytes[12] = 0xfe;
        ip.bytes[13] = m[3];
        ip.bytes[14] = m[4];
        ip.bytes[15] = m[5];
        fg_ip_format(&ip, ret);
}

int fg_net_cidr_check(const char *text, int family, struct fg_error *err)
{
        struct fg_cidr c;

        if (fg_cidr_parse(text, &c) && c.ip.family == family)
                return 0;
        return fg_fail(err, FG_ERR_INVALID,
                       "'%.60s' is not an %s network: expected ADDRESS/BITS without bits beyond",
                       text, family == AF_INET ? "IPv4" : "IPv6");
}

bool fg_net_cidr_overlap(const char *a, const char *b)
{
        struct fg_cidr ca, cb;

        return fg_cidr_parse(a, &ca) && fg_cidr_parse(b, &cb) &&
               (fg_cidr_contains(&ca, &cb.ip) || fg_cidr_contains(&cb, &ca.ip));
}
