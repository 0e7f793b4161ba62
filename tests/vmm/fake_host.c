/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/vmm/fake_host.h"

#include "core/clock.h"
#include "core/str.h"
#include "guest-init/protocol.h"

#define DEADLINE_NS (60 * FG_NS_PER_SEC)
#define LAYER_LEN   (5u * 1024 * 1024) /* more than one range */

void host_send(struct host *h, struct json_object *take_msg)
{
        fg_autojson *msg = take_msg;
        const char *text = fg_json_text(msg);
        const struct fg_frame f = {
                .type = FG_FRAME_CONTROL,
                .data = text,
                .len = strlen(text),
        };
        struct fg_error err = FG_ERROR_INIT;

        assert_true(fg_channel_send(h->channel, &f, &err) >= 0);
}

void host_send_stored(struct host *h, const char *type)
{
        struct json_object *msg = json_object_new_object();
        struct json_object *output = json_object_new_array();

        fg_json_set_str(msg, "type", type);
        fg_json_set_int(msg, "eventSeq", h->seq);
        for (int i = 0; i < STREAMS; i++) {
                struct json_object *at = json_object_new_object();

                fg_json_set_int(at, "stream", i);
                fg_json_set_int(at, "offset", (int64_t)h->output[i].len);
                (void)json_object_array_add(output, at);
        }
        fg_json_set(msg, "output", output);
        host_send(h, msg);
}

/* As much of the wanted range as the channel's queue takes. */
static void send_range(struct host *h)
{
        struct fg_error err = FG_ERROR_INIT;
        int room = 1;

        while (h->wanted && room == 1) {
                const size_t left = h->end - h->at;
                struct fg_frame f = {
                        .type = FG_FRAME_BLOB,
                        .stream = h->request,
                        .offset = h->at,
                        .data = h->wanted->data + h->at,
                        .len = left < FG_PROTO_MAX_PAYLOAD ? left : FG_PROTO_MAX_PAYLOAD,
                };

                h->at += f.len;
                if (h->at == h->end) {
                        f.flags = FG_FRAME_LAST;
                        h->wanted = NULL;
                }
                room = fg_channel_send(h->channel, &f, &err);
                assert_true(room >= 0);
        }
}

static void handle_read(struct host *h, struct json_object *msg)
{
        const char *digest = fg_json_str(msg, "digest");

        assert_null(h->wanted);
        for (size_t i = 0; i < N_BLOBS; i++)
                if (fg_streq(h->blobs[i].digest, digest))
                        h->wanted = &h->blobs[i];
        assert_non_null(h->wanted);
        h->request = (uint16_t)fg_json_int(msg, "id", 0);
        h->at = (size_t)fg_json_int(msg, "offset", 0);
        h->end = h->at + (size_t)fg_json_int(msg, "length", 0);
        if (h->end > h->wanted->len)
                h->end = h->wanted->len;
        send_range(h);
}

static void handle_event(struct host *h, struct json_object *msg)
{
        const char *container = fg_json_str(msg, "container");
        struct fg_error err = FG_ERROR_INIT;

        if (fg_json_int(msg, "seq", 0) <= h->seq)
                return;
        assert_int_equal(fg_json_int(msg, "seq", 0), h->seq + 1);
        h->seq++;
        assert_int_equal(fg_buf_printf(&h->events, &err, "%s", fg_json_str(msg, "event")), 0);
        if (container)
                assert_int_equal(fg_buf_printf(&h->events, &err, ":%s", container), 0);
        if (fg_json_get(msg, "exitCode"))
                assert_int_equal(fg_buf_printf(&h->events, &err, ":%d",
                                               (int)fg_json_int(msg, "exitCode", -1)),
                                 0);
        assert_int_equal(fg_buf_puts(&h->events, " ", &err), 0);
        host_send_stored(h, "ack");
}

static void handle_output(struct host *h, const struct fg_frame *f)
{
        struct fg_buf *out = &h->output[f->stream % STREAMS];
        struct fg_error err = FG_ERROR_INIT;
        size_t known;

        assert_true(f->stream < STREAMS);
        assert_true(f->offset <= out->len);
        known = out->len - (size_t)f->offset;
        if (known < f->len - 8)
                assert_int_equal(fg_buf_append(out, f->data + 8 + known, f->len - 8 - known, &err),
                                 0);
        if (f->flags & FG_FRAME_LAST)
                h->ended |= 1u << f->stream;
        host_send_stored(h, "ack");
}

static void on_frame(void *userdata, const struct fg_frame *f)
{
        struct host *h = userdata;
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *msg = NULL;
        const char *type;

        if (f->type == FG_FRAME_OUTPUT) {
                handle_output(h, f);
                return;
        }
        msg = fg_json_parse(f->data, f->len, &err);
        assert_non_null(msg);
        type = fg_json_str(msg, "type");
        if (fg_streq(type, "hello")) {
                h->hellos++;
                h->has_task = fg_json_str(msg, "task");
        } else if (fg_streq(type, "blob.read")) {
                handle_read(h, msg);
        } else {
                assert_string_equal(type, "event");
                handle_event(h, msg);
        }
}

static void on_up(void *userdata)
{
        struct host *h = userdata;

        h->ups++;
}

static void on_down(void *userdata, const struct fg_error *err)
{
        struct host *h = userdata;

        h->downs++;
        h->error = *err;
}

static void on_writable(void *userdata)
{
        send_range(userdata);
}

static const struct fg_channel_ops ops = {
        .up = on_up,
        .frame = on_frame,
        .down = on_down,
        .writable = on_writable,
};

static void on_gone(void *userdata, const char *id, bool crashed, const char *reason)
{
        struct host *h = userdata;

        assert_string_equal(id, h->id);
        h->gone++;
        h->crashed = crashed;
}

