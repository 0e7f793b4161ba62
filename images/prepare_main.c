/* SPDX-License-Identifier: Apache-2.0 */

/*
 * fg-prepare MANIFEST MAX-BYTES MAX-MEMORY CPU-SECONDS: run by fgd, makes one read-only EROFS of an
 * image.
 *
 *   stdin   a directory with the image's blobs by the hexadecimal part of their digests
 *   stdout  an empty directory to work in; the result is FG_PREPARE_RESULT in it
 *   stderr  one line about what went wrong
 * Layers are unpacked by the code that guests use, then mkfs.erofs reads the tree; both in a
 * sandbox. The result has the shape that guest-init/image_unpack.h describes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/fs.h"
#include "core/str.h"
#include "guest-init/caps.h"
#include "guest-init/image_unpack.h"
#include "images/confine.h"
#include "images/feed.h"
#include "images/prepare.h"
#include "images/prepare_sandbox.h"

#define TREE   FG_SANDBOX_WORK "/tree"
#define RESULT FG_SANDBOX_WORK "/" FG_PREPARE_RESULT
/* Of the disk: the tree, the result, and the layers that come meanwhile may each be as large as the
   image may be; and what small files take in whole blocks. */
#define ROOM_FACTOR 3
#define ROOM_MORE   (UINT64_C(1) << 30)

static const unsigned long unpack_caps = FG_CAP(CAP_CHOWN) | FG_CAP(CAP_FOWNER) |
                                         FG_CAP(CAP_FSETID) | FG_CAP(CAP_DAC_OVERRIDE) |
                                         FG_CAP(CAP_SETFCAP);
static const unsigned long read_caps = FG_CAP(CAP_DAC_READ_SEARCH);

/* The blobs come as descriptors: the identities of the sandbox could not open them. */
struct prepare {
        const char *manifest;
        uint64_t max_bytes;
        struct {
                char hex[FG_FEED_NAME_LEN + 1];
                int fd;
        } blobs[FG_FEED_BLOBS_MAX];
        size_t n_blobs;
        int reading;  /* descriptor of the blob that was begun last */
        bool starved; /* one that is needed did not come */
};

/* Return: 1: there are more of them, 0: no more will come. */
static int take_blobs(struct prepare *p, struct fg_error *err)
{
        static char names[FG_FEED_MESSAGE_MAX][FG_FEED_NAME_LEN];
        int fds[FG_FEED_MESSAGE_MAX];
        char control[CMSG_SPACE(sizeof(fds))];
        struct iovec text = { .iov_base = names, .iov_len = sizeof(names) };
        struct msghdr header = { .msg_iov = &text,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof(control) };
        const ssize_t n = recvmsg(STDIN_FILENO, &header, MSG_CMSG_CLOEXEC);
        const struct cmsghdr *with = n > 0 ? CMSG_FIRSTHDR(&header) : NULL;
        const size_t count = n > 0 ? (size_t)n / FG_FEED_NAME_LEN : 0;

        if (n <= 0)
                return n < 0 ? fg_fail_errno(err, errno, "receive blobs") : 0;
        if (!with || with->cmsg_len != CMSG_LEN(count * sizeof(int)) ||
            p->n_blobs + count > FG_FEED_BLOBS_MAX)
                return fg_fail(err, FG_ERR_CAPACITY, "more than %d blobs", FG_FEED_BLOBS_MAX);
        memcpy(fds, CMSG_DATA(with), count * sizeof(int));
        for (size_t i = 0; i < count; i++, p->n_blobs++) {
                memcpy(p->blobs[p->n_blobs].hex, names[i], FG_FEED_NAME_LEN);
                p->blobs[p->n_blobs].fd = fds[i];
        }
        return 1;
}

static int find_blob(const struct prepare *p, const char *hex)
{
        for (size_t i = 0; i < p->n_blobs; i++)
                if (fg_streq(p->blobs[i].hex, hex))
                        return p->blobs[i].fd;
        return -1;
}

/* Layers are unpacked while later ones are downloaded. */
static int begin_blob(void *data, const char *digest, uint64_t size, struct fg_error *err)
{
        const char *hex = strchr(digest, ':') + 1;
        struct prepare *p = data;
        int r = 1;

        (void)size; /* what is read is compared with it, and with the digest */
        while ((p->reading = find_blob(p, hex)) < 0 && r > 0)
                r = take_blobs(p, err);
        if (r <= 0) {
                p->starved = true;
                return r < 0 ? -1 : fg_fail(err, FG_ERR_NOT_FOUND, "%s did not come", digest);
        }
        return lseek(p->reading, 0, SEEK_SET) < 0 ? fg_fail_errno(err, errno, "%s", digest) : 0;
}

