/* SPDX-License-Identifier: Apache-2.0 */
#include "net/nft.h"

#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"

struct fg_nft {
        struct nft_ctx *ctx;
};

int fg_nft_new(struct fg_nft **ret, struct fg_error *err)
{
        fg_cleanup(fg_nft_freep) struct fg_nft *nft = fg_calloc(1, sizeof(*nft));

        nft->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
        if (!nft->ctx || nft_ctx_buffer_error(nft->ctx) != 0 ||
            nft_ctx_buffer_output(nft->ctx) != 0)
                return fg_fail(err, FG_ERR_INTERNAL, "libnftables cannot be used");
        *ret = fg_take_ptr(nft);
        return 0;
}

void fg_nft_free(struct fg_nft *nft)
{
        if (!nft)
                return;
        if (nft->ctx)
                nft_ctx_free(nft->ctx);
        free(nft);
}

int fg_nft_run(struct fg_nft *nft, const char *batch, struct fg_error *err)
{
        const char *why;

        if (nft_run_cmd_from_buffer(nft->ctx, batch) == 0)
                return 0;
        why = nft_ctx_get_error_buffer(nft->ctx);
        /* Its first line says it; the rest draws the place. */
        return fg_fail(err, FG_ERR_INTERNAL, "nftables: %.*s", (int)strcspn(why, "\n"), why);
}
