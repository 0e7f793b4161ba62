/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/policy.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/str.h"

#define PATTERN_MAX 128

struct list {
        char *items[FG_POLICY_PATTERNS_MAX];
        size_t n;
};

struct fg_policy {
        struct list allow, deny, clusters; /* no clusters: all */
};

static void list_finish(struct list *l)
{
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i]);
        l->n = 0;
}

void fg_policy_free(struct fg_policy *p)
{
        if (!p)
                return;
        list_finish(&p->allow);
        list_finish(&p->deny);
        list_finish(&p->clusters);
        free(p);
}

struct fg_policy *fg_policy_all(void)
{
        struct fg_policy *p = fg_calloc(1, sizeof(*p));

        p->allow.items[p->allow.n++] = fg_strdup("*");
        return p;
}

static void list_copy(struct list *to, const struct list *from)
{
        for (to->n = 0; to->n < from->n; to->n++)
                to->items[to->n] = fg_strdup(from->items[to->n]);
}

struct fg_policy *fg_policy_copy(const struct fg_policy *p)
{
        struct fg_policy *copy = fg_calloc(1, sizeof(*copy));

        list_copy(&copy->allow, &p->allow);
        list_copy(&copy->deny, &p->deny);
        list_copy(&copy->clusters, &p->clusters);
        return copy;
}

/* ---- patterns ---- */

/* Linear in both: after a "*" that matched too little, only the last one takes one more. */
static bool pattern_matches(const char *pattern, const char *text)
{
        const char *star = NULL, *again = NULL;

        while (*text) {
                if (*pattern == '*') {
                        star = pattern++;
                        again = text;
                } else if (*pattern && (*pattern == '?' || tolower((unsigned char)*pattern) ==
                                                                   tolower((unsigned char)*text))) {
                        pattern++;
                        text++;
                } else if (star) {
                        pattern = star + 1;
                        text = ++again;
                } else {
                        return false;
                }
        }
        return pattern[strspn(pattern, "*")] == '\0';
}

static bool any_matches(const struct list *l, const char *text)
{
        for (size_t i = 0; i < l->n; i++)
                if (pattern_matches(l->items[i], text))
                        return true;
        return false;
}

bool fg_policy_fits(const char *pattern, const char *action)
{
        return pattern_matches(pattern, action);
}

enum fg_policy_decision fg_policy_decide(const struct fg_policy *p, const char *action,
                                         const char *cluster)
{
        if (any_matches(&p->deny, action))
                return FG_POLICY_DENY;
        if (!any_matches(&p->allow, action))
                return FG_POLICY_NO_ALLOW;
        if (cluster && !fg_policy_sees_cluster(p, cluster))
                return FG_POLICY_CLUSTER;
        return FG_POLICY_ALLOW;
}

bool fg_policy_sees_cluster(const struct fg_policy *p, const char *cluster)
{
        return p->clusters.n == 0 || any_matches(&p->clusters, cluster);
}

/* ---- JSON ---- */

static bool has_only(const char *text, const char *others)
{
        for (; *text; text++)
                if (!isalnum((unsigned char)*text) && !strchr(others, *text))
                        return false;
        return true;
}

static bool is_action_pattern(const char *text)
{
        const char *colon = strchr(text, ':');

        if (fg_streq(text, "*"))
                return true;
        return colon && colon != text && colon[1] && !strchr(colon + 1, ':') &&
               strlen(text) <= PATTERN_MAX && has_only(text, ":*?-");
}

static bool is_cluster_pattern(const char *text)
{
        return *text && strlen(text) <= PATTERN_MAX && has_only(text, "-_*?");
}

static const struct {
        const char *key;
        size_t offset;
        bool (*valid)(const char *text);
        const char *allowed;
        bool is_action;
} members[] = {
        { "allow", offsetof(struct fg_policy, allow), is_action_pattern,
          "an action such as ecs:RunTask, logs:* or *", true },
        { "deny", offsetof(struct fg_policy, deny), is_action_pattern,
          "an action such as ecs:RunTask, logs:* or *", true },
        { "clusters", offsetof(struct fg_policy, clusters), is_cluster_pattern,
          "the name of a cluster, * and ?", false },
};

