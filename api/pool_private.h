/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <utlist.h>

#include "api/daemon.h"
#include "api/pool.h"

/* The inside of the pool: pool.c decides how many guests there are, pool_guest.c is the life of
 * one. */

#define POOL_SIZES_MAX 8

/* Tasks of one size, and when they came. */
struct pool_demand {
        unsigned vcpus, memory_mib;
        uint64_t last_ns, burst_ns; /* CLOCK_MONOTONIC */
        unsigned burst;             /* tasks since burst_ns */
};

enum pool_state {
        POOL_MAKING,     /* its disk and its network card */
        POOL_STARTING,   /* QEMU */
        POOL_BOOTING,    /* until its hello */
        POOL_REHEARSING, /* a container of nothing */
        POOL_READY,
        POOL_ENDING, /* VM, then network, then disk go */
};

struct pool_guest {
        struct pool_guest *next;
        struct fg_pool *pool;
        char id[FG_ID_LEN + 1];
        unsigned vcpus, memory_mib;
        enum pool_state state;
        bool unwanted; /* to be ended as soon as what is under way is over */
        bool disk_made;
        bool attached; /* nic is its network card, or there is no network */
        struct fg_net_attachment nic;
        struct fg_channel *channel;
        sd_event_source *deadline;
};

struct fg_pool {
        struct fg_daemon *d;
        struct pool_guest *guests;
        struct pool_demand demands[POOL_SIZES_MAX];
        unsigned failures; /* in a row */
        bool leaving;
        void (*left)(void *userdata);
        void *left_userdata;
};

/* pool_guest.c */
struct pool_guest *pool_find(const struct fg_pool *pool, const char *id);
/** pool_make() - begin a guest. Return: false when there is no room for it. */
bool pool_make(struct fg_pool *pool, const struct pool_demand *demand);
void pool_end(struct pool_guest *g);
void pool_fail(struct pool_guest *g, const char *why); /* end it, and count */
void pool_forget(struct pool_guest *g);                /* as it is: somebody else has its VM */
void pool_give_room(const struct pool_guest *g);
