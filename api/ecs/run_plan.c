/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/run_plan.h"

#include "core/json.h"
#include "core/str.h"

/* ---- capacity providers ---- */

#define ITEMS_MAX 2 /* as many as there are providers */

struct share {
        const char *provider;
        int64_t weight, base, given;
};

static size_t read_shares(const struct ecs_run_input *in, struct json_object *strategy,
                          struct share *ret)
{
        size_t n = 0;

        for (size_t i = 0; i < in->strategy.n && n < ITEMS_MAX; i++)
                ret[n++] = (struct share){ .provider = in->strategy.v[i].provider,
                                           .weight = in->strategy.v[i].weight,
                                           .base = in->strategy.v[i].base };
        if (in->strategy.n > 0 || in->launch_type || !strategy)
                return n;
        for (size_t i = 0; i < json_object_array_length(strategy) && n < ITEMS_MAX; i++) {
                struct json_object *item = json_object_array_get_idx(strategy, i);

                ret[n++] = (struct share){ .provider = fg_json_str(item, "capacityProvider"),
                                           .weight = fg_json_int(item, "weight", 0),
                                           .base = fg_json_int(item, "base", 0) };
        }
        return n;
}

/* Who gets the next task: whose base is not full, else who is furthest behind its weight. */
static struct share *next_share(struct share *shares, size_t n)
{
        struct share *best = NULL;

        for (size_t i = 0; i < n; i++)
                if (shares[i].given < shares[i].base)
                        return &shares[i];
        for (size_t i = 0; i < n; i++) {
                struct share *s = &shares[i];

                if (s->weight > 0 && (!best || (s->given - s->base) * best->weight <
                                                       (best->given - best->base) * s->weight))
                        best = s;
        }
        return best ? best : &shares[0];
}

bool ecs_plan_providers(const struct ecs_run_input *in, struct json_object *strategy, size_t count,
                        const char **ret)
{
        struct share shares[ITEMS_MAX];
        size_t n = read_shares(in, strategy, shares);

        for (size_t i = 0; n > 0 && i < count; i++) {
                struct share *s = next_share(shares, n);

                s->given++;
                ret[i] = s->provider;
        }
        return n > 0;
}

/* ---- tags ---- */

/* Whoever comes later wins, and keeps the place of the first. */
static void add_tag(struct json_object *tags, const char *key, const char *value)
{
        struct json_object *tag = NULL;

        for (size_t i = 0; i < json_object_array_length(tags); i++) {
                tag = json_object_array_get_idx(tags, i);
                if (fg_streq(fg_json_str(tag, "key"), key)) {
                        fg_json_set_str(tag, "value", value);
                        return;
                }
        }
        tag = json_object_new_object();
        fg_json_set_str(tag, "key", key);
        fg_json_set_str(tag, "value", value);
        json_object_array_add(tags, tag);
}

struct json_object *ecs_plan_tags(const struct ecs_run_input *in, struct json_object *def_tags,
                                  const char *cluster, struct fg_problems *problems)
{
        struct json_object *tags = json_object_new_array();

        for (size_t i = 0; def_tags && i < json_object_array_length(def_tags); i++) {
                struct json_object *tag = json_object_array_get_idx(def_tags, i);

                add_tag(tags, fg_json_str(tag, "key"), fg_json_str(tag, "value"));
        }
        for (size_t i = 0; i < in->tags.n; i++)
                if (in->tags.v[i].name) /* it was good */
                        add_tag(tags, in->tags.v[i].name,
                                in->tags.v[i].value ? in->tags.v[i].value : "");
        if (json_object_array_length(tags) > FG_TAGS_MAX)
                fg_problems_take(problems, fg_strdup("$.tags"),
                                 fg_asprintf("with those of the task definition there are %zu",
                                             json_object_array_length(tags)),
                                 fg_asprintf("at most %d", FG_TAGS_MAX));
        if (in->managed_tags)
                add_tag(tags, "aws:ecs:clusterName", cluster);
        return tags;
}
