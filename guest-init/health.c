/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/health.h"

#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"

/* ECS's defaults, in seconds. */
#define INTERVAL 30
#define TIMEOUT  5
#define RETRIES  3

static uint64_t seconds(struct json_object *check, const char *key, int64_t fallback)
{
        const int64_t n = fg_json_int(check, key, fallback);

        return (uint64_t)(n < 0 ? 0 : n) * FG_NS_PER_SEC;
}

/* ["CMD", "a", "b"] is a command, ["CMD-SHELL", "a b"] a line for the image's shell. */
static struct json_object *command(struct json_object *check)
{
        struct json_object *list = fg_json_arr(check, "command"), *argv;
        const size_t n = list ? json_object_array_length(list) : 0;
        const char *how = n > 1 ? json_object_get_string(json_object_array_get_idx(list, 0)) : NULL;

        if (!how || (!fg_streq(how, "CMD") && !fg_streq(how, "CMD-SHELL")))
                return NULL;
        argv = json_object_new_array();
        if (fg_streq(how, "CMD-SHELL")) {
                (void)json_object_array_add(argv, json_object_new_string("/bin/sh"));
                (void)json_object_array_add(argv, json_object_new_string("-c"));
        }
        for (size_t i = 1; i < n; i++)
                (void)json_object_array_add(argv,
                                            json_object_get(json_object_array_get_idx(list, i)));
        return argv;
}

void fg_health_init(struct fg_health *h, struct json_object *spec)
{
        struct json_object *check = fg_json_obj(spec, "healthCheck");
        const int64_t retries = fg_json_int(check, "retries", RETRIES);

        *h = (struct fg_health){ .exit_code = -1 };
        if (!check)
                return;
        h->argv = command(check);
        h->interval = seconds(check, "interval", INTERVAL);
        h->timeout = seconds(check, "timeout", TIMEOUT);
        h->start_period = seconds(check, "startPeriod", 0);
        h->retries = (uint64_t)(retries < 1 ? 1 : retries);
}

void fg_health_finish(struct fg_health *h)
{
        json_object_put(h->argv);
        h->argv = NULL;
}

static void become(struct fg_health *h, enum fg_health_status status, uint64_t now)
{
        if (h->status == status && h->since > 0)
                return;
        h->status = status;
        h->since = now;
}

void fg_health_begin(struct fg_health *h, uint64_t mono_now, uint64_t now)
{
        h->started = mono_now;
        h->failures = 0;
        h->exit_code = -1;
        become(h, FG_HEALTH_UNKNOWN, now);
}

void fg_health_note(struct fg_health *h, int exit_code, uint64_t began, uint64_t now)
{
        h->exit_code = exit_code;
        if (exit_code == 0) {
                h->failures = 0;
                become(h, FG_HEALTH_HEALTHY, now);
                return;
        }
        if (h->status == FG_HEALTH_UNKNOWN && began < h->started + h->start_period)
                return;
        if (++h->failures >= h->retries)
                become(h, FG_HEALTH_UNHEALTHY, now);
}

const char *fg_health_name(enum fg_health_status status)
{
        static const char *const names[] = { [FG_HEALTH_UNKNOWN] = "UNKNOWN",
                                             [FG_HEALTH_HEALTHY] = "HEALTHY",
                                             [FG_HEALTH_UNHEALTHY] = "UNHEALTHY" };

        return names[status];
}
