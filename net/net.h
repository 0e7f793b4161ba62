/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "core/cleanup.h"
#include "core/error.h"
#include "core/id.h"

/*
 * The network of tasks: one VPC, which is a network namespace with a bridge, a TAP per task, a
 * firewall and a resolver, and one veth pair to the outside. Knows neither ECS nor libvirt: it
 * names a TAP and a namespace, and somebody else puts a VM there, or a container of the host where
 * it has made a veth pair instead. Everything here is called on the
 * loop; blocking work happens in a lane of its own, and callbacks run on the loop.
 */
struct fg_net;

#define FG_NET_SUBNETS_MAX 16
#define FG_NET_GROUPS_MAX  64  /* configured ones */
#define FG_NET_TASK_GROUPS 5   /* of one task, as in EC2 */
#define FG_NET_PORTS_MAX   100 /* published ports of one task */
#define FG_NET_TASKS_MAX   960 /* a bridge has 1023 ports at most */
#define FG_NET_ID_MAX      32
#define FG_NET_IP_MAX      INET6_ADDRSTRLEN
#define FG_NET_TAP_MAX     16
#define FG_NET_MTU         1500
#define FG_NET_DOMAIN      "fgrun.internal"
#define FG_NET_RESOLVER    "169.254.169.253" /* as in a VPC of AWS */

/* ---- configuration; strings are inside, so that a copy is a copy ---- */

struct fg_net_subnet {
        char id[FG_NET_ID_MAX]; /* "subnet-" and hex digits */
        char cidr[FG_NET_IP_MAX];
        char cidr6[FG_NET_IP_MAX]; /* a /64, or "" */
};

struct fg_net_rule {
        bool egress;
        char protocol[11];      /* "tcp", "udp", "icmp", "icmpv6", a number, "-1": all */
        int from_port, to_port; /* tcp and udp: 0 to 65535; icmp: type, code, -1: all */
        char peer[48];          /* a CIDR of either family, or the id of a group */
};

struct fg_net_group {
        char id[FG_NET_ID_MAX]; /* "sg-" and hex digits */
        char name[256];
        struct fg_net_rule *rules;
        size_t n_rules;
};

struct fg_net_config {
        const char *state_dir; /* net.db */
        const char *run_dir;   /* the namespace and the resolver's files, in "vpc" below it */
        const char *unusable;  /* why there can be no network, or NULL: found out */
        const struct fg_net_subnet *subnets; /* the first is the default one */
        size_t n_subnets;
        const struct fg_net_group *groups; /* the first is the default one */
        size_t n_groups;
        unsigned quarantine_s; /* before an address is used again */
        unsigned pool;         /* TAPs made in advance */
};

/** fg_net_cidr_check() - INVALID unless @text is a network of @family (AF_INET, AF_INET6). */
int fg_net_cidr_check(const char *text, int family, struct fg_error *err);
bool fg_net_cidr_overlap(const char *a, const char *b); /* both valid */

/* ---- the VPC ---- */

/**
 * fg_net_become() - give an ordinary user what a network takes, in a user namespace
 * The namespace of an fgd that ended without its tasks is joined again. The process stays in its
 * network namespace. Only for a process with one thread; root, and a user with the capabilities,
 * are left as they are. What the process starts has no capabilities.
 * Return: 0, also when nothing had to be done; -1: no network for this user, and why.
 */
int fg_net_become(const char *state_dir, struct fg_error *err);

struct fg_net_info {
        bool usable;
        char reason[512]; /* one sentence: how, or why not */
        char vpc[FG_NET_ID_MAX];
        char namespace_path[256]; /* for whoever starts a VM */
        char resolver[256];       /* "dnsmasq", or why there is none */
        char outside6[128];       /* "" or why IPv6 stays inside */
};

/**
 * fg_net_new() - open the journal, take up or make the VPC (blocks; start-up only)
 * Never fails for want of a privilege or of a kernel's feature: info then says what is missing and
 * every reservation is refused with that. Call it while the calling thread may change its network
 * namespace for a moment, and before /dev/kvm gets a mount namespace of its own.
 */
int fg_net_new(sd_event *event, const struct fg_net_config *config, struct fg_net **ret,
               struct fg_error *err);