static ssize_t read_blob(void *data, void *buf, size_t len, struct fg_error *err)
{
        const struct prepare *p = data;
        ssize_t n = read(p->reading, buf, len);

        return n < 0 ? fg_fail_errno(err, errno, "read a blob") : n;
}

/* ---- inside ---- */

static int unpack(void *data)
{
        /* fgd's store has blobs of which it knows the digest only. */
        const struct fg_image_source src = {
                .begin = begin_blob, .read = read_blob, .data = data, .verified = true
        };
        struct fg_layer_limits limits = FG_LAYER_LIMITS_DEFAULT;
        const struct prepare *p = data;
        struct fg_error err = FG_ERROR_INIT;
        fg_autoclose int dir = open(TREE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        umask(0);
        limits.bytes = p->max_bytes;
        limits.devices = false; /* nobody may make them here */
        if (fg_image_unpack(dir, p->manifest, &src, &limits, &err) == 0)
                return 0;
        (void)dprintf(STDERR_FILENO, "%s\n", err.msg);
        return p->starved || err.sys == ENOSPC ? FG_PREPARE_LATER : FG_PREPARE_NEVER;
}

static int make_erofs(void *data)
{
        (void)data;
        (void)execl("/usr/bin/mkfs.erofs", "mkfs.erofs", "--quiet", "-d0", RESULT, TREE, NULL);
        (void)dprintf(STDERR_FILENO, "mkfs.erofs (package erofs-utils): %s\n", strerror(errno));
        return FG_PREPARE_LATER;
}

/* What ends a step is the image's fault, what keeps it from beginning is not. */
static int complain(const char *what, int status, const struct fg_error *err)
{
        if (status == FG_PREPARE_NEVER || status == FG_PREPARE_LATER)
                return status; /* it said why */
        if (status < 0)
                (void)dprintf(STDERR_FILENO, "%s: %s\n", what, err->msg);
        else if (status > 128)
                (void)dprintf(STDERR_FILENO, "%s ended with signal %d\n", what, status - 128);
        else
                (void)dprintf(STDERR_FILENO, "%s failed with status %d\n", what, status);
        return status < 0 ? FG_PREPARE_LATER : FG_PREPARE_NEVER;
}

static int step(const char *what, unsigned long caps, int (*inside)(void *data), void *data)
{
        struct fg_error err = FG_ERROR_INIT;
        int status = fg_sandbox_step(caps, inside, data, &err);

        return status ? complain(what, status, &err) : 0;
}

static int prepare(void *data)
{
        struct fg_error err = FG_ERROR_INIT;
        int status;

        if (mkdir(TREE, 0700) < 0 || mkdir(TREE "/" FG_IMAGE_ROOT, 0755) < 0) {
                fg_fail_errno(&err, errno, "%s", TREE);
                return complain("make room", -1, &err);
        }
        status = step("unpacking", unpack_caps, unpack, data)
                         ?: step("mkfs.erofs", read_caps, make_erofs, NULL);
        /* Here, where all of it can be removed whatever modes it has. */
        if (fg_rm_rf(TREE, &err) < 0)
                return status ?: complain("clean up", -1, &err);
        return status;
}

/* ---- outside ---- */

static int limit_self(struct fg_error *err)
{
        if (fg_confine_limit(RLIMIT_CORE, 0, err) < 0 ||
            fg_confine_limit(RLIMIT_NOFILE, FG_FEED_BLOBS_MAX + 32, err) < 0)
                return -1;
        return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? fg_fail_errno(err, errno, "prctl") : 0;
}

int main(int argc, char **argv)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_sandbox_limits limits;
        static struct prepare p;
        int status;

        if (argc != 5 || !fg_digest_valid(argv[1]) || !fg_parse_u64(argv[2], &p.max_bytes) ||
            !fg_parse_u64(argv[3], &limits.memory) || !fg_parse_u64(argv[4], &limits.cpu_seconds)) {
                (void)fprintf(stderr, "fg-prepare is run by fgd\n");
                return FG_PREPARE_LATER;
        }
        p.manifest = argv[1];
        limits.file_bytes = p.max_bytes;
        limits.bytes = p.max_bytes * ROOM_FACTOR + ROOM_MORE;
        if (limit_self(&err) < 0)
                return complain("set-up", -1, &err);
        status = fg_sandbox_run(STDOUT_FILENO, &limits, prepare, &p, &err);
        return status ? complain("sandbox", status, &err) : 0;
}