static void on_done(void *userdata, const char *id, const struct fg_error *err)
{
        struct host *h = userdata;

        assert_string_equal(id, h->id);
        h->done++;
        h->error = err ? *err : FG_ERROR_INIT;
}

static void on_list(void *userdata, const struct fg_vm *vms, size_t n, const struct fg_error *err)
{
        struct host *h = userdata;

        assert_null(err);
        h->done++;
        h->n_vms = n;
        h->running = n > 0 && vms[0].running;
}

void host_run_until(struct host *h, const unsigned *counter, unsigned value)
{
        const uint64_t deadline = fg_mono_ns() + DEADLINE_NS;

        while (*counter < value && fg_mono_ns() < deadline)
                assert_true(sd_event_run(h->event, 100000) >= 0);
        assert_int_equal(*counter, value);
}

void host_open(struct host *h, const char *program)
{
        fg_autofree char *uri = fg_asprintf("fake:%s", program);
        const struct fg_vmm_config config = { .uri = uri, .run_dir = h->dir, .lanes = 1 };
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_vmm_new(h->event, &config, on_gone, h, &h->vmm, &err), 0);
}

void host_start(struct host *h)
{
        struct fg_vm_spec spec = { .vcpus = 1, .memory_mib = 512, .scratch = "/dev/null" };

        memcpy(spec.id, h->id, sizeof(spec.id));
        h->done = 0;
        fg_vmm_start(h->vmm, &spec, on_done, h);
        host_run_until(h, &h->done, 1);
}

void host_destroy(struct host *h)
{
        h->done = 0;
        fg_vmm_destroy(h->vmm, h->id, on_done, h);
        host_run_until(h, &h->done, 1);
        assert_int_equal(h->error.code, FG_ERR_NONE);
}

void host_list(struct host *h)
{
        h->done = 0;
        fg_vmm_list(h->vmm, on_list, h);
        host_run_until(h, &h->done, 1);
}

void host_connect(struct host *h)
{
        struct fg_error err = FG_ERROR_INIT;

        h->wanted = NULL;
        h->hellos = 0;
        h->downs = 0;
        assert_int_equal(fg_channel_new(h->vmm, h->id, &ops, h, &h->channel, &err), 0);
        host_run_until(h, &h->hellos, 1);
}

void host_hang_up(struct host *h)
{
        fg_channel_free(h->channel);
        h->channel = NULL;
}

/* Sends a task of the containers given as JSON, with %s for the manifest's digest. */
static void send_task(struct host *h, const char *containers)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(8192);
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *msg;

        assert_false(h->has_task);
        assert_int_equal(fg_buf_printf(&text, &err,
                                       "{\"type\":\"task\",\"id\":\"%s\",\"containers\":", h->id),
                         0);
        for (const char *p = containers; *p; p++) {
                if (*p == '@')
                        assert_int_equal(fg_buf_printf(&text, &err,
                                                       "\"image\":{\"manifest\":\"%s\"}",
                                                       h->blobs[MANIFEST].digest),
                                         0);
                else
                        assert_int_equal(fg_buf_append(&text, p, 1, &err), 0);
        }
        assert_int_equal(fg_buf_puts(&text, "}", &err), 0);
        msg = fg_json_parse(text.data, text.len, &err);
        assert_non_null(msg);
        host_send(h, msg);
}

void host_boot(struct host *h, const char *containers)
{
        host_open(h, getenv("FG_FAKE_GUEST"));
        host_start(h);
        assert_int_equal(h->error.code, FG_ERR_NONE);
        host_connect(h);
        send_task(h, containers);
}

static void init_blob(struct blob *b, char *take_data, size_t len)
{
        b->data = take_data;
        b->len = len;
        fg_digest_of(b->data, b->len, b->digest);
}

int host_setup(void **state)
{
        static const char config[] = "{\"config\":{\"Cmd\":[\"print\",\"default\"]}}";
        struct host *h = fg_calloc(1, sizeof(*h));
        char *layer = fg_calloc(1, LAYER_LEN), *manifest;

        init_blob(&h->blobs[CONFIG], fg_strdup(config), strlen(config));
        init_blob(&h->blobs[LAYER], layer, LAYER_LEN);
        manifest = fg_asprintf("{\"config\":{\"digest\":\"%s\",\"size\":%zu},"
                               "\"layers\":[{\"digest\":\"%s\",\"size\":%u}]}",
                               h->blobs[CONFIG].digest, strlen(config), h->blobs[LAYER].digest,
                               LAYER_LEN);
        init_blob(&h->blobs[MANIFEST], manifest, strlen(manifest));
        assert_true(sd_event_new(&h->event) >= 0);
        (void)snprintf(h->dir, sizeof(h->dir), "/tmp/fg-fake-XXXXXX");
        assert_non_null(mkdtemp(h->dir));
        fg_id_new(h->id);
        h->events = FG_BUF_INIT(65536);
        for (size_t i = 0; i < STREAMS; i++)
                h->output[i] = FG_BUF_INIT(FLOOD + 4096);
        *state = h;
        return 0;
}

int host_teardown(void **state)
{
        struct host *h = *state;

        host_hang_up(h);
        if (h->vmm)
                host_destroy(h);
        fg_vmm_free(h->vmm);
        sd_event_unref(h->event);
        assert_int_equal(rmdir(h->dir), 0); /* nothing is left */
        fg_buf_finish(&h->events);
        for (size_t i = 0; i < STREAMS; i++)
                fg_buf_finish(&h->output[i]);
        for (size_t i = 0; i < N_BLOBS; i++)
                free(h->blobs[i].data);
        free(h);
        return 0;
}