static struct list *list_of(const struct fg_policy *p, size_t member)
{
        return (struct list *)(void *)((char *)(uintptr_t)p + members[member].offset);
}

struct decode {
        struct fg_policy *policy;
        bool (*known)(const char *pattern); /* of actions; or NULL */
        struct fg_problems *problems;
};

static void decode_pattern(struct decode *d, size_t member, size_t i, const char *text)
{
        struct list *l = list_of(d->policy, member);
        char *message = NULL, *allowed = NULL;

        if (!members[member].valid(text)) {
                message = fg_asprintf("is \"%.*s\"", FG_CLIP(text));
                allowed = fg_strdup(members[member].allowed);
        } else if (members[member].is_action && d->known && !d->known(text)) {
                message = fg_asprintf("\"%.*s\" fits no action that there is", FG_CLIP(text));
        }
        if (message)
                fg_problems_take(d->problems,
                                 fg_asprintf("$.policy.%s[%zu]", members[member].key, i), message,
                                 allowed);
        else
                l->items[l->n++] = fg_strdup(text);
}

static void decode_list(struct decode *d, size_t member, struct json_object *array)
{
        size_t n = json_object_array_length(array);

        if (n > FG_POLICY_PATTERNS_MAX) {
                fg_problems_take(d->problems, fg_asprintf("$.policy.%s", members[member].key),
                                 fg_asprintf("has more than %d patterns", FG_POLICY_PATTERNS_MAX),
                                 NULL);
                return;
        }
        for (size_t i = 0; i < n; i++) {
                struct json_object *item = json_object_array_get_idx(array, i);
                bool text = json_object_is_type(item, json_type_string);

                decode_pattern(d, member, i, text ? json_object_get_string(item) : "");
        }
}

static void decode_member(struct decode *d, const char *key, struct json_object *value)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(members); i++) {
                if (!fg_streq(members[i].key, key))
                        continue;
                if (json_object_is_type(value, json_type_array))
                        decode_list(d, i, value);
                else
                        fg_problems_take(d->problems, fg_asprintf("$.policy.%s", key),
                                         fg_strdup("must be a list of strings"), NULL);
                return;
        }
        fg_problems_take(d->problems, fg_strdup("$.policy"),
                         fg_asprintf("unknown member \"%.*s\"", FG_CLIP(key)),
                         fg_strdup("allow, deny, clusters"));
}

static void decode_members(struct decode *d, struct json_object *json)
{
        struct json_object *allow = fg_json_get(json, "allow");

        json_object_object_foreach(json, key, value)
        {
                decode_member(d, key, value);
        }
        if (!allow ||
            (json_object_is_type(allow, json_type_array) && json_object_array_length(allow) == 0))
                fg_problems_take(d->problems, fg_strdup("$.policy.allow"),
                                 fg_strdup("must name at least one action"), NULL);
}

struct fg_policy *fg_policy_decode(struct json_object *json, bool (*known)(const char *pattern),
                                   struct fg_problems *problems)
{
        fg_cleanup(fg_policy_freep) struct fg_policy *p = fg_calloc(1, sizeof(*p));
        struct decode d = { .policy = p, .known = known, .problems = problems };
        const size_t before = problems->n + problems->dropped;

        if (json_object_is_type(json, json_type_object))
                decode_members(&d, json);
        else
                fg_problems_take(problems, fg_strdup("$.policy"), fg_strdup("expected an object"),
                                 NULL);
        return problems->n + problems->dropped == before ? fg_take_ptr(p) : NULL;
}

struct json_object *fg_policy_to_json(const struct fg_policy *p)
{
        struct json_object *json = json_object_new_object();

        for (size_t i = 0; i < FG_ARRAY_SIZE(members); i++) {
                const struct list *l = list_of(p, i);
                struct json_object *array;

                if (l->n == 0)
                        continue;
                array = json_object_new_array();
                for (size_t k = 0; k < l->n; k++)
                        json_object_array_add(array, json_object_new_string(l->items[k]));
                fg_json_set(json, members[i].key, array);
        }
        return json;
}
