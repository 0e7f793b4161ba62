/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/image.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/str.h"

#define LIST_MAX 4096 /* members of one list */

static int fail_type(struct fg_error *err, const char *key, const char *want)
{
        return fg_fail(err, FG_ERR_INVALID, "%s is not %s", key, want);
}

/* A JSON string may hold \u0000, which would silently end a C string. */
static const char *plain_text(struct json_object *value)
{
        const char *s;

        if (!json_object_is_type(value, json_type_string))
                return NULL;
        s = json_object_get_string(value);
        return strlen(s) == (size_t)json_object_get_string_len(value) ? s : NULL;
}

static int parse_text(struct json_object *config, const char *key, const char *fallback, char **ret,
                      struct fg_error *err)
{
        struct json_object *value = fg_json_get(config, key);
        const char *s = value ? plain_text(value) : fallback;

        if (!s)
                return fail_type(err, key, "a string");
        *ret = fg_strdup(*s ? s : fallback);
        return 0;
}

static int parse_list(struct json_object *config, const char *key, char ***ret,
                      struct fg_error *err)
{
        struct json_object *list = fg_json_get(config, key);
        size_t count = 0;

        if (list && !json_object_is_type(list, json_type_array))
                return fail_type(err, key, "a list");
        if (list)
                count = json_object_array_length(list);
        if (count > LIST_MAX)
                return fail_type(err, key, "of a sane length");
        *ret = fg_calloc(count + 1, sizeof(**ret));
        for (size_t i = 0; i < count; i++) {
                const char *s = plain_text(json_object_array_get_idx(list, i));

                if (!s)
                        return fail_type(err, key, "a list of strings");
                (*ret)[i] = fg_strdup(s);
        }
        return 0;
}

static int parse_env(struct fg_image *image, struct json_object *config, struct fg_error *err)
{
        if (parse_list(config, "Env", &image->env, err) < 0)
                return -1;
        for (char **env = image->env; *env; env++)
                if (**env == '=' || !strchr(*env, '='))
                        return fail_type(err, "Env", "a list of NAME=value");
        return 0;
}

/* Docker takes "app" for "/app". */
static char *absolute(const char *path)
{
        return *path == '/' ? fg_strdup(path) : fg_asprintf("/%s", path);
}

/* A set, written as an object whose keys are the paths. */
static int parse_volumes(struct fg_image *image, struct json_object *config, struct fg_error *err)
{
        struct json_object *set = fg_json_get(config, "Volumes");
        struct json_object_iterator it, end;
        size_t count = 0;

        if (set && !json_object_is_type(set, json_type_object))
                return fail_type(err, "Volumes", "an object");
        if (set)
                count = (size_t)json_object_object_length(set);
        if (count > LIST_MAX)
                return fail_type(err, "Volumes", "of a sane length");
        image->volumes = fg_calloc(count + 1, sizeof(*image->volumes));
        if (count == 0)
                return 0;

        it = json_object_iter_begin(set);
        end = json_object_iter_end(set);
        for (size_t i = 0; !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
                image->volumes[i++] = absolute(json_object_iter_peek_name(&it));
        return 0;
}

static int parse_stop_signal(struct fg_image *image, struct json_object *config,
                             struct fg_error *err)
{
        fg_autofree char *name = NULL;

        if (parse_text(config, "StopSignal", "SIGTERM", &name, err) < 0)
                return -1;
        image->stop_signal = fg_signal_parse(name);
        if (image->stop_signal == 0)
                return fail_type(err, "StopSignal", "a signal");
        return 0;
}

static int parse_diff_ids(struct fg_image *image, struct json_object *root, struct fg_error *err)
{
        struct json_object *ids = fg_json_arr(fg_json_obj(root, "rootfs"), "diff_ids");

        if (!ids)
                return fail_type(err, "rootfs.diff_ids", "a list");
        if (json_object_array_length(ids) != image->layer_count)
                return fg_fail(err, FG_ERR_INVALID, "%zu diff_ids for the manifest's %zu layers",
                               json_object_array_length(ids), image->layer_count);
        for (size_t i = 0; i < image->layer_count; i++) {
                const char *id = plain_text(json_object_array_get_idx(ids, i));

                if (!id || !fg_digest_valid(id))
                        return fail_type(err, "rootfs.diff_ids", "a list of sha256 digests");
                memcpy(image->layers[i].diff_id, id, FG_DIGEST_LEN + 1);
        }
        return 0;
}

static int parse(struct fg_image *image, struct json_object *root, struct fg_error *err)
{
        struct json_object *config = fg_json_get(root, "config");
        fg_autofree char *working_dir = NULL;

        if (config && !json_object_is_type(config, json_type_object))
                return fail_type(err, "config", "an object");
        if (parse_list(config, "Entrypoint", &image->entrypoint, err) < 0 ||
            parse_list(config, "Cmd", &image->cmd, err) < 0 || parse_env(image, config, err) < 0 ||
            parse_volumes(image, config, err) < 0 ||
            parse_text(config, "User", "", &image->user, err) < 0 ||
            parse_text(config, "WorkingDir", "/", &working_dir, err) < 0 ||
            parse_stop_signal(image, config, err) < 0)
                return -1;
        image->working_dir = absolute(working_dir);
        return parse_diff_ids(image, root, err);
}

int fg_image_parse_config(struct fg_image *image, const char *text, size_t len,
                          struct fg_error *err)
{
        fg_autojson *root = NULL;

        if (len > FG_IMAGE_CONFIG_MAX)
                return fg_fail(err, FG_ERR_INVALID, "image config: longer than %u bytes",
                               FG_IMAGE_CONFIG_MAX);
        root = fg_json_parse(text, len, err);
        if (!root || parse(image, root, err) < 0)
                return fg_wrap(err, "image config");
        return 0;
}

static bool parse_realtime(const char *s, int *ret)
{
        bool from_max = fg_starts_with(s, "RTMAX");
        int signal = from_max ? SIGRTMAX : SIGRTMIN;
        uint64_t n = 0;

        if (!from_max && !fg_starts_with(s, "RTMIN"))
                return false;
        s += 5;
        if (*s != '\0' && (*s != (from_max ? '-' : '+') || !fg_parse_u64(s + 1, &n)))
                return false;
        if (n > (uint64_t)(SIGRTMAX - SIGRTMIN))
                return false;
        *ret = from_max ? signal - (int)n : signal + (int)n;
        return true;
}

int fg_signal_parse(const char *s)
{
        uint64_t number;
        int signal;

        if (fg_parse_u64(s, &number))
                return number > 0 && number <= (uint64_t)SIGRTMAX ? (int)number : 0;
        if (fg_starts_with(s, "SIG"))
                s += 3;
        if (parse_realtime(s, &signal))
                return signal;
        for (signal = 1; signal < NSIG; signal++) {
                const char *name = sigabbrev_np(signal);

                if (name && fg_streq(name, s))
                        return signal;
        }
        return 0;
}
