/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/error.h"
#include "core/secret.h"

/* One receiver of events, over libcurl. Lane only, but for fg_poster_new() and fg_poster_free(). */
struct fg_poster;

struct fg_poster_config {
        const char *url, *ca_file;      /* borrowed; ca_file may be NULL */
        const struct fg_secret *secret; /* of the signature; borrowed; NULL: none */
        const atomic_bool *cancel;      /* ends a request within a second */
};

/** fg_poster_new() - INVALID: not an http or https URL. */
int fg_poster_new(const struct fg_poster_config *config, struct fg_poster **ret,
                  struct fg_error *err);
void fg_poster_free(struct fg_poster *p);
FG_DEFINE_CLEANUP(struct fg_poster *, fg_poster_free)

enum fg_post { FG_POST_TAKEN, FG_POST_REFUSED, FG_POST_AGAIN };

/**
 * fg_poster_post() - one attempt
 * @ret_wait: for AGAIN, the seconds that the receiver asked for; 0: it did not
 * Return: what to do; @err says why it was not taken.
 */
enum fg_post fg_poster_post(struct fg_poster *p, uint64_t number, const char *body,
                            uint64_t *ret_wait, struct fg_error *err);
