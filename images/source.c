/* SPDX-License-Identifier: Apache-2.0 */
#include "images/source.h"

#include <string.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/str.h"
#include "images/archive.h"
#include "images/blobstore.h"
#include "images/layout.h"

#define NESTING_MAX 3 /* index in index; more is a puzzle, not an image */

/* One resolution under way: exactly one of registry and dir is set. */
struct resolver {
        const struct fg_source_config *config;
        const struct fg_reference *ref;
        struct fg_registry *registry;
        const char *dir;
};

void fg_resolved_finish(struct fg_resolved *r)
{
        struct fg_error ignored;

        fg_manifest_free(r->manifest);
        free(r->manifest_text);
        free(r->config_text);
        fg_grant_finish(&r->grant);
        if (r->scratch)
                (void)fg_rm_rf(r->scratch, &ignored);
        free(r->dir);
        free(r->scratch);
        *r = (struct fg_resolved){ 0 };
}

/* @digest NULL: where the search starts. */
static int fetch_document(struct resolver *s, const char *digest, struct fg_buf *ret,
                          char **ret_type, struct fg_error *err)
{
        fg_buf_clear(ret);
        if (s->registry)
                return fg_registry_manifest(s->registry, digest, ret, ret_type, err);
        if (digest)
                return fg_layout_small_blob(s->dir, digest, ret, err);
        return fg_layout_index(s->dir, ret, err);
}

static int fetch_config(struct resolver *s, const struct fg_descriptor *d, struct fg_resolved *ret,
                        struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(FG_MANIFEST_MAX);
        int r = s->registry ? fg_registry_small_blob(s->registry, d->digest, &text, err)
                            : fg_layout_small_blob(s->dir, d->digest, &text, err);

        if (r < 0)
                return fg_wrap(err, "config");
        if (text.len != d->size)
                return fg_fail(err, FG_ERR_UPSTREAM, "config %s has %zu bytes, not %llu", d->digest,
                               text.len, (unsigned long long)d->size);
        if (fg_config_check(text.data ? text.data : "", text.len, s->config->platform, err) < 0)
                return -1;
        ret->config_len = text.len;
        ret->config_text = fg_buf_take(&text);
        return 0;
}

/* Down from what the reference names, through indexes, to the manifest of our platform. */
static int find_manifest(struct resolver *s, struct fg_resolved *ret, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(FG_MANIFEST_MAX);
        const char *name = s->dir && s->ref->transport == FG_TRANSPORT_OCI ? s->ref->tag : NULL;
        char digest[FG_DIGEST_LEN + 1] = "";

        for (int depth = 0; depth <= NESTING_MAX; depth++) {
                fg_cleanup(fg_manifest_freep) struct fg_manifest *m = NULL;
                const struct fg_descriptor *next;
                fg_autofree char *type = NULL;

                if (fetch_document(s, digest[0] ? digest : NULL, &text, &type, err) < 0)
                        return -1;
                m = fg_manifest_parse(text.data ? text.data : "", text.len, type, err);
                if (!m)
                        return -1;
                if (!m->index) {
                        fg_digest_of(text.data, text.len, ret->digest);
                        ret->manifest = fg_take_ptr(m);
                        ret->manifest_len = text.len;
                        ret->manifest_text = fg_buf_take(&text);
                        return 0;
                }
                next = fg_manifest_select(m, name, s->config->platform, err);
                if (!next)
                        return -1;
                memcpy(digest, next->digest, sizeof(digest));
                name = NULL;
        }
        return fg_fail(err, FG_ERR_INVALID, "indexes nested more than %d deep", NESTING_MAX);
}

static int resolve(struct resolver *s, struct fg_resolved *ret, struct fg_error *err)
{
        if (find_manifest(s, ret, err) < 0 || fetch_config(s, &ret->manifest->config, ret, err) < 0)
                return -1;
        return 0;
}

static int resolve_registry(struct resolver *s, const atomic_bool *cancel, struct fg_resolved *ret,
                            struct fg_error *err)
{
        fg_cleanup(fg_registry_freep) struct fg_registry *registry = fg_registry_new(
                &s->config->registry, s->ref, NULL, cancel);

        s->registry = registry;
        if (resolve(s, ret, err) < 0)
                return -1;
        fg_registry_grant(registry, &ret->grant);
        return 0;
}

static int resolve_local(struct resolver *s, struct fg_resolved *ret, struct fg_error *err)
{
        if (s->ref->transport == FG_TRANSPORT_OCI) {
                ret->dir = fg_strdup(s->ref->path);
        } else {
                ret->scratch = fg_blobstore_scratch(s->config->store, err);
                if (!ret->scratch)
                        return -1;
                ret->dir = fg_strdup(ret->scratch);
                if (fg_archive_convert(s->config->archive_program, s->ref->path, s->ref->tag,
                                       ret->dir, err) < 0)
                        return -1;
        }
        s->dir = ret->dir;
        return resolve(s, ret, err);
}

int fg_source_resolve(const struct fg_source_config *config, const char *reference,
                      const atomic_bool *cancel, struct fg_resolved *ret, struct fg_error *err)
{
        fg_cleanup(fg_reference_freep) struct fg_reference *ref = fg_reference_parse(reference,
                                                                                     err);
        struct resolver s = { .config = config, .ref = ref };
        int r;

        if (!ref)
                return -1;
        r = ref->transport == FG_TRANSPORT_REGISTRY ? resolve_registry(&s, cancel, ret, err)
                                                    : resolve_local(&s, ret, err);
        if (r == 0)
                return 0;
        fg_resolved_finish(ret);
        return fg_wrap(err, "failed to resolve ref %s", reference);
}

int fg_source_fetch(const struct fg_source_config *config, const char *reference,
                    const struct fg_grant *grant, const char *dir, struct fg_blob_writer *w,
                    const atomic_bool *cancel, struct fg_error *err)
{
        fg_cleanup(fg_registry_freep) struct fg_registry *registry = NULL;
        fg_cleanup(fg_reference_freep) struct fg_reference *ref = NULL;
        int r;

        ref = fg_reference_parse(reference, err);
        if (!ref)
                return -1;
        if (dir) {
                r = fg_layout_blob(dir, w, cancel, err);
        } else {
                registry = fg_registry_new(&config->registry, ref, grant, cancel);
                r = fg_registry_blob(registry, w, err);
        }
        return r < 0 ? fg_wrap(err, "failed to copy layer of %s", reference) : 0;
}
