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
#include "guest-init/image.h"
#include "guest-init/layer.h"

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

static int ask(struct child *c, const char *digest, bool sized, uint64_t size, struct fg_error *err)
{
        struct fg_assembly_request r = { .sized = sized, .size = size };

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

/* A whole small blob, verified, also kept as @name in the image's directory. */
static int read_document(struct child *c, const char *digest, const char *name, struct fg_buf *doc,
                         struct fg_error *err)
{
        fg_autoclose int fd = openat(c->dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_EXCL, 0600);
        char found[FG_DIGEST_LEN + 1];
        char part[4096];
        ssize_t n;

        while ((n = read_blob(c, part, sizeof(part), err)) > 0) {
                if (fg_buf_append(doc, part, (size_t)n, err) < 0)
                        return fg_wrap(err, "%s", digest);
        }
        if (n < 0)
                return -1;
        fg_digest_of(doc->data, doc->len, found);
        if (strcmp(found, digest) != 0)
                return fg_fail(err, FG_ERR_UPSTREAM, "%s: its digest is %s", digest, found);
        if (fd < 0)
                return fg_fail_errno(err, errno, "create %s", name);
        return fg_write_all(fd, doc->data, doc->len, err);
}

static int unpack_layers(struct child *c, const struct fg_image *image, struct fg_error *err)
{
        fg_autoclose int root = openat(c->dir, FG_ASSEMBLY_ROOT,
                                       O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        const struct fg_layer_limits limits = FG_LAYER_LIMITS_DEFAULT;
        struct fg_layer_usage usage = { 0 };

        if (root < 0)
                return fg_fail_errno(err, errno, "open the image's root");
        for (size_t i = 0; i < image->layer_count; i++) {
                const struct fg_image_layer *l = &image->layers[i];
                const struct fg_layer_source src = { .read = read_blob,
                                                     .data = c,
                                                     .digest = l->digest,
                                                     .diff_id = l->diff_id,
                                                     .size = l->size };

                if (ask(c, l->digest, true, l->size, err) < 0)
                        return -1;
                if (fg_layer_apply(root, &src, &limits, &usage, err) < 0)
                        return -1;
        }
        return 0;
}

static int assemble(struct child *c, const char *manifest, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(FG_IMAGE_MANIFEST_MAX);
        fg_cleanup(fg_buf_finish) struct fg_buf config = FG_BUF_INIT(FG_IMAGE_CONFIG_MAX);
        fg_cleanup(fg_image_freep) struct fg_image *image = NULL;

        if (ask(c, manifest, false, 0, err) < 0 ||
            read_document(c, manifest, FG_ASSEMBLY_MANIFEST, &text, err) < 0)
                return fg_wrap(err, "manifest");
        image = fg_image_parse_manifest(text.data, text.len, err);
        if (!image)
                return -1;
        if (ask(c, image->config_digest, true, image->config_size, err) < 0 ||
            read_document(c, image->config_digest, FG_ASSEMBLY_CONFIG, &config, err) < 0)
                return fg_wrap(err, "config");
        if (fg_image_parse_config(image, config.data, config.len, err) < 0)
                return -1;
        return unpack_layers(c, image, err);
}

static int confine(struct child *c, const char *dir, struct fg_error *err)
{
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return fg_fail_errno(err, errno, "prctl");
        if (fg_cgroup_killable(err) < 0)
                return -1;
        umask(0);
        if (mkdir(dir, 0700) < 0 || chdir(dir) < 0 || mkdir(FG_ASSEMBLY_ROOT, 0755) < 0 ||
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
