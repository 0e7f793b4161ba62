/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/api/logstore_fixture.h"

void store_open(struct fixture *f)
{
        struct fg_error err = FG_ERROR_INIT;

        assert_true(sd_event_new(&f->event) >= 0);
        f->options.dir = f->dir;
        if (fg_logstore_new(f->event, &f->options, &f->store, &err) < 0)
                fail_msg("%s", err.msg);
}

void store_close(struct fixture *f)
{
        fg_logstore_free(f->store);
        f->store = NULL;
        f->event = sd_event_unref(f->event);
}

int setup(void **state)
{
        struct fixture *f = fg_calloc(1, sizeof(*f));

        snprintf(f->dir, sizeof(f->dir), "/tmp/fg-logstore-XXXXXX");
        if (!mkdtemp(f->dir))
                return -1;
        *state = f;
        return 0;
}

int teardown(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;

        if (f->store)
                store_close(f);
        (void)fg_rm_rf(f->dir, &err);
        free(f);
        return 0;
}

void run_once(struct fixture *f)
{
        assert_true(sd_event_run(f->event, LIMIT) > 0); /* 0: nothing happened in time */
}

static void on_stored(void *userdata, const uint64_t next[FG_LOG_STREAMS])
{
        struct writer *w = userdata;

        w->stored++;
        w->next[0] = next[0];
        w->next[1] = next[1];
}

static void on_drained(void *userdata)
{
        ((struct writer *)userdata)->drained++;
}

static void on_failed(void *userdata, const struct fg_error *err)
{
        struct writer *w = userdata;

        w->failed++;
        w->error = *err;
}

const struct fg_logwriter_events writer_events = { on_stored, on_drained, on_failed };

void writer_open(struct fixture *f, struct writer *w, const char *task, const char *container)
{
        struct fg_error err = FG_ERROR_INIT;

        *w = (struct writer){ 0 };
        if (fg_logwriter_new(f->store, task, container, &writer_events, w, &w->w, &err) < 0)
                fail_msg("%s", err.msg);
        while (!w->stored && !w->failed)
                run_once(f);
        assert_int_equal(w->failed, 0);
}

int append(struct writer *w, unsigned stream, uint64_t offset, uint64_t time, const void *data,
           size_t len)
{
        struct fg_error err = FG_ERROR_INIT;
        int r = fg_logwriter_append(w->w, stream, offset, time, data, len, &err);

        if (r < 0)
                fail_msg("%s", err.msg);
        return r;
}

void wait_stored(struct fixture *f, struct writer *w, unsigned stream, uint64_t offset)
{
        while (w->next[stream] < offset && !w->failed)
                run_once(f);
        assert_int_equal(w->failed, 0);
        assert_int_equal(w->next[stream], offset);
}

static void on_records(void *userdata, const struct fg_logrecord *records, size_t n,
                       const struct fg_error *error)
{
        struct fg_error err = FG_ERROR_INIT;
        struct reader *r = userdata;

        if (error)
                fail_msg("%s", error->msg);
        r->answers++;
        r->ended = n == 0;
        for (size_t i = 0; i < n; i++) {
                const struct fg_logrecord *record = &records[i];

                r->lost += record->lost;
                r->next[record->stream] = record->offset + record->len;
                if (r->records < sizeof(r->order) - 1)
                        r->order[r->records] = record->container[0];
                r->records++;
                assert_int_equal(
                        fg_buf_append(&r->data[record->stream], record->data, record->len, &err),
                        0);
        }
}

void reader_open(struct fixture *f, struct reader *r, const struct fg_logreader_options *o)
{
        *r = (struct reader){ .data = { FG_BUF_INIT(1u << 28), FG_BUF_INIT(1u << 28) } };
        r->r = fg_logreader_new(f->store, o, on_records, r);
}

void reader_close(struct reader *r)
{
        fg_logreader_free(r->r);
        fg_buf_finish(&r->data[0]);
        fg_buf_finish(&r->data[1]);
}

void read_answer(struct fixture *f, struct reader *r)
{
        int before = r->answers;

        fg_logreader_read(r->r);
        while (r->answers == before)
                run_once(f);
}

void read_all(struct fixture *f, struct reader *r, const struct fg_logreader_options *o)
{
        reader_open(f, r, o);
        while (!r->ended)
                read_answer(f, r);
}
