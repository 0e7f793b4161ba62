/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ipam.h"

#include "core/str.h"

#define FIRST  4 /* network, router, resolver, reserved */

#define IN_USE UINT64_MAX

/* Of each address: 0 when free, IN_USE, or since when it is in quarantine. */
static void mark(uint64_t *states, uint32_t size, const struct fg_ipam_used *used, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                uint64_t state = used[i].released_ns ? used[i].released_ns : IN_USE;

                /* One that was taken out of quarantine is there twice. */
                if (used[i].host < size && state > states[used[i].host])
                        states[used[i].host] = state;
        }
}

int64_t fg_ipam_pick(const struct fg_cidr *subnet, const struct fg_ipam_used *used, size_t n,
                     uint32_t cursor, struct fg_error *err)
{
        uint32_t size = UINT32_C(1) << (32 - subnet->bits), last = size - 2;
        fg_autofree uint64_t *states = fg_calloc(size, sizeof(*states));
        uint32_t best = FIRST;
        char text[FG_NET_IP_MAX];

        mark(states, size, used, n);
        if (cursor < FIRST || cursor > last)
                cursor = FIRST;
        for (uint32_t i = 0; i <= last - FIRST; i++) {
                uint32_t host = FIRST + (cursor - FIRST + i) % (last - FIRST + 1);

                if (states[host] == 0)
                        return host;
                if (states[host] < states[best])
                        best = host;
        }
        if (states[best] != IN_USE)
                return best;
        fg_ip_format(&subnet->ip, text);
        return fg_fail(err, FG_ERR_CAPACITY, "all %u addresses of the subnet %s/%u are in use",
                       last - FIRST + 1, text, subnet->bits);
}
