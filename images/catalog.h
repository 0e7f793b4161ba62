/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/fs.h"
#include "core/table.h"

/*
 * What the store holds, in memory: images, the names that point at them, and blobs. The loop is
 * its only owner; the database in index.h is its durable copy. Pure: no I/O.
 */
struct fg_blob {
        char digest[FG_DIGEST_LEN + 1];
        uint64_t size;
        bool live; /* scratch of a mark phase */
        UT_hash_handle hh;
};

struct fg_adopted;

struct fg_stored {
        char manifest[FG_DIGEST_LEN + 1];
        char config[FG_DIGEST_LEN + 1];
        uint64_t size;
        unsigned layers;
        uint64_t pulled_ns, used_ns;
        unsigned pins;
        char prepared[FG_DIGEST_LEN + 1]; /* blob of its EROFS, "": none */
        char stamp[FG_STAMP_LEN + 1];     /* of that blob when its content was known, "": never */
        char *unprepared_why;             /* it cannot be prepared; NULL: nobody knows */
        char (*blobs)[FG_DIGEST_LEN + 1]; /* manifest, config, layers; each once */
        size_t n_blobs;
        UT_hash_handle hh;
};

struct fg_name {
        char *reference;
        struct fg_stored *image;
        UT_hash_handle hh;
};

struct fg_catalog {
        struct fg_stored *images;
        struct fg_name *names;
        struct fg_blob *blobs;
        uint64_t bytes; /* sum of the blobs' sizes */
};

void fg_stored_free(struct fg_stored *image);
FG_DEFINE_CLEANUP(struct fg_stored *, fg_stored_free)
struct fg_stored *fg_stored_copy(const struct fg_stored *image);
bool fg_stored_has(const struct fg_stored *image, const char *digest);

void fg_catalog_finish(struct fg_catalog *c);
void fg_catalog_add_blob(struct fg_catalog *c, const char *digest, uint64_t size);
bool fg_catalog_has_blob(const struct fg_catalog *c, const char *digest);
void fg_catalog_drop_blob(struct fg_catalog *c, struct fg_blob *take_blob);

/** fg_catalog_add() - an image; one of that digest is replaced, its pins stay. Return: the image.
 */
struct fg_stored *fg_catalog_add(struct fg_catalog *c, struct fg_stored *take_image);
/** fg_catalog_drop() - an image and the names that point at it. */
void fg_catalog_drop(struct fg_catalog *c, struct fg_stored *take_image);
/** fg_catalog_prepare() - the blob of an image's EROFS; NULL takes it back. */
void fg_catalog_prepare(struct fg_catalog *c, struct fg_stored *image,
                        const struct fg_adopted *blob);
struct fg_stored *fg_catalog_image(const struct fg_catalog *c, const char *manifest);
/** fg_catalog_complete() - are all blobs of @image there? */
bool fg_catalog_complete(const struct fg_catalog *c, const struct fg_stored *image);

/** fg_catalog_name() - let @reference mean @image. Return: the image it meant before, or NULL. */
struct fg_stored *fg_catalog_name(struct fg_catalog *c, const char *reference,
                                  struct fg_stored *image);
struct fg_name *fg_catalog_find(const struct fg_catalog *c, const char *reference);
void fg_catalog_unname(struct fg_catalog *c, struct fg_name *take_name);
unsigned fg_catalog_names_of(const struct fg_catalog *c, const struct fg_stored *image);

/** fg_catalog_victim() - the unpinned image to go first: nameless ones, then least recently used.
 */
struct fg_stored *fg_catalog_victim(const struct fg_catalog *c);

/* Mark and sweep: mark_images(), mark() what else is needed, then walk `blobs` for !live. */
void fg_catalog_mark_images(struct fg_catalog *c);
void fg_catalog_mark(struct fg_catalog *c, const char *digest);
