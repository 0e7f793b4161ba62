/* SPDX-License-Identifier: Apache-2.0 */
#include "images/manifest.h"

#include <string.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/str.h"

#define LAYER_SIZE_MAX (UINT64_C(64) << 30)
#define IMAGE_SIZE_MAX (UINT64_C(256) << 30)
#define OCI            "application/vnd.oci.image."
#define DOCKER         "application/vnd.docker."
#define REF_NAME       "org.opencontainers.image.ref.name"

enum kind { KIND_UNKNOWN, KIND_MANIFEST, KIND_INDEX, KIND_SCHEMA1 };

static const struct {
        const char *type;
        enum kind kind;
} kinds[] = {
        { OCI "manifest.v1+json", KIND_MANIFEST },
        { OCI "index.v1+json", KIND_INDEX },
        { DOCKER "distribution.manifest.v2+json", KIND_MANIFEST },
        { DOCKER "distribution.manifest.list.v2+json", KIND_INDEX },
        { DOCKER "distribution.manifest.v1+json", KIND_SCHEMA1 },
        { DOCKER "distribution.manifest.v1+prettyjws", KIND_SCHEMA1 },
};

static const char *const layer_types[] = {
        OCI "layer.v1.tar",
        OCI "layer.v1.tar+gzip",
        OCI "layer.v1.tar+zstd",
        DOCKER "image.rootfs.diff.tar",
        DOCKER "image.rootfs.diff.tar.gzip",
        DOCKER "image.rootfs.diff.tar.zstd",
};

static const char *const config_types[] = {
        OCI "config.v1+json",
        DOCKER "container.image.v1+json",
};

static void finish_descriptor(struct fg_descriptor *d)
{
        free(d->media_type);
        free(d->platform);
        free(d->name);
}

void fg_manifest_free(struct fg_manifest *m)
{
        if (!m)
                return;
        finish_descriptor(&m->config);
        for (size_t i = 0; i < m->n_items; i++)
                finish_descriptor(&m->items[i]);
        free(m->items);
        free(m);
}

static bool listed(const char *type, const char *const list[], size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (fg_streq(type, list[i]))
                        return true;
        return false;
}

/* A Content-Type may carry parameters; they say nothing about the kind. */
static enum kind kind_of(const char *type)
{
        size_t len;

        if (!type)
                return KIND_UNKNOWN;
        len = strcspn(type, "; ");
        for (size_t i = 0; i < FG_ARRAY_SIZE(kinds); i++)
                if (len == strlen(kinds[i].type) && memcmp(type, kinds[i].type, len) == 0)
                        return kinds[i].kind;
        return KIND_UNKNOWN;
}

/* The document's own media type, then the source's, then its shape. */
static int find_kind(struct json_object *doc, const char *source_type, enum kind *ret,
                     struct fg_error *err)
{
        const char *own_type = fg_json_str(doc, "mediaType");
        enum kind own = kind_of(own_type), source = kind_of(source_type);

        if (own_type && own == KIND_UNKNOWN)
                return fg_fail(err, FG_ERR_INVALID, "media type \"%.100s\" is not an image",
                               own_type);
        if (own && source && own != source)
                return fg_fail(err, FG_ERR_INVALID,
                               "served as \"%.100s\", but it says it is \"%.100s\"", source_type,
                               own_type);
        *ret = own ? own : source;
        if (fg_json_int(doc, "schemaVersion", 2) == 1)
                *ret = KIND_SCHEMA1;
        if (*ret == KIND_UNKNOWN && fg_json_obj(doc, "config"))
                *ret = KIND_MANIFEST;
        if (*ret == KIND_UNKNOWN && fg_json_arr(doc, "manifests"))
                *ret = KIND_INDEX;
        if (*ret == KIND_UNKNOWN)
                return fg_fail(err, FG_ERR_INVALID, "not a manifest (served as \"%.100s\")",
                               source_type ? source_type : "");
        return 0;
}

static int parse_descriptor(struct json_object *doc, struct fg_descriptor *ret,
                            struct fg_error *err)
{
        const char *digest = fg_json_str(doc, "digest");
        int64_t size = fg_json_int(doc, "size", -1);

