/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/error.h"

/*
 * Images: references, registries, and a store of verified, still compressed blobs by digest. fgd is
 * a pull-through mirror for its guests: nothing in the daemon ever decompresses or parses a layer.
 * Loop thread only; downloads run in lanes; callbacks run on the loop, never from inside the call.
 */
struct fg_images;
struct fg_pull;

/* What the child that prepares an image may take, beside bytes of the disk. */
struct fg_prepare_limits {
        unsigned seconds;     /* from its start to its end */
        unsigned cpu_seconds; /* of each of its processes */
        uint64_t memory;      /* of each of its processes, bytes of address space */
};
#define FG_PREPARE_LIMITS_DEFAULT                                                                  \
        ((struct fg_prepare_limits){                                                               \
                .seconds = 1800, .cpu_seconds = 1800, .memory = UINT64_C(2) << 30 })

struct fg_images_config {
        const char *dir;           /* the store: blobs/sha256/…, images.db, tmp/ */
        uint64_t max_bytes;        /* least recently used images go beyond this; 0: no cap */
        unsigned parallel;         /* simultaneous downloads over all pulls */
        const char *docker_config; /* path of a config.json, NULL: none */
        const char *ca_file;       /* extra CA bundle (PEM), NULL: the system's */
        const char *insecure;      /* comma-separated registries spoken to without TLS, or NULL;
                                      loopback registries are always tried with TLS first */
        const char *platform;      /* "linux/amd64" */
        uint64_t prepared_max;     /* bytes of an unpacked image that is still prepared */
        struct fg_prepare_limits prepare;
        gid_t readers; /* group that may read prepared images */
};

int fg_images_new(sd_event *event, const struct fg_images_config *config, struct fg_images **ret,
                  struct fg_error *err);
/** fg_images_free() - cancels pulls (their done() runs with an error first), joins the lanes. */
void fg_images_free(struct fg_images *images);
FG_DEFINE_CLEANUP(struct fg_images *, fg_images_free)

/** fg_reference_check() - is @s a well-formed reference (registry or oci:/docker-archive:)? 0 / -1
 * INVALID. */
int fg_reference_check(const char *s, struct fg_error *err);
/** fg_reference_normalize() - "busybox" to "docker.io/library/busybox:latest"; caller frees; NULL:
 * INVALID. */
char *fg_reference_normalize(const char *s, struct fg_error *err);

/* A resolved image. Strings are borrowed for the callback. */
struct fg_image {
        const char *reference;            /* normalised */
        char manifest[FG_DIGEST_LEN + 1]; /* of the single-platform manifest */
        char config[FG_DIGEST_LEN + 1];
        uint64_t size; /* manifest + config + compressed layers, bytes */
        unsigned layers;
        uint64_t pulled_ns, used_ns; /* CLOCK_REALTIME */
        bool prepared;               /* there is an EROFS, verified or not */
        const char *unprepared_why;  /* there can be none; NULL: nobody knows */
};

struct fg_pull_progress {
        uint64_t done_bytes,
                total_bytes; /* total may grow until the manifest is known; 0: unknown */
        unsigned layers_done, layers;
        const char *status; /* "resolving", "downloading", "verifying" */
};

enum fg_pull_policy { FG_PULL_ALWAYS, FG_PULL_MISSING };
/* ALWAYS asks the registry what the tag means now and downloads what is missing; MISSING uses the
   store when it has the reference. References with a digest never ask when they are stored. */

typedef void (*fg_pull_progress_fn)(void *userdata, const struct fg_pull_progress *p);
/* @err NULL: @image is complete, verified, and pinned once (see fg_images_unpin). */
typedef void (*fg_pull_done_fn)(void *userdata, const struct fg_image *image,
                                const struct fg_error *err);

/** fg_images_pull() - make @reference complete in the store. progress may be NULL (rate-limited to
 * 10/s). */
int fg_images_pull(struct fg_images *images, const char *reference, enum fg_pull_policy policy,
                   fg_pull_progress_fn progress, fg_pull_done_fn done, void *userdata,
                   struct fg_pull **ret, struct fg_error *err);
/** fg_pull_cancel() - done() will not be called; what was downloaded stays for a later resume. */
void fg_pull_cancel(struct fg_pull *pull);

/* Pins keep an image from garbage collection. In memory only: the owner pins again after a restart.
 */
int fg_images_pin(struct fg_images *images, const char *manifest_digest);
void fg_images_unpin(struct fg_images *images, const char *manifest_digest);

/** fg_images_list() - calls @each on the loop for each stored image, then once with NULL. */
void fg_images_list(struct fg_images *images,
                    void (*each)(void *userdata, const struct fg_image *image), void *userdata);
/** fg_images_remove() - forget a reference (or "sha256:…" manifest); blobs nobody needs go. done
 * err: NOT_FOUND, CONFLICT (pinned). */
void fg_images_remove(struct fg_images *images, const char *reference,
                      void (*done)(void *userdata, const struct fg_error *err), void *userdata);
/** fg_images_prune() - remove all unpinned images; done gets the bytes freed. */
void fg_images_prune(struct fg_images *images,
                     void (*done)(void *userdata, uint64_t freed, const struct fg_error *err),
                     void *userdata);

/** fg_images_has_blob() - does @digest belong to the image with @manifest_digest (itself, config,
 * layer)? */
bool fg_images_has_blob(struct fg_images *images, const char *manifest_digest, const char *digest);
/** fg_images_open_blob() - read-only descriptor of a verified blob; caller closes. -1: NOT_FOUND.
 * Any thread. */
int fg_images_open_blob(struct fg_images *images, const char *digest, uint64_t *ret_size,
                        struct fg_error *err);
/**
 * fg_images_known() - what @reference means in the store now, without asking a registry
 * Return: @ret, filled; its strings live until the store changes. NULL: nothing.
 */
const struct fg_image *fg_images_known(struct fg_images *images, const char *reference,
                                       struct fg_image *ret);

/*
 * A prepared image: one read-only EROFS in the shape of guest-init/image_unpack.h, made once by a
 * child in a sandbox with the unpacking code of the guests, kept as a blob beside the layers and
 * gone with the image. VMs have it as a disk, so that nothing is left to unpack.
 */
typedef void (*fg_prepared_fn)(void *userdata, const char *path, const struct fg_error *err);

/** fg_images_prepared() - path of the EROFS if there is one that nobody has changed since its
 * content was known; the caller frees it. Ask it before each use: it costs microseconds. */
char *fg_images_prepared(struct fg_images *images, const char *manifest);
/**
 * fg_images_prepare_ahead() - begin to make the EROFS of what is being pulled
 * Its layers are unpacked as they come. fg_images_prepare(), once the image is there, joins in.
 * Nothing happens while too little is known of it, or another image is prepared ahead.
 */
void fg_images_prepare_ahead(struct fg_images *images, struct fg_pull *pull);
/**
 * fg_images_prepare() - verify the EROFS of a stored image if it was changed, or make it
 * @done: may be NULL; its @err: INVALID (this image cannot be prepared, says why), others may go
 *        better another time. Pin the image, or it may be gone by then.
 * Return: 0, or -1: NOT_FOUND
 */
int fg_images_prepare(struct fg_images *images, const char *manifest, fg_prepared_fn done,
                      void *userdata, struct fg_error *err);
/** fg_images_bytes() - size of the store as last known, for metrics. */
uint64_t fg_images_bytes(struct fg_images *images);
