/* SPDX-License-Identifier: Apache-2.0 */
#include "api/daemon.h"
#include "api/pool.h"
#include "api/routes.h"
#include "api/sizes.h"
#include "core/str.h"

/* Guests that wait with an image mounted. */

#define CPU_DEFAULT    "256"
#define MEMORY_DEFAULT "512"
#define COUNT_MAX      64

/* The smallest size unless it is said. */
static int read_size(struct fg_wish *wish, const char *cpu, const char *memory,
                     struct fg_error *err)
{
        fg_autofree char *list = NULL;
        int64_t units = 0, mib = 0;

        cpu = cpu ? cpu : CPU_DEFAULT;
        if (!fg_size_parse_cpu(cpu, &units) || !fg_size_cpu_exists(units)) {
                list = fg_size_list_cpu();
                return fg_fail(err, FG_ERR_INVALID, "cpu: '%.*s' is none of %s", FG_CLIP(cpu),
                               list);
        }
        list = fg_size_list_memory(units);
        if (!memory && !fg_size_pair_exists(units, 512))
                return fg_fail(err, FG_ERR_INVALID, "memory is required with cpu %s: %s", cpu,
                               list);
        memory = memory ? memory : MEMORY_DEFAULT;
        if (!fg_size_parse_memory(memory, &mib) || !fg_size_pair_exists(units, mib))
                return fg_fail(err, FG_ERR_INVALID, "memory: '%.*s' does not go with cpu %s: %s",
                               FG_CLIP(memory), cpu, list);
        wish->vcpus = (unsigned)((units + 1023) / 1024);
        wish->memory_mib = (unsigned)mib;
        return 0;
}

static void reply_list(struct fg_daemon *d, struct fg_request *r)
{
        struct json_object *body = json_object_new_object();

        fg_json_set(body, "warm", fg_pool_to_json(d->pool, true));
        fg_reply_json(r, 200, body);
}

static int read_wish(struct fg_wish *wish, struct json_object *body, struct fg_error *err)
{
        const int64_t count = fg_json_int(body, "count", 1);

        wish->image = fg_json_str(body, "image");
        if (!wish->image)
                return fg_fail(err, FG_ERR_INVALID,
                               "the member \"image\" (a reference) is required");
        if (count < 1 || count > COUNT_MAX)
                return fg_fail(err, FG_ERR_INVALID, "count: %lld is not between 1 and %d",
                               (long long)count, COUNT_MAX);
        wish->count = (unsigned)count;
        return read_size(wish, fg_json_str(body, "cpu"), fg_json_str(body, "memory"), err);
}

struct keep {
        struct fg_daemon *d;
        struct fg_request *r;
};

static void on_kept(void *userdata, const struct fg_error *err)
{
        struct keep *k = userdata;

        if (err)
                fg_reply_error(k->r, err);
        else
                reply_list(k->d, k->r);
        free(k);
}

static void keep(struct fg_daemon *d, struct fg_request *r, const struct fg_wish *wish)
{
        struct keep *k = fg_calloc(1, sizeof(*k));

        *k = (struct keep){ .d = d, .r = r };
        fg_pool_keep(d->pool, wish, on_kept, k);
}

void handle_warm_keep(void *daemon, struct fg_request *r)
{
        static const char *const members[] = { "image", "count", "cpu", "memory", NULL };
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *body = fg_request_members(r, members, &err);
        struct fg_wish wish = { 0 };

        if (!body || read_wish(&wish, body, &err) < 0)
                fg_reply_error(r, &err);
        else
                keep(daemon, r, &wish);
}

void handle_warm_list(void *daemon, struct fg_request *r)
{
        reply_list(daemon, r);
}

void handle_warm_end(void *daemon, struct fg_request *r)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_wish wish = { .image = fg_request_query(r, "image") };

        if (!wish.image)
                fg_fail(&err, FG_ERR_INVALID, "the query parameter image is required");
        if (!wish.image ||
            read_size(&wish, fg_request_query(r, "cpu"), fg_request_query(r, "memory"), &err) < 0)
                fg_reply_error(r, &err);
        else
                keep(daemon, r, &wish);
}
