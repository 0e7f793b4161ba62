/* SPDX-License-Identifier: Apache-2.0 */

/* The batches for nftables, against the files in golden/; FG_REGEN=1 writes them anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/fs.h"
#include "core/str.h"
#include "net/rules.h"

static struct fg_net_rule web_rules[] = {
        { false, "tcp", 80, 443, "0.0.0.0/0" },   { false, "icmp", 8, -1, "10.0.0.0/8" },
        { false, "icmpv6", -1, -1, "::/0" },      { false, "47", 0, 0, "192.0.2.0/24" },
        { true, "-1", 0, 0, "0.0.0.0/0" },        { true, "-1", 0, 0, "::/0" },
        { true, "udp", 53, 53, "2001:db8::/32" },
};
static struct fg_net_rule db_rules[] = {
        { false, "tcp", 5432, 5432, "sg-000000a1" },
        { false, "icmp", 3, 4, "sg-000000a1" },
        { false, "icmpv6", 128, -1, "sg-000000a1" },
        { false, "icmpv6", 1, 4, "10.0.0.0/8" }, /* nothing */
};
static const struct fg_net_group groups[] = {
        { "sg-000000a1", "web", web_rules, FG_ARRAY_SIZE(web_rules) },
        { "sg-000000b2", "db", db_rules, FG_ARRAY_SIZE(db_rules) },
};
static const struct fg_net_config config = { .groups = groups, .n_groups = 2 };
static const struct fg_net_attachment task = {
        .task = "0123456789abcdef0123456789abcdef",
        .id = "eni-0123456789abcdef0",
        .groups = { "sg-000000a1", "sg-000000b2" },
        .n_groups = 2,
        .mac = "02:11:22:33:44:55",
        .ipv4 = "172.31.0.4",
        .ipv6 = "fd00::4",
        .tap = "tap7",
        .bytes_per_second = 1000000,
};
static const struct fg_rules_port ports[] = { { { false, "", 8080, 80 }, 1 },
                                              { { true, "127.0.0.1", 53, 5353 }, 2 } };
static const struct fg_rules_host host = { .table = "fgr01234567",
                                           .inside4 = "169.254.1.2",
                                           .inside6 = "fd01::2",
                                           .outside4 = "169.254.1.1",
                                           .resolver = "127.0.0.1",
                                           .connections = 131072 };

static void assert_golden(const char *name, const struct fg_buf *text)
{
        fg_cleanup(fg_buf_finish) struct fg_buf golden = FG_BUF_INIT(FG_RULES_MAX);
        fg_autofree char *path = fg_asprintf("%s/%s.nft", getenv("FG_GOLDEN"), name);
        struct fg_error err = FG_ERROR_INIT;

        if (getenv("FG_REGEN"))
                assert_int_equal(fg_write_file(path, text->data, text->len, 0644, &err), 0);
        assert_int_equal(fg_buf_read_file(&golden, path, &err), 0);
        assert_string_equal(text->data, golden.data);
}

static void test_vpc(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf out = FG_BUF_INIT(FG_RULES_MAX);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_rules_vpc(&config, &out, &err), 0);
        assert_golden("vpc", &out);
}

static void test_task(void **state)
{
        for (int on = 1; on >= 0; on--) {
                fg_cleanup(fg_buf_finish) struct fg_buf out = FG_BUF_INIT(FG_RULES_MAX);
                struct fg_error err = FG_ERROR_INIT;

                assert_int_equal(fg_rules_task(&task, on, &out, &err), 0);
                for (size_t i = 0; i < FG_ARRAY_SIZE(ports); i++)
                        assert_int_equal(fg_rules_task_port(&task, &ports[i], on, &out, &err), 0);
                assert_golden(on ? "task-on" : "task-off", &out);
        }
}

/* Without IPv6 nothing is said of it, not even a link-local address. */
static void test_task_of_one_family(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf out = FG_BUF_INIT(FG_RULES_MAX);
        struct fg_net_attachment old = task;
        struct fg_error err = FG_ERROR_INIT;

        old.ipv6[0] = '\0';
        old.bytes_per_second = 0;
        assert_int_equal(fg_rules_task(&old, true, &out, &err), 0);
        assert_null(strstr(out.data, "fe80"));
        assert_null(strstr(out.data, "-6"));
        assert_null(strstr(out.data, "limit"));
}

static void test_host(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf out = FG_BUF_INIT(FG_RULES_MAX);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_rules_host(&host, &out, &err), 0);
        for (size_t i = 0; i < FG_ARRAY_SIZE(ports); i++)
                for (int on = 1; on >= 0; on--)
                        assert_int_equal(fg_rules_host_port(&host, &ports[i], on, &out, &err), 0);
        assert_int_equal(fg_rules_host_gone(host.table, &out, &err), 0);
        assert_int_equal(fg_rules_forwarding("\"eth0\", \"eth1\"", &out, &err), 0);
        assert_int_equal(fg_rules_forwarding("", &out, &err), 0);
        assert_golden("host", &out);
}

/* What keeps tasks from the host where nothing can be done in the host's namespace. */
static void test_far(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf out = FG_BUF_INIT(FG_RULES_MAX);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_rules_far(&out, &err), 0);
        assert_int_equal(fg_rules_far_address("192.0.2.1", &out, &err), 0);
        assert_golden("far", &out);
}

static void test_refuses(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf out = FG_BUF_INIT(FG_RULES_MAX),
                                                tiny = FG_BUF_INIT(100);
        struct fg_net_rule rule = { true, "-1", 0, 0, "} drop" };
        struct fg_net_group group = { "sg-000000a1", "web", &rule, 1 };
        struct fg_net_config bad = { .groups = &group, .n_groups = 1 };
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_rules_vpc(&bad, &out, &err), -1);
        assert_int_equal(err.code, FG_ERR_INVALID);
        assert_int_equal(fg_rules_vpc(&config, &tiny, &err), -1);
        assert_int_equal(err.code, FG_ERR_CAPACITY);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_vpc),     cmocka_unit_test(test_task),
                cmocka_unit_test(test_host),    cmocka_unit_test(test_task_of_one_family),
                cmocka_unit_test(test_refuses), cmocka_unit_test(test_far),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
