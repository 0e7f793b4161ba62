/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "guest-init/layer.h"

#include "core/cleanup.h"

/* What the files of layer*.c share. */

struct archive;
struct archive_entry;

/*
 * The names that this layer has made, as 64-bit hashes of (inode of the directory, name): opaque
 * directories and whiteouts hide what lower layers left, wherever in the layer they stand. A
 * directory's number stands for its path, so links among the parents do not matter. A collision
 * would let one lower file survive, which only an image's author could arrange, in that image.
 */
struct fg_layer_seen {
        uint64_t *slots; /* open addressing; 0 is empty */
        size_t mask;
        size_t count;
};

int fg_layer_seen_add(struct fg_layer_seen *seen, ino_t dir, const char *name,
                      struct fg_error *err);
bool fg_layer_seen_has(const struct fg_layer_seen *seen, ino_t dir, const char *name);
void fg_layer_seen_finish(struct fg_layer_seen *seen);

/* Modes and times of directories are set last: what is made inside would need or change them. */
struct fg_layer_dir {
        char *path;
        ino_t ino; /* another inode in its place: it was replaced later in the layer */
        mode_t mode;
        struct timespec mtime;
};

struct fg_layer_stream;

struct fg_layer {
        int root_fd;
        struct fg_layer_stream *stream;
        struct fg_error read_err; /* why the stream failed, libarchive cannot carry it */
        const struct fg_layer_limits *limits;
        struct fg_layer_usage *usage;
        struct fg_layer_seen seen;
        struct fg_layer_dir *dirs;
        size_t dir_count;
};

/* layer_stream.c: from the source's bytes to the tar's, hashing both. */
struct fg_layer_stream *fg_layer_stream_new(const struct fg_layer_source *src,
                                            const struct fg_layer_limits *limits,
                                            struct fg_layer_usage *usage, struct fg_error *err);
void fg_layer_stream_free(struct fg_layer_stream *stream);
FG_DEFINE_CLEANUP(struct fg_layer_stream *, fg_layer_stream_free)
/** fg_layer_stream_next() - the next bytes of the tar, valid until the next call; 0: the end. */
ssize_t fg_layer_stream_next(struct fg_layer_stream *stream, const void **ret,
                             struct fg_error *err);
/** fg_layer_stream_verify() - read both to their ends and compare length and digests. */
int fg_layer_stream_verify(struct fg_layer_stream *stream, struct fg_error *err);

/** fg_layer_fail_tar() - the reason why @tar cannot be read on. Return: -1. */
int fg_layer_fail_tar(struct fg_layer *layer, struct archive *tar, struct fg_error *err);

/* layer_entry.c: one entry of the tar becomes one file. */
int fg_layer_entry_apply(struct fg_layer *layer, struct archive *tar, struct archive_entry *entry,
                         struct fg_error *err);

/* layer_attrs.c */
int fg_layer_attrs_check(struct archive_entry *entry, struct fg_error *err);
/** fg_layer_attrs_set() - owner and extended attributes of an open file or directory. */
int fg_layer_attrs_set(struct fg_layer *layer, int fd, struct archive_entry *entry,
                       struct fg_error *err);
/** fg_layer_attrs_set_at() - owner, mode and time of anything else; its xattrs are dropped. */
int fg_layer_attrs_set_at(struct fg_layer *layer, int dir_fd, const char *name,
                          struct archive_entry *entry, struct fg_error *err);
void fg_layer_attrs_mtime(struct archive_entry *entry, struct timespec ret[2]);

/* layer_whiteout.c */
enum fg_whiteout {
        FG_WHITEOUT_NONE,    /* an ordinary name */
        FG_WHITEOUT_FILE,    /* hides the name after its prefix */
        FG_WHITEOUT_OPAQUE,  /* hides all of its directory */
        FG_WHITEOUT_IGNORED, /* bookkeeping of aufs */
};
/** fg_whiteout_parse() - what @dir/@base is, or -1: INVALID. */
int fg_whiteout_parse(const char *dir, const char *base, struct fg_error *err);
/** fg_whiteout_apply() - @kind is FILE or OPAQUE. */
int fg_whiteout_apply(struct fg_layer *layer, enum fg_whiteout kind, const char *dir,
                      const char *base, struct fg_error *err);

/* layer_tree.c */
/**
 * fg_layer_tree_remove() - remove @name in @dir_fd and everything below it; absent is fine
 * @seen: spares the names in it and the directories that lead to them; NULL spares nothing
 */
int fg_layer_tree_remove(int dir_fd, const char *name, const struct fg_layer_seen *seen,
                         struct fg_error *err);
