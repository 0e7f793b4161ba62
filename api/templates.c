/* SPDX-License-Identifier: Apache-2.0 */
#include "api/templates.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/disk.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/log.h"
#include "core/str.h"
#include "core/table.h"

#define BOOT_ID    "/proc/sys/kernel/random/boot_id"
#define PREFIX_LEN 17 /* 16 digits of what all have in common, and a hyphen */
#define HASH_AT    7  /* behind "sha256:" */
#define UNFINISHED ".new"
#define SEAL       "seal"
#define SEAL_MAX   512

enum state { MAKING, READY, GOING, BAD };

struct kept {
        char name[FG_TEMPLATE_NAME_LEN + 1]; /* key */
        enum state state;
        uint64_t used_ns; /* CLOCK_MONOTONIC */
        UT_hash_handle hh;
};

struct fg_templates {
        struct fg_lane *io;
        char *dir;
        char prefix[PREFIX_LEN + 1];
        unsigned max; /* 0 also when the hypervisor has none */
        struct kept *all;
        char why[256]; /* the last one was dropped; "": none was */
};

static const char *const files[] = {
        [FG_TEMPLATE_RAM] = "ram",
        [FG_TEMPLATE_STATE] = "state",
        [FG_TEMPLATE_SCRATCH] = "scratch.img",
};

static struct kept *find(const struct fg_templates *t, const char *name)
{
        struct kept *found;

        HASH_FIND_STR(t->all, name, found);
        return found;
}

static struct kept *add(struct fg_templates *t, const char *name, enum state state)
{
        struct kept *new = fg_calloc(1, sizeof(*new));

        (void)snprintf(new->name, sizeof(new->name), "%s", name);
        new->state = state;
        new->used_ns = fg_mono_ns();
        HASH_ADD_STR(t->all, name, new);
        return new;
}

static char *directory(const struct fg_templates *t, const char *name, bool unfinished)
{
        return fg_asprintf("%s/%s%s", t->dir, name, unfinished ? UNFINISHED : "");
}

char *fg_templates_path(const struct fg_templates *t, const char *name, enum fg_template_file file)
{
        const struct kept *found = find(t, name);
        fg_autofree char *dir = directory(t, name, found && found->state == MAKING);

        return fg_asprintf("%s/%s", dir, files[file]);
}

/* ---- names ---- */

void fg_templates_name(const struct fg_templates *t, const struct fg_template_shape *shape,
                       char ret[FG_TEMPLATE_NAME_LEN + 1])
{
        fg_cleanup(fg_sha256_freep) struct fg_sha256 *hash = fg_sha256_new();
        fg_autofree char *size = fg_asprintf("%u %u %d %zu", shape->vcpus, shape->memory_mib,
                                             shape->nic, shape->n_images);
        char digest[FG_DIGEST_LEN + 1];

        fg_sha256_update(hash, size, strlen(size));
        for (size_t i = 0; i < shape->n_images; i++)
                fg_sha256_update(hash, shape->manifests[i], FG_DIGEST_LEN);
        fg_sha256_final(hash, digest);
        (void)snprintf(ret, FG_TEMPLATE_NAME_LEN + 1, "%s%.32s", t->prefix, digest + HASH_AT);
}

/* Not of another boot: that its files were written before the power went is not sure. */
static int set_prefix(struct fg_templates *t, const char *key, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf boot = FG_BUF_INIT(SEAL_MAX);
        fg_autofree char *text = NULL;
        char digest[FG_DIGEST_LEN + 1];

        if (fg_buf_read_file(&boot, BOOT_ID, err) < 0)
                return -1;
        text = fg_asprintf("%s %.*s", key, (int)boot.len, boot.data);
        fg_digest_of(text, strlen(text), digest);
        (void)snprintf(t->prefix, sizeof(t->prefix), "%.16s-", digest + HASH_AT);
        return 0;
}

/* ---- seals ---- */

/*
 * QEMU maps the RAM privately, but some versions insist on being allowed to write to it. So one
 * that somebody has taken over could choose what the next guests are. The other two are root's
 * alone; a damaged one that QEMU does not notice would be no better.
 */
static char *seal_of(const struct fg_templates *t, const char *name)
{
        fg_cleanup(fg_buf_finish) struct fg_buf seal = FG_BUF_INIT(SEAL_MAX);
        struct fg_error ignored;

        for (enum fg_template_file file = 0; file < FG_ARRAY_SIZE(files); file++) {
                fg_autofree char *path = fg_templates_path(t, name, file);
                char stamp[FG_STAMP_LEN + 1];

                if (!fg_stamp(path, stamp) || fg_buf_printf(&seal, &ignored, "%s\n", stamp) < 0)
                        return NULL;
        }
        return fg_asprintf("%.*s", (int)seal.len, seal.data);
}

static char *seal_path(const struct fg_templates *t, const char *name)
{
        const struct kept *found = find(t, name);
        fg_autofree char *dir = directory(t, name, found && found->state == MAKING);

        return fg_asprintf("%s/" SEAL, dir);
}

static bool sealed(const struct fg_templates *t, const char *name)
{
        fg_cleanup(fg_buf_finish) struct fg_buf kept = FG_BUF_INIT(SEAL_MAX);
        fg_autofree char *path = seal_path(t, name), *now = seal_of(t, name);
        struct fg_error ignored;

        return now && fg_buf_read_file(&kept, path, &ignored) == 0 && kept.len == strlen(now) &&
               memcmp(kept.data, now, kept.len) == 0;
}

/* ---- life ---- */

struct removal {
        struct fg_templates *templates;
        char name[FG_TEMPLATE_NAME_LEN + 1];
};

