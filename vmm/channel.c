/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vmm.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/str.h"
#include "guest-init/protocol.h"
#include "vmm/backend.h"
#include "vmm/paths.h"

#define HIGH_WATER (1024u * 1024)
#define LOW_WATER  (HIGH_WATER / 4)
#define HARD_CAP   (HIGH_WATER + 1024u * 1024)
#define READ_SIZE  (64u * 1024) /* of one guest in one turn of the loop, so that none starves */

/*
 * States: connected, or waiting for `defer` to report why not; then up; then down, for good.
 * Callbacks may free the channel: it is then only marked, and destroyed when they have returned.
 */
struct fg_channel {
        const struct fg_channel_ops *ops;
        void *userdata;
        int fd;
        sd_event_source *io;
        sd_event_source *defer; /* reports a failed connect; delivers what a pause held back */
        struct fg_error connect_error;
        struct fg_parser parser;
        struct fg_buf out;
        size_t sent; /* bytes of `out` that are with the kernel */
        bool up;
        bool down;
        bool paused;
        bool congested;   /* send() returned 0: writable() is owed */
        bool peer_closed; /* nothing can be sent any more, but there may be more to read */
        bool in_callback;
        bool freed;
};

static void destroy(struct fg_channel *ch)
{
        sd_event_source_disable_unref(ch->io);
        sd_event_source_disable_unref(ch->defer);
        fg_closep(&ch->fd);
        fg_parser_finish(&ch->parser);
        fg_buf_finish(&ch->out);
        free(ch);
}

void fg_channel_free(struct fg_channel *ch)
{
        if (!ch)
                return;
        if (ch->in_callback) {
                ch->freed = true;
                ch->down = true;
                return;
        }
        destroy(ch);
}

static size_t queued(const struct fg_channel *ch)
{
        return ch->out.len - ch->sent;
}

/* A source that exists can be changed: these calls fail for programmer errors only. */
static void update_events(struct fg_channel *ch)
{
        uint32_t events = 0;

        if (!ch->io)
                return;
        if (!ch->paused)
                events |= EPOLLIN;
        if (queued(ch) > 0)
                events |= EPOLLOUT;
        (void)sd_event_source_set_io_events(ch->io, events);
        /* Also silences the hang-up of a paused guest, which epoll would report for ever. */
        (void)sd_event_source_set_enabled(ch->io, events && !ch->down ? SD_EVENT_ON : SD_EVENT_OFF);
}

static void go_down(struct fg_channel *ch, const struct fg_error *err)
{
        if (ch->down)
                return;
        ch->down = true;
        ch->ops->down(ch->userdata, err);
}

static int handle_sync(struct fg_channel *ch, const struct fg_frame *f, struct fg_error *err)
{
        uint32_t version;

        memcpy(&version, f->data + FG_PROTO_NONCE, sizeof(version));
        version = le32toh(version);
        if (ch->up)
                return fg_fail(err, FG_ERR_INVALID, "protocol violation: SYNC without a request");
        if (version != FG_PROTO_VERSION)
                return fg_fail(err, FG_ERR_INVALID, "the guest speaks protocol version %u, not %u",
                               version, FG_PROTO_VERSION);
        ch->up = true;
        ch->ops->up(ch->userdata);
        return 0;
}

static int handle_frame(struct fg_channel *ch, const struct fg_frame *f, struct fg_error *err)
{
        switch (f->type) {
        case FG_FRAME_SYNC:
                return handle_sync(ch, f, err);
        case FG_FRAME_CONTROL:
        case FG_FRAME_OUTPUT:
                ch->ops->frame(ch->userdata, f);
                return 0;
        case FG_FRAME_BLOB:
        case FG_FRAME_PAD:
        default:
                return fg_fail(err, FG_ERR_INVALID, "protocol violation: frame of type %d",
                               (int)f->type);
        }
}

static void deliver(struct fg_channel *ch)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_frame f;
        int r = 0;

        while (!ch->down && !ch->paused) {
                r = fg_parser_next(&ch->parser, &f, &err);
                if (r == 1)
                        r = handle_frame(ch, &f, &err) < 0 ? -1 : 1;
                if (r <= 0)
                        break;
        }
        if (r < 0)
                go_down(ch, &err);
}

static void read_some(struct fg_channel *ch)
{
        struct fg_error err = FG_ERROR_INIT;
        char bytes[READ_SIZE];
        ssize_t n;

        n = recv(ch->fd, bytes, sizeof(bytes), 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n < 0) {
                (void)fg_fail_errno(&err, errno, "read from the guest's channel");
                err.code = FG_ERR_UPSTREAM;
                go_down(ch, &err);
                return;
        }
        if (n == 0) {
                (void)fg_fail(&err, FG_ERR_UPSTREAM, "the guest's channel was closed");
                go_down(ch, &err);
                return;
        }
        if (fg_parser_feed(&ch->parser, bytes, (size_t)n, &err) < 0) {
                go_down(ch, &err);
                return;
        }
        deliver(ch);
}

