/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/pool_pace.h"
#include "core/clock.h"

#define SECOND FG_NS_PER_SEC

/* Guests that cannot be made cost little: a few tries, then fewer and fewer. */
static void test_failures_in_a_row(void **state)
{
        struct pool_pace pace = { 0 };
        uint64_t now = 1000 * SECOND;
        unsigned tries = 0;

        (void)state;
        for (unsigned i = 0; i < FG_PACE_FAILURES; i++) {
                assert_true(pool_pace_trusts(&pace, now));
                pool_pace_failed(&pace, now);
        }
        assert_false(pool_pace_trusts(&pace, now));
        assert_false(pool_pace_trusts(&pace, now + 59 * SECOND));
        assert_true(pool_pace_trusts(&pace, now + 60 * SECOND));
        for (const uint64_t end = now + 24 * 3600 * SECOND; now < end; now += 5 * SECOND) {
                if (!pool_pace_trusts(&pace, now))
                        continue;
                pool_pace_failed(&pace, now);
                tries++;
        }
        assert_in_range(tries, 24, 32);
        assert_true(pool_pace_trusts(&pace, now + 3841 * SECOND)); /* it never gives up */
}

/* One that dies as soon as it waits is no better than one that does not boot. */
static void test_guests_that_die(void **state)
{
        struct pool_pace pace = { 0 };
        uint64_t now = 1000 * SECOND;

        (void)state;
        for (unsigned i = 0; i < 100; i++, now += 2 * SECOND)
                pool_pace_died(&pace, now - FG_PACE_LIVED_NS, now);
        assert_true(pool_pace_trusts(&pace, now));
        for (unsigned i = 0; i < FG_PACE_FAILURES; i++) {
                assert_true(pool_pace_trusts(&pace, now));
                pool_pace_died(&pace, now, now + FG_PACE_LIVED_NS - 1);
        }
        assert_false(pool_pace_trusts(&pace, now + FG_PACE_LIVED_NS));
        pool_pace_died(&pace, now - 5 * SECOND, now); /* another one was fine */
        assert_true(pool_pace_trusts(&pace, now));
}

static void test_held_while_a_task_starts(void **state)
{
        struct pool_pace pace = { 0 };
        uint64_t now = 1000 * SECOND;

        (void)state;
        assert_int_equal(pool_pace_hold(&pace, false, now), 0);
        assert_int_equal(pool_pace_hold(&pace, true, now), FG_PACE_HOLD_NS);
        assert_int_equal(pool_pace_hold(&pace, true, now + FG_PACE_HOLD_NS - 1), 1);
        assert_int_equal(pool_pace_hold(&pace, false, now + FG_PACE_HOLD_NS - 1), 0);
        /* What was held for one task is not counted against the next. */
        assert_int_equal(pool_pace_hold(&pace, true, now + SECOND), FG_PACE_HOLD_NS);
}

/* Whoever asks, and however often: there is always a task that starts. */
static void test_never_starved(void **state)
{
        struct pool_pace pace = { 0 };
        const uint64_t begin = 1000 * SECOND, end = begin + 10 * SECOND;
        unsigned made = 0;

        (void)state;
        for (uint64_t now = begin; now < end; now += FG_NS_PER_MSEC)
                made += pool_pace_hold(&pace, true, now) == 0;
        assert_in_range(made, 48, 50);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_failures_in_a_row),
                cmocka_unit_test(test_guests_that_die),
                cmocka_unit_test(test_held_while_a_task_starts),
                cmocka_unit_test(test_never_starved),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
