/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/buf.h"
#include "core/error.h"

/* The certificate and key of TLS listeners, as PEM. */
struct fg_tls {
        struct fg_buf certificate, key;
        char fingerprint[32 * 3]; /* SHA-256 of the certificate, "AB:CD:…" */
};

/** fg_tls_load() - from two files; checks that they belong together. */
int fg_tls_load(const char *certificate, const char *key, struct fg_tls *ret, struct fg_error *err);
/**
 * fg_tls_self_signed() - for development: DIR/cert.pem and DIR/key.pem (0600), an ECDSA certificate
 * for localhost, its addresses and the host's name; made when it is missing or has less than a
 * month left.
 */
int fg_tls_self_signed(const char *dir, struct fg_tls *ret, struct fg_error *err);
void fg_tls_finish(struct fg_tls *t); /* wipes the key; safe on a zeroed one */
