/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/image_unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "guest-init/image.h"

struct unpack {
        int dir;
        const struct fg_image_source *src;
        const struct fg_layer_limits *limits;
};

/* A whole small blob, verified, also kept as @name in the image's directory. */
static int read_document(const struct unpack *u, const char *digest, const char *name,
                         struct fg_buf *doc, struct fg_error *err)
{
        fg_autoclose int fd = openat(u->dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_EXCL, 0600);
        char found[FG_DIGEST_LEN + 1];
        char part[4096];
        ssize_t n;

        while ((n = u->src->read(u->src->data, part, sizeof(part), err)) > 0)
                if (fg_buf_append(doc, part, (size_t)n, err) < 0)
                        return fg_wrap(err, "%s", digest);
        if (n < 0)
                return -1;
        fg_digest_of(doc->data, doc->len, found);
        if (strcmp(found, digest) != 0)
                return fg_fail(err, FG_ERR_UPSTREAM, "%s: its digest is %s", digest, found);
        if (fd < 0)
                return fg_fail_errno(err, errno, "create %s", name);
        return fg_write_all(fd, doc->data, doc->len, err);
}

static int unpack_layers(const struct unpack *u, const struct fg_image *image, struct fg_error *err)
{
        fg_autoclose int root = openat(u->dir, FG_IMAGE_ROOT, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        struct fg_layer_usage usage = { 0 };

        if (root < 0)
                return fg_fail_errno(err, errno, "open the image's root");
        for (size_t i = 0; i < image->layer_count; i++) {
                const struct fg_image_layer *l = &image->layers[i];
                const struct fg_layer_source src = { .read = u->src->read,
                                                     .data = u->src->data,
                                                     .digest = l->digest,
                                                     .verified = u->src->verified,
                                                     .diff_id = l->diff_id,
                                                     .size = l->size };

                if (u->src->begin(u->src->data, l->digest, l->size, err) < 0)
                        return -1;
                if (fg_layer_apply(root, &src, u->limits, &usage, err) < 0)
                        return -1;
        }
        return 0;
}

int fg_image_unpack(int dir_fd, const char *manifest, const struct fg_image_source *src,
                    const struct fg_layer_limits *limits, struct fg_error *err)
{
        const struct unpack u = { .dir = dir_fd, .src = src, .limits = limits };
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(FG_IMAGE_MANIFEST_MAX);
        fg_cleanup(fg_buf_finish) struct fg_buf config = FG_BUF_INIT(FG_IMAGE_CONFIG_MAX);
        fg_cleanup(fg_image_freep) struct fg_image *image = NULL;

        if (src->begin(src->data, manifest, 0, err) < 0 ||
            read_document(&u, manifest, FG_IMAGE_MANIFEST, &text, err) < 0)
                return fg_wrap(err, "manifest");
        image = fg_image_parse_manifest(text.data, text.len, err);
        if (!image)
                return -1;
        if (src->begin(src->data, image->config_digest, image->config_size, err) < 0 ||
            read_document(&u, image->config_digest, FG_IMAGE_CONFIG, &config, err) < 0)
                return fg_wrap(err, "config");
        if (fg_image_parse_config(image, config.data, config.len, err) < 0)
                return -1;
        return unpack_layers(&u, image, err);
}
