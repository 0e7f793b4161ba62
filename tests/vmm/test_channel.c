/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "core/fs.h"
#include "core/str.h"
#include "guest-init/protocol.h"
#include "vmm/backend.h"
#include "vmm/paths.h"

#define FRAME_SIZE (64u * 1024)
#define TURNS      5000 /* of the loop, before something that must happen is given up */

/* One host end, and a guest end that the tests script by hand on the same thread. */
struct side {
        struct fg_vmm vmm;
        struct fg_channel *channel;
        char id[FG_ID_LEN + 1];
        int listener;
        int peer;
        struct fg_parser parser; /* of the guest */
        uint8_t nonce[FG_PROTO_NONCE];
        unsigned ups, downs, writables, frames;
        size_t bytes;
        char last[64]; /* the last CONTROL frame's text */
        struct fg_error error;
        bool pause_in_frame;
        bool free_in_callback;
};

struct fixture {
        sd_event *event;
        char dir[32];
        struct side a, b;
};

static void maybe_free(struct side *s)
{
        if (!s->free_in_callback)
                return;
        fg_channel_free(s->channel);
        s->channel = NULL;
}

static void on_up(void *userdata)
{
        struct side *s = userdata;

        s->ups++;
}

static void on_frame(void *userdata, const struct fg_frame *f)
{
        struct side *s = userdata;

        assert_int_equal(s->ups, 1);
        s->frames++;
        s->bytes += f->len;
        if (f->type == FG_FRAME_CONTROL)
                (void)snprintf(s->last, sizeof(s->last), "%.*s", (int)f->len, f->data);
        if (s->pause_in_frame)
                fg_channel_pause(s->channel, true);
        maybe_free(s);
}

static void on_down(void *userdata, const struct fg_error *err)
{
        struct side *s = userdata;

        s->downs++;
        s->error = *err;
        maybe_free(s);
}

static void on_writable(void *userdata)
{
        struct side *s = userdata;

        s->writables++;
}

static const struct fg_channel_ops ops = {
        .up = on_up,
        .frame = on_frame,
        .down = on_down,
        .writable = on_writable,
};

static void side_init(struct side *s, struct fixture *f)
{
        struct sockaddr_un addr = { .sun_family = AF_UNIX };
        fg_autofree char *dir = NULL;

        *s = (struct side){ .vmm = { .event = f->event, .run_dir = f->dir }, .peer = -1 };
        fg_id_new(s->id);
        fg_parser_init(&s->parser);
        dir = fg_vm_dir(f->dir, s->id);
        assert_int_equal(mkdir(dir, 0700), 0);
        (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", dir, FG_VM_CHANNEL);
        s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(bind(s->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
        assert_int_equal(listen(s->listener, 1), 0);
}

static void side_finish(struct side *s)
{
        fg_channel_free(s->channel);
        fg_parser_finish(&s->parser);
        fg_closep(&s->listener);
        fg_closep(&s->peer);
}

static int setup(void **state)
{
        struct fixture *f = fg_calloc(1, sizeof(*f));

        assert_true(sd_event_new(&f->event) >= 0);
        (void)snprintf(f->dir, sizeof(f->dir), "/tmp/fg-channel-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        side_init(&f->a, f);
        side_init(&f->b, f);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;

        side_finish(&f->a);
        side_finish(&f->b);
        sd_event_unref(f->event);
        assert_int_equal(fg_rm_rf(f->dir, &err), 0);
        free(f);
        return 0;
}

static void turn(struct fixture *f)
{
        assert_true(sd_event_run(f->event, 1000) >= 0);
}

static void connect_side(struct side *s)
{
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_channel_new(&s->vmm, s->id, &ops, s, &s->channel, &err), 0);
        s->peer = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_true(s->peer >= 0);
}

/* Runs the loop until the guest can read its next frame. */
static struct fg_frame guest_read(struct fixture *f, struct side *s)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_frame frame = { 0 };
        char bytes[16384];

        for (int i = 0; i < TURNS; i++) {
                ssize_t n;

                if (fg_parser_next(&s->parser, &frame, &err) == 1)
                        return frame;
                n = recv(s->peer, bytes, sizeof(bytes), 0);
                if (n > 0)
                        assert_int_equal(fg_parser_feed(&s->parser, bytes, (size_t)n, &err), 0);
                else
                        turn(f);
        }
        fail_msg("no frame for the guest");
        return frame;
}

static void guest_write(struct side *s, const struct fg_buf *wire)
{
        assert_int_equal(send(s->peer, wire->data, wire->len, 0), wire->len);
}

static void guest_send(struct side *s, enum fg_frame_type type, const char *text)
{
        fg_cleanup(fg_buf_finish) struct fg_buf wire = FG_BUF_INIT(4096);
        const struct fg_frame frame = { .type = type, .data = text, .len = strlen(text) };
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_frame_append(&wire, &frame, &err), 0);
        guest_write(s, &wire);
}

static void guest_sync(struct side *s)
{
        fg_cleanup(fg_buf_finish) struct fg_buf wire = FG_BUF_INIT(4096);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_sync_append(&wire, s->nonce, false, &err), 0);
        guest_write(s, &wire);
}

