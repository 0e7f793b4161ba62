/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/store.h"
#include "core/fs.h"
#include "core/str.h"

#define TASK_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TASK_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TASK_C "cccccccccccccccccccccccccccccccc"

struct fixture {
        char dir[32];
        sd_event *event;
        struct fg_store *store;
        char told[512]; /* one word per callback, in order */
        char next[FG_TASKPAGE_CURSOR_LEN + 1];
};

struct call {
        struct fixture *f;
        const char *name;
};

static void open_store(struct fixture *f)
{
        fg_autofree char *path = fg_asprintf("%s/db", f->dir);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_store_new(f->event, path, fg_prices_default(), &f->store, &err), 0);
}

static int set_up(void **state)
{
        struct fixture *f = fg_calloc(1, sizeof(*f));

        (void)snprintf(f->dir, sizeof(f->dir), "/tmp/fgrun-store-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        assert_true(sd_event_new(&f->event) >= 0);
        open_store(f);
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;

        fg_store_free(f->store);
        sd_event_unref(f->event);
        assert_int_equal(fg_rm_rf(f->dir, &err), 0);
        free(f);
        return 0;
}

static void tell(struct call *call, const char *what)
{
        struct fixture *f = call->f;
        size_t len = strlen(f->told);

        (void)snprintf(f->told + len, sizeof(f->told) - len, "%s%s:%s", len ? " " : "", call->name,
                       what);
        free(call);
}

static void on_saved(void *userdata, const struct fg_error *err)
{
        tell(userdata, err ? fg_err_name(err->code) : "stored");
}

static void on_read(void *userdata, struct json_object *result, const struct fg_error *err)
{
        const char *status = result ? fg_json_str(result, "lastStatus") : NULL;

        tell(userdata, err ? fg_err_name(err->code) : status ? status : "read");
}

static struct call *call_new(struct fixture *f, const char *name)
{
        struct call *call = fg_calloc(1, sizeof(*call));

        *call = (struct call){ .f = f, .name = name };
        return call;
}

static void save(struct fixture *f, const char *name, const char *id, const char *status,
                 uint64_t start_ns, uint64_t end_ns)
{
        fg_autofree char *document = fg_asprintf("{\"lastStatus\":\"%s\"}", status);
        fg_autofree char *ours = fg_asprintf("{\"id\":\"%s\"}", id);
        struct fg_record record = { .id = id,
                                    .cluster = "default",
                                    .family = "f",
                                    .definition = "f:1",
                                    .group = "family:f",
                                    .status = status,
                                    .created_ns = 1,
                                    .document = document,
                                    .ours = ours,
                                    .snapshot = end_ns ? NULL : document,
                                    .meter_start_ns = start_ns,
                                    .meter_end_ns = end_ns,
                                    .cpu_units = 1024,
                                    .memory_mib = 1024,
                                    .storage_gib = 20 };

        fg_store_save(f->store, &record, on_saved, call_new(f, name));
}

/* A record that the database refuses: a task has a family. */
static void save_refused(struct fixture *f, const char *name)
{
        struct fg_record record = { .id = TASK_C, .status = "RUNNING", .document = "{}" };

        fg_store_save(f->store, &record, on_saved, call_new(f, name));
}

static void get(struct fixture *f, const char *name, const char *id)
{
        fg_store_get(f->store, id, on_read, call_new(f, name));
}

static void expect(struct fixture *f, const char *told)
{
        for (int i = 0; i < 100 && strlen(f->told) < strlen(told); i++)
                assert_true(sd_event_run(f->event, 5000000) >= 0);
        assert_string_equal(f->told, told);
        f->told[0] = '\0';
}

/* The tasks of a page by their first letters, then "+" if there are more. */
static void on_page(void *userdata, struct json_object *result, const struct fg_error *err)
{
        struct json_object *list = fg_json_arr(result, "tasks");
        struct call *call = userdata;
        struct fixture *f = call->f;
        char letters[8] = "";

        assert_null(err);
        for (size_t i = 0; i < json_object_array_length(list); i++)
                letters[i] = *fg_json_str(fg_json_obj(json_object_array_get_idx(list, i), "fgrun"),
                                          "id");
        (void)snprintf(f->next, sizeof(f->next), "%s", fg_json_str(result, "next") ?: "");
        if (*f->next)
                letters[json_object_array_length(list)] = '+';
        tell(call, letters);
}

static void list(struct fixture *f, const char *name, const char *limit)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_taskpage page;

        assert_int_equal(fg_taskpage_parse(limit, *f->next ? f->next : NULL, &page, &err), 0);
        fg_store_list(f->store, NULL, NULL, &page, on_page, call_new(f, name));
}

/* All were created in the same nanosecond: then their ids decide. */
static void test_pages(void **state)
{
        struct fixture *f = *state;

        save(f, "1", TASK_C, "RUNNING", 0, 0);
        save(f, "2", TASK_A, "RUNNING", 0, 0);
        save(f, "3", TASK_B, "RUNNING", 0, 0);
        list(f, "4", "2");
        expect(f, "1:stored 2:stored 3:stored 4:ab+");
        list(f, "5", "2");
        expect(f, "5:c");
        list(f, "6", "3");
        expect(f, "6:abc");
}

