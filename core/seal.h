/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/error.h"
#include "core/secret.h"

/*
 * Sealing what a database keeps: AES-256-GCM under a key that lies in a file of its own, so that a
 * stolen database gives nothing away. A sealed value is bound to its context (the name it is stored
 * under): in another row it does not open. Thread: any; a key is never changed.
 *
 * The bytes: version (1), key id (8), nonce (12, random), ciphertext, tag (16).
 */
struct fg_seal;

#define FG_SEAL_OVERHEAD 37
#define FG_SEAL_ID_LEN   16 /* hex digits */

/**
 * fg_seal_open() - the key in @path: 64 hex digits and a newline
 * Made, with mode 0600, when the file is missing and @may_create. Refused: a file of another owner,
 * one that others may read or write, anything that is not a key (DENIED, INVALID).
 */
int fg_seal_open(const char *path, bool may_create, struct fg_seal **ret, struct fg_error *err);
void fg_seal_free(struct fg_seal *s); /* wipes the key */
FG_DEFINE_CLEANUP(struct fg_seal *, fg_seal_free)
/** fg_seal_id() - names the key without telling it: for a database to note which key it needs. */
const char *fg_seal_id(const struct fg_seal *s);

/** fg_seal_wrap() - append the sealed form of @data to @ret. */
int fg_seal_wrap(const struct fg_seal *s, const char *context, const void *data, size_t len,
                 struct fg_buf *ret, struct fg_error *err);
/** fg_seal_unwrap() - -1: INVALID (damaged, or of another context), DENIED (another key). */
int fg_seal_unwrap(const struct fg_seal *s, const char *context, const void *sealed, size_t len,
                   struct fg_secret *ret, struct fg_error *err);
