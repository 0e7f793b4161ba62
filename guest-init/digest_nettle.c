/* SPDX-License-Identifier: Apache-2.0 */
#include "core/digest.h"

#include <nettle/sha2.h>
#include <stdio.h>

#include "core/str.h"

struct fg_sha256 {
        struct sha256_ctx ctx;
};

struct fg_sha256 *fg_sha256_new(void)
{
        struct fg_sha256 *h = fg_calloc(1, sizeof(*h));

        sha256_init(&h->ctx);
        return h;
}

void fg_sha256_free(struct fg_sha256 *h)
{
        free(h);
}

void fg_sha256_update(struct fg_sha256 *h, const void *data, size_t len)
{
        sha256_update(&h->ctx, len, data);
}

void fg_sha256_final(struct fg_sha256 *h, char ret[FG_DIGEST_LEN + 1])
{
        unsigned char sum[SHA256_DIGEST_SIZE];

        sha256_digest(&h->ctx, sizeof(sum), sum);
        (void)snprintf(ret, FG_DIGEST_LEN + 1, "sha256:");
        fg_hex(sum, sizeof(sum), ret + 7);
}
