/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/keys.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/keys_private.h"
#include "core/clock.h"
#include "core/db.h"
#include "core/id.h"
#include "core/json.h"
#include "core/lane.h"
#include "core/str.h"
#include "core/table.h"

struct entry {
        struct keys_row row;
        bool revoked; /* opens nothing; goes when that is durable */
        UT_hash_handle hh;
};

struct fg_keys {
        struct fg_lane *lane;
        sqlite3 *db;          /* the lane's, once the daemon runs */
        struct fg_seal *seal; /* never changed */
        struct entry *entries;
        unsigned creating;
};

struct change {
        struct fg_job job;
        struct fg_keys *keys;
        struct keys_row row; /* of a revocation only the id */
        fg_keys_done_fn done;
        void *userdata;
        struct fg_error err;
};

static void add(void *userdata, struct keys_row *take_row)
{
        struct fg_keys *k = userdata;
        struct entry *e = fg_calloc(1, sizeof(*e));

        e->row = *take_row;
        *take_row = (struct keys_row){ 0 };
        HASH_ADD_STR(k->entries, row.id, e);
}

static void entry_remove(struct fg_keys *k, struct entry *e)
{
        HASH_DEL(k->entries, e);
        keys_row_finish(&e->row);
        free(e);
}

int fg_keys_new(sd_event *event, const char *state_dir, struct fg_keys **ret, struct fg_error *err)
{
        fg_cleanup(fg_keys_freep) struct fg_keys *k = fg_calloc(1, sizeof(*k));

        if (keys_db_open(state_dir, &k->db, &k->seal, err) < 0 ||
            keys_db_load(k->db, k->seal, add, k, err) < 0 ||
            fg_lane_new(event, "keys", 1, &k->lane, err) < 0)
                return -1;
        *ret = fg_take_ptr(k);
        return 0;
}

void fg_keys_free(struct fg_keys *k)
{
        struct entry *e, *next;

        if (!k)
                return;
        fg_lane_free(k->lane);
        HASH_ITER (hh, k->entries, e, next) {
                entry_remove(k, e);
        }
        if (k->db)
                fg_db_close(k->db);
        fg_seal_free(k->seal);
        free(k);
}

static struct fg_key view(const struct keys_row *row)
{
        return (struct fg_key){ .id = row->id,
                                .name = row->name,
                                .secret = row->secret.data,
                                .policy = row->policy,
                                .created_ns = row->created_ns };
}

static struct entry *find(const struct fg_keys *k, const char *id)
{
        struct entry *e;

        HASH_FIND_STR(k->entries, id, e);
        return e && !e->revoked ? e : NULL;
}

int fg_keys_find(const struct fg_keys *k, const char *id, struct fg_key *ret)
{
        const struct entry *e = find(k, id);

        if (!e)
                return 0;
        *ret = view(&e->row);
        return 1;
}

/* ---- making one ---- */

static void make_id(char ret[FG_KEY_ID_LEN + 1])
{
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        unsigned char random[FG_KEY_ID_LEN - 4];

        fg_random(random, sizeof(random));
        memcpy(ret, "AKIA", 4);
        for (size_t i = 0; i < sizeof(random); i++)
                ret[4 + i] = letters[random[i] & 31];
        ret[FG_KEY_ID_LEN] = '\0';
}

static void make_secret(struct fg_secret *ret)
{
        unsigned char random[FG_KEY_SECRET_LEN / 4 * 3];

        fg_secret_alloc(ret, FG_KEY_SECRET_LEN);
        fg_random(random, sizeof(random));
        (void)EVP_EncodeBlock((unsigned char *)ret->data, random, sizeof(random));
        explicit_bzero(random, sizeof(random));
}

int fg_key_name_check(const char *name, struct fg_error *err)
{
        size_t len = strlen(name);
        bool good = len > 0 && len <= FG_KEY_NAME_MAX;

        for (size_t i = 0; good && i < len; i++)
                good = isalnum((unsigned char)name[i]) || strchr("+=,.@_-", name[i]);
        return good ? 0
                    : fg_fail(err, FG_ERR_INVALID, "expected 1 to %d letters, digits and +=,.@_-",
                              FG_KEY_NAME_MAX);
}

