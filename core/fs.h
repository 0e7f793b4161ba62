/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/error.h"

int fg_mkdir_p(const char *path, mode_t mode, struct fg_error *err);
/** fg_rm_rf() - remove a tree without following links; a missing path is success. */
int fg_rm_rf(const char *path, struct fg_error *err);
/** fg_write_all() - write(2) until done, EINTR retried. */
int fg_write_all(int fd, const void *data, size_t len, struct fg_error *err);
/** fg_write_file() - replace @path atomically (temporary, fsync, rename, fsync of the directory).
 */
int fg_write_file(const char *path, const void *data, size_t len, mode_t mode,
                  struct fg_error *err);
int fg_fsync_dir(const char *path, struct fg_error *err);
/** fg_copy_sparse() - copy the data extents of @src to @dst (created, mode), holes stay holes. */
int fg_copy_sparse(const char *src, const char *dst, mode_t mode, struct fg_error *err);
/** fg_lock_file() - open and flock(LOCK_EX|LOCK_NB). Return: fd, or -1: CONFLICT when held. */
int fg_lock_file(const char *path, struct fg_error *err);
struct open_how;
/**
 * fg_openat2() - openat2(2), which gives up when anything anywhere is renamed while a path that
 * must stay in a directory goes through "..": tried again then, though not for ever Return: the
 * descriptor, or -1 with errno
 */
int fg_openat2(int dir, const char *path, const struct open_how *how);
bool fg_exists(const char *path);
/*
 * Which file it is, how large, and when it was changed last. No process but root's can write to a
 * file and leave the time of its last change as it was. Compared as text.
 */
#define FG_STAMP_LEN 159
/** fg_stamp() - of a regular file; links are not followed. Return: false when it is none. */
bool fg_stamp(const char *path, char ret[FG_STAMP_LEN + 1]);
/* With less room than this a file system counts as full. */
#define FG_ROOM_MIN (16u << 20)
/** fg_has_room() - can more be written where @path is? True when that cannot be known. */
bool fg_has_room(const char *path);
