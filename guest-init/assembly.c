/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/assembly.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"

/* Return: as sendmsg(2). */
static ssize_t send_packet(int sock, enum fg_assembly_answer kind, const char *data, size_t len)
{
        char tag = (char)kind;
        struct iovec iov[2] = { { .iov_base = &tag, .iov_len = 1 },
                                { .iov_base = (char *)data, .iov_len = len } };
        const struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

        return sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void fg_assembly_pump(struct fg_assembly *a)
{
        struct fg_blobs *b = a->blobs;
        const char *data;
        size_t len;

        if (a->pid == 0 || !b->active)
                return;
        while ((len = fg_blobs_peek(b, &data)) > 0) {
                if (len > FG_ASSEMBLY_PACKET)
                        len = FG_ASSEMBLY_PACKET;
                if (send_packet(a->source.fd, FG_ASSEMBLY_DATA, data, len) < 0)
                        return;
                fg_blobs_take(b, len);
        }
        if (b->error[0]) {
                if (send_packet(a->source.fd, FG_ASSEMBLY_ERROR, b->error, strlen(b->error)) > 0)
                        fg_blobs_stop(b);
        } else if (fg_blobs_at_end(b)) {
                if (send_packet(a->source.fd, FG_ASSEMBLY_END, NULL, 0) > 0)
                        fg_blobs_stop(b);
        }
}

static void read_requests(struct fg_assembly *a)
{
        struct fg_assembly_request r;

        while (recv(a->source.fd, &r, sizeof(r), MSG_DONTWAIT) == sizeof(r)) {
                r.digest[FG_DIGEST_LEN] = '\0';
                r.error[sizeof(r.error) - 1] = '\0';
                if (r.digest[0])
                        fg_blobs_begin(a->blobs, r.digest, r.sized, r.size);
                else
                        (void)snprintf(a->error, sizeof(a->error), "%s", r.error);
        }
}

static void ready(struct fg_source *s, uint32_t events)
{
        struct fg_assembly *a = FG_CONTAINER_OF(s, struct fg_assembly, source);

        read_requests(a);
        fg_assembly_pump(a);
}

int fg_assembly_start(struct fg_assembly *a, const char *manifest, const char *dir,
                      struct fg_error *err)
{
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return fg_fail_errno(err, errno, "socketpair");
        a->source = (struct fg_source){ .fd = pair[0], .ready = ready };
        a->error[0] = '\0';
        a->pid = fork();
        if (a->pid == 0) {
                (void)close(pair[0]);
                fg_assembly_run(pair[1], manifest, dir);
        }
        (void)close(pair[1]);
        if (a->pid < 0) {
                a->pid = 0;
                (void)close(pair[0]);
                return fg_fail_errno(err, errno, "fork");
        }
        return fg_loop_add(a->loop, &a->source, EPOLLIN | EPOLLOUT | EPOLLET, err);
}

int fg_assembly_reaped(struct fg_assembly *a, int status, struct fg_error *err)
{
        read_requests(a);
        fg_loop_del(a->loop, &a->source);
        (void)close(a->source.fd);
        fg_blobs_stop(a->blobs);
        a->pid = 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        if (a->error[0])
                return fg_fail(err, FG_ERR_UPSTREAM, "%s", a->error);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
                return fg_fail(err, FG_ERR_CAPACITY, "no memory left to unpack the image");
        return fg_fail(err, FG_ERR_INTERNAL, "unpacking ended with status 0x%x", (unsigned)status);
}