static void create_work(struct fg_job *job)
{
        struct change *c = FG_CONTAINER_OF(job, struct change, job);

        if (!c->err.code)
                (void)keys_db_insert(c->keys->db, c->keys->seal, &c->row, &c->err);
}

static void create_done(struct fg_job *job)
{
        struct change *c = FG_CONTAINER_OF(job, struct change, job);
        struct fg_key key = { 0 };
        char id[FG_KEY_ID_LEN + 1];

        c->keys->creating--;
        memcpy(id, c->row.id, sizeof(id));
        if (c->err.code) {
                c->done(c->userdata, NULL, &c->err);
        } else {
                add(c->keys, &c->row);
                (void)fg_keys_find(c->keys, id, &key);
                c->done(c->userdata, &key, NULL);
        }
        keys_row_finish(&c->row);
        free(c);
}

void fg_keys_create(struct fg_keys *k, const char *name, struct fg_policy *take_policy,
                    fg_keys_done_fn done, void *userdata)
{
        struct change *c = fg_calloc(1, sizeof(*c));

        *c = (struct change){ .job = { .work = create_work, .done = create_done },
                              .keys = k,
                              .row = { .policy = take_policy, .created_ns = fg_now_ns() },
                              .done = done,
                              .userdata = userdata };
        make_id(c->row.id);
        make_secret(&c->row.secret);
        (void)snprintf(c->row.name, sizeof(c->row.name), "%s", name ? name : c->row.id);
        if (name)
                (void)fg_key_name_check(name, &c->err);
        if (HASH_COUNT(k->entries) + k->creating >= FG_KEYS_MAX)
                fg_fail(&c->err, FG_ERR_CAPACITY, "there are %d access keys already: revoke some",
                        FG_KEYS_MAX);
        k->creating++;
        fg_lane_submit(k->lane, &c->job);
}

/* ---- revoking ---- */

static void revoke_work(struct fg_job *job)
{
        struct change *c = FG_CONTAINER_OF(job, struct change, job);

        if (!c->err.code)
                (void)keys_db_delete(c->keys->db, c->row.id, &c->err);
}

static void revoke_done(struct fg_job *job)
{
        struct change *c = FG_CONTAINER_OF(job, struct change, job);
        struct entry *e;

        HASH_FIND_STR(c->keys->entries, c->row.id, e);
        if (c->err.code || !e) {
                c->done(c->userdata, NULL, &c->err);
        } else {
                struct fg_key key = view(&e->row);

                c->done(c->userdata, &key, NULL);
                entry_remove(c->keys, e);
        }
        free(c);
}

void fg_keys_revoke(struct fg_keys *k, const char *id, fg_keys_done_fn done, void *userdata)
{
        struct entry *e = find(k, id);
        struct change *c = fg_calloc(1, sizeof(*c));

        *c = (struct change){ .job = { .work = revoke_work, .done = revoke_done },
                              .keys = k,
                              .done = done,
                              .userdata = userdata };
        if (e) {
                memcpy(c->row.id, e->row.id, sizeof(c->row.id));
                e->revoked = true; /* also when the database fails: better than a key too many */
        } else {
                fg_fail(&c->err, FG_ERR_NOT_FOUND, "there is no access key %.64s", id);
        }
        fg_lane_submit(k->lane, &c->job);
}

/* ---- showing ---- */

struct json_object *fg_key_json(const struct fg_key *key)
{
        struct json_object *json = json_object_new_object();
        char created[FG_RFC3339_MAX];

        fg_rfc3339(key->created_ns, created);
        fg_json_set_str(json, "accessKeyId", key->id);
        fg_json_set_str(json, "name", key->name);
        fg_json_set_str(json, "createdAt", created);
        fg_json_set(json, "policy", fg_policy_to_json(key->policy));
        return json;
}

struct json_object *fg_keys_json(const struct fg_keys *k)
{
        struct json_object *array = json_object_new_array();

        for (const struct entry *e = k->entries; e; e = e->hh.next) {
                struct fg_key key = view(&e->row);

                if (!e->revoked)
                        json_object_array_add(array, fg_key_json(&key));
        }
        return array;
}
