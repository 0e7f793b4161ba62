/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "core/str.h"
#include "net/ns.h"
#include "net/vpc.h"

/*
 * The host forwards IPv4, or no task gets outside. Where fgd switches that on, the devices the host
 * has by then still forward nothing to each other: a table says so (rules_host.c). That it is there
 * is how every fgd of the host knows whose switch it is, and a boot forgets both.
 */
#define SWITCH  "net/ipv4/ip_forward"
#define MEANING "\"*\\" /* that characters have for nft; nobody names a network card so */

static bool is_on(void)
{
        fg_cleanup(fclosep) FILE *f = fopen("/proc/sys/" SWITCH, "re");

        return f && fgetc(f) != '0';
}

static bool is_ours(struct fg_vpc *vpc)
{
        struct fg_error ignored;

        return fg_nft_run(vpc->nft_outside, "list table inet " FG_RULES_FORWARDING "\n",
                          &ignored) == 0;
}

/* Of any fgd of this host, as fg_vpc_identify() makes them. */
static bool is_uplink(const char *name)
{
        return fg_starts_with(name, "fgr") && strlen(name) == strlen("fgr") + 8 &&
               strspn(name + strlen("fgr"), "0123456789abcdef") == 8;
}

struct devices {
        struct fg_buf names;
        bool uplinks;
        int result;
        struct fg_error *err;
};

static void on_link(void *userdata, const char *name)
{
        struct devices *d = userdata;

        if (is_uplink(name))
                d->uplinks = true;
        else if (d->result == 0 && !fg_streq(name, "lo") && !strpbrk(name, MEANING))
                d->result = fg_buf_printf(&d->names, d->err, "%s\"%s\"",
                                          d->names.len > 0 ? ", " : "", name);
}

int fg_vpc_forward(struct fg_vpc *vpc, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf batch = FG_BUF_INIT(FG_RULES_MAX);
        struct devices d = { .names = FG_BUF_INIT(FG_RULES_MAX / 2), .err = err };
        int r;

        if (is_on())
                return 0;
        r = fg_rtnl_each_link(vpc->outside, on_link, &d, err);
        if (r == 0 && d.result == 0)
                r = fg_rules_forwarding(d.names.len > 0 ? d.names.data : "", &batch, err);
        fg_buf_finish(&d.names);
        if (r < 0 || d.result < 0 || fg_nft_run(vpc->nft_outside, batch.data, err) < 0)
                return -1;
        return fg_ns_set(SWITCH, "1", err);
}

int fg_vpc_forward_no_more(struct fg_vpc *vpc, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf batch = FG_BUF_INIT(1024);
        struct devices d = { .names = FG_BUF_INIT(FG_RULES_MAX / 2), .err = err };
        int r;

        if (!is_ours(vpc))
                return 0;
        r = fg_rtnl_each_link(vpc->outside, on_link, &d, err);
        fg_buf_finish(&d.names);
        if (r < 0 || d.uplinks)
                return r; /* the last one puts it back */
        if (fg_ns_set(SWITCH, "0", err) < 0 ||
            fg_rules_host_gone(FG_RULES_FORWARDING, &batch, err) < 0)
                return -1;
        return fg_nft_run(vpc->nft_outside, batch.data, err);
}
