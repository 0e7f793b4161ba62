/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/lane.h"
#include "core/table.h"
#include "net/forward.h"
#include "net/vpc.h"

/* The loop's side of net/: net.c, reserve.c, attach.c and ports.c. */

struct fg_port_hold {
        int ipv4, ipv6; /* sockets that keep a port; -1: not held */
};

struct fg_net_member {
        char task[FG_ID_LEN + 1]; /* key */
        struct fg_eni *eni;       /* as requested; as it is once attached */
        bool attached;            /* the journal has it */
        bool leaving;
        int ns;                     /* that its pair leads to, until a process keeps it; or -1 */
        char netns[32];             /* the same as a path */
        char *names;                /* more names than the task's own, one a line; NULL: none */
        struct fg_port_hold *held;  /* as many as ports */
        struct fg_forward *forward; /* carries what comes to them, where no rule of the host does */
        UT_hash_handle hh;
};

#define FG_WATCHES 2

struct fg_watch;

struct fg_net {
        struct fg_net_config config; /* a copy; subnets and groups are owned below */
        struct fg_net_subnet *subnets;
        struct fg_net_group *groups;
        struct fg_net_info info;
        struct fg_net_member *members;
        struct fg_watch *watches[FG_WATCHES]; /* NULL: there is no such program */
        struct fg_lane *lane;                 /* one thread, which owns the VPC from then on */
        struct fg_vpc vpc;
};

struct fg_net_member *fg_member_find(struct fg_net *net, const char *task);
struct fg_net_member *fg_member_new(struct fg_net *net, const char *task);
void fg_member_free(struct fg_net *net, struct fg_net_member *m);

/* attach.c */
void fg_net_refill(struct fg_net *net); /* make TAPs in advance, behind what waits already */

/* watch.c: a program beside the VPC, should it end, is started again. */
void fg_watch_start(struct fg_net *net, sd_event *event);
void fg_watch_close(struct fg_net *net); /* before its lane goes */
void fg_watch_free(struct fg_net *net);  /* after it */

/* ports.c: a published port is bound in the host's namespace, so that nobody else takes it. */

/** fg_ports_hold() - CONFLICT when a task or a program has one of the member's ports. */
int fg_ports_hold(struct fg_net *net, struct fg_net_member *m, struct fg_error *err);
/** fg_ports_hold_again() - after a restart; as far as it goes. */
void fg_ports_hold_again(struct fg_net *net, struct fg_net_member *m);
/** fg_ports_open() - its ports lead to the task, which is attached. */
void fg_ports_open(struct fg_net *net, struct fg_net_member *m);
/** fg_ports_close() - they lead nowhere; still nobody else may have them. */
void fg_ports_close(struct fg_net_member *m);
void fg_ports_drop(struct fg_net_member *m);
