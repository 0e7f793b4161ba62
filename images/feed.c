/* SPDX-License-Identifier: Apache-2.0 */
#include "images/feed.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "images/blobstore.h"

struct message {
        char names[FG_FEED_MESSAGE_MAX][FG_FEED_NAME_LEN];
        int fds[FG_FEED_MESSAGE_MAX];
        size_t n;
};

int fg_feed_open(int ret[2], struct fg_error *err)
{
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
                return fg_fail_errno(err, errno, "socketpair");
        (void)shutdown(ret[0], SHUT_WR); /* nothing comes back */
        return 0;
}

static void message_finish(struct message *m)
{
        for (; m->n > 0; m->n--)
                (void)close(m->fds[m->n - 1]);
}

/* And forget it. A reader that is behind by more than the socket holds gets no more. */
static int message_send(int feed, struct message *m, struct fg_error *err)
{
        char control[CMSG_SPACE(sizeof(m->fds))] = { 0 };
        struct iovec names = { .iov_base = m->names, .iov_len = m->n * FG_FEED_NAME_LEN };
        struct msghdr header = { .msg_iov = &names,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = CMSG_SPACE(m->n * sizeof(int)) };
        struct cmsghdr *fds = CMSG_FIRSTHDR(&header);
        ssize_t sent;

        if (m->n == 0)
                return 0;
        fds->cmsg_level = SOL_SOCKET;
        fds->cmsg_type = SCM_RIGHTS;
        fds->cmsg_len = CMSG_LEN(m->n * sizeof(int));
        memcpy(CMSG_DATA(fds), m->fds, m->n * sizeof(int));
        sent = sendmsg(feed, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
        message_finish(m);
        return sent < 0 ? fg_fail_errno(err, errno, "give blobs to fg-prepare") : 0;
}

static void message_add(struct message *m, const char *digest, int take_fd)
{
        memcpy(m->names[m->n], strchr(digest, ':') + 1, FG_FEED_NAME_LEN);
        m->fds[m->n++] = take_fd;
}

int fg_feed_blobs(int feed, const struct fg_blobstore *store,
                  const char (*digests)[FG_DIGEST_LEN + 1], const bool *which, size_t n,
                  struct fg_error *err)
{
        fg_cleanup(message_finish) struct message m = { .n = 0 };

        for (size_t i = 0; i < n; i++) {
                uint64_t size;
                int fd;

                if (which && !which[i])
                        continue;
                fd = fg_blobstore_blob(store, digests[i], &size, err);
                if (fd < 0)
                        return -1;
                message_add(&m, digests[i], fd);
                if (m.n == FG_FEED_MESSAGE_MAX && message_send(feed, &m, err) < 0)
                        return -1;
        }
        return message_send(feed, &m, err);
}

int fg_feed_text(int feed, const char *digest, const char *text, size_t len, struct fg_error *err)
{
        fg_cleanup(message_finish) struct message m = { .n = 0 };
        int fd = memfd_create("blob", MFD_CLOEXEC);

        if (fd < 0)
                return fg_fail_errno(err, errno, "memfd");
        message_add(&m, digest, fd);
        return fg_write_all(fd, text, len, err) < 0 ? -1 : message_send(feed, &m, err);
}
