/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "core/buf.h"

/*
 * An archive (cpio, newc) for the kernel to unpack after the initramfs: it takes several, one
 * behind the other, each at a multiple of four bytes. Everything in it is root's.
 */

/** fg_cpio_add() - an entry; directories first. @mode: type and permissions */
int fg_cpio_add(struct fg_buf *out, const char *name, mode_t mode, const void *data, size_t len,
                struct fg_error *err);
int fg_cpio_end(struct fg_buf *out, struct fg_error *err);
