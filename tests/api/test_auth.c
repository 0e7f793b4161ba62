/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "api/auth/bucket.h"
#include "api/auth/policy.h"
#include "api/auth/replay.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"

/* ---- policies ---- */

static struct fg_policy *policy(const char *text, struct fg_error *err)
{
        fg_autojson *json = fg_json_parse(text, strlen(text), err);
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        struct fg_policy *p = json ? fg_policy_decode(json, NULL, &problems) : NULL;

        if (json && !p)
                fg_problems_fail(&problems, "policy", err);
        return p;
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
                { "{}", "$.policy.allow: must name at least one action" },
                { "{\"allow\":[]}", "$.policy.allow: must name at least one action" },
                { "{\"deny\":[\"*\"]}", "$.policy.allow: must name at least one action" },
                { "{\"allow\":\"*\"}", "allow: must be a list of strings" },
                { "{\"allow\":[1]}", "allow[0]: is \"\"" },
                { "{\"allow\":[\"*\",\"RunTask\"]}", "allow[1]: is \"RunTask\"" },
                { "{\"allow\":[\"ecs:\"]}", "(allowed: an action such as" },
                { "{\"allow\":[\"a:b:c\"]}", "(allowed: an action such as" },
                { "{\"allow\":[\"*\"],\"clusters\":[\"a/b\"]}", "clusters[0]: is \"a/b\"" },
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

static char *make_dir(void)
{
        char *dir = fg_strdup("/tmp/fgrun-replay.XXXXXX");

        assert_non_null(mkdtemp(dir));
        return dir;
}

static void remove_dir(char *take_dir)
{
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_rm_rf(take_dir, &err), 0);
        free(take_dir);
}

static struct fg_replay *replay(const char *dir, uint32_t max, uint64_t now)
{
        return fg_replay_new(dir, 600, max, now);
}

static enum fg_replay_answer note(struct fg_replay *r, unsigned n, uint64_t signed_sec,
                                  uint64_t now)
{
        struct fg_error err = FG_ERROR_INIT;
        unsigned char s[32];

        signature(s, n * 2654435761U);
        return fg_replay_note(r, s, signed_sec, now, &err);
}

static void test_replay(void **state)
{
        char *dir = make_dir();
        struct fg_replay *r = replay(dir, 1000, 1000);

        assert_int_equal(note(r, 1, 999, 1000), FG_REPLAY_LOST); /* before all that is known */
        assert_int_equal(note(r, 1, 1000, 1000), FG_REPLAY_NEW);
        assert_int_equal(note(r, 1, 1000, 1000), FG_REPLAY_SEEN); /* not even at once */
        assert_int_equal(note(r, 2, 1601, 1601), FG_REPLAY_NEW);  /* another window */
        assert_int_equal(note(r, 1, 1000, 1601), FG_REPLAY_SEEN);
        assert_int_equal(note(r, 2, 1601, 2201), FG_REPLAY_SEEN);
        assert_int_equal(note(r, 1, 1000, 2202), FG_REPLAY_NEW); /* its time is over long since */
        fg_replay_free(r);
        remove_dir(dir);
}

static void test_replay_outlives_the_process(void **state)
{
        char *dir = make_dir();
        struct fg_replay *r = replay(dir, 1000, 1000);

        for (unsigned i = 0; i < 500; i++)
                assert_int_equal(note(r, i, 1000, 1000), FG_REPLAY_NEW);
        assert_int_equal(note(r, 500, 1300, 1000), FG_REPLAY_NEW); /* dated ahead */
        for (uint64_t now = 1001; now < 1500; now += 100) {
                fg_replay_free(r); /* there is nothing that a kill would leave out */
                r = replay(dir, 1000, now);
                assert_int_equal(note(r, 1000 + (unsigned)now, 1000, now), FG_REPLAY_NEW);
                for (unsigned i = 0; i < 501; i++)
                        assert_int_equal(note(r, i, 1000, now), FG_REPLAY_SEEN);
        }
        fg_replay_free(r);
        r = replay(dir, 1000, 1601); /* all but the youngest are over */
        assert_int_equal(note(r, 2401, 1000, 1601), FG_REPLAY_SEEN);
        assert_int_equal(note(r, 3, 1601, 1601), FG_REPLAY_NEW);
        fg_replay_free(r);
        remove_dir(dir);
}

/* Nothing of an earlier boot is known but what was dated ahead. */
static void test_replay_after_a_boot(void **state)
{
        char *dir = make_dir();
        struct fg_replay *r = replay(dir, 1000, 1000);
        fg_autofree char *path = fg_asprintf("%s/signatures", dir);
        FILE *file;

        assert_int_equal(note(r, 1, 1300, 1000), FG_REPLAY_NEW);
        fg_replay_free(r);
        file = fopen(path, "r+e");
        assert_non_null(file);
        assert_int_equal(fseek(file, 8, SEEK_SET), 0);
        assert_int_equal(fputs("another", file) < 0, 0); /* the boot's id */
        assert_int_equal(fseek(file, 0, SEEK_END), 0);
        assert_int_equal(fputs("torn", file) < 0, 0);
        assert_int_equal(fclose(file), 0);
        r = replay(dir, 1000, 1020);
        assert_int_equal(note(r, 2, 1019, 1020), FG_REPLAY_LOST);
        assert_int_equal(note(r, 1, 1300, 1020), FG_REPLAY_SEEN);
        assert_int_equal(note(r, 2, 1020, 1020), FG_REPLAY_NEW);
        fg_replay_free(r);
        remove_dir(dir);
}

/* Nothing is let through while it cannot be written down, as on a full disk. */
static void test_replay_without_its_file(void **state)
{
        char *dir = make_dir();
        fg_autofree char *sub = fg_asprintf("%s/sub", dir), *away = fg_asprintf("%s/away", dir);
        struct fg_replay *r = replay(sub, 1000, 1000);

        assert_int_equal(note(r, 1, 1000, 1000), FG_REPLAY_FULL);
        assert_int_equal(mkdir(sub, 0700), 0);
        assert_int_equal(note(r, 1, 1001, 1001), FG_REPLAY_NEW);
        assert_int_equal(note(r, 1, 1001, 1001), FG_REPLAY_SEEN);
        assert_int_equal(rename(sub, away), 0);
        assert_int_equal(note(r, 2, 1602, 1602), FG_REPLAY_FULL); /* another window */
        assert_int_equal(rename(away, sub), 0);
        assert_int_equal(note(r, 1, 1001, 1602), FG_REPLAY_SEEN);
        assert_int_equal(note(r, 2, 1602, 1602), FG_REPLAY_NEW);
        fg_replay_free(r);
        remove_dir(dir);
}

static void test_replay_is_bounded(void **state)
{
        char *dir = make_dir();
        struct fg_replay *r = replay(dir, 1000, 1000);

        for (unsigned i = 0; i < 1000; i++)
                assert_int_equal(note(r, i, 1000, 1000), FG_REPLAY_NEW);
        assert_int_equal(note(r, 5000, 1000, 1000), FG_REPLAY_FULL); /* rather than forget one */
        assert_int_equal(note(r, 0, 1000, 1000), FG_REPLAY_SEEN);
        assert_int_equal(note(r, 5000, 1601, 1601), FG_REPLAY_NEW);
        fg_replay_free(r);
        remove_dir(dir);
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
                cmocka_unit_test(test_replay_outlives_the_process),
                cmocka_unit_test(test_replay_after_a_boot),
                cmocka_unit_test(test_replay_without_its_file),
                cmocka_unit_test(test_replay_is_bounded),
                cmocka_unit_test(test_bucket),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
