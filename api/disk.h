/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/lane.h"

/*
 * Scratch disks: sparse raw files with an ext4 that was made once per size and is then copied,
 * holes as holes. Loop only; the work is done on the io lane.
 */
typedef void (*fg_disk_done_fn)(void *userdata, const struct fg_error *err);

/**
 * fg_disk_make() - a fresh scratch disk at @path; templates live in @cache_dir
 * Return: the job, for fg_disk_cancel(); it is gone when @done is called.
 */
struct fg_disk_job *fg_disk_make(struct fg_lane *io, const char *cache_dir, const char *path,
                                 unsigned size_gib, fg_disk_done_fn done, void *userdata);
/** fg_disk_copy() - one with the content of @source */
struct fg_disk_job *fg_disk_copy(struct fg_lane *io, const char *source, const char *path,
                                 fg_disk_done_fn done, void *userdata);
/** fg_disk_cancel() - nobody needs the disk any more: unless its making has begun, it is not made.
 * @done is called all the same. */
void fg_disk_cancel(struct fg_disk_job *job);
/** fg_disk_remove() - delete a directory tree. */
void fg_disk_remove(struct fg_lane *io, const char *dir, fg_disk_done_fn done, void *userdata);
