/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/localimage.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/str.h"

static const char *const kinds[] = { "oci:", "docker-archive:" };

char *fg_localimage_resolve(const char *reference, const char *base)
{
        size_t kind = 0, len = strlen(base);
        const char *path;

        while (kind < FG_ARRAY_SIZE(kinds) && !fg_starts_with(reference, kinds[kind]))
                kind++;
        if (kind == FG_ARRAY_SIZE(kinds))
                return fg_strdup(reference);
        path = reference + strlen(kinds[kind]);
        if (*path == '/' || *path == '\0')
                return fg_strdup(reference);
        /* The base has no links in it, so that ".." may be taken away by its name. */
        for (;;) {
                if (fg_starts_with(path, "./")) {
                        path += 2;
                } else if (fg_starts_with(path, "../")) {
                        path += 3;
                        while (len > 0 && base[--len] != '/')
                                continue;
                } else {
                        break;
                }
        }
        if (len == 1)
                len = 0;
        return fg_asprintf("%s%.*s/%s", kinds[kind], (int)len, base, path);
}

void fg_localimage_resolve_all(struct json_object *definition, const char *base)
{
        struct json_object *containers = fg_json_arr(definition, "containerDefinitions");

        for (size_t i = 0; containers && i < json_object_array_length(containers); i++) {
                struct json_object *container = json_object_array_get_idx(containers, i);
                const char *image = fg_json_str(container, "image");
                fg_autofree char *absolute = image ? fg_localimage_resolve(image, base) : NULL;

                fg_json_set_str(container, "image", absolute);
        }
}

char *fg_localimage_base(const char *file)
{
        const char *slash = file && !fg_streq(file, "-") ? strrchr(file, '/') : NULL;
        fg_autofree char *dir = NULL, *real = NULL;

        if (slash)
                dir = fg_asprintf("%.*s/", (int)(slash - file), file);
        real = realpath(dir ? dir : ".", NULL);
        return fg_strdup(real ? real : "/");
}
