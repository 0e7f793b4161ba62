/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/task.h"
#include "api/templates.h"
#include "api/wishes.h"
#include "core/error.h"
#include "core/id.h"
#include "core/json.h"

struct fg_daemon;
struct fg_net_request;
struct fg_taskdef;

/*
 * Warm guests: booted VMs that wait for a task, some with the images of certain tasks mounted. A
 * task that finds one of its size takes it over,
 * its id included: the task's id is then the one the VM was made with, so that VM, sockets and disk
 * are named by it as if it had been started cold. A guest is used once. Of the pool only wishes are
 * stored: a guest that a killed daemon leaves is claimed by no task, and removed like any such VM.
 * Loop only.
 */
struct fg_pool;

/** fg_pool_new() - with the wishes of former daemons. Blocks. */
int fg_pool_new(struct fg_daemon *d, struct fg_pool **ret, struct fg_error *err);
/**
 * fg_pool_close() - forget all guests, whatever is under way for them; NULL is fine
 * Jobs of theirs may still come back: free it after the lanes of disks, VMs and the network.
 */
void fg_pool_close(struct fg_pool *pool);
void fg_pool_free(struct fg_pool *pool);
FG_DEFINE_CLEANUP(struct fg_pool *, fg_pool_free)

struct fg_pool_claim {
        enum fg_way way;
        char id[FG_ID_LEN + 1]; /* of the guest, if one waited */
        const char *why;        /* why not a faster way, static text; NULL: there is none */
        /* To be restored from; with its images mounted, or none. */
        char template[FG_TEMPLATE_NAME_LEN + 1];
        bool mounted;
};

/**
 * fg_pool_claim() - take over a waiting guest; its room is given back, for the task to take
 * @network: what the task asks for; the guest has its network card already
 */
void fg_pool_claim(struct fg_pool *pool, const struct fg_taskdef *def,
                   const struct fg_net_request *network, struct fg_pool_claim *ret);

/** @err: NULL when it is durable; else INVALID (the reference), NOT_FOUND (not in the store; not
 * kept), CONFLICT (cannot be prepared), CAPACITY */
typedef void (*fg_pool_kept_fn)(void *userdata, const struct fg_error *err);
/**
 * fg_pool_keep() - from now on keep so many guests with an image, also when the daemon is another
 * @wish: its count is 0: no more. @done may be called from within.
 */
void fg_pool_keep(struct fg_pool *pool, const struct fg_wish *wish, fg_pool_kept_fn done,
                  void *userdata);
/** fg_pool_discard() - end a claimed guest that no task came to use after all. */
void fg_pool_discard(struct fg_pool *pool, const char *id);
/** fg_pool_yield() - give up guests until so much memory is free, or none is left. */
void fg_pool_yield(struct fg_pool *pool, uint64_t memory_mib);
/** fg_pool_refill() - make or end guests, as demand has it. Called when a start is over. */
void fg_pool_refill(struct fg_pool *pool);
/** fg_pool_gone() - a VM ended by itself. Return: was it one of ours? */
bool fg_pool_gone(struct fg_pool *pool, const char *id);
/** fg_pool_leave() - end all guests; @done when none is left, perhaps from within the call. */
void fg_pool_leave(struct fg_pool *pool, void (*done)(void *userdata), void *userdata);
/** fg_pool_to_json() - for GET /v1/info: sizes and images with their guests. */
struct json_object *fg_pool_to_json(const struct fg_pool *pool, bool with_images_only);
size_t fg_pool_ready(const struct fg_pool *pool);
