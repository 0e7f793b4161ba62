/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/environment.h"

#include <string.h>

#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/metadata.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define OURS_MAX     10 /* PATH, HOSTNAME, TERM, HOME and six of Fargate's */

static char **find(char *const *env, const char *name, size_t len)
{
        for (; *env; env++) {
                if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
                        return (char **)env;
        }
        return NULL;
}

const char *fg_environment_get(char *const *env, const char *name)
{
        const size_t len = strlen(name);
        char **found = find(env, name, len);

        return found ? *found + len + 1 : NULL;
}

/* The list has room; a later setting takes the place of an earlier one. */
static void set(char **env, char *take_entry)
{
        const char *equals = strchr(take_entry, '=');
        char **old = equals ? find(env, take_entry, (size_t)(equals - take_entry)) : NULL;

        if (!equals) {
                free(take_entry); /* a name alone sets nothing */
        } else if (old) {
                free(*old);
                *old = take_entry;
        } else {
                while (*env)
                        env++;
                *env = take_entry;
        }
}

/* What a program may find otherwise in its image or definition. */
static void set_region(char **env, struct json_object *task)
{
        struct json_object *metadata = fg_json_obj(task, "metadata");
        const char *region = fg_json_str(metadata, "region");

        if (!metadata)
                return;
        set(env, fg_strdup("AWS_EXECUTION_ENV=AWS_ECS_FARGATE"));
        if (!region)
                return;
        set(env, fg_asprintf("AWS_REGION=%s", region));
        set(env, fg_asprintf("AWS_DEFAULT_REGION=%s", region));
}

static void set_endpoint(char **env, const struct fg_start *s)
{
        const char *id = fg_metadata_id(s->task, s->index);

        if (!id)
                return;
        set(env, fg_asprintf("ECS_CONTAINER_METADATA_URI=" FG_METADATA_URI "/v3/%s", id));
        set(env, fg_asprintf("ECS_CONTAINER_METADATA_URI_V4=" FG_METADATA_URI "/v4/%s", id));
        set(env, fg_asprintf("ECS_AGENT_URI=" FG_METADATA_URI "/api/%s", id));
}

/* What the definition only points to, and the host has looked up: the last one of a name counts. */
static void add_variables(char **env, const struct fg_start *s, struct json_object *list)
{
        const char *container = fg_json_str(s->spec, "name");

        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                struct json_object *m = json_object_array_get_idx(list, i);
                const char *of = fg_json_str(m, "container"), *name = fg_json_str(m, "name");
                const char *value = fg_json_str(m, "value");

                if (of && name && value && container && fg_streq(of, container))
                        set(env, fg_asprintf("%s=%s", name, value));
        }
}

char **fg_environment_new(const struct fg_start *s, const char *home)
{
        struct json_object *own = fg_json_arr(s->spec, "environment");
        struct json_object *variables = fg_json_arr(s->task, "variables");
        const size_t own_count = own ? json_object_array_length(own) : 0;
        const char *hostname = fg_json_str(s->task, "hostname");
        size_t image_count = 0;
        char **env;

        while (s->image->env[image_count])
                image_count++;
        env = fg_calloc(own_count + image_count + OURS_MAX + 1 +
                                (variables ? json_object_array_length(variables) : 0),
                        sizeof(*env));
        set(env, fg_strdup(DEFAULT_PATH));
        set(env, fg_asprintf("HOSTNAME=%s", hostname));
        set_region(env, s->task);
        if (fg_json_bool(s->spec, "pseudoTerminal", false))
                set(env, fg_strdup("TERM=xterm"));
        for (size_t i = 0; i < image_count; i++)
                set(env, fg_strdup(s->image->env[i]));
        add_variables(env, s, variables);
        for (size_t i = 0; i < own_count; i++) {
                struct json_object *pair = json_object_array_get_idx(own, i);
                const char *name = fg_json_str(pair, "name"), *value = fg_json_str(pair, "value");

                if (name)
                        set(env, fg_asprintf("%s=%s", name, value ? value : ""));
        }
        set_endpoint(env, s);
        if (!fg_environment_get(env, "HOME"))
                set(env, fg_asprintf("HOME=%s", home));
        return env;
}
