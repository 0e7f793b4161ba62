/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/bench/bench.h"
#include "cli/bench/stats.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"

static void test_percentiles(void **state)
{
        fg_cleanup(bench_samples_finish) struct bench_samples s = { 0 };

        assert_true(bench_percentile(&s, 50) == 0);
        bench_samples_add(&s, 7);
        assert_true(bench_percentile(&s, 50) == 7 && bench_percentile(&s, 99) == 7);
        bench_samples_finish(&s);
        for (unsigned i = 0; i < 200; i++) /* 200, 199, ... 1: they need not be sorted */
                bench_samples_add(&s, 200 - i);
        assert_true(bench_percentile(&s, 50) == 100);
        assert_true(bench_percentile(&s, 90) == 180);
        assert_true(bench_percentile(&s, 99) == 198);
        assert_true(bench_percentile(&s, 100) == 200);
        assert_true(s.v[0] == 200); /* and stay as they were taken */
        bench_samples_add(&s, 1);   /* 201: the middle is the 101st */
        assert_true(bench_percentile(&s, 50) == 100);
}

static void test_steady_samples(void **state)
{
        static const struct {
                double v[5];
                size_t n;
                bool steady;
        } cases[] = {
                { { 1 }, 1, false },
                { { 0 }, 0, false },
                { { 1, 2, 1.5 }, 3, true },
                { { 1, 2.1, 1.5 }, 3, false },
                { { 54, 1, 1, 2, 1 }, 5, true },
                { { 54, 1, 40, 2, 1 }, 5, false },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                fg_cleanup(bench_samples_finish) struct bench_samples s = { 0 };

                for (size_t k = 0; k < cases[i].n; k++)
                        bench_samples_add(&s, cases[i].v[k]);
                assert_int_equal(bench_steady(&s), cases[i].steady);
        }
}

/* fgd counts what it promises, of a container as well; others promise nothing. */
static void test_what_is_promised(void **state)
{
        static const char info[] = "{\"hypervisor\":{\"overheadMiB\":256}}";
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *value = fg_json_parse(info, strlen(info), &err);
        const struct bench b = { .world.info = value };
        const struct {
                const struct bench_kind *kind;
                unsigned mib;
        } cases[] = {
                { &bench_warm_image, 768 }, { &bench_restored, 1280 }, { &bench_container, 768 },
                { &bench_docker, 0 },       { &bench_host, 0 },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                const struct bench_peer p = { .kind = cases[i].kind };

                assert_int_equal(bench_promised_mib(&b, &p), cases[i].mib);
        }
}

static void test_samples_as_json(void **state)
{
        fg_cleanup(bench_samples_finish) struct bench_samples s = { 0 };
        fg_autojson *obj = json_object_new_object();

        bench_samples_add(&s, 2.5);
        bench_samples_add(&s, 1.23456);
        bench_samples_json(&s, obj);
        assert_string_equal(fg_json_text(obj),
                            "{\"p50_ms\":1.235,\"p90_ms\":2.500,\"p99_ms\":2.500,"
                            "\"samples_ms\":[2.500,1.235]}");
}

/* A clock that stands still but for what the contenders of a test take. */
static uint64_t fake_ns;

static uint64_t read_fake(void *userdata)
{
        (void)userdata;
        return fake_ns;
}

static const struct bench_clock fake_clock = { .now_ns = read_fake };

struct fake {
        char name;
        unsigned takes_ms;
        unsigned fails_from, runs; /* 0: never */
        struct bench_samples samples;
        unsigned told;
};

static char order[256];

static int fake_once(void *userdata, bool counted, struct fg_error *err)
{
        struct fake *f = userdata;
        const uint64_t begin = bench_now(&fake_clock);

        order[strlen(order)] = f->name;
        if (f->fails_from > 0 && ++f->runs >= f->fails_from)
                return fg_fail(err, FG_ERR_UPSTREAM, "broken");
        fake_ns += f->takes_ms * FG_NS_PER_MSEC;
        if (counted)
                bench_samples_add(&f->samples, bench_ms(begin, bench_now(&fake_clock)));
        return 0;
}

static void fake_failed(void *userdata, const struct fg_error *err)
{
        struct fake *f = userdata;

        assert_string_equal(err->msg, "broken");
        f->told++;
}

static bool never(void)
{
        return false;
}

static bool after_five(void)
{
        return strlen(order) == 5;
}

