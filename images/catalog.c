/* SPDX-License-Identifier: Apache-2.0 */
#include "images/catalog.h"

#include <string.h>

#include "core/str.h"
#include "images/blobstore.h"

void fg_stored_free(struct fg_stored *image)
{
        if (!image)
                return;
        free(image->blobs);
        free(image->unprepared_why);
        free(image);
}

struct fg_stored *fg_stored_copy(const struct fg_stored *image)
{
        struct fg_stored *copy = fg_calloc(1, sizeof(*copy));

        *copy = *image;
        memset(&copy->hh, 0, sizeof(copy->hh));
        copy->blobs = fg_calloc(image->n_blobs + 1, sizeof(*copy->blobs));
        memcpy(copy->blobs, image->blobs, image->n_blobs * sizeof(*copy->blobs));
        copy->unprepared_why = fg_strdup(image->unprepared_why);
        return copy;
}

bool fg_stored_has(const struct fg_stored *image, const char *digest)
{
        for (size_t i = 0; i < image->n_blobs; i++)
                if (fg_streq(image->blobs[i], digest))
                        return true;
        return false;
}

void fg_catalog_finish(struct fg_catalog *c)
{
        struct fg_stored *image, *next_image;
        struct fg_blob *blob, *next_blob;

        HASH_ITER (hh, c->images, image, next_image)
                fg_catalog_drop(c, image);
        HASH_ITER (hh, c->blobs, blob, next_blob)
                fg_catalog_drop_blob(c, blob);
}

void fg_catalog_add_blob(struct fg_catalog *c, const char *digest, uint64_t size)
{
        struct fg_blob *blob;

        if (fg_catalog_has_blob(c, digest))
                return;
        blob = fg_calloc(1, sizeof(*blob));
        memcpy(blob->digest, digest, sizeof(blob->digest));
        blob->size = size;
        c->bytes += size;
        HASH_ADD_STR(c->blobs, digest, blob);
}

bool fg_catalog_has_blob(const struct fg_catalog *c, const char *digest)
{
        struct fg_blob *blob;

        HASH_FIND_STR(c->blobs, digest, blob);
        return blob != NULL;
}

void fg_catalog_drop_blob(struct fg_catalog *c, struct fg_blob *take_blob)
{
        c->bytes -= take_blob->size;
        HASH_DEL(c->blobs, take_blob);
        free(take_blob);
}

struct fg_stored *fg_catalog_add(struct fg_catalog *c, struct fg_stored *take_image)
{
        struct fg_stored *old = fg_catalog_image(c, take_image->manifest);

        if (!old) {
                HASH_ADD_STR(c->images, manifest, take_image);
                return take_image;
        }
        /* The same digest is the same content: only the times are news. */
        old->pulled_ns = take_image->pulled_ns;
        old->used_ns = take_image->used_ns;
        fg_stored_free(take_image);
        return old;
}

void fg_catalog_drop(struct fg_catalog *c, struct fg_stored *take_image)
{
        struct fg_name *name, *next;

        HASH_ITER (hh, c->names, name, next)
                if (name->image == take_image)
                        fg_catalog_unname(c, name);
        HASH_DEL(c->images, take_image);
        fg_stored_free(take_image);
}

void fg_catalog_prepare(struct fg_catalog *c, struct fg_stored *image,
                        const struct fg_adopted *blob)
{
        image->prepared[0] = image->stamp[0] = '\0';
        if (!blob)
                return;
        memcpy(image->prepared, blob->digest, sizeof(image->prepared));
        memcpy(image->stamp, blob->stamp, sizeof(image->stamp));
        fg_catalog_add_blob(c, blob->digest, blob->size);
}

struct fg_stored *fg_catalog_image(const struct fg_catalog *c, const char *manifest)
{
        struct fg_stored *image;

        HASH_FIND_STR(c->images, manifest, image);
        return image;
}

bool fg_catalog_complete(const struct fg_catalog *c, const struct fg_stored *image)
{
        for (size_t i = 0; i < image->n_blobs; i++)
                if (!fg_catalog_has_blob(c, image->blobs[i]))
                        return false;
        return true;
}

struct fg_stored *fg_catalog_name(struct fg_catalog *c, const char *reference,
                                  struct fg_stored *image)
{
        struct fg_name *name = fg_catalog_find(c, reference);
        struct fg_stored *before = NULL;

        if (name) {
                before = name->image;
                name->image = image;
                return before;
        }
        name = fg_calloc(1, sizeof(*name));
        name->reference = fg_strdup(reference);
        name->image = image;
        HASH_ADD_KEYPTR(hh, c->names, name->reference, strlen(name->reference), name);
        return NULL;
}

struct fg_name *fg_catalog_find(const struct fg_catalog *c, const char *reference)
{
        struct fg_name *name;

        HASH_FIND_STR(c->names, reference, name);
        return name;
}

void fg_catalog_unname(struct fg_catalog *c, struct fg_name *take_name)
{
        HASH_DEL(c->names, take_name);
        free(take_name->reference);
        free(take_name);
}

unsigned fg_catalog_names_of(const struct fg_catalog *c, const struct fg_stored *image)
{
        struct fg_name *name, *next;
        unsigned n = 0;

        HASH_ITER (hh, c->names, name, next)
                n += name->image == image;
        return n;
}

struct fg_stored *fg_catalog_victim(const struct fg_catalog *c)
{
        struct fg_stored *image, *next, *victim = NULL;
        bool victim_named = true;

        HASH_ITER (hh, c->images, image, next) {
                bool named = fg_catalog_names_of(c, image) > 0;

                if (image->pins || (named && !victim_named))
                        continue;
                if (!victim || (victim_named && !named) || image->used_ns < victim->used_ns) {
                        victim = image;
                        victim_named = named;
                }
        }
        return victim;
}

void fg_catalog_mark(struct fg_catalog *c, const char *digest)
{
        struct fg_blob *blob;

        HASH_FIND_STR(c->blobs, digest, blob);
        if (blob)
                blob->live = true;
}

void fg_catalog_mark_images(struct fg_catalog *c)
{
        struct fg_stored *image, *next_image;
        struct fg_blob *blob, *next_blob;

        HASH_ITER (hh, c->blobs, blob, next_blob)
                blob->live = false;
        HASH_ITER (hh, c->images, image, next_image) {
                for (size_t i = 0; i < image->n_blobs; i++)
                        fg_catalog_mark(c, image->blobs[i]);
                fg_catalog_mark(c, image->prepared);
        }
}