static void write_some(struct fg_channel *ch)
{
        ssize_t n;

        if (queued(ch) == 0)
                return;
        n = send(ch->fd, ch->out.data + ch->sent, queued(ch), MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n < 0) {
                /* The guest's last words may wait in the socket: down() is for the reader to say.
                 */
                ch->peer_closed = true;
                n = (ssize_t)queued(ch);
        }
        ch->sent += (size_t)n;
        if (queued(ch) == 0 || ch->sent >= HIGH_WATER) {
                fg_buf_consume(&ch->out, ch->sent);
                ch->sent = 0;
        }
        if (ch->congested && !ch->peer_closed && queued(ch) < LOW_WATER) {
                ch->congested = false;
                ch->ops->writable(ch->userdata);
        }
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct fg_channel *ch = userdata;

        ch->in_callback = true;
        if (revents & (EPOLLOUT | EPOLLERR | EPOLLHUP))
                write_some(ch);
        if (!ch->down && !ch->paused && (revents & (EPOLLIN | EPOLLERR | EPOLLHUP)))
                read_some(ch);
        ch->in_callback = false;
        if (ch->freed)
                destroy(ch);
        else
                update_events(ch);
        return 0;
}

static int on_defer(sd_event_source *source, void *userdata)
{
        struct fg_channel *ch = userdata;

        ch->in_callback = true;
        if (ch->connect_error.code != FG_ERR_NONE)
                go_down(ch, &ch->connect_error);
        else
                deliver(ch);
        ch->in_callback = false;
        if (ch->freed)
                destroy(ch);
        else
                update_events(ch);
        return 0;
}

/* Connecting to a unix socket succeeds or fails at once, even without blocking. */
static int connect_to(struct fg_channel *ch, const char *path, struct fg_error *err)
{
        struct sockaddr_un addr = { .sun_family = AF_UNIX };

        if (strlen(path) >= sizeof(addr.sun_path))
                return fg_fail(err, FG_ERR_INVALID, "socket path too long: %s", path);
        memcpy(addr.sun_path, path, strlen(path));
        ch->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (ch->fd < 0)
                return fg_fail_errno(err, errno, "socket");
        if (connect(ch->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
                (void)fg_fail_errno(&ch->connect_error, errno, "connect to the guest's channel");
                ch->connect_error.code = FG_ERR_UPSTREAM;
        }
        return 0;
}

static int watch(struct fg_channel *ch, sd_event *event, struct fg_error *err)
{
        const bool connected = ch->connect_error.code == FG_ERR_NONE;
        int r;

        r = sd_event_add_defer(event, &ch->defer, on_defer, ch);
        if (r < 0)
                return fg_fail_errno(err, -r, "watch the guest's channel");
        if (!connected)
                return 0;
        (void)sd_event_source_set_enabled(ch->defer, SD_EVENT_OFF);
        r = sd_event_add_io(event, &ch->io, ch->fd, EPOLLIN | EPOLLOUT, on_io, ch);
        if (r < 0)
                return fg_fail_errno(err, -r, "watch the guest's channel");
        return 0;
}

int fg_channel_new(struct fg_vmm *vmm, const char *id, const struct fg_channel_ops *ops,
                   void *userdata, struct fg_channel **ret, struct fg_error *err)
{
        fg_cleanup(fg_channel_freep) struct fg_channel *ch = fg_calloc(1, sizeof(*ch));
        fg_autofree char *path = fg_vm_path(fg_vmm_of(vmm, id)->run_dir, id, FG_VM_CHANNEL);
        uint8_t nonce[FG_PROTO_NONCE];

        ch->ops = ops;
        ch->userdata = userdata;
        ch->fd = -1;
        ch->out = FG_BUF_INIT_SECRET(2 * HARD_CAP);
        fg_parser_init(&ch->parser);
        fg_random(nonce, sizeof(nonce));
        fg_parser_expect_sync(&ch->parser, nonce);
        if (fg_sync_append(&ch->out, nonce, true, err) < 0 || connect_to(ch, path, err) < 0 ||
            watch(ch, vmm->event, err) < 0)
                return fg_wrap(err, "channel of %s", id);
        *ret = fg_take_ptr(ch);
        return 0;
}

int fg_channel_send(struct fg_channel *ch, const struct fg_frame *f, struct fg_error *err)
{
        if (ch->down || ch->peer_closed)
                return 1; /* lost with the connection; down() tells, or is about to */
        if (queued(ch) + f->len > HARD_CAP)
                return fg_fail(err, FG_ERR_CAPACITY, "the guest does not read its channel");
        if (fg_frame_append(&ch->out, f, err) < 0)
                return -1;
        if (!ch->in_callback)
                update_events(ch);
        if (queued(ch) <= HIGH_WATER)
                return 1;
        ch->congested = true;
        return 0;
}

void fg_channel_pause(struct fg_channel *ch, bool paused)
{
        if (ch->paused == paused || ch->down)
                return;
        ch->paused = paused;
        if (!paused)
                (void)sd_event_source_set_enabled(ch->defer, SD_EVENT_ONESHOT);
        update_events(ch);
}
