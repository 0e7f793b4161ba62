/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fg-archive [NAME] - turn the `docker save` tar on standard input into an OCI layout in the
 * directory that is standard output. Run by fgd only; it confines itself before it reads a byte.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"
#include "images/archive_read.h"
#include "images/archive_sandbox.h"
#include "images/helper.h"
#include "images/images.h"
#include "images/manifest.h"

#define OCI "application/vnd.oci.image."

/* members[0] is the config, the layers follow in order. */
struct image {
        struct fg_member members[1 + FG_LAYERS_MAX];
        size_t n;
};

static void finish_image(struct image *image)
{
        for (size_t i = 0; i < image->n; i++)
                free(image->members[i].path);
}

static bool has_tag(struct json_object *entry, const char *name)
{
        struct json_object *tags = fg_json_arr(entry, "RepoTags");
        fg_autofree char *wanted = NULL;
        struct fg_error ignored;

        wanted = fg_reference_normalize(name, &ignored);
        for (size_t i = 0; tags && i < json_object_array_length(tags); i++) {
                const char *tag = json_object_get_string(json_object_array_get_idx(tags, i));
                fg_autofree char *have = tag ? fg_reference_normalize(tag, &ignored) : NULL;

                if (wanted && have && fg_streq(wanted, have))
                        return true;
        }
        return false;
}

static struct json_object *select_image(struct json_object *list, const char *name,
                                        struct fg_error *err)
{
        size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

        for (size_t i = 0; i < n; i++) {
                struct json_object *entry = json_object_array_get_idx(list, i);

                if (name ? has_tag(entry, name) : n == 1)
                        return entry;
        }
        if (name)
                fg_fail(err, FG_ERR_NOT_FOUND, "no image \"%.200s\" in it", name);
        else
                fg_fail(err, FG_ERR_INVALID, "%zu images in it; name one", n);
        return NULL;
}

static int add_member(struct image *image, const struct fg_links *links, const char *path,
                      struct fg_error *err)
{
        struct fg_member *m;

        if (!path)
                return fg_fail(err, FG_ERR_INVALID, "manifest.json is damaged");
        if (image->n == FG_ARRAY_SIZE(image->members))
                return fg_fail(err, FG_ERR_INVALID, "more than %d layers", FG_LAYERS_MAX);
        m = &image->members[image->n];
        m->path = fg_links_resolve(links, path, err);
        if (!m->path)
                return -1;
        image->n++;
        return 0;
}

static int read_manifest(struct image *image, int fd, const char *name, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(FG_MANIFEST_MAX);
        fg_cleanup(fg_links_freep) struct fg_links *links = NULL;
        struct json_object *entry, *layers;
        fg_autojson *list = NULL;

        if (fg_archive_scan(fd, &text, &links, err) < 0)
                return -1;
        list = fg_json_parse(text.data, text.len, err);
        if (!list)
                return fg_wrap(err, "manifest.json");
        entry = select_image(list, name, err);
        if (!entry || add_member(image, links, fg_json_str(entry, "Config"), err) < 0)
                return -1;
        layers = fg_json_arr(entry, "Layers");
        for (size_t i = 0; layers && i < json_object_array_length(layers); i++) {
                struct json_object *path = json_object_array_get_idx(layers, i);

                if (add_member(image, links, json_object_get_string(path), err) < 0)
                        return -1;
        }
        return 0;
}

static struct json_object *descriptor(const char *type, const char *digest, uint64_t size)
{
        struct json_object *o = json_object_new_object();

        fg_json_set_str(o, "mediaType", type);
        fg_json_set_str(o, "digest", digest);
        fg_json_set_int(o, "size", (int64_t)size);
        return o;
}

static struct json_object *document(const char *type)
{
        struct json_object *o = json_object_new_object();

        fg_json_set_int(o, "schemaVersion", 2);
        fg_json_set_str(o, "mediaType", type);
        return o;
}

static int write_text(const char *path, const char *text, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        return fd < 0 ? fg_fail_errno(err, errno, "%s", path)
                      : fg_write_all(fd, text, strlen(text), err);
}

static int write_manifest(const struct image *image, struct fg_error *err)
{
        fg_autojson *manifest = document(OCI "manifest.v1+json"),
                    *index = document(OCI "index.v1+json");
        struct json_object *layers = json_object_new_array(), *entries = json_object_new_array();
        const struct fg_member *config = &image->members[0];
        char digest[FG_DIGEST_LEN + 1];
        fg_autofree char *path = NULL;
        const char *text;

        fg_json_set(manifest, "layers", layers);
        fg_json_set(manifest, "config",
                    descriptor(OCI "config.v1+json", config->digest, config->size));
        for (size_t i = 1; i < image->n; i++) {
                const struct fg_member *m = &image->members[i];

                (void)json_object_array_add(layers, descriptor(m->media_type, m->digest, m->size));
        }
        text = fg_json_text(manifest);
        fg_digest_of(text, strlen(text), digest);
        path = fg_asprintf("blobs/sha256/%s", digest + strlen("sha256:"));
        (void)json_object_array_add(entries,
                                    descriptor(OCI "manifest.v1+json", digest, strlen(text)));
        fg_json_set(index, "manifests", entries);
        if (write_text(path, text, err) < 0 ||
            write_text("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", err) < 0)
                return -1;
        return write_text("index.json", fg_json_text(index), err);
}

static int convert(int fd, const char *name, struct fg_error *err)
{
        fg_cleanup(finish_image) struct image image = { 0 };

        if (mkdir("blobs", 0755) < 0 || mkdir("blobs/sha256", 0755) < 0)
                return fg_fail_errno(err, errno, "create the layout");
        if (read_manifest(&image, fd, name, err) < 0 ||
            fg_archive_extract(fd, image.members, image.n, err) < 0)
                return -1;
        return write_manifest(&image, err);
}

int main(int argc, char **argv)
{
        struct fg_error err = FG_ERROR_INIT;

        if (argc > 2 || isatty(STDOUT_FILENO)) {
                (void)fprintf(stderr, "fg-archive is run by fgd\n");
                return 2;
        }
        if (fg_archive_sandbox(STDOUT_FILENO, &err) < 0 ||
            convert(STDIN_FILENO, argc == 2 ? argv[1] : NULL, &err) < 0) {
                (void)fprintf(stderr, "%s\n", err.msg);
                return err.code == FG_ERR_CAPACITY ? FG_HELPER_FULL : FG_HELPER_WRONG;
        }
        return 0;
}
