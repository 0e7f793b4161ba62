/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/auth/bucket.h"
#include "api/auth/policy.h"
#include "api/auth/replay.h"
#include "core/clock.h"
#include "core/json.h"

/* ---- policies ---- */

static struct fg_policy *policy(const char *text, struct fg_error *err)
{
        fg_autojson *json = fg_json_parse(text, strlen(text), err);

        return json ? fg_policy_decode(json, err) : NULL;
}

static enum fg_policy_decision decide(const char *text, const char *action, const char *cluster)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_cleanup(fg_policy_freep) struct fg_policy *p = policy(text, &err);

        assert_non_null(p);
        return fg_policy_decide(p, action, cluster);
}

static void test_policy(void **state)
{
        static const struct {
                const char *policy, *action, *cluster;
                enum fg_policy_decision expected;
        } rows[] = {
                { "{'allow':['*']}", "ecs:RunTask", "prod", FG_POLICY_ALLOW },
                { "{'allow':['ecs:*']}", "ecs:RunTask", NULL, FG_POLICY_ALLOW },
                { "{'allow':['ecs:*']}", "logs:GetLogEvents", NULL, FG_POLICY_NO_ALLOW },
                { "{'allow':['ecs:runtask']}", "ecs:RunTask", NULL, FG_POLICY_ALLOW },
                { "{'allow':['ecs:RunTask']}", "ecs:RunTasks", NULL, FG_POLICY_NO_ALLOW },
                { "{'allow':['ecs:RunTask']}", "ecs:RunTas", NULL, FG_POLICY_NO_ALLOW },
                { "{'allow':['ecs:De*be*s']}", "ecs:DescribeTasks", NULL, FG_POLICY_ALLOW },
                { "{'allow':['ecs:De*be*s']}", "ecs:DescribeTaskSet", NULL, FG_POLICY_NO_ALLOW },
                { "{'allow':['ecs:?unTask']}", "ecs:RunTask", NULL, FG_POLICY_ALLOW },
                { "{'allow':['ecs:?unTask']}", "ecs:unTask", NULL, FG_POLICY_NO_ALLOW },
                { "{'allow':['*'],'deny':['ecs:Delete*']}", "ecs:DeleteCluster", NULL,
                  FG_POLICY_DENY },
                { "{'allow':['ecs:DeleteCluster'],'deny':['*']}", "ecs:DeleteCluster", "dev",
                  FG_POLICY_DENY },
                { "{'allow':['*'],'clusters':['dev-*']}", "ecs:RunTask", "dev-1", FG_POLICY_ALLOW },
                { "{'allow':['*'],'clusters':['dev-*']}", "ecs:RunTask", "prod",
                  FG_POLICY_CLUSTER },
                { "{'allow':['*'],'clusters':['dev-*']}", "sts:GetCallerIdentity", NULL,
                  FG_POLICY_ALLOW },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                char text[256];

                (void)snprintf(text, sizeof(text), "%s", rows[i].policy);
                for (char *p = text; *p; p++)
                        if (*p == '\'')
                                *p = '"';
                if (decide(text, rows[i].action, rows[i].cluster) != rows[i].expected)
                        fail_msg("row %zu: %s %s", i, text, rows[i].action);
        }
}