        if (!digest || !fg_digest_valid(digest))
                return fg_fail(err, FG_ERR_INVALID, "digest \"%.100s\" is not a sha256 digest",
                               digest ? digest : "");
        if (size < 0 || (uint64_t)size > LAYER_SIZE_MAX)
                return fg_fail(err, FG_ERR_INVALID, "%s: size is missing or beyond the limit",
                               digest);
        memcpy(ret->digest, digest, FG_DIGEST_LEN + 1);
        ret->size = (uint64_t)size;
        ret->media_type = fg_strdup(fg_json_str(doc, "mediaType"));
        return 0;
}

static int parse_layer(struct json_object *doc, struct fg_descriptor *ret, struct fg_error *err)
{
        const char *type;

        if (parse_descriptor(doc, ret, err) < 0)
                return -1;
        type = ret->media_type ? ret->media_type : "";
        if (listed(type, layer_types, FG_ARRAY_SIZE(layer_types)))
                return 0;
        if (strstr(type, "foreign") || strstr(type, "nondistributable"))
                return fg_fail(err, FG_ERR_INVALID, "foreign layer (\"%.100s\") is not supported",
                               type);
        if (strstr(type, "encrypted"))
                return fg_fail(err, FG_ERR_INVALID, "encrypted layer (\"%.100s\") is not supported",
                               type);
        return fg_fail(err, FG_ERR_INVALID, "layer of media type \"%.100s\" is not supported",
                       type);
}

static void parse_platform(struct json_object *doc, struct fg_descriptor *d)
{
        struct json_object *platform = fg_json_obj(doc, "platform");
        const char *os = fg_json_str(platform, "os");
        const char *arch = fg_json_str(platform, "architecture");
        const char *variant = fg_json_str(platform, "variant");

        if (os && arch)
                d->platform = fg_asprintf("%s/%s%s%s", os, arch, variant && *variant ? "/" : "",
                                          variant ? variant : "");
}

static int parse_entry(struct json_object *doc, struct fg_descriptor *ret, struct fg_error *err)
{
        if (parse_descriptor(doc, ret, err) < 0)
                return -1;
        parse_platform(doc, ret);
        ret->name = fg_strdup(fg_json_str(fg_json_obj(doc, "annotations"), REF_NAME));
        return 0;
}

static int parse_items(struct fg_manifest *m, struct json_object *list, size_t max,
                       int (*parse)(struct json_object *, struct fg_descriptor *,
                                    struct fg_error *),
                       struct fg_error *err)
{
        const char *what = m->index ? "manifests" : "layers";
        size_t n;

        if (!list)
                return fg_fail(err, FG_ERR_INVALID, "no \"%s\"", what);
        n = json_object_array_length(list);
        if (n > max)
                return fg_fail(err, FG_ERR_INVALID, "%zu %s, the limit is %zu", n, what, max);
        m->items = fg_calloc(n + 1, sizeof(*m->items));
        for (size_t i = 0; i < n; i++) {
                m->n_items = i + 1;
                if (parse(json_object_array_get_idx(list, i), &m->items[i], err) < 0)
                        return fg_wrap(err, "%s[%zu]", what, i);
        }
        return 0;
}

/* Blobs used twice are stored once; two sizes for one digest would be a lie. */
static int sum_sizes(struct fg_manifest *m, struct fg_error *err)
{
        m->size = m->config.size;
        for (size_t i = 0; i < m->n_items; i++) {
                size_t j = 0;

                while (j < i && !fg_streq(m->items[j].digest, m->items[i].digest))
                        j++;
                if (j < i && m->items[j].size != m->items[i].size)
                        return fg_fail(err, FG_ERR_INVALID, "%s has two sizes", m->items[i].digest);
                if (j == i)
                        m->size += m->items[i].size;
        }
        if (m->size > IMAGE_SIZE_MAX)
                return fg_fail(err, FG_ERR_INVALID, "image is larger than the limit");
        return 0;
}

static int parse_image(struct fg_manifest *m, struct json_object *doc, struct fg_error *err)
{
        const char *type;

        if (parse_descriptor(fg_json_obj(doc, "config"), &m->config, err) < 0)
                return fg_wrap(err, "config");
        type = m->config.media_type ? m->config.media_type : "";
        if (!listed(type, config_types, FG_ARRAY_SIZE(config_types)))
                return fg_fail(err, FG_ERR_INVALID,
                               "config of media type \"%.100s\" is not an image", type);
        if (m->config.size > FG_MANIFEST_MAX)
                return fg_fail(err, FG_ERR_INVALID, "config is larger than %u bytes",
                               FG_MANIFEST_MAX);
        if (parse_items(m, fg_json_arr(doc, "layers"), FG_LAYERS_MAX, parse_layer, err) < 0)
                return -1;
        return sum_sizes(m, err);
}

