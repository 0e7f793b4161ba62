/* SPDX-License-Identifier: Apache-2.0 */
#include "net/vpc.h"

#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/netns.h"
#include "core/str.h"
#include "net/helper.h"

/*
 * The way out for an ordinary user, who may change nothing in the host's namespace: pasta makes a
 * TAP in the VPC and opens a socket of the user's for each connection. What the table of the host
 * does for root is done in the VPC: it reaches none of the host's addresses. Like dnsmasq, pasta
 * outlives fgd.
 */
#define PROGRAM  "pasta"
#define INSIDE4  "169.254.1.2"
#define OUTSIDE4 "169.254.1.1"
#define BITS     30

static struct fg_helper helper(const char *pid_file)
{
        const uint64_t one = 1;

        /* It enters the VPC, makes a device there, and shuts itself in. */
        return (struct fg_helper){ .program = PROGRAM,
                                   .package = "passt",
                                   .pid_file = pid_file,
                                   .ns = -1,
                                   .caps = one << CAP_SYS_ADMIN | one << CAP_NET_ADMIN };
}

static char *pid_path(const struct fg_vpc *vpc)
{
        return fg_asprintf("%s/pasta.pid", vpc->dir);
}

/* A resolver on the host's loopback is asked in place of pasta's end. */
static int start(struct fg_vpc *vpc, struct fg_error *err)
{
        fg_autofree char *pid_file = pid_path(vpc);
        bool resolver = *vpc->host_resolver;
        char *const argv[] = { (char[]){ PROGRAM },
                               (char[]){ "--quiet" },
                               (char[]){ "--netns" },
                               vpc->path,
                               (char[]){ "--no-netns-quit" },
                               (char[]){ "--ipv4-only" },
                               (char[]){ "--no-map-gw" },
                               (char[]){ "--no-dhcp" },
                               (char[]){ "--ns-ifname" },
                               (char[]){ FG_RULES_UPLINK },
                               (char[]){ "--address" },
                               vpc->inside4,
                               (char[]){ "--netmask" },
                               (char[]){ "255.255.255.252" },
                               (char[]){ "--gateway" },
                               vpc->outside4,
                               (char[]){ "--tcp-ports" },
                               (char[]){ "none" },
                               (char[]){ "--udp-ports" },
                               (char[]){ "none" },
                               (char[]){ "--tcp-ns" },
                               (char[]){ "none" },
                               (char[]){ "--udp-ns" },
                               (char[]){ "none" },
                               (char[]){ "--pid" },
                               pid_file,
                               resolver ? (char[]){ "--dns-forward" } : NULL,
                               vpc->outside4,
                               (char[]){ "--dns" },
                               vpc->host_resolver,
                               NULL };
        struct fg_helper h = helper(pid_file);

        return fg_helper_start(&h, argv, err);
}

/* ---- in the VPC ---- */

struct far {
        struct fg_buf *out;
        struct fg_error *err;
        int result;
};

static void on_address(void *userdata, const struct fg_ip *ip, unsigned bits)
{
        struct far *far = userdata;
        char text[FG_NET_IP_MAX];

        (void)bits;
        fg_ip_format(ip, text);
        if (far->result == 0 && ip->family == AF_INET)
                far->result = fg_rules_far_address(text, far->out, far->err);
}

/* The host's addresses as they are now. */
static int set_rules(struct fg_vpc *vpc, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf batch = FG_BUF_INIT(FG_RULES_MAX);
        struct far far = { .out = &batch, .err = err };

        if (fg_rules_far(&batch, err) < 0 ||
            fg_rtnl_each_address(vpc->outside, on_address, &far, err) < 0 || far.result < 0)
                return -1;
        return fg_nft_run(vpc->nft_inside, batch.data, err);
}

static int set_device(struct fg_vpc *vpc, struct fg_error *err)
{
        struct fg_ip inside, outside;

        (void)fg_ip_parse(vpc->inside4, &inside);
        (void)fg_ip_parse(vpc->outside4, &outside);
        if (fg_rtnl_up(vpc->inside, FG_RULES_UPLINK, err) < 0 ||
            fg_rtnl_add_address(vpc->inside, FG_RULES_UPLINK, &inside, BITS, err) < 0)
                return -1;
        return fg_rtnl_add_default_route(vpc->inside, FG_RULES_UPLINK, &outside, err);
}

static int open_pasta(struct fg_vpc *vpc, struct fg_error *err)
{
        (void)snprintf(vpc->inside4, sizeof(vpc->inside4), INSIDE4);
        (void)snprintf(vpc->outside4, sizeof(vpc->outside4), OUTSIDE4);
        (void)snprintf(vpc->why_no_ipv6, sizeof(vpc->why_no_ipv6),
                       "for an ordinary user only IPv4 leads outside");
        fg_vpc_resolver_upstream(vpc);
        if (set_rules(vpc, err) < 0 || start(vpc, err) < 0 || set_device(vpc, err) < 0)
                return fg_wrap(err, "the way out of the VPC");
        return 0;
}

static int remove_pasta(struct fg_vpc *vpc, struct fg_error *err)
{
        fg_autofree char *pid_file = pid_path(vpc);
        struct fg_helper h = helper(pid_file);

        (void)err;
        fg_helper_stop(&h);
        return 0;
}

static int find_pasta(const struct fg_vpc *vpc)
{
        fg_autofree char *pid_file = pid_path(vpc);
        struct fg_helper h = helper(pid_file);

        return fg_helper_find(&h);
}

const struct fg_vpc_uplink fg_vpc_uplink_pasta = { .open = open_pasta,
                                                   .remove = remove_pasta,
                                                   .find = find_pasta };