/* Now it may be made again, unless it was bad. */
static void on_removed(void *userdata, const struct fg_error *err)
{
        struct removal *r = userdata;
        struct kept *found = find(r->templates, r->name);

        if (err)
                fg_log_warn("a template cannot be removed: %s", err->msg);
        if (found && found->state == GOING) {
                HASH_DEL(r->templates->all, found);
                free(found);
        }
        free(r);
}

static void remove_files(struct fg_templates *t, struct kept *one, enum state to)
{
        fg_autofree char *dir = directory(t, one->name, one->state == MAKING);
        struct removal *r = fg_calloc(1, sizeof(*r));

        one->state = to;
        r->templates = t;
        (void)snprintf(r->name, sizeof(r->name), "%s", one->name);
        fg_disk_remove(t->io, dir, on_removed, r);
}

void fg_templates_drop(struct fg_templates *t, const char *name, const char *why)
{
        struct kept *found = find(t, name);

        if (!found || found->state == BAD || found->state == GOING)
                return;
        (void)snprintf(t->why, sizeof(t->why), "%s", why);
        fg_log_warn("template %s is dropped, guests boot instead: %s", name, why);
        remove_files(t, found, BAD);
}

void fg_templates_abandon(struct fg_templates *t, const char *name)
{
        struct kept *found = find(t, name);

        if (found && found->state == MAKING)
                remove_files(t, found, GOING);
}

bool fg_templates_find(struct fg_templates *t, const char *name)
{
        struct kept *found = find(t, name);

        if (!found || found->state != READY)
                return false;
        if (!sealed(t, name)) {
                fg_templates_drop(t, name, "somebody has written to it");
                return false;
        }
        found->used_ns = fg_mono_ns();
        return true;
}

/* The one that was not used for the longest time makes room. Return: false when there is none. */
static bool make_room(struct fg_templates *t)
{
        struct kept *one, *next, *oldest = NULL;
        unsigned kept = 0;

        HASH_ITER (hh, t->all, one, next) {
                kept += one->state == MAKING || one->state == READY;
                if (one->state == READY && (!oldest || one->used_ns < oldest->used_ns))
                        oldest = one;
        }
        if (kept < t->max)
                return true;
        if (!oldest)
                return false;
        remove_files(t, oldest, GOING);
        return true;
}

bool fg_templates_begin(struct fg_templates *t, const char *name)
{
        fg_autofree char *dir = directory(t, name, true);
        struct fg_error err = FG_ERROR_INIT;

        if (t->max == 0 || find(t, name) || !make_room(t))
                return false;
        add(t, name, MAKING);
        if (fg_mkdir_p(dir, 0711, &err) == 0)
                return true;
        fg_templates_drop(t, name, err.msg);
        return false;
}

static int finish(struct fg_templates *t, const char *name, struct fg_error *err)
{
        fg_autofree char *from = directory(t, name, true), *to = directory(t, name, false);
        fg_autofree char *seal = seal_of(t, name), *path = seal_path(t, name);

        if (!seal)
                return fg_fail(err, FG_ERR_INTERNAL, "it is not complete");
        if (fg_write_file(path, seal, strlen(seal), 0600, err) < 0)
                return -1;
        return rename(from, to) < 0 ? fg_fail_errno(err, errno, "rename %s", from) : 0;
}

void fg_templates_commit(struct fg_templates *t, const char *name)
{
        struct kept *found = find(t, name);
        struct fg_error err = FG_ERROR_INIT;

        if (!found || found->state != MAKING)
                return;
        if (finish(t, name, &err) < 0)
                fg_templates_drop(t, name, err.msg);
        else
                found->state = READY;
}

/* ---- the start ---- */

static bool is_ours(const struct fg_templates *t, const char *name)
{
        return strlen(name) == FG_TEMPLATE_NAME_LEN && fg_starts_with(name, t->prefix);
}

static int take_up(struct fg_templates *t, struct fg_error *err)
{
        fg_cleanup(closedirp) DIR *dir = opendir(t->dir);
        struct dirent *e;

        if (!dir)
                return fg_fail_errno(err, errno, "%s", t->dir);
        while ((e = readdir(dir))) {
                fg_autofree char *path = fg_asprintf("%s/%s", t->dir, e->d_name);

                if (e->d_name[0] == '.')
                        continue;
                if (is_ours(t, e->d_name) && sealed(t, e->d_name) && t->max > 0)
                        add(t, e->d_name, READY);
                else if (fg_rm_rf(path, err) < 0)
                        return -1;
        }
        return 0;
}

int fg_templates_new(const struct fg_templates_config *config, struct fg_templates **ret,
                     struct fg_error *err)
{
        fg_cleanup(fg_templates_freep) struct fg_templates *t = fg_calloc(1, sizeof(*t));

        t->io = config->io;
        t->dir = fg_strdup(config->dir);
        t->max = *config->key ? config->max : 0;
        if (fg_mkdir_p(t->dir, 0711, err) < 0 || set_prefix(t, config->key, err) < 0 ||
            take_up(t, err) < 0)
                return -1;
        *ret = fg_take_ptr(t);
        return 0;
}

void fg_templates_free(struct fg_templates *t)
{
        struct kept *one, *next;

        if (!t)
                return;
        HASH_ITER (hh, t->all, one, next) {
                HASH_DEL(t->all, one);
                free(one);
        }
        free(t->dir);
        free(t);
}

struct json_object *fg_templates_to_json(const struct fg_templates *t)
{
        struct json_object *obj = json_object_new_object();
        const struct kept *one;
        unsigned ready = 0;

        for (one = t->all; one; one = one->hh.next)
                ready += one->state == READY;
        fg_json_set_int(obj, "ready", ready);
        fg_json_set_int(obj, "max", t->max);
        fg_json_set_str(obj, "dropped", *t->why ? t->why : NULL);
        return obj;
}
