/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/template_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"

static int add_content(struct fg_sha256 *hash, const char *path, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
        char digest[FG_DIGEST_LEN + 1];

        if (fd < 0)
                return fg_fail_errno(err, errno, "%s", path);
        if (fg_digest_of_file(fd, digest, err) < 0)
                return fg_wrap(err, "%s", path);
        fg_sha256_update(hash, digest, sizeof(digest));
        return 0;
}

static int add_stamp(struct fg_sha256 *hash, const char *path, struct fg_error *err)
{
        fg_autofree char *file = realpath(path, NULL);
        char stamp[FG_STAMP_LEN + 1];

        if (!file || !fg_stamp(file, stamp))
                return fg_fail(err, FG_ERR_NOT_FOUND, "%s is no file", path);
        fg_sha256_update(hash, stamp, strlen(stamp) + 1);
        return 0;
}

int fg_template_key(const struct fg_template_basis *basis, char ret[FG_DIGEST_LEN + 1],
                    struct fg_error *err)
{
        fg_cleanup(fg_sha256_freep) struct fg_sha256 *hash = fg_sha256_new();

        for (size_t i = 0; i < basis->n_texts; i++)
                fg_sha256_update(hash, basis->texts[i], strlen(basis->texts[i]) + 1);
        if (add_stamp(hash, basis->qemu, err) < 0 || add_content(hash, basis->kernel, err) < 0 ||
            add_content(hash, basis->initrd, err) < 0)
                return -1;
        fg_sha256_final(hash, ret);
        return 0;
}
