/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/buf.h"
#include "net/net.h"

/*
 * The firewall, as text for libnftables. Pure; tests/net/golden has what it comes to.
 *
 * Who a packet is from is decided once, where it leaves the TAP (bridge family, prerouting): TAP,
 * MAC and address must belong together, in ARP too. Bridge ports are isolated, so two tasks meet
 * only in the router; what they may do is decided there, by address (inet family, forward), where
 * connections are tracked. br_netfilter is off: it would run the second through the first.
 */
#define FG_RULES_MAX        (16u << 20)
#define FG_RULES_TABLE      "fgrun"
#define FG_RULES_BRIDGE     "br0"
#define FG_RULES_UPLINK     "up0"
#define FG_RULES_TAPS       "tap"
#define FG_RULES_FORWARDING "fgr_forwarding"

/* Where clouds hand a machine its credentials, other than 169.254.0.0/16: Alibaba, Azure, Oracle;
 * AWS, Google. */
#define FG_RULES_CLOUD4 "100.100.100.200, 168.63.129.16, 192.0.0.192"
#define FG_RULES_CLOUD6 "fd00:ec2::/32, fd20:ce::254"

/* The ends of the veth pair, and what the host adds to a published port. */
struct fg_rules_host {
        const char *table;   /* of the host's namespace; also the name of our end of the pair */
        const char *inside4; /* the VPC's address on the pair */
        const char *inside6;
        const char *outside4; /* the host's */
        const char *resolver; /* a resolver else out of reach that the VPC may ask, or NULL */
        unsigned connections; /* that the VPC may have through the host */
};

/* A published port: host:address:host_port -> inside:transfer -> task:container_port. */
struct fg_rules_port {
        struct fg_net_port port;
        uint16_t transfer; /* free on the VPC's end of the pair */
};

/** fg_rules_vpc() - replace all of the VPC's rules; sets are empty until fg_rules_task(). */
int fg_rules_vpc(const struct fg_net_config *config, struct fg_buf *out, struct fg_error *err);
/** fg_rules_task() - a task's elements; with @on false they are removed, if they are there. */
int fg_rules_task(const struct fg_net_attachment *a, bool on, struct fg_buf *out,
                  struct fg_error *err);
/** fg_rules_task_port() - a published port inside the VPC. */
int fg_rules_task_port(const struct fg_net_attachment *a, const struct fg_rules_port *p, bool on,
                       struct fg_buf *out, struct fg_error *err);
/** fg_rules_host() - replace the one table in the host's namespace. */
int fg_rules_host(const struct fg_rules_host *h, struct fg_buf *out, struct fg_error *err);
/** fg_rules_host_port() - nothing for an IPv6 address, which no rule leads inside. */
int fg_rules_host_port(const struct fg_rules_host *h, const struct fg_rules_port *p, bool on,
                       struct fg_buf *out, struct fg_error *err);
/** fg_rules_port_ipv4(), fg_rules_port_ipv6() - is it published on addresses of that family? */
bool fg_rules_port_ipv4(const struct fg_net_port *p);
bool fg_rules_port_ipv6(const struct fg_net_port *p);
/**
 * fg_rules_forwarding() - a table that keeps the host from becoming a router between the devices
 * @names, quoted and separated by commas. It is there while fgd has forwarding switched on.
 */
int fg_rules_forwarding(const char *names, struct fg_buf *out, struct fg_error *err);
/** fg_rules_host_gone() - remove the table @table of the host's namespace, if it is there. */
int fg_rules_host_gone(const char *table, struct fg_buf *out, struct fg_error *err);

/**
 * fg_rules_far() - replace a second table inside the VPC, for an uplink without one in the host's
 * namespace: no task reaches the host. fg_rules_far_address() adds one of the host's addresses.
 */
int fg_rules_far(struct fg_buf *out, struct fg_error *err);
int fg_rules_far_address(const char *address, struct fg_buf *out, struct fg_error *err);
