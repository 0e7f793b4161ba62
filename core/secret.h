/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "core/cleanup.h"

/*
 * Bytes that nobody else may see: a struct, so that no format string takes it by accident. They
 * live in pages of their own that are left out of core dumps and are empty in a forked child, and
 * are wiped when they are given up. data[len] is '\0'; data is NULL while nothing was allocated.
 */
struct fg_secret {
        char *data;
        size_t len;
        size_t mapped_; /* bytes of the pages */
};

#define FG_SECRET_INIT ((struct fg_secret){ 0 })
#define FG_SECRET_TEXT "***" /* what a message says in its place */

/** fg_secret_alloc() - @len zero bytes to be filled, in place of what @s held; aborts out of
 * memory: the caller has capped @len. */
void fg_secret_alloc(struct fg_secret *s, size_t len);
void fg_secret_set(struct fg_secret *s, const void *data, size_t len); /* a copy of @data */
/** fg_secret_finish() - wipe and give up; safe on an empty one; for fg_cleanup(). */
void fg_secret_finish(struct fg_secret *s);
#define fg_autosecret fg_cleanup(fg_secret_finish) struct fg_secret
