/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/image.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/str.h"
#include "guest-init/unpack_path.h"

static const char *const layer_types[] = {
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        NULL,
};

static const char *const config_types[] = {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
        NULL,
};

static int check_type(struct json_object *descriptor, const char *const types[],
                      struct fg_error *err)
{
        const char *type = fg_json_str(descriptor, "mediaType");
        char escaped[FG_PATH_ESCAPED];

        if (!type)
                return fg_fail(err, FG_ERR_INVALID, "no mediaType");
        for (size_t i = 0; types[i]; i++)
                if (fg_streq(types[i], type))
                        return 0;
        return fg_fail(err, FG_ERR_INVALID, "its mediaType \"%s\" is not that of a container image",
                       fg_path_escape(type, escaped));
}

/* How a layer is compressed is seen from its bytes; its digests decide whether that was right. */
static int parse_descriptor(struct json_object *descriptor, const char *const types[],
                            char ret_digest[FG_DIGEST_LEN + 1], uint64_t *ret_size,
                            struct fg_error *err)
{
        const char *digest = fg_json_str(descriptor, "digest");
        int64_t size = fg_json_int(descriptor, "size", -1);

        if (check_type(descriptor, types, err) < 0)
                return -1;
        if (!digest || !fg_digest_valid(digest))
                return fg_fail(err, FG_ERR_INVALID, "no valid sha256 digest");
        if (size < 0)
                return fg_fail(err, FG_ERR_INVALID, "no valid size");
        memcpy(ret_digest, digest, FG_DIGEST_LEN + 1);
        *ret_size = (uint64_t)size;
        return 0;
}

static int parse_layers(struct fg_image *image, struct json_object *list, struct fg_error *err)
{
        size_t count = json_object_array_length(list);

        if (count == 0 || count > FG_IMAGE_LAYERS_MAX)
                return fg_fail(err, FG_ERR_INVALID, "%zu layers, 1 to %d are possible", count,
                               FG_IMAGE_LAYERS_MAX);
        image->layers = fg_calloc(count, sizeof(*image->layers));
        image->layer_count = count;
        for (size_t i = 0; i < count; i++) {
                struct fg_image_layer *layer = &image->layers[i];

                if (parse_descriptor(json_object_array_get_idx(list, i), layer_types, layer->digest,
                                     &layer->size, err) < 0)
                        return fg_wrap(err, "layer %zu", i);
        }
        return 0;
}

static int parse(struct fg_image *image, struct json_object *manifest, struct fg_error *err)
{
        struct json_object *layers = fg_json_arr(manifest, "layers");

        if (fg_json_int(manifest, "schemaVersion", 0) != 2 || !layers)
                return fg_fail(err, FG_ERR_INVALID, "not a single-platform manifest of schema 2");
        if (parse_descriptor(fg_json_obj(manifest, "config"), config_types, image->config_digest,
                             &image->config_size, err) < 0)
                return fg_wrap(err, "config");
        return parse_layers(image, layers, err);
}

struct fg_image *fg_image_parse_manifest(const char *text, size_t len, struct fg_error *err)
{
        fg_cleanup(fg_image_freep) struct fg_image *image = fg_calloc(1, sizeof(*image));
        fg_autojson *manifest = NULL;

        if (len > FG_IMAGE_MANIFEST_MAX) {
                fg_fail(err, FG_ERR_INVALID, "image manifest: longer than %u bytes",
                        FG_IMAGE_MANIFEST_MAX);
                return NULL;
        }
        manifest = fg_json_parse(text, len, err);
        if (!manifest || parse(image, manifest, err) < 0) {
                fg_wrap(err, "image manifest");
                return NULL;
        }
        return fg_take_ptr(image);
}

static void free_list(char **list)
{
        for (size_t i = 0; list && list[i]; i++)
                free(list[i]);
        free(list);
}

void fg_image_free(struct fg_image *image)
{
        if (!image)
                return;
        free_list(image->entrypoint);
        free_list(image->cmd);
        free_list(image->env);
        free_list(image->volumes);
        free(image->user);
        free(image->working_dir);
        free(image->layers);
        free(image);
}
