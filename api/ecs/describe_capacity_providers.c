/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_private.h"
#include "core/json.h"
#include "core/str.h"

#define PROVIDERS    2 /* that are always there */
#define PAGE_DEFAULT 10

struct describe_capacity_providers {
        struct fg_strings providers, include;
        char *cluster, *next_token;
        int64_t max_results;
};

static const char *const parts[] = { "TAGS", NULL };

static const struct fg_field fields[] = {
        FG_ROW_STRINGS(describe_capacity_providers, providers, "capacityProviders", .max = 100),
        FG_ROW_STRINGS(describe_capacity_providers, include, "include", .allowed = parts),
        FG_ROW_STRING(describe_capacity_providers, cluster, "cluster"),
        FG_ROW_STRING(describe_capacity_providers, next_token, "nextToken"),
        FG_ROW_INT(describe_capacity_providers, max_results, "maxResults", .min = 1, .max = 10),
};
const struct fg_object ecs_describe_capacity_providers_input = FG_OBJECT(
        describe_capacity_providers, fields);

static struct json_object *show(const char *name, const char *arn)
{
        struct json_object *provider = json_object_new_object();

        fg_json_set_str(provider, "capacityProviderArn", arn);
        fg_json_set_str(provider, "name", name);
        fg_json_set_str(provider, "status", "ACTIVE");
        fg_json_set(provider, "tags", json_object_new_array());
        return provider;
}

static void describe(struct fg_aws_call *call, const char *text)
{
        const char *name = fg_arn_name(text, call->names, "ecs", "capacity-provider");
        fg_autofree char *arn = fg_arn(call->names, "ecs", "capacity-provider/%s",
                                       name ? name : text);

        if (name && fg_one_of(name, ecs_providers))
                json_object_array_add(fg_json_arr(call->output, "capacityProviders"),
                                      show(name, arn));
        else
                ecs_fail_item(fg_json_arr(call->output, "failures"), name ? arn : text, "MISSING",
                              NULL);
}

/* The place in the list that a page ends at; -1: raised. */
static int page_start(struct fg_aws_call *call, size_t n, uint64_t *ret)
{
        const struct describe_capacity_providers *in = call->in;
        char cursor[FG_PAGE_CURSOR_MAX + 1];

        *ret = 0;
        if (ecs_page_start(call, in->next_token, cursor) < 0)
                return -1;
        if (*cursor && (!fg_parse_u64(cursor, ret) || *ret > n))
                return fg_aws_raise(call, "InvalidParameterException", "Invalid token.");
        return 0;
}

int ecs_describe_capacity_providers(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct describe_capacity_providers *in = call->in;
        size_t n = in->providers.n > 0 ? in->providers.n : PROVIDERS;
        size_t limit = in->max_results ? (size_t)in->max_results : PAGE_DEFAULT;
        fg_autofree char *cursor = NULL;
        fg_autojson *cluster = NULL;
        uint64_t start;

        if (page_start(call, n, &start) < 0)
                return -1;
        if (in->cluster && ecs_cluster_get(call, db, in->cluster, false, &cluster, err) < 0)
                return -1;
        call->output = json_object_new_object();
        fg_json_set(call->output, "capacityProviders", json_object_new_array());
        fg_json_set(call->output, "failures", json_object_new_array());
        for (size_t i = start; i < n && i - start < limit; i++)
                describe(call, in->providers.n > 0 ? in->providers.v[i] : ecs_providers[i]);
        if (n - start <= limit)
                return 0;
        cursor = fg_asprintf("%zu", (size_t)start + limit);
        ecs_page_next(call, cursor);
        return 0;
}
