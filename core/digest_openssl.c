/* SPDX-License-Identifier: Apache-2.0 */
#include "core/digest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/str.h"

struct fg_sha256 {
        EVP_MD_CTX *ctx;
};

struct fg_sha256 *fg_sha256_new(void)
{
        struct fg_sha256 *h = fg_calloc(1, sizeof(*h));

        h->ctx = EVP_MD_CTX_new();
        if (!h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1)
                abort();
        return h;
}

void fg_sha256_free(struct fg_sha256 *h)
{
        if (!h)
                return;
        EVP_MD_CTX_free(h->ctx);
        free(h);
}

void fg_sha256_update(struct fg_sha256 *h, const void *data, size_t len)
{
        if (EVP_DigestUpdate(h->ctx, data, len) != 1)
                abort();
}

void fg_sha256_final(struct fg_sha256 *h, char ret[FG_DIGEST_LEN + 1])
{
        unsigned char sum[EVP_MAX_MD_SIZE];
        unsigned len = 0;

        if (EVP_DigestFinal_ex(h->ctx, sum, &len) != 1 || len != 32)
                abort();
        (void)snprintf(ret, FG_DIGEST_LEN + 1, "sha256:");
        fg_hex(sum, len, ret + 7);
}
