/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "billing/billing.h"
#include "core/clock.h"
#include "core/fs.h"

#define T0 (UINT64_C(1700000000) * FG_NS_PER_SEC)

static uint64_t rng_state = 88172645463325252u;

static uint64_t rng(void) /* xorshift: the same numbers in every run */
{
        rng_state ^= rng_state << 13;
        rng_state ^= rng_state >> 7;
        return rng_state ^= rng_state << 17;
}

static void test_usage_rounding(void **state)
{
        static const struct {
                uint64_t ns, seconds;
        } cases[] = {
                { 0, 60 },
                { 1, 60 },
                { 60 * FG_NS_PER_SEC - 1, 60 },
                { 60 * FG_NS_PER_SEC, 60 },
                { 60 * FG_NS_PER_SEC + 1, 61 },
                { 61 * FG_NS_PER_SEC, 61 },
                { 3600 * FG_NS_PER_SEC, 3600 },
        };
        struct fg_usage u;

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                fg_usage_of(T0, T0 + cases[i].ns, 256, 512, 20, &u);
                assert_int_equal(u.seconds, cases[i].seconds);
                assert_int_equal(u.vcpu_ms, cases[i].seconds * 250);
                assert_int_equal(u.memory_mib_ms, cases[i].seconds * 512000);
                assert_int_equal(u.storage_mib_ms, 0);
        }
        fg_usage_of(T0, T0 - 5 * FG_NS_PER_SEC, 1024, 2048, 21, &u);
        assert_int_equal(u.seconds, 60);
        assert_int_equal(u.vcpu_ms, 60000);
        assert_int_equal(u.storage_mib_ms, 60 * 1000 * 1024);
}

static void test_usage_extremes(void **state)
{
        struct fg_usage u;

        (void)state;
        fg_usage_of(0, UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, &u);
        assert_int_equal(u.seconds, UINT64_MAX / FG_NS_PER_SEC + 1);
        assert_int_equal(u.storage_mib_ms, INT64_MAX); /* held at the ledger's largest integer */
        fg_usage_of(0, 1, 1, 1, 0, &u);
        assert_int_equal(u.vcpu_ms, 59); /* 58.59… is rounded up */
}

static void test_price_examples(void **state)
{
        fg_cleanup(fg_prices_freep) struct fg_prices *p = fg_prices_default();
        static const struct {
                unsigned seconds, cpu, memory, storage;
                int64_t pico;
                const char *text;
        } cases[] = {
                /* as in docs/billing.md */
                { 60, 256, 512, 20, 205708333, "$0.000205708" },
                { 3600, 256, 512, 20, INT64_C(12342500000), "$0.012342500" },
                { 3600, 1024, 2048, 20, INT64_C(49370000000), "$0.049370000" },
                { 3600, 1024, 2048, 200, INT64_C(69350000000), "$0.069350000" },
                { 90, 512, 1024, 20, 617125000, "$0.000617125" },
                { 2628000, 256, 512, 20, INT64_C(9010025000000), "$9.010025000" },
        };
        char text[32];

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                struct fg_usage u;

                fg_usage_of(T0, T0 + cases[i].seconds * FG_NS_PER_SEC, cases[i].cpu,
                            cases[i].memory, cases[i].storage, &u);
                assert_int_equal(fg_price_of(p, &u), cases[i].pico);
                fg_money_format(cases[i].pico, text);
                assert_string_equal(text, cases[i].text);
        }
        assert_string_equal(fg_prices_name(p), "fargate-us-east-1-linux-x86");
}

/* The price of a whole differs from the sum of its parts by their roundings at most. */
static void test_price_is_linear(void **state)
{
        fg_cleanup(fg_prices_freep) struct fg_prices *p = fg_prices_default();

        (void)state;
        for (int round = 0; round < 2000; round++) {
                struct fg_usage whole = { 0 };
                int64_t parts = 0, diff;
                int n = 1 + (int)(rng() % 20);

                for (int i = 0; i < n; i++) {
                        struct fg_usage u = { .vcpu_ms = rng() % 100000000,
                                              .memory_mib_ms = rng() % 100000000000,
                                              .storage_mib_ms = rng() % 100000000000 };

                        whole.vcpu_ms += u.vcpu_ms;
                        whole.memory_mib_ms += u.memory_mib_ms;
                        whole.storage_mib_ms += u.storage_mib_ms;
                        parts += fg_price_of(p, &u);
                }
                diff = fg_price_of(p, &whole) - parts;
                assert_in_range(diff + n, 0, 2 * (uint64_t)n);
        }
}