static void test_policy_is_checked(void **state)
{
        static const struct {
                const char *policy, *message;
        } rows[] = {
                { "[]", "expected an object" },
                { "{}", "allow must name at least one action" },
                { "{\"allow\":[]}", "allow must name at least one action" },
                { "{\"deny\":[\"*\"]}", "allow must name at least one action" },
                { "{\"allow\":\"*\"}", "allow must be a list of strings" },
                { "{\"allow\":[1]}", "allow[0] is \"\"" },
                { "{\"allow\":[\"*\",\"RunTask\"]}", "allow[1] is \"RunTask\"" },
                { "{\"allow\":[\"ecs:\"]}", "expected an action such as" },
                { "{\"allow\":[\"a:b:c\"]}", "expected an action such as" },
                { "{\"allow\":[\"*\"],\"clusters\":[\"a/b\"]}", "clusters[0] is \"a/b\"" },
                { "{\"allow\":[\"*\"],\"Effect\":[]}", "unknown member \"Effect\"" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct fg_error err = FG_ERROR_INIT;
                fg_cleanup(fg_policy_freep) struct fg_policy *p = policy(rows[i].policy, &err);

                assert_null(p);
                assert_int_equal(err.code, FG_ERR_INVALID);
                if (!strstr(err.msg, rows[i].message))
                        fail_msg("%s: %s", rows[i].policy, err.msg);
        }
}

static void test_policy_keeps_its_text(void **state)
{
        static const char text[] =
                "{\"allow\":[\"ecs:*\",\"logs:Get*\"],\"deny\":[\"ecs:StopTask\"],"
                "\"clusters\":[\"dev\"]}";
        struct fg_error err = FG_ERROR_INIT;
        fg_cleanup(fg_policy_freep) struct fg_policy *p = policy(text, &err);
        fg_autojson *json = fg_policy_to_json(p);

        assert_string_equal(fg_json_text(json), text);
        assert_true(fg_policy_sees_cluster(p, "dev"));
        assert_false(fg_policy_sees_cluster(p, "prod"));
}

/* ---- replay ---- */

static void signature(unsigned char ret[32], unsigned n)
{
        memset(ret, 0, 32);
        memcpy(ret, &n, sizeof(n));
}

static void test_replay(void **state)
{
        fg_cleanup(fg_replay_freep) struct fg_replay *r = fg_replay_new(600, 1000);
        unsigned char a[32], b[32];

        signature(a, 1);
        signature(b, 2);
        assert_false(fg_replay_seen(r, a, 1000));
        assert_false(fg_replay_seen(r, a, 1000)); /* two equal requests in one second */
        assert_false(fg_replay_seen(r, a, 1000 + FG_REPLAY_GRACE_SEC));
        assert_true(fg_replay_seen(r, a, 1001 + FG_REPLAY_GRACE_SEC));
        assert_false(fg_replay_seen(r, b, 1600)); /* another generation */
        assert_true(fg_replay_seen(r, a, 1601));
        assert_true(fg_replay_seen(r, b, 1650));
        assert_false(fg_replay_seen(r, a, 2200)); /* its time is over long since */
}

static void test_replay_is_bounded(void **state)
{
        fg_cleanup(fg_replay_freep) struct fg_replay *r = fg_replay_new(600, 1000);
        unsigned char s[32];

        for (unsigned i = 0; i < 5000; i++) {
                signature(s, i * 2654435761U);
                assert_false(fg_replay_seen(r, s, 1000));
        }
        for (unsigned i = 4000; i < 5000; i++) {
                signature(s, i * 2654435761U);
                assert_true(fg_replay_seen(r, s, 1010));
        }
        signature(s, 1 * 2654435761U);
        assert_false(fg_replay_seen(r, s, 1010)); /* forgotten */
}

/* ---- token buckets ---- */

static void test_bucket(void **state)
{
        struct fg_bucket b;
        uint64_t now = 5 * FG_NS_PER_SEC;

        fg_bucket_init(&b, 100, 20, now);
        assert_true(fg_bucket_take(&b, 99, now));
        assert_false(fg_bucket_take(&b, 2, now)); /* all or none */
        assert_true(fg_bucket_take(&b, 1, now));
        assert_false(fg_bucket_take(&b, 1, now + FG_NS_PER_SEC / 20 - 1));
        assert_true(fg_bucket_take(&b, 1, now + FG_NS_PER_SEC / 20));
        assert_false(fg_bucket_take(&b, 1, now)); /* a clock that went back gives nothing */
        now += 2 * FG_NS_PER_SEC;
        assert_true(fg_bucket_take(&b, 39, now));
        assert_false(fg_bucket_take(&b, 1, now));
        assert_true(fg_bucket_take(&b, 100, now + 1000000 * FG_NS_PER_SEC)); /* full, not more */
        assert_false(fg_bucket_take(&b, 1, now + 1000000 * FG_NS_PER_SEC));
        assert_true(fg_bucket_take(&b, 100, UINT64_MAX));
        assert_false(fg_bucket_take(&b, 101, UINT64_MAX));
        fg_bucket_init(&b, 1, 0, now);
        for (int i = 0; i < 1000; i++)
                assert_true(fg_bucket_take(&b, 10, now)); /* off */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_policy),
                cmocka_unit_test(test_policy_is_checked),
                cmocka_unit_test(test_policy_keeps_its_text),
                cmocka_unit_test(test_replay),
                cmocka_unit_test(test_replay_is_bounded),
                cmocka_unit_test(test_bucket),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
