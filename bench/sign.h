/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* Signature version 4 for a load of one service, as fast as it gets. */
struct fg_signer;

/** fg_signer_from_environment() - AWS_ACCESS_KEY_ID and its kin; NULL: not set, do not sign. */
struct fg_signer *fg_signer_from_environment(void);
void fg_signer_free(struct fg_signer *s);
/** fg_signer_headers() - the header lines that sign a POST / of the JSON protocol. */
void fg_signer_headers(struct fg_signer *s, const char *host, const char *target, const char *body,
                       char *ret, size_t size);
