/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Layers as a stranger packs them, applied twice: over nothing, and over what that left. Nothing
 * may appear or vanish beside the root, and no limit may be passed.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/fs.h"
#include "core/str.h"
#include "guest-init/layer.h"

#define INPUT_MAX (256u << 10)
#define BLOCK     512

static const struct fg_layer_limits limits = {
        .bytes = 1 << 20, .entries = 500, .name = 1000, .depth = 20, .xattrs = 4096
};

static char top[] = "/var/tmp/fg-fuzz-layer.XXXXXX";

struct input {
        const char *data;
        size_t len, at;
};

static ssize_t read_input(void *data, void *buf, size_t len, struct fg_error *err)
{
        struct input *in = data;
        size_t n = in->len - in->at < len ? in->len - in->at : len;

        memcpy(buf, in->data + in->at, n);
        in->at += n;
        return (ssize_t)n;
}

/* Headers get their checksums, without which no mutation would be seen past them. */
static void mend(char *tar, size_t len)
{
        for (char *h = tar; h + BLOCK <= tar + len; h += BLOCK) {
                unsigned sum = 0;

                if (memcmp(h + 257, "ustar", 5) != 0)
                        continue;
                memset(h + 148, ' ', 8);
                for (size_t i = 0; i < BLOCK; i++)
                        sum += (unsigned char)h[i];
                (void)snprintf(h + 148, 8, "%06o", sum);
        }
}

static void remove_top(void)
{
        struct fg_error err = FG_ERROR_INIT;

        (void)fg_rm_rf(top, &err);
}

/* A directory with nothing but a file that is not to be touched. */
static int open_top(void)
{
        static bool made;
        struct fg_error err = FG_ERROR_INIT;
        int fd;

        if (!made) {
                assert(mkdtemp(top));
                (void)atexit(remove_top);
        }
        fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert(fd >= 0);
        if (!made) {
                fg_autofree char *path = fg_asprintf("%s/outside", top);

                assert(fg_write_file(path, "untouched", 9, 0600, &err) == 0);
                made = true;
        }
        return fd;
}

static void check_top(int fd)
{
        fg_cleanup(closedirp) DIR *dir = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
        unsigned names = 0;
        struct stat st;

        assert(dir);
        rewinddir(dir);
        while (readdir(dir))
                names++;
        assert(names == 4); /* ".", "..", "outside", "root" */
        assert(fstatat(fd, "outside", &st, AT_SYMLINK_NOFOLLOW) == 0);
        assert(st.st_mode == (S_IFREG | 0600) && st.st_size == 9 && st.st_nlink == 1);
}

static void apply(int root, const char *data, size_t len)
{
        struct input in = { data, len, 0 };
        struct fg_layer_usage usage = { 0 };
        struct fg_error err = FG_ERROR_INIT;
        char digest[FG_DIGEST_LEN + 1];
        struct fg_layer_source src = { read_input, &in, digest, digest, len };

        fg_digest_of(data, len, digest);
        if (fg_layer_apply(root, &src, &limits, &usage, &err) < 0)
                assert(err.code != FG_ERR_NONE && fg_starts_with(err.msg, "layer sha256:"));
        else
                assert(usage.bytes <= limits.bytes && usage.entries <= limits.entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        fg_autofree char *tar = NULL, *path = NULL;
        struct fg_error err = FG_ERROR_INIT;
        fg_autoclose int fd = -1;
        fg_autoclose int root = -1;

        if (len > INPUT_MAX)
                return 0;
        tar = fg_calloc(1, len + 1);
        memcpy(tar, data, len);
        mend(tar, len);

        fd = open_top();
        path = fg_asprintf("%s/root", top);
        assert(mkdir(path, 0755) == 0);
        root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert(root >= 0);
        apply(root, tar, len);
        apply(root, tar, len);
        check_top(fd);
        assert(fg_rm_rf(path, &err) == 0);
        return 0;
}
