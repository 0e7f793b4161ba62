/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <utlist.h>

#include "api/daemon.h"
#include "api/pool.h"
#include "api/pool_pace.h"
#include "api/templates.h"

/* The inside of the pool: pool_demand.c knows what tasks came, pool.c decides how many guests there
 * are, pool_pace.c when one may be made, pool_guest.c is the life of one, pool_wish.c takes what
 * somebody asks for. */

#define POOL_DEMANDS_MAX 24
#define POOL_IMAGES_MAX  FG_VM_DISKS_MAX

/* What the images of a task are at the moment, each once and in order. None: a plain guest. */
struct pool_images {
        size_t n;
        char manifests[POOL_IMAGES_MAX][FG_DIGEST_LEN + 1];
};

/* Tasks of one size, or of one size with certain images, and when they came. */
struct pool_demand {
        unsigned vcpus, memory_mib;
        uint64_t last_ns, burst_ns; /* CLOCK_MONOTONIC */
        unsigned burst;             /* tasks since burst_ns */
        unsigned tasks;             /* since there was none for DEMAND_SECONDS */
        unsigned kept;              /* guests that somebody asked for */
        size_t n_references;        /* each once and in order */
        char *references[POOL_IMAGES_MAX];
};

/* Guests are made for the first ones first. */
enum pool_rank { POOL_KEPT, POOL_OFTEN, POOL_PLAIN, POOL_RANKS };

enum pool_state {
        POOL_MAKING,     /* its disk and its network card */
        POOL_STARTING,   /* QEMU */
        POOL_BOOTING,    /* until its hello */
        POOL_REHEARSING, /* a container of nothing */
        POOL_SAVING,     /* it becomes a template, and ends */
        POOL_READY,
        POOL_ENDING, /* VM, then network, then disk go */
};

struct pool_guest {
        struct pool_guest *next;
        struct fg_pool *pool;
        char id[FG_ID_LEN + 1];
        unsigned vcpus, memory_mib;
        struct pool_images images; /* that it has mounted, or will */
        enum pool_state state;
        char template[FG_TEMPLATE_NAME_LEN + 1]; /* restored from it; "": booted */
        bool makes;                              /* ... no, that one is made of this guest */
        bool saved;                              /* ... and complete once its VM has ended */
        uint64_t ready_ns;
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
        struct pool_demand demands[POOL_DEMANDS_MAX];
        struct fg_wishes *wishes;
        unsigned wishing; /* being stored */
        bool preparing;   /* an image that guests are to have */
        struct pool_pace pace;
        sd_event_source *held; /* until guests are made again */
        bool leaving;
        void (*left)(void *userdata);
        void *left_userdata;
};

/* pool_demand.c */
/** pool_demand_of() - by size and references; NULL references: the plain one. Made when @make. */
struct pool_demand *pool_demand_of(struct fg_pool *pool, unsigned vcpus, unsigned memory_mib,
                                   char *const *references, size_t n, bool make);
void pool_demand_note(struct pool_demand *demand, uint64_t now);
void pool_demand_forget(struct pool_demand *demand);
unsigned pool_demand_wanted(const struct pool_demand *demand, uint64_t now);
unsigned pool_demand_limit(const struct pool_demand *demand, uint64_t now); /* more of them end */
enum pool_rank pool_demand_rank(const struct pool_demand *demand);
/** pool_demand_images() - what its references mean now. NULL: known and prepared; or why not. */
const char *pool_demand_images(const struct fg_pool *pool, const struct pool_demand *demand,
                               struct pool_images *ret);
/** pool_references() - of a task's images, normalised, for the caller to free each. -1: too many.
 */
int pool_references(const struct fg_taskdef *def, char *ret[POOL_IMAGES_MAX], size_t *ret_n);

/* pool.c */
size_t pool_count(const struct fg_pool *pool, const struct pool_demand *demand,
                  const struct pool_images *images, bool ready_only);

/* pool_wish.c */
void pool_wish_load(void *userdata, const struct fg_wish *wish); /* of a former daemon */

/* pool_template.c: guests that are restored, or made to be. */
/** pool_template_choose() - where a new guest comes from: sets @g->template, @g->makes */
void pool_template_choose(struct pool_guest *g);
/** pool_template_find() - one for guests with @images. Return: false when there is none. */
bool pool_template_find(const struct fg_pool *pool, const struct pool_demand *size,
                        const struct pool_images *images, char ret[FG_TEMPLATE_NAME_LEN + 1]);
/** pool_template_save() - of a guest that is ready to wait: it is stopped, and ends */
void pool_template_save(struct pool_guest *g);
/** pool_template_ended() - the VM of a guest is gone: if a template was made of it, it is complete
 */
void pool_template_ended(struct pool_guest *g);
void pool_template_failed(const struct pool_guest *g, const char *why);

/* pool_guest.c */
struct pool_ref; /* a job's way back to a guest that may be gone */
struct pool_ref *pool_ref_new(const struct pool_guest *g);
struct pool_guest *pool_ref_take(struct pool_ref *ref);
char *pool_scratch(const struct pool_guest *g); /* path; the caller frees */
struct pool_guest *pool_find(const struct fg_pool *pool, const char *id);
/** pool_make() - begin a guest. Return: false when there is no room for it. */
bool pool_make(struct fg_pool *pool, const struct pool_demand *demand,
               const struct pool_images *images);
void pool_end(struct pool_guest *g);
void pool_fail(struct pool_guest *g, const char *why); /* end it, and count */
void pool_forget(struct pool_guest *g);                /* as it is: somebody else has its VM */
void pool_give_room(const struct pool_guest *g);
