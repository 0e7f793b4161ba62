/* SPDX-License-Identifier: Apache-2.0 */
/* How many guests are wanted of a size, by the tasks that came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/pool_private.h"
#include "api/run.h"
#include "core/clock.h"
#include "core/str.h"

#define AT(seconds) ((seconds)*FG_NS_PER_SEC)

/* Of the daemon, and not asked here. */
bool disks_allowed(const struct fg_daemon *d)
{
        (void)d;
        return true;
}

const struct fg_image *fg_images_known(struct fg_images *images, const char *reference,
                                       struct fg_image *ret)
{
        (void)images;
        (void)reference;
        (void)ret;
        return NULL;
}

char *fg_images_prepared(struct fg_images *images, const char *manifest)
{
        (void)images;
        (void)manifest;
        return NULL;
}

char *fg_reference_normalize(const char *s, struct fg_error *err)
{
        (void)err;
        return fg_strdup(s);
}

static void assert_guests(const struct pool_demand *demand, uint64_t now, unsigned wanted,
                          unsigned limit)
{
        assert_int_equal(pool_demand_wanted(demand, now), wanted);
        assert_int_equal(pool_demand_limit(demand, now), limit);
}

static void test_a_burst_and_its_end(void **state)
{
        struct pool_demand demand = { 0 };

        (void)state;
        assert_guests(&demand, AT(1000), 0, 0);
        for (unsigned i = 1; i <= 5; i++) {
                pool_demand_note(&demand, AT(1000) + i);
                assert_guests(&demand, AT(1000) + i, i, i);
        }
        assert_guests(&demand, AT(1010), 5, 5);
        assert_guests(&demand, AT(1011), 1, 5); /* no more are made, and none is ended */
        assert_guests(&demand, AT(1600), 1, 5);
        assert_guests(&demand, AT(1601), 0, 0);
}

static void test_the_next_burst_counts_anew(void **state)
{
        struct pool_demand demand = { 0 };

        (void)state;
        for (unsigned i = 0; i < 5; i++)
                pool_demand_note(&demand, AT(1000));
        pool_demand_note(&demand, AT(1020));
        assert_guests(&demand, AT(1020), 1, 1);
        pool_demand_note(&demand, AT(1021));
        assert_guests(&demand, AT(1021), 2, 2);
}

static void test_images_must_come_often(void **state)
{
        struct pool_demand demand = { .n_references = 1 };

        (void)state;
        pool_demand_note(&demand, AT(1000));
        pool_demand_note(&demand, AT(1100));
        assert_guests(&demand, AT(1100), 0, 0);
        pool_demand_note(&demand, AT(1200));
        assert_guests(&demand, AT(1200), 1, 1);
        /* after a long time without, it begins from nothing */
        pool_demand_note(&demand, AT(2000));
        assert_guests(&demand, AT(2000), 0, 0);
}

static void test_what_was_asked_for_stays(void **state)
{
        struct pool_demand demand = { .kept = 3 };

        (void)state;
        assert_guests(&demand, AT(1000), 3, 3);
        for (unsigned i = 0; i < 5; i++)
                pool_demand_note(&demand, AT(1000));
        assert_guests(&demand, AT(1000), 5, 5);
        assert_guests(&demand, AT(9000), 3, 3);
        assert_int_equal(pool_demand_rank(&demand), POOL_KEPT);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_a_burst_and_its_end),
                                            cmocka_unit_test(test_the_next_burst_counts_anew),
                                            cmocka_unit_test(test_images_must_come_often),
                                            cmocka_unit_test(test_what_was_asked_for_stays) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
