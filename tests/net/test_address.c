/* SPDX-License-Identifier: Apache-2.0 */

/* Addresses, networks, and which address a task gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/str.h"
#include "net/ipam.h"

static struct fg_cidr cidr(const char *text)
{
        struct fg_cidr c;

        assert_true(fg_cidr_parse(text, &c));
        return c;
}

static void test_cidr(void **state)
{
        static const char *const good[] = { "10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32", "::/0",
                                            "fd00::/64",  "::1/128",   "128.0.0.0/1" };
        static const char *const bad[] = {
                "",         "10.0.0.0",    "10.0.0.1/8",  "10.0.0.0/33", "10.0.0.0/",
                "10.0.0/8", "fd00::1/64",  "fd00::/129",  "10.0.0.0/8x", "a/8",
                "/8",       "10.0.0.0/-1", "10.0.0.0/ 8", "1.2.3.4.5/8"
        };
        struct fg_error err = FG_ERROR_INIT;
        struct fg_cidr c;

        for (size_t i = 0; i < FG_ARRAY_SIZE(good); i++)
                if (!fg_cidr_parse(good[i], &c))
                        fail_msg("%s was refused", good[i]);
        for (size_t i = 0; i < FG_ARRAY_SIZE(bad); i++)
                if (fg_cidr_parse(bad[i], &c))
                        fail_msg("%s was taken", bad[i]);
        assert_int_equal(fg_net_cidr_check("fd00::/64", AF_INET, &err), -1);
        assert_int_equal(fg_net_cidr_check("10.0.0.0/8", AF_INET, &err), 0);
}

static void test_overlap(void **state)
{
        assert_true(fg_net_cidr_overlap("10.0.0.0/8", "10.1.0.0/16"));
        assert_true(fg_net_cidr_overlap("10.1.0.0/16", "10.0.0.0/8"));
        assert_true(fg_net_cidr_overlap("0.0.0.0/0", "192.0.2.0/24"));
        assert_false(fg_net_cidr_overlap("10.0.0.0/16", "10.1.0.0/16"));
        assert_false(fg_net_cidr_overlap("::/0", "10.0.0.0/8"));
}

static void test_host(void **state)
{
        struct fg_cidr four = cidr("172.31.0.0/20"), six = cidr("fd00:1::/64");
        struct fg_ip a = fg_cidr_host(&four, 300), b = fg_cidr_host(&six, 0x10203);
        char text[FG_NET_IP_MAX];

        fg_ip_format(&a, text);
        assert_string_equal(text, "172.31.1.44");
        assert_int_equal(fg_cidr_index(&four, &a), 300);
        fg_ip_format(&b, text);
        assert_string_equal(text, "fd00:1::1:203");
        assert_int_equal(fg_cidr_index(&six, &b), 0x10203);
        fg_mac_link_local("02:11:22:33:44:55", text);
        assert_string_equal(text, "fe80::11:22ff:fe33:4455");
}

static void test_pick(void **state)
{
        struct fg_cidr c = cidr("10.0.0.0/28"); /* 4 to 14 */
        struct fg_ipam_used used[] = { { 4, 0 }, { 5, 200 }, { 6, 100 } };
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_ipam_pick(&c, NULL, 0, 0, &err), 4);
        assert_int_equal(fg_ipam_pick(&c, used, 3, 0, &err), 7); /* past those in quarantine */
        assert_int_equal(fg_ipam_pick(&c, used, 3, 12, &err), 12);
        assert_int_equal(fg_ipam_pick(&c, used, 3, 15, &err), 7); /* round again */
        assert_int_equal(fg_ipam_pick(&c, used, 3, 1000, &err), 7);
}

static void test_pick_the_last(void **state)
{
        struct fg_cidr c = cidr("10.0.0.0/28");
        struct fg_ipam_used used[12];
        struct fg_error err = FG_ERROR_INIT;

        for (uint32_t i = 0; i < 11; i++)
                used[i] = (struct fg_ipam_used){ 4 + i, i == 3 || i == 7 ? 1000 - i : 0 };
        assert_int_equal(fg_ipam_pick(&c, used, 11, 5, &err), 11); /* released before the other */
        used[11] = (struct fg_ipam_used){ 11, 0 };                 /* and is now in use again */
        assert_int_equal(fg_ipam_pick(&c, used, 12, 5, &err), 7);
        used[3].released_ns = 0;
        assert_int_equal(fg_ipam_pick(&c, used, 12, 5, &err), -1);
        assert_int_equal(err.code, FG_ERR_CAPACITY);
        assert_string_equal(err.msg, "all 11 addresses of the subnet 10.0.0.0/28 are in use");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cidr),          cmocka_unit_test(test_overlap),
                cmocka_unit_test(test_host),          cmocka_unit_test(test_pick),
                cmocka_unit_test(test_pick_the_last),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
