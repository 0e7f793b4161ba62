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
} members[] = {
        { "allow", offsetof(struct fg_policy, allow), is_action_pattern,
          "an action such as ecs:RunTask, logs:* or *" },
        { "deny", offsetof(struct fg_policy, deny), is_action_pattern,
          "an action such as ecs:RunTask, logs:* or *" },
        { "clusters", offsetof(struct fg_policy, clusters), is_cluster_pattern,
          "the name of a cluster, * and ? allowed" },
};

static struct list *list_of(const struct fg_policy *p, size_t member)
{
        return (struct list *)(void *)((char *)(uintptr_t)p + members[member].offset);
}

static int decode_list(struct fg_policy *p, size_t member, struct json_object *array,
                       struct fg_error *err)
{
        struct list *l = list_of(p, member);
        size_t n = json_object_array_length(array);

        if (n > FG_POLICY_PATTERNS_MAX)
                return fg_fail(err, FG_ERR_INVALID, "policy: %s has more than %d patterns",
                               members[member].key, FG_POLICY_PATTERNS_MAX);
        for (size_t i = 0; i < n; i++) {
                struct json_object *item = json_object_array_get_idx(array, i);
                const char *text = json_object_is_type(item, json_type_string)
                                           ? json_object_get_string(item)
                                           : "";

                if (!members[member].valid(text))
                        return fg_fail(err, FG_ERR_INVALID,
                                       "policy: %s[%zu] is \"%.64s\": expected %s",
                                       members[member].key, i, text, members[member].allowed);
                l->items[l->n++] = fg_strdup(text);
        }
        return 0;
}

static int decode_member(struct fg_policy *p, const char *key, struct json_object *value,
                         struct fg_error *err)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(members); i++) {
                if (!fg_streq(members[i].key, key))
                        continue;
                if (!json_object_is_type(value, json_type_array))
                        return fg_fail(err, FG_ERR_INVALID, "policy: %s must be a list of strings",
                                       key);
                return decode_list(p, i, value, err);
        }
        return fg_fail(err, FG_ERR_INVALID,
                       "policy: unknown member \"%.64s\" (allowed: allow, deny, clusters)", key);
}

static int decode_members(struct fg_policy *p, struct json_object *json, struct fg_error *err)
{
        json_object_object_foreach(json, key, value)
        {
                if (decode_member(p, key, value, err) < 0)
                        return -1;
        }
        return 0;
}

struct fg_policy *fg_policy_decode(struct json_object *json, struct fg_error *err)
{
        fg_cleanup(fg_policy_freep) struct fg_policy *p = fg_calloc(1, sizeof(*p));

        if (!json_object_is_type(json, json_type_object)) {
                fg_fail(err, FG_ERR_INVALID, "policy: expected an object");
                return NULL;
        }
        if (decode_members(p, json, err) < 0)
                return NULL;
        if (p->allow.n == 0) {
                fg_fail(err, FG_ERR_INVALID, "policy: allow must name at least one action");
                return NULL;
        }
        return fg_take_ptr(p);
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
