/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "net/conntrack.h"
#include "net/journal.h"
#include "net/nft.h"
#include "net/rtnl.h"

/*
 * The VPC as the kernel has it: namespace, bridge, TAPs, rules, the way to the outside. Blocking;
 * one thread at a time. vpc.c makes and takes up, vpc_uplink.c or vpc_pasta.c leads out, vpc_task.c
 * adds and removes tasks.
 */
struct fg_vpc;

struct fg_vpc_uplink {
        bool host_rules; /* a table in the host's namespace, which publishes ports too */
        /** open() - lead out of the namespace, which may have been led out of before. */
        int (*open)(struct fg_vpc *vpc, struct fg_error *err);
        int (*remove)(struct fg_vpc *vpc, struct fg_error *err);
        /** find() - a pidfd of the program it needs, or -1; NULL: it needs none. */
        int (*find)(const struct fg_vpc *vpc);
};
extern const struct fg_vpc_uplink fg_vpc_uplink_veth;  /* vpc_uplink.c */
extern const struct fg_vpc_uplink fg_vpc_uplink_pasta; /* vpc_pasta.c, for ordinary users */

struct fg_vpc {
        struct fg_journal journal;
        const struct fg_net_config *config; /* net.c's copy */
        const struct fg_vpc_uplink *uplink;
        char name[FG_NET_TAP_MAX]; /* the host's end of the pair, and the host's table */
        char *dir, *path, *names;  /* names: the resolver's directory of hosts files */
        int ns;
        struct fg_rtnl *inside, *outside; /* of the VPC's namespace, of the host's */
        struct fg_nft *nft_inside, *nft_outside;
        struct fg_conntrack *ct_inside, *ct_outside; /* NULL: the kernel lists no connections */
        char inside4[FG_NET_IP_MAX], outside4[FG_NET_IP_MAX];
        char inside6[FG_NET_IP_MAX], outside6[FG_NET_IP_MAX];
        char host_resolver[FG_NET_IP_MAX]; /* out of the VPC's reach; "": none such */
        struct fg_rules_host host;         /* points into this struct */
        char (*taps)[FG_NET_TAP_MAX];      /* made in advance */
        unsigned n_taps, next_tap;
        bool keeps_connections; /* of tasks that are gone: the log has why */
        uint32_t cursors[FG_NET_SUBNETS_MAX];
        char why_no_ipv6[128];
        char resolver[256]; /* "dnsmasq", or why there is none */
};

/** fg_vpc_open() - take up what a former life left, or make it new; then its rules are as now. */
int fg_vpc_open(struct fg_vpc *vpc, const struct fg_net_config *config, struct fg_error *err);
/** fg_vpc_close() - let go of it; with @remove nothing of it stays. Safe on one half opened. */
void fg_vpc_close(struct fg_vpc *vpc, bool remove);

/** fg_vpc_identify() - the name follows from the state directory; nothing else is set. */
void fg_vpc_identify(struct fg_vpc *vpc, const char *state_dir);
/** fg_vpc_is_ours() - the calling thread is in this VPC's namespace. */
bool fg_vpc_is_ours(const struct fg_vpc *vpc);
/** fg_vpc_life() - a namespace of this boot, as the journal has it: "<boot id> <inode>". Heap. */
char *fg_vpc_life(uint64_t inode);

/* vpc_task.c */

/** fg_vpc_address() - pick a free address for a task and journal the attachment, with a TAP. */
int fg_vpc_address(struct fg_vpc *vpc, struct fg_eni *eni, struct fg_error *err);
/**
 * fg_vpc_pair() - make a journaled task's pair, in place of one that is there
 * Return: a descriptor of the new namespace that its other end is in, or -1.
 */
int fg_vpc_pair(struct fg_vpc *vpc, const struct fg_net_attachment *a, struct fg_error *err);
/** fg_vpc_attach() - make what the journal says. Idempotent. A pair may have gone with its task. */
int fg_vpc_attach(struct fg_vpc *vpc, const struct fg_eni *eni, struct fg_error *err);
/** fg_vpc_detach() - remove it, then release it in the journal. */
int fg_vpc_detach(struct fg_vpc *vpc, const struct fg_eni *eni, struct fg_error *err);
/** fg_vpc_fill() - make TAPs until the pool is full again. */
int fg_vpc_fill(struct fg_vpc *vpc, struct fg_error *err);
/** fg_vpc_known() - the attachment without groups that the configuration no longer has. */
struct fg_net_attachment fg_vpc_known(const struct fg_vpc *vpc, const struct fg_net_attachment *a);
/** fg_vpc_sweep() - remove TAPs that none of @enis claims; find the next free name. */
int fg_vpc_sweep(struct fg_vpc *vpc, struct fg_eni *const *enis, int n, struct fg_error *err);

/* forwarding.c: the host's switch. On while any fgd needs it; then as it was. */
int fg_vpc_forward(struct fg_vpc *vpc, struct fg_error *err);
/** fg_vpc_forward_no_more() - our own device is gone already. */
int fg_vpc_forward_no_more(struct fg_vpc *vpc, struct fg_error *err);

/* resolver.c */
void fg_vpc_resolver(struct fg_vpc *vpc); /* start or take up; says so in vpc->resolver */
int fg_vpc_resolver_start(struct fg_vpc *vpc, struct fg_error *err);
int fg_vpc_resolver_find(const struct fg_vpc *vpc); /* its pidfd, for the caller to close, or -1 */
void fg_vpc_resolver_upstream(struct fg_vpc *vpc);  /* find the host's resolvers */
void fg_vpc_resolver_stop(struct fg_vpc *vpc);
/** fg_vpc_names() - what the resolver answers for a task, in the format of /etc/hosts. */
int fg_vpc_names(struct fg_vpc *vpc, const char *task, const char *text, struct fg_error *err);
