/* SPDX-License-Identifier: Apache-2.0 */

/* unpack-layers ROOT [FILE DIFF_ID]...: the image code as a program, for comparison with others. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "guest-init/layer.h"

static ssize_t read_file(void *data, void *buf, size_t len, struct fg_error *err)
{
        ssize_t n = read(*(int *)data, buf, len);

        return n < 0 ? fg_fail_errno(err, errno, "read") : n;
}

static int digest_of(int fd, char ret[FG_DIGEST_LEN + 1], struct fg_error *err)
{
        fg_cleanup(fg_sha256_freep) struct fg_sha256 *h = fg_sha256_new();
        static char buf[1 << 20];
        ssize_t n;

        while ((n = read_file(&fd, buf, sizeof(buf), err)) > 0)
                fg_sha256_update(h, buf, (size_t)n);
        fg_sha256_final(h, ret);
        return n < 0 || lseek(fd, 0, SEEK_SET) < 0 ? -1 : 0;
}

static int apply(int root, const char *path, const char *diff_id, struct fg_layer_usage *usage,
                 struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
        char digest[FG_DIGEST_LEN + 1];
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return fg_fail_errno(err, errno, "%s", path);
        if (digest_of(fd, digest, err) < 0)
                return -1;
        return fg_layer_apply(root,
                              &(struct fg_layer_source){ .read = read_file,
                                                         .data = &fd,
                                                         .digest = digest,
                                                         .diff_id = diff_id,
                                                         .size = (uint64_t)st.st_size },
                              &FG_LAYER_LIMITS_DEFAULT, usage, err);
}

int main(int argc, char **argv)
{
        struct fg_layer_usage usage = { 0 };
        struct fg_error err = FG_ERROR_INIT;
        fg_autoclose int root = -1;

        if (argc < 2 || argc % 2 != 0) {
                (void)fprintf(stderr, "usage: %s ROOT [FILE DIFF_ID]...\n", argv[0]);
                return 2;
        }
        root = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root < 0) {
                perror(argv[1]);
                return 1;
        }
        for (int i = 2; i < argc; i += 2)
                if (apply(root, argv[i], argv[i + 1], &usage, &err) < 0) {
                        (void)fprintf(stderr, "%s\n", err.msg);
                        return 1;
                }
        return 0;
}
