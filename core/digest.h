/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/cleanup.h"
#include "core/error.h"

/* Streaming SHA-256. OpenSSL EVP on the host, nettle in the static guest: one header, two files. */

#define FG_DIGEST_LEN 71 /* "sha256:" and 64 lower-case hex digits */

struct fg_sha256;

struct fg_sha256 *fg_sha256_new(void);
void fg_sha256_free(struct fg_sha256 *h);
void fg_sha256_update(struct fg_sha256 *h, const void *data, size_t len);
/** fg_sha256_final() - "sha256:<hex>" into @ret; @h may then only be freed. */
void fg_sha256_final(struct fg_sha256 *h, char ret[FG_DIGEST_LEN + 1]);
FG_DEFINE_CLEANUP(struct fg_sha256 *, fg_sha256_free)

void fg_digest_of(const void *data, size_t len, char ret[FG_DIGEST_LEN + 1]);
/** fg_digest_of_file() - of an open one, from its first byte on. Blocks. */
int fg_digest_of_file(int fd, char ret[FG_DIGEST_LEN + 1], struct fg_error *err);
bool fg_digest_valid(const char *s); /* exactly "sha256:" + 64 lower-case hex digits */
