/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/environment.h"

#include <string.h>

#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

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

char **fg_environment_new(const struct fg_start *s, const char *home)
{
        struct json_object *own = fg_json_arr(s->spec, "environment");
        const size_t own_count = own ? json_object_array_length(own) : 0;
        const char *hostname = fg_json_str(s->task, "hostname");
        size_t image_count = 0;
        char **env;

        while (s->image->env[image_count])
                image_count++;
        env = fg_calloc(own_count + image_count + 4, sizeof(*env));
        set(env, fg_strdup(DEFAULT_PATH));
        set(env, fg_asprintf("HOSTNAME=%s", hostname ? hostname : ""));
        for (size_t i = 0; i < image_count; i++)
                set(env, fg_strdup(s->image->env[i]));
        for (size_t i = 0; i < own_count; i++) {
                struct json_object *pair = json_object_array_get_idx(own, i);
                const char *name = fg_json_str(pair, "name"), *value = fg_json_str(pair, "value");

                if (name)
                        set(env, fg_asprintf("%s=%s", name, value ? value : ""));
        }
        if (!fg_environment_get(env, "HOME"))
                set(env, fg_asprintf("HOME=%s", home));
        return env;
}
