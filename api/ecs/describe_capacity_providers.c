/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_private.h"
#include "core/json.h"
#include "core/str.h"

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

/* There are two, and both fit on a page. */
int ecs_describe_capacity_providers(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct describe_capacity_providers *in = call->in;
        fg_autojson *cluster = NULL;

        if (in->cluster && ecs_cluster_get(call, db, in->cluster, false, &cluster, err) < 0)
                return -1;
        call->output = json_object_new_object();
        fg_json_set(call->output, "capacityProviders", json_object_new_array());
        fg_json_set(call->output, "failures", json_object_new_array());
        for (size_t i = 0; i < in->providers.n; i++)
                describe(call, in->providers.v[i]);
        for (size_t i = 0; in->providers.n == 0 && ecs_providers[i]; i++)
                describe(call, ecs_providers[i]);
        return 0;
}
