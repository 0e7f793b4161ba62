/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <systemd/sd-event.h>

#include "api/auth/policy.h"
#include "core/cleanup.h"
#include "core/error.h"

/*
 * Access keys. They lie in keys.db, each secret sealed under the key file beside it; all of them
 * are in memory while fgd runs, so that no request waits for the database. Loop only; the
 * database is written in a lane of its own.
 */
#define FG_KEYS_MAX       1000
#define FG_KEY_ID_LEN     20 /* "AKIA" and 16 of A-Z2-7 */
#define FG_KEY_SECRET_LEN 40
#define FG_KEY_NAME_MAX   64

struct fg_keys;
struct json_object;

/* Borrowed: until the loop goes on. */
struct fg_key {
        const char *id, *name;
        const char *secret; /* FG_KEY_SECRET_LEN bytes */
        const struct fg_policy *policy;
        uint64_t created_ns;
};

/** fg_keys_new() - opens STATE_DIR/keys.db and keys.key, and reads all keys (blocks). */
int fg_keys_new(sd_event *event, const char *state_dir, struct fg_keys **ret, struct fg_error *err);
void fg_keys_free(struct fg_keys *k);
FG_DEFINE_CLEANUP(struct fg_keys *, fg_keys_free)

/** fg_keys_find() - Return: 1: found, 0: no such key, or one that was revoked. */
int fg_keys_find(const struct fg_keys *k, const char *id, struct fg_key *ret);

/* Once, on the loop, later; @key is NULL when @err is not. */
typedef void (*fg_keys_done_fn)(void *userdata, const struct fg_key *key,
                                const struct fg_error *err);
/** fg_key_name_check() - of a new key; INVALID. */
int fg_key_name_check(const char *name, struct fg_error *err);
/**
 * fg_keys_create() - @name: 1 to 64 of A-Za-z0-9+=,.@_-; NULL: the key's id. INVALID, CAPACITY.
 * done() comes when the key is durable; its secret is not told by any other function.
 */
void fg_keys_create(struct fg_keys *k, const char *name, struct fg_policy *take_policy,
                    fg_keys_done_fn done, void *userdata);
/** fg_keys_revoke() - from now on the key opens nothing; done() when that is durable. NOT_FOUND. */
void fg_keys_revoke(struct fg_keys *k, const char *id, fg_keys_done_fn done, void *userdata);
/** fg_keys_json() - id, name, policy and age of all, oldest first. The caller puts it. */
struct json_object *fg_keys_json(const struct fg_keys *k);
/** fg_key_json() - the same of one, without its secret. */
struct json_object *fg_key_json(const struct fg_key *key);