static void test_money_format(void **state)
{
        static const struct {
                int64_t pico;
                const char *text;
        } cases[] = {
                { 0, "$0.000000000" },
                { 499, "$0.000000000" },
                { 500, "$0.000000001" },
                { -1500, "-$0.000000002" },
                { INT64_C(999999999999), "$1.000000000" },
                { INT64_MAX, "$9223372.036854776" },
                { INT64_MIN, "-$9223372.036854776" },
        };
        char text[32];

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                fg_money_format(cases[i].pico, text);
                assert_string_equal(text, cases[i].text);
        }
}

static struct fg_prices *load(const char *text, struct fg_error *err)
{
        char path[] = "/tmp/fg-prices-XXXXXX";
        fg_autoclose int fd = mkstemp(path);
        struct fg_prices *p;

        assert_true(fd >= 0);
        assert_int_equal(fg_write_all(fd, text, strlen(text), err), 0);
        p = fg_prices_load(path, err);
        (void)unlink(path);
        return p;
}

#define BOOK(vcpu)                                                                                 \
        "; comment\nname = test\n\n[linux-x86]\nvcpu_hour = " vcpu                                 \
        "\ngb_hour = 2\nstorage_gb_hour = 0.000000000001\n"

static void test_price_book(void **state)
{
        struct fg_usage hour = { .vcpu_ms = 3600000, .memory_mib_ms = UINT64_C(3600000) * 1024 };
        struct fg_error err = FG_ERROR_INIT;
        fg_cleanup(fg_prices_freep) struct fg_prices *p = load(BOOK("0.5"), &err);

        (void)state;
        assert_non_null(p);
        assert_string_equal(fg_prices_name(p), "test");
        assert_int_equal(fg_price_of(p, &hour), INT64_C(2500000000000));
        hour = (struct fg_usage){ .storage_mib_ms = UINT64_C(3600000) * 512 };
        assert_int_equal(fg_price_of(p, &hour), 1); /* half a pico-dollar is rounded up */
        hour.storage_mib_ms--;
        assert_int_equal(fg_price_of(p, &hour), 0);
}

static void test_price_book_errors(void **state)
{
        static const struct {
                const char *text, *message;
        } cases[] = {
                { BOOK("-1"), "line 5: \"vcpu_hour = -1\"" },
                { BOOK("1e3"), "line 5: \"vcpu_hour = 1e3\"" },
                { BOOK("1."), "line 5: \"vcpu_hour = 1.\"" },
                { BOOK("1.2.3"), "line 5: \"vcpu_hour = 1.2.3\"" },
                { BOOK(".5"), "line 5: \"vcpu_hour = .5\"" },
                { BOOK("0,04"), "line 5: \"vcpu_hour = 0,04\"" },
                { BOOK("0.0000000000001"), "line 5: \"vcpu_hour = 0.0000000000001\"" },
                { BOOK("1001"), "line 5: \"vcpu_hour = 1001\"" },
                { BOOK("99999999999999999999"), "line 5" },
                { BOOK("1\nvcpu_hour = 1"), "line 6: \"vcpu_hour\" is given twice" },
                { BOOK("1\nspot = 1"), "line 6: unknown key \"spot\" in section [linux-x86]" },
                { "name = x\nnonsense\n", "line 2: want [section] or key = value" },
                { "name =\n", "line 1: \"name\" is empty" },
                { "name = x\n", "\"vcpu_hour\" is missing in section [linux-x86]" },
                { "", "\"name\" is missing" },
        };

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                struct fg_error err = FG_ERROR_INIT;

                assert_null(load(cases[i].text, &err));
                assert_int_equal(err.code, FG_ERR_INVALID);
                if (!strstr(err.msg, cases[i].message))
                        fail_msg("\"%s\" lacks \"%s\"", err.msg, cases[i].message);
        }
}

static void test_price_book_missing(void **state)
{
        struct fg_error err = FG_ERROR_INIT;

        (void)state;
        assert_null(fg_prices_load("/nonexistent/prices", &err));
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_usage_rounding),    cmocka_unit_test(test_usage_extremes),
                cmocka_unit_test(test_price_examples),    cmocka_unit_test(test_price_is_linear),
                cmocka_unit_test(test_money_format),      cmocka_unit_test(test_price_book),
                cmocka_unit_test(test_price_book_errors), cmocka_unit_test(test_price_book_missing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