/** fg_net_free() - leaves the VPC to its tasks, or without tasks removes it. */
void fg_net_free(struct fg_net *net);
FG_DEFINE_CLEANUP(struct fg_net *, fg_net_free)
const struct fg_net_info *fg_net_info(const struct fg_net *net);

/* ---- tasks ---- */

struct fg_net_port {
        bool udp;
        /* Of the host. "": all, of IPv6 too for tcp; "0.0.0.0": all of IPv4; udp has IPv4 only. */
        char address[INET6_ADDRSTRLEN];
        uint16_t host, container;
};

struct fg_net_request {
        const char *subnet;        /* id; NULL: the default one */
        const char *const *groups; /* ids or names; none: the default one */
        size_t n_groups;
        const struct fg_net_port *ports;
        size_t n_ports;
        uint64_t bytes_per_second; /* each way; 0: no limit */
        bool pair;                 /* for a container of the host: a veth pair in place of a TAP */
};

struct fg_net_attachment {
        char task[FG_ID_LEN + 1];
        char id[FG_NET_ID_MAX]; /* "eni-" and hex digits */
        char subnet[FG_NET_ID_MAX];
        char groups[FG_NET_TASK_GROUPS][FG_NET_ID_MAX];
        size_t n_groups;
        char mac[18];
        char ipv4[FG_NET_IP_MAX], ipv6[FG_NET_IP_MAX]; /* ipv6 may be "" */
        unsigned bits4, bits6;
        char gateway4[FG_NET_IP_MAX], gateway6[FG_NET_IP_MAX];
        char name[64];            /* ip-172-31-0-10.fgrun.internal */
        char tap[FG_NET_TAP_MAX]; /* or the end of its pair that is a port of the bridge */
        uint64_t bytes_per_second;
        bool pair;
};

typedef void (*fg_net_attach_fn)(void *userdata, const char *task,
                                 const struct fg_net_attachment *a, const struct fg_error *err);
typedef void (*fg_net_done_fn)(void *userdata, const char *task, const struct fg_error *err);

/**
 * fg_net_reserve() - check a request and hold its ports and its place; nothing is made yet
 * Errors: INVALID (names what is not known and what there is), CONFLICT (a port that another task
 * or a program of the host has), CAPACITY, DENIED (no network here, and why).
 */
int fg_net_reserve(struct fg_net *net, const char *task, const struct fg_net_request *request,
                   struct fg_error *err);
/** fg_net_release() - of a reservation that was never attached. */
void fg_net_release(struct fg_net *net, const char *task);
/** fg_net_attach() - address, TAP, rules, ports; the same attachment again for one that has it, but
 * its pair is made anew: no container may be at it. */
void fg_net_attach(struct fg_net *net, const char *task, fg_net_attach_fn done, void *userdata);
/**
 * fg_net_netns() - path of the network namespace that the task's device is in; borrowed
 * That of the VPC for a TAP. For a pair one that has nothing else in it, and that goes with the
 * last process there: start the container in it before fg_net_detach().
 */
const char *fg_net_netns(const struct fg_net *net, const char *task);
/** fg_net_detach() - remove all of it, its reservation too; idempotent. The VM must be gone. */
void fg_net_detach(struct fg_net *net, const char *task, fg_net_done_fn done, void *userdata);
/** fg_net_name() - answer @name (or with @on false: no longer) with the task's addresses. */
void fg_net_name(struct fg_net *net, const char *task, const char *name, bool on);
/** fg_net_claim() - after a restart: what belongs to none of these tasks is detached. */
void fg_net_claim(struct fg_net *net, const char *const *tasks, size_t n);

struct fg_net_view {
        void (*task)(void *userdata, const struct fg_net_attachment *a,
                     const struct fg_net_port *ports, size_t n_ports);
        void *userdata;
};
void fg_net_view(struct fg_net *net, const struct fg_net_view *view); /* each attached task */
const struct fg_net_config *fg_net_configured(const struct fg_net *net);
/** fg_net_free_addresses() - of a configured subnet; those in quarantine count as free. */
size_t fg_net_free_addresses(const struct fg_net *net, const struct fg_net_subnet *subnet);
size_t fg_net_ports(const struct fg_net *net); /* published ones, of all tasks */
size_t fg_net_tasks(const struct fg_net *net); /* reserved or attached */