static int parse_kind(struct fg_manifest *m, struct json_object *doc, const char *media_type,
                      struct fg_error *err)
{
        enum kind kind = KIND_UNKNOWN;

        if (find_kind(doc, media_type, &kind, err) < 0)
                return -1;
        if (kind == KIND_SCHEMA1)
                return fg_fail(err, FG_ERR_INVALID, "Docker schema 1 manifests are not supported");
        m->index = kind == KIND_INDEX;
        if (m->index)
                return parse_items(m, fg_json_arr(doc, "manifests"), FG_INDEX_MAX, parse_entry,
                                   err);
        return parse_image(m, doc, err);
}

struct fg_manifest *fg_manifest_parse(const char *text, size_t len, const char *media_type,
                                      struct fg_error *err)
{
        fg_cleanup(fg_manifest_freep) struct fg_manifest *m = fg_calloc(1, sizeof(*m));
        fg_autojson *doc = NULL;

        if (len > FG_MANIFEST_MAX) {
                fg_fail(err, FG_ERR_INVALID, "manifest is larger than %u bytes", FG_MANIFEST_MAX);
                return NULL;
        }
        doc = fg_json_parse(text, len, err);
        if (!doc || parse_kind(m, doc, media_type, err) < 0) {
                fg_wrap(err, "manifest");
                return NULL;
        }
        return fg_take_ptr(m);
}

/* "linux/amd64" also takes an entry with a variant of it. */
static bool platform_fits(const char *have, const char *want)
{
        size_t len = strlen(want);

        return !have || (fg_starts_with(have, want) && (have[len] == '\0' || have[len] == '/'));
}

static bool is_variant(const struct fg_descriptor *d)
{
        const char *slash = d->platform ? strchr(d->platform, '/') : NULL;

        return slash && strchr(slash + 1, '/');
}

static void describe(const struct fg_manifest *index, const char *name, struct fg_buf *out)
{
        struct fg_error ignored;

        for (size_t i = 0; i < index->n_items; i++) {
                const struct fg_descriptor *d = &index->items[i];
                const char *what = name ? d->name : d->platform;

                (void)fg_buf_printf(out, &ignored, "%s%.60s", out->len ? ", " : "",
                                    what ? what : "?");
        }
}

const struct fg_descriptor *fg_manifest_select(const struct fg_manifest *index, const char *name,
                                               const char *platform, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf there = FG_BUF_INIT(300);
        const struct fg_descriptor *found = NULL;
        bool named = false;

        for (size_t i = 0; i < index->n_items; i++) {
                const struct fg_descriptor *d = &index->items[i];

                if (name && !(d->name && fg_streq(d->name, name)))
                        continue;
                named = true;
                if (!platform_fits(d->platform, platform))
                        continue;
                if (found && is_variant(d))
                        continue;
                if (found && !is_variant(found) && !fg_streq(found->digest, d->digest)) {
                        fg_fail(err, FG_ERR_CONFLICT, "more than one image for %s; name a tag",
                                platform);
                        return NULL;
                }
                found = d;
        }
        if (found)
                return found;
        describe(index, named ? NULL : name, &there);
        fg_fail(err, FG_ERR_NOT_FOUND, "no image %s%s (there is: %s)",
                named || !name ? "for " : "with tag ", named || !name ? platform : name,
                there.len ? there.data : "nothing");
        return NULL;
}

int fg_config_check(const char *text, size_t len, const char *platform, struct fg_error *err)
{
        fg_autojson *doc = fg_json_parse(text, len, err);
        fg_autofree char *have = NULL;
        const char *os, *arch;

        if (!doc)
                return fg_wrap(err, "image config");
        os = fg_json_str(doc, "os");
        arch = fg_json_str(doc, "architecture");
        have = fg_asprintf("%s/%s", os ? os : "", arch ? arch : "");
        if (!fg_streq(have, platform))
                return fg_fail(err, FG_ERR_INVALID, "image is for %.60s, not for %s", have,
                               platform);
        return 0;
}
