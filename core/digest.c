/* SPDX-License-Identifier: Apache-2.0 */
#include "core/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/str.h"

#define READ_SIZE (1u << 20)

void fg_digest_of(const void *data, size_t len, char ret[FG_DIGEST_LEN + 1])
{
        fg_cleanup(fg_sha256_freep) struct fg_sha256 *h = fg_sha256_new();

        fg_sha256_update(h, data, len);
        fg_sha256_final(h, ret);
}

int fg_digest_of_file(int fd, char ret[FG_DIGEST_LEN + 1], struct fg_error *err)
{
        fg_cleanup(fg_sha256_freep) struct fg_sha256 *h = fg_sha256_new();
        fg_autofree char *data = fg_calloc(1, READ_SIZE);
        off_t at = 0;
        ssize_t n;

        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        while ((n = pread(fd, data, READ_SIZE, at)) > 0) {
                fg_sha256_update(h, data, (size_t)n);
                at += n;
        }
        fg_sha256_final(h, ret);
        return n < 0 ? fg_fail_errno(err, errno, "read") : 0;
}

bool fg_digest_valid(const char *s)
{
        return fg_starts_with(s, "sha256:") && strlen(s) == FG_DIGEST_LEN &&
               strspn(s + 7, "0123456789abcdef") == 64;
}
