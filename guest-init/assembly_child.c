/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/assembly.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "guest-init/caps.h"
#include "guest-init/cgroup.h"
#include "guest-init/image_unpack.h"

/* What unpacking needs; see layer.h. */
static const uint64_t keep_caps = FG_CAP(CAP_CHOWN) | FG_CAP(CAP_FOWNER) | FG_CAP(CAP_FSETID) |
                                  FG_CAP(CAP_DAC_OVERRIDE) | FG_CAP(CAP_SETFCAP) |
                                  FG_CAP(CAP_MKNOD);

struct child {
        int sock;
        int dir;
        char packet[FG_ASSEMBLY_PACKET]; /* the last one; data[at..len] is not read yet */
        size_t at, len;
        bool at_end;
};

static int ask(void *data, const char *digest, uint64_t size, struct fg_error *err)
{
        struct fg_assembly_request r = { .sized = size > 0, .size = size };
        struct child *c = data;

        (void)snprintf(r.digest, sizeof(r.digest), "%s", digest);
        c->at = c->len = 0;
        c->at_end = false;
        if (send(c->sock, &r, sizeof(r), 0) < 0)
                return fg_fail_errno(err, errno, "ask for %s", digest);
        return 0;
}

/* Return: 1 with a packet, 0 at the blob's end, -1. */
static int next_packet(struct child *c, struct fg_error *err)
{
        char tag = 0;
        struct iovec iov[2] = { { .iov_base = &tag, .iov_len = 1 },
                                { .iov_base = c->packet, .iov_len = sizeof(c->packet) } };
        ssize_t n = readv(c->sock, iov, 2);

        if (n < 1)
                return fg_fail_errno(err, n < 0 ? errno : EPIPE, "receive a blob");
        c->at = 0;
        c->len = (size_t)n - 1;
        switch (tag) {
        case FG_ASSEMBLY_DATA:
                return 1;
        case FG_ASSEMBLY_END:
                c->at_end = true;
                return 0;
        default:
                return fg_fail(err, FG_ERR_UPSTREAM, "%.*s", (int)c->len, c->packet);
        }
}

static ssize_t read_blob(void *data, void *buf, size_t len, struct fg_error *err)
{
        struct child *c = data;

        while (c->at == c->len) {
                int r = c->at_end ? 0 : next_packet(c, err);

                if (r <= 0)
                        return r;
        }
        if (len > c->len - c->at)
                len = c->len - c->at;
        memcpy(buf, c->packet + c->at, len);
        c->at += len;
        return (ssize_t)len;
}

static int assemble(struct child *c, const char *manifest, struct fg_error *err)
{
        const struct fg_image_source src = { .begin = ask, .read = read_blob, .data = c };

        return fg_image_unpack(c->dir, manifest, &src, &FG_LAYER_LIMITS_DEFAULT, err);
}

static int confine(struct child *c, const char *dir, struct fg_error *err)
{
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return fg_fail_errno(err, errno, "prctl");
        if (fg_ordinary(err) < 0)
                return -1;
        umask(0);
        if (mkdir(dir, 0700) < 0 || chdir(dir) < 0 || mkdir(FG_IMAGE_ROOT, 0755) < 0 ||
            (c->dir = open(".", O_DIRECTORY | O_RDONLY | O_CLOEXEC)) < 0 || chroot(".") < 0)
                return fg_fail_errno(err, errno, "prepare %s", dir);
        return fg_caps_limit(keep_caps, err);
}

_Noreturn void fg_assembly_run(int sock, const char *manifest, const char *dir)
{
        static struct child c;
        struct fg_assembly_request r = { 0 };
        struct fg_error err = FG_ERROR_INIT;

        c.sock = sock;
        if (confine(&c, dir, &err) == 0 && assemble(&c, manifest, &err) == 0)
                _exit(0);
        (void)snprintf(r.error, sizeof(r.error), "%s", err.msg);
        (void)send(sock, &r, sizeof(r), 0);
        _exit(1);
}