static void test_reads_see_the_writes_before_them(void **state)
{
        struct fixture *f = *state;

        save(f, "1", TASK_A, "PENDING", 0, 0);
        save(f, "2", TASK_A, "ACTIVATING", 0, 0);
        get(f, "3", TASK_A);
        save(f, "4", TASK_A, "RUNNING", 0, 0);
        get(f, "5", "aaaa");
        get(f, "6", TASK_B);
        expect(f, "1:stored 2:stored 3:ACTIVATING 4:stored 5:RUNNING 6:NOT_FOUND");
}

static void test_bad_record_fails_alone(void **state)
{
        struct fixture *f = *state;

        save(f, "1", TASK_A, "PENDING", 0, 0); /* under way: the next three share a commit */
        save(f, "2", TASK_A, "RUNNING", 0, 0);
        save_refused(f, "3");
        save(f, "4", TASK_B, "PENDING", 0, 0);
        get(f, "5", TASK_A);
        get(f, "6", TASK_B);
        get(f, "7", TASK_C);
        expect(f, "1:stored 2:stored 3:INTERNAL 4:stored 5:RUNNING 6:PENDING 7:NOT_FOUND");
}

static void on_usage(void *userdata, struct json_object *result, const struct fg_error *err)
{
        char seconds[32];

        assert_null(err);
        (void)snprintf(seconds, sizeof(seconds), "%lld",
                       (long long)fg_json_int(fg_json_obj(result, "total"), "seconds", -1));
        tell(userdata, seconds);
}

/* The version that opened the meter may never have been stored. */
static void test_last_version_bills_it_all_and_once(void **state)
{
        const uint64_t second = UINT64_C(1000000000);
        struct fixture *f = *state;

        save(f, "1", TASK_A, "STOPPED", 1000 * second, 1100 * second);
        save(f, "2", TASK_A, "STOPPED", 1000 * second, 1100 * second);
        fg_store_usage(f->store, "task", 0, 0, on_usage, call_new(f, "3"));
        expect(f, "1:stored 2:stored 3:100");
}

static void save_event(struct fixture *f, const char *name, const char *family, const char *event)
{
        struct fg_record record = { .id = TASK_A,
                                    .cluster = "default",
                                    .family = family,
                                    .definition = "f:1",
                                    .group = "family:f",
                                    .status = "RUNNING",
                                    .document = "{}",
                                    .ours = "{}",
                                    .event = event,
                                    .event_ns = 7 };

        fg_store_save(f->store, &record, on_saved, call_new(f, name));
}

/* "oldest-newest" and the numbers and bodies of what was asked for. */
static void on_events(void *userdata, struct json_object *result, const struct fg_error *err)
{
        struct json_object *list = fg_json_arr(result, "events");
        char text[256];
        int n;

        assert_null(err);
        n = snprintf(text, sizeof(text), "%d-%d", (int)fg_json_int(result, "oldest", -1),
                     (int)fg_json_int(result, "newest", -1));
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                struct json_object *row = json_object_array_get_idx(list, i);

                n += snprintf(text + n, sizeof(text) - (size_t)n, ",%d=%s",
                              (int)fg_json_int(row, "seq", -1), fg_json_str(row, "body"));
        }
        tell(userdata, text);
}

static void events(struct fixture *f, const char *name, uint64_t after, unsigned limit)
{
        fg_store_events(f->store, after, limit, on_events, call_new(f, name));
}

static void test_events_come_with_their_states(void **state)
{
        struct fixture *f = *state;

        fg_store_keep_events(f->store, 2);
        events(f, "0", 0, 9);
        save_event(f, "1", "f", "a");
        save_event(f, "2", NULL, "b"); /* refused: its event must not be there */
        save_event(f, "3", "f", NULL);
        save_event(f, "4", "f", "c");
        events(f, "5", 0, 9);
        expect(f, "0:1-0 1:stored 2:INTERNAL 3:stored 4:stored 5:1-2,1=a,2=c");
        save_event(f, "6", "f", "d");
        events(f, "7", 0, 9);
        events(f, "8", 2, 1);
        events(f, "9", UINT64_MAX, 9);
        expect(f, "6:stored 7:2-3,2=c,3=d 8:2-3,3=d 9:2-3");
        fg_store_expire_events(f->store, 8);
        events(f, "10", 0, 9);
        expect(f, "10:4-3");
        save_event(f, "11", "f", "e"); /* a number is not given twice */
        events(f, "12", 0, 9);
        expect(f, "11:stored 12:4-4,4=e");
}

static void test_everyone_is_told_at_the_end(void **state)
{
        struct fixture *f = *state;

        save(f, "1", TASK_A, "PENDING", 0, 0);
        save(f, "2", TASK_B, "PENDING", 0, 0);
        get(f, "3", TASK_A);
        save(f, "4", TASK_B, "RUNNING", 0, 0);
        fg_store_free(fg_take_ptr(f->store));
        expect(f, "1:stored 2:stored 3:CAPACITY 4:stored");
        open_store(f);
        get(f, "5", TASK_B);
        expect(f, "5:RUNNING");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_pages, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_reads_see_the_writes_before_them, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_bad_record_fails_alone, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_last_version_bills_it_all_and_once, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_events_come_with_their_states, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_everyone_is_told_at_the_end, set_up,
                                                tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
