/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/error.h"

/* Where an image comes from. Pure; any thread. */
enum fg_transport { FG_TRANSPORT_REGISTRY, FG_TRANSPORT_OCI, FG_TRANSPORT_ARCHIVE };

struct fg_reference {
        enum fg_transport transport;
        char *registry;                 /* "docker.io", host[:port]; registry only */
        char *repository;               /* "library/busybox"; registry only */
        char *tag;                      /* NULL with a digest only; OCI tag or name in an archive */
        char digest[FG_DIGEST_LEN + 1]; /* "": none */
        char *path;                     /* absolute; oci: and docker-archive: only */
};

/** fg_reference_parse() - NULL: INVALID. */
struct fg_reference *fg_reference_parse(const char *s, struct fg_error *err);
void fg_reference_free(struct fg_reference *ref);
FG_DEFINE_CLEANUP(struct fg_reference *, fg_reference_free)

/** fg_reference_text() - the normalised spelling; caller frees. */
char *fg_reference_text(const struct fg_reference *ref);
/** fg_reference_host() - host[:port] to connect to: docker.io's registry has another name. */
const char *fg_reference_host(const struct fg_reference *ref);
/** fg_host_is_loopback() - is host[:port] "localhost" or a loopback address? */
bool fg_host_is_loopback(const char *host);