static void bring_up(struct fixture *f, struct side *s)
{
        struct fg_frame frame;

        connect_side(s);
        frame = guest_read(f, s);
        assert_int_equal(frame.type, FG_FRAME_SYNC);
        memcpy(s->nonce, frame.data, sizeof(s->nonce));
        guest_sync(s);
        for (int i = 0; i < TURNS && s->ups == 0; i++)
                turn(f);
        assert_int_equal(s->ups, 1);
}

static void expect_down(struct fixture *f, struct side *s, enum fg_err code)
{
        for (int i = 0; i < TURNS && s->downs == 0; i++)
                turn(f);
        assert_int_equal(s->downs, 1);
        assert_int_equal(s->error.code, code);
}

static void test_no_socket_is_down(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;
        fg_autofree char *path = fg_vm_path(f->dir, f->a.id, FG_VM_CHANNEL);

        fg_closep(&f->a.listener);
        f->a.listener = -1;
        assert_int_equal(fg_channel_new(&f->a.vmm, f->a.id, &ops, &f->a, &f->a.channel, &err), 0);
        assert_int_equal(f->a.downs, 0);
        expect_down(f, &f->a, FG_ERR_UPSTREAM);
        fg_channel_free(f->a.channel);

        f->a.downs = 0;
        assert_int_equal(unlink(path), 0);
        assert_int_equal(fg_channel_new(&f->a.vmm, f->a.id, &ops, &f->a, &f->a.channel, &err), 0);
        expect_down(f, &f->a, FG_ERR_UPSTREAM);
}

static void test_stale_input_is_discarded_before_sync(void **state)
{
        struct fixture *f = *state;
        struct fg_frame frame;

        connect_side(&f->a);
        frame = guest_read(f, &f->a);
        assert_int_equal(frame.type, FG_FRAME_SYNC);
        guest_sync(&f->a); /* with the wrong nonce */
        guest_send(&f->a, FG_FRAME_CONTROL, "stale");
        memcpy(f->a.nonce, frame.data, sizeof(f->a.nonce));
        guest_sync(&f->a);
        guest_send(&f->a, FG_FRAME_CONTROL, "fresh");
        for (int i = 0; i < TURNS && f->a.frames == 0; i++)
                turn(f);
        assert_int_equal(f->a.ups, 1);
        assert_int_equal(f->a.frames, 1);
        assert_string_equal(f->a.last, "fresh");
        assert_int_equal(f->a.downs, 0);
}

static void test_violations_are_invalid(void **state)
{
        struct fixture *f = *state;

        bring_up(f, &f->a);
        guest_sync(&f->a); /* nobody asked again */
        expect_down(f, &f->a, FG_ERR_INVALID);

        bring_up(f, &f->b);
        guest_send(&f->b, FG_FRAME_BLOB, "only fgd sends blobs");
        guest_send(&f->b, FG_FRAME_CONTROL, "never delivered");
        expect_down(f, &f->b, FG_ERR_INVALID);
        assert_int_equal(f->b.frames, 0);
}

