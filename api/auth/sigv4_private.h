/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <openssl/evp.h>

#include "api/auth/sigv4.h"
#include "core/buf.h"

#define SHA256_LEN   32
#define CACHE_SIZE   64 /* derived keys */
#define SIGV4_PREFIX "AWS4-HMAC-SHA256"

struct derived {
        char key_id[FG_SIGV4_KEY_ID_MAX + 1]; /* "": free */
        char date[9], region[FG_SIGV4_SCOPE_MAX + 1], service[FG_SIGV4_SCOPE_MAX + 1];
        unsigned char key[SHA256_LEN];
};

struct fg_sigv4 {
        EVP_MD *sha256;
        EVP_MD_CTX *digest;
        EVP_MAC *hmac_type;
        EVP_MAC_CTX *hmac;
        struct fg_buf text;    /* the canonical request */
        struct fg_buf scratch; /* path or parameters, before they are in order */
        struct derived cache[CACHE_SIZE];
};

void sigv4_hex_digest(struct fg_sigv4 *v, const void *data, size_t len, char ret[65]);
/** sigv4_next_param() - the next "name=value" of a query; false at its end. @ret_value may be
 * empty. */
struct sigv4_param {
        const char *name, *value;
        size_t name_len, value_len;
};
bool sigv4_next_param(const char **rest, struct sigv4_param *ret);
/** sigv4_find_header() - the first of that name; NULL: none. */
const char *sigv4_find_header(const struct fg_sigv4_message *m, const char *name);
int sigv4_hex_value(char c); /* -1: not a hexadecimal digit */