static void test_turns(void **state)
{
        struct fake a = { 'a', 10 }, b = { 'b', 25, .fails_from = 3 }, c = { 'c', 40 };
        struct bench_contender who[] = { { &a, fake_once }, { &b, fake_once }, { &c, fake_once } };
        struct bench_rounds rounds = { 1, 5, fake_failed, never };

        fake_ns = FG_NS_PER_SEC;
        memset(order, 0, sizeof(order));
        bench_interleave(who, 3, &rounds);
        /* In turn; who fails three times in a row is left out, the others go on. */
        assert_string_equal(order, "abcabcabcabcabcac");
        assert_true(a.samples.n == 5 && b.samples.n == 1 && c.samples.n == 5); /* no warm-up */
        assert_true(bench_percentile(&a.samples, 99) == 10);
        assert_true(bench_percentile(&b.samples, 99) == 25);
        assert_true(bench_percentile(&c.samples, 50) == 40);
        assert_int_equal(b.told, BENCH_FAILURES_MAX);
        assert_true(who[1].out && !who[0].out);

        memset(order, 0, sizeof(order));
        rounds.stop = after_five;
        bench_interleave(who, 3, &rounds);
        assert_string_equal(order, "acaca");
        bench_samples_finish(&a.samples);
        bench_samples_finish(&b.samples);
        bench_samples_finish(&c.samples);
}

static void test_time_until_output(void **state)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 }, late = { 0 }, silent = { 0 };
        struct bench_exec exec = { .words = &words, .until = "two", .timeout_ms = 60000 };
        struct fg_error err = FG_ERROR_INIT;

        bench_words_all(&words, (const char *const[]){ "sh", "-c",
                                                       "echo one; sleep 0.1; echo two; sleep 0.1; "
                                                       "exit 3",
                                                       NULL });
        assert_int_equal(bench_exec(&exec, &bench_monotonic, &run, &err), 0);
        assert_true(run.seen_ms >= 100 && run.whole_ms >= run.seen_ms + 90);
        assert_int_equal(run.status, 3);
        exec.until = "three";
        assert_int_equal(bench_exec(&exec, &bench_monotonic, &silent, &err), -1);
        assert_non_null(strstr(err.msg, "status 3"));
        exec.timeout_ms = 50;
        assert_int_equal(bench_exec(&exec, &bench_monotonic, &late, &err), -1);
        assert_int_equal(err.code, FG_ERR_TIMEOUT);
}

/* By the clock it is given, whatever the time: begun at the first reading, seen at the second. */
static uint64_t read_in_turn(void *userdata)
{
        static const uint64_t at_ms[] = { 1000, 1080, 1100 };
        size_t *turn = userdata;

        assert_true(*turn < FG_ARRAY_SIZE(at_ms));
        return at_ms[(*turn)++] * FG_NS_PER_MSEC;
}

static void test_time_is_that_of_the_clock(void **state)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 };
        const struct bench_exec exec = { .words = &words, .timeout_ms = 60000 };
        size_t turn = 0;
        const struct bench_clock clock = { .now_ns = read_in_turn, .userdata = &turn };
        struct fg_error err = FG_ERROR_INIT;

        bench_words_all(&words, (const char *const[]){ "sh", "-c", "echo one; echo two", NULL });
        assert_int_equal(bench_exec(&exec, &clock, &run, &err), 0);
        assert_true(run.seen_ms == 80 && run.whole_ms == 100);
}

static void test_why_a_program_failed(void **state)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        struct fg_error err = FG_ERROR_INIT;

        bench_words_all(&words, (const char *const[]){ "sh", "-c",
                                                       "echo; echo note >&2; echo the reason >&2; "
                                                       "exit 1",
                                                       NULL });
        assert_int_equal(bench_exec_simply(&words, NULL, &err), -1);
        assert_string_equal(err.msg, "sh: status 1: the reason");
}

static void test_page_is_text(void **state)
{
        static const char text[] =
                "{\"host\":{\"kernel\":\"<b>\"},\"start\":[{\"name\":\"a&b\",\"p50_ms\":3,\"p99_"
                "ms\":9,"
                "\"samples_ms\":[1,3,9],\"typed\":{\"p99_ms\":10,\"samples_ms\":[10]}}]}";
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *result = fg_json_parse(text, strlen(text), &err);
        fg_autofree char *page = bench_html(result, &err);

        assert_non_null(page);
        assert_non_null(strstr(page, ">a&amp;b</text>"));
        assert_null(strstr(page, "<b>"));
        assert_null(strstr(page, ">nan"));
        assert_null(strstr(page, "\"nan"));
        assert_null(strstr(page, "<script"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_percentiles),
                cmocka_unit_test(test_steady_samples),
                cmocka_unit_test(test_what_is_promised),
                cmocka_unit_test(test_samples_as_json),
                cmocka_unit_test(test_turns),
                cmocka_unit_test(test_time_until_output),
                cmocka_unit_test(test_time_is_that_of_the_clock),
                cmocka_unit_test(test_why_a_program_failed),
                cmocka_unit_test(test_page_is_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
