/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"

/*
 * Applying image layers. All layers of an image are applied in order into one directory: a layer
 * is a set of changes, and the scratch disk belongs to one task, so there is nothing to share and
 * no overlay between layers. Untrusted: every name is resolved inside the root, every size bounded.
 */

/* Where the bytes of one layer come from, and what they must turn out to be. */
struct fg_layer_source {
        /* Up to @len bytes of the (compressed) layer, in order. 0: the end. -1: @err is set. */
        ssize_t (*read)(void *data, void *buf, size_t len, struct fg_error *err);
        void *data;          /* passed to read() */
        const char *digest;  /* of the bytes read */
        const char *diff_id; /* of the tar inside */
        uint64_t size;       /* bytes that read() delivers until its end */
        bool verified;       /* @digest was verified when they came: only the diff_id is, then */
};

/* Hold for a whole image: struct fg_layer_usage carries the sums from layer to layer. */
struct fg_layer_limits {
        uint64_t bytes;   /* of all tar streams, uncompressed; no single file may be longer */
        uint64_t entries; /* of all tar streams */
        size_t name;      /* bytes of an entry's path, and of a link's target */
        size_t depth;     /* components of an entry's path */
        size_t xattrs;    /* bytes of one entry's extended attributes, names and values */
        bool devices;     /* character and block devices are created; else those below /dev are
                             left out and others refused */
};

#define FG_LAYER_LIMITS_DEFAULT                                                                    \
        ((struct fg_layer_limits){ .bytes = UINT64_C(64) << 30,                                    \
                                   .entries = UINT64_C(4) << 20,                                   \
                                   .name = 4095,                                                   \
                                   .depth = 256,                                                   \
                                   .xattrs = 64 << 10,                                             \
                                   .devices = true })

struct fg_layer_usage {
        uint64_t bytes;
        uint64_t entries;
        uint64_t xattrs_dropped; /* attributes that only mean something where the image was built */
};

/**
 * fg_layer_apply() - unpack one layer over what is in a directory, and verify both its digests
 * @root_fd: the directory; becomes "/" for every name and link of the layer
 * @usage:   sums of the image's layers so far; zeroed before the first
 * Return: 0, or -1; the message names the layer and the entry: INVALID (not a tar, or an entry that
 *         cannot be), UPSTREAM (a digest or the length is wrong), CAPACITY (over a limit, or the
 *         disk is full), or what read() failed with. The directory is then half written: discard
 * it. Needs CAP_CHOWN, CAP_FOWNER, CAP_DAC_OVERRIDE, CAP_SETFCAP, CAP_MKNOD, and openat2
 * (Linux 5.6).
 */
int fg_layer_apply(int root_fd, const struct fg_layer_source *src,
                   const struct fg_layer_limits *limits, struct fg_layer_usage *usage,
                   struct fg_error *err);
