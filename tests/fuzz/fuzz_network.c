/* SPDX-License-Identifier: Apache-2.0 */

/* The network of a task message, by the first byte, or what the kernel says about interfaces. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <sys/socket.h>

#include "core/json.h"
#include "guest-init/network.h"

#define INPUT_MAX (64u << 10)

static void check_answer(const uint8_t *data, size_t len)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_netlink_link link;
        bool last = false;
        long n;

        while ((n = fg_netlink_parse_link(data, len, &link, &last, &err)) > 0) {
                assert((size_t)n <= len && link.index >= 0);
                assert(link.name[sizeof(link.name) - 1] == '\0');
                data += n;
                len -= (size_t)n;
        }
        assert(n == 0 || err.code == FG_ERR_INVALID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *json = NULL;
        struct fg_network n;

        if (len < 1 || len > INPUT_MAX)
                return 0;
        if (data[0] != '{') {
                check_answer(data + 1, len - 1);
                return 0;
        }
        json = fg_json_parse((const char *)data, len, &err);
        if (!json)
                return 0;
        if (fg_network_parse(json, &n, &err) < 0) {
                assert(err.code == FG_ERR_INVALID);
                return 0;
        }
        assert(n.address_count > 0 && n.address_count <= FG_NETWORK_ADDRESSES_MAX);
        assert(n.gateway_count <= FG_NETWORK_GATEWAYS_MAX && n.dns_count <= FG_NETWORK_DNS_MAX);
        assert(n.search_count <= FG_NETWORK_SEARCH_MAX && n.mtu > 0);
        for (size_t i = 0; i < n.gateway_count; i++)
                assert(fg_network_first(&n, n.gateways[i].family));
        return 0;
}