static void test_garbage_is_invalid(void **state)
{
        struct fixture *f = *state;

        bring_up(f, &f->a);
        assert_int_equal(send(f->a.peer, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
        expect_down(f, &f->a, FG_ERR_INVALID);
}

static void test_other_version_is_invalid(void **state)
{
        struct fixture *f = *state;
        struct fg_frame frame;
        char payload[FG_PROTO_NONCE + 5] = { 0 };
        fg_cleanup(fg_buf_finish) struct fg_buf wire = FG_BUF_INIT(4096);
        struct fg_error err = FG_ERROR_INIT;

        connect_side(&f->a);
        frame = guest_read(f, &f->a);
        memcpy(payload, frame.data, FG_PROTO_NONCE);
        payload[FG_PROTO_NONCE] = FG_PROTO_VERSION + 1;
        frame.data = payload;
        assert_int_equal(fg_frame_append(&wire, &frame, &err), 0);
        guest_write(&f->a, &wire);
        expect_down(f, &f->a, FG_ERR_INVALID);
        assert_int_equal(f->a.ups, 0);
}

/* A guest that powered off has left its last output in the socket; nothing of it may be lost. */
static void test_last_words_are_read_after_hang_up(void **state)
{
        struct fixture *f = *state;
        const struct fg_frame ack = { .type = FG_FRAME_CONTROL, .data = "{}", .len = 2 };
        struct fg_error err = FG_ERROR_INIT;

        bring_up(f, &f->a);
        for (int i = 0; i < 100; i++)
                guest_send(&f->a, FG_FRAME_OUTPUT, "12345678 some output");
        guest_send(&f->a, FG_FRAME_CONTROL, "last");
        fg_closep(&f->a.peer);
        f->a.peer = -1;
        assert_int_equal(fg_channel_send(f->a.channel, &ack, &err), 1);
        expect_down(f, &f->a, FG_ERR_UPSTREAM);
        assert_int_equal(f->a.frames, 101);
        assert_string_equal(f->a.last, "last");
        assert_int_equal(fg_channel_send(f->a.channel, &ack, &err), 1);
}

static void test_send_queue_is_bounded(void **state)
{
        struct fixture *f = *state;
        static char payload[FRAME_SIZE];
        struct fg_frame frame = { .type = FG_FRAME_BLOB, .data = payload, .len = FRAME_SIZE };
        struct fg_error err = FG_ERROR_INIT;
        unsigned sent = 0, over = 0;

        bring_up(f, &f->a);
        for (int r = 1; r >= 0 && sent < 1000;) {
                frame.offset = sent;
                memset(payload, (int)sent, sizeof(payload));
                r = fg_channel_send(f->a.channel, &frame, &err);
                if (r < 0)
                        break;
                over += r == 0;
                sent++;
        }
        assert_int_equal(err.code, FG_ERR_CAPACITY);
        assert_in_range(sent, 30, 33);
        assert_in_range(over, 15, 17);
        assert_int_equal(f->a.writables, 0);
        for (unsigned i = 0; i < sent; i++) {
                frame = guest_read(f, &f->a);
                assert_int_equal(frame.type, FG_FRAME_BLOB);
                assert_int_equal(frame.offset, i);
                assert_int_equal(frame.len, FRAME_SIZE);
                assert_int_equal((uint8_t)frame.data[FRAME_SIZE - 1], i);
                if (i < 10)
                        assert_int_equal(f->a.writables, 0);
        }
        assert_int_equal(f->a.writables, 1);
        assert_int_equal(f->a.downs, 0);
}

static void test_pause_holds_frames_back(void **state)
{
        struct fixture *f = *state;

        bring_up(f, &f->a);
        f->a.pause_in_frame = true;
        for (int i = 0; i < 10; i++)
                guest_send(&f->a, FG_FRAME_CONTROL, "one");
        fg_closep(&f->a.peer);
        f->a.peer = -1;
        for (unsigned i = 1; i <= 10; i++) {
                while (f->a.frames < i)
                        turn(f);
                /* Nothing may happen now, not even the hang-up: the loop has nothing to do. */
                assert_int_equal(sd_event_run(f->event, 1000), 0);
                assert_int_equal(f->a.frames, i);
                assert_int_equal(f->a.downs, 0);
                fg_channel_pause(f->a.channel, false);
        }
        expect_down(f, &f->a, FG_ERR_UPSTREAM);
}

static void test_free_inside_callbacks(void **state)
{
        struct fixture *f = *state;

        bring_up(f, &f->a);
        f->a.free_in_callback = true;
        guest_send(&f->a, FG_FRAME_CONTROL, "one");
        guest_send(&f->a, FG_FRAME_CONTROL, "two");
        for (int i = 0; i < TURNS && f->a.frames == 0; i++)
                turn(f);
        assert_null(f->a.channel);
        turn(f);
        assert_int_equal(f->a.frames, 1);
        assert_int_equal(f->a.downs, 0);

        bring_up(f, &f->b);
        f->b.free_in_callback = true;
        fg_closep(&f->b.peer);
        f->b.peer = -1;
        expect_down(f, &f->b, FG_ERR_UPSTREAM);
        assert_null(f->b.channel);
}

static void test_flood_starves_nobody(void **state)
{
        struct fixture *f = *state;
        fg_cleanup(fg_buf_finish) struct fg_buf wire = FG_BUF_INIT(1 << 20);
        static const char payload[1000] = { 0 };
        const struct fg_frame frame = { .type = FG_FRAME_OUTPUT, .data = payload, .len = 1000 };
        struct fg_error err = FG_ERROR_INIT;
        const int size = 1 << 20;

        bring_up(f, &f->a);
        bring_up(f, &f->b);
        for (int i = 0; i < 250; i++)
                assert_int_equal(fg_frame_append(&wire, &frame, &err), 0);
        assert_int_equal(setsockopt(f->a.peer, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
        guest_write(&f->a, &wire);
        guest_send(&f->b, FG_FRAME_CONTROL, "quiet");
        while (f->b.frames == 0)
                turn(f);
        assert_in_range(f->a.bytes, 0, 2 * 65536);
        while (f->a.frames < 250)
                turn(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_no_socket_is_down),
                TEST(test_stale_input_is_discarded_before_sync),
                TEST(test_violations_are_invalid),
                TEST(test_garbage_is_invalid),
                TEST(test_other_version_is_invalid),
                TEST(test_last_words_are_read_after_hang_up),
                TEST(test_send_queue_is_bounded),
                TEST(test_pause_holds_frames_back),
                TEST(test_free_inside_callbacks),
                TEST(test_flood_starves_nobody),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
