/* SPDX-License-Identifier: Apache-2.0 */
#include "core/digest.h"

#include <string.h>

#include "core/str.h"

void fg_digest_of(const void *data, size_t len, char ret[FG_DIGEST_LEN + 1])
{
        fg_cleanup(fg_sha256_freep) struct fg_sha256 *h = fg_sha256_new();

        fg_sha256_update(h, data, len);
        fg_sha256_final(h, ret);
}

bool fg_digest_valid(const char *s)
{
        return fg_starts_with(s, "sha256:") && strlen(s) == FG_DIGEST_LEN &&
               strspn(s + 7, "0123456789abcdef") == 64;
}
