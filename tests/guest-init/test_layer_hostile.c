/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/guest-init/layer_fixture.h"

#include "core/cleanup.h"
#include "core/str.h"

static void names_cannot_leave_the_root(void **state)
{
        struct fixture *f = *state;

        put(f, "../../escaped", .data = "1");
        put(f, "/absolute", .data = "2");
        put(f, "a/../../../b/./c//d", .data = "3");
        put(f, "..", '5', .mode = 0700);
        put(f, "up", '2', "..");
        put(f, "up/up/through-a-link", .data = "4");
        put(f, "cwd", '2', "/proc/self/cwd");
        put(f, "../.wh.victim");
        put(f, "hard", '1', "../../../absolute");
        assert_int_equal(close(open("victim", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
        apply_ok(f);

        expect_text(f, "escaped", "1");
        expect_text(f, "absolute", "2");
        expect_text(f, "b/c/d", "3");
        expect_text(f, "through-a-link", "4");
        expect_text(f, "hard", "2");
        expect_absent(f, "../escaped");
        expect_absent(f, "../through-a-link");
        assert_int_equal(access("victim", F_OK), 0);
        assert_int_equal(expect_stat(f, ".").st_mode, S_IFDIR | 0700);
        assert_int_equal(expect_stat(f, "..").st_mode & 0777, 0700);
}

static void whiteouts_cannot_leave_the_root(void **state)
{
        struct fixture *f = *state;

        put(f, "d/x", .data = "1");
        apply_ok(f);
        put(f, "d/.wh...");
        apply_fails(f, FG_ERR_INVALID, "entry \"d/.wh...\": whiteout of no file");
        put(f, ".wh..");
        apply_fails(f, FG_ERR_INVALID, "whiteout of no file");
        put(f, ".wh.");
        apply_fails(f, FG_ERR_INVALID, "whiteout of no file");
        put(f, ".wh.d/x", .data = "1");
        apply_fails(f, FG_ERR_INVALID, "below a whiteout");
        put(f, "d/.wh.e/f/g", .data = "1");
        apply_fails(f, FG_ERR_INVALID, "below a whiteout");
        expect_text(f, "d/x", "1");
}

static void impossible_entries_are_refused(void **state)
{
        static const struct {
                struct tar_entry entry;
                const char *message;
        } cases[] = {
                { { .name = "" }, "entry \"\": empty name" },
                { { .name = "./", .type = '2', .link = "x" }, "the root can only be" },
                { { .name = "/..", .data = "x" }, "the root can only be" },
                { { .name = ".", .type = '1', .link = "file" }, "the root can only be" },
                { { .name = "a", .type = '2' }, "symbolic link to nowhere" },
                { { .name = "h", .type = '1', .link = "absent" },
                  "\"absent\", which is not there" },
                { { .name = "h", .type = '1', .link = "no/dir" },
                  "\"no/dir\", which is not there" },
                { { .name = "h", .type = '1', .link = "dir" }, "\"dir\", a directory" },
                { { .name = "h", .type = '1', .link = "/" }, "which is not there" },
                { { .name = "file/x" }, "parent \"file\" is not a directory" },
                { { .name = "file/x/y" }, "parent \"file/x\" is not a directory" },
                { { .name = "dangling/x" }, "parent \"dangling\" is a dangling link" },
                { { .name = "loop/x" }, "parent \"loop\"" },
                { { .name = "magic/x" }, "parent \"magic" },
                { { .name = "a\nb\x1b[31m\"/\xff", .type = '2' },
                  "\"a\\x0ab\\x1b[31m\\x22/\\xff\"" },
        };
        struct fixture *f = *state;

        put(f, "file", .data = "x");
        put(f, "dir/", '5');
        put(f, "dangling", '2', "absent");
        put(f, "loop", '2', "loop");
        put(f, "magic", '2', "/proc/self/fd/0");
        apply_ok(f);
        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                fixture_put(f, cases[i].entry);
                apply_fails(f, FG_ERR_INVALID, cases[i].message);
        }
}

static void impossible_owners_are_refused(void **state)
{
        static const char *const ids[] = { "4294967295", "-1", "4294967296" };
        struct fixture *f = *state;

        for (size_t i = 0; i < FG_ARRAY_SIZE(ids); i++) {
                pax(f, "gid", ids[i]);
                put(f, "file");
                /* libarchive itself refuses or clamps what is no number to it. */
                assert_int_equal(apply(f), -1);
                assert_int_equal(f->err.code, FG_ERR_INVALID);
                assert_non_null(strstr(f->err.msg, "impossible owner"));
        }
}

static void directory_may_not_swallow_its_link_target(void **state)
{
        struct fixture *f = *state;

        put(f, "d/file", .data = "1");
        put(f, "d", '1', "d/file");
        apply_fails(f, FG_ERR_NOT_FOUND, "hard link to \"d/file\"");
}

static void deep_trees_are_refused_not_followed(void **state)
{
        struct fixture *f = *state;
        char path[4000] = "";
        size_t len = 0;

        for (int i = 0; i < 200; i++)
                len += (size_t)snprintf(path + len, sizeof(path) - len, "d/");
        /* Links make trees deeper than any one name is. */
        pax(f, "path", path);
        put(f, "x", '5');
        pax(f, "linkpath", path);
        put(f, "A", '2', "x");
        for (int i = 0; i < 3; i++) {
                char name[4096];

                (void)snprintf(name, sizeof(name), "%c/%s", 'A' + i, path);
                pax(f, "path", name);
                put(f, "x", '5');
                pax(f, "linkpath", name);
                (void)snprintf(name, sizeof(name), "%c", 'B' + i);
                put(f, name, '2', "x");
        }
        apply_ok(f);
        put(f, ".wh.d");
        apply_fails(f, FG_ERR_CAPACITY, "nest deeper than");
}

static void limits_hold(void **state)
{
        struct fixture *f = *state;

        f->limits = (struct fg_layer_limits){
                .bytes = 20000, .entries = 6, .name = 20, .depth = 3, .xattrs = 10
        };
        put(f, "a/b/c", .data = "x");
        put(f, "a/./b//../b/c", .data = "x");
        apply_ok(f);
        put(f, "a/b/c/d", .data = "x");
        apply_fails(f, FG_ERR_CAPACITY, "path of 4 components");
        put(f, "a-name-of-21-bytes-xx", .data = "x");
        apply_fails(f, FG_ERR_CAPACITY, "name of 21 bytes");
        put(f, "link", '2', "a-name-of-21-bytes-xx");
        apply_fails(f, FG_ERR_CAPACITY, "link target of 21 bytes");
        put(f, "6th");
        apply_ok(f);
        put(f, "7th");
        apply_fails(f, FG_ERR_CAPACITY, "more than 6 entries");
        expect_absent(f, "7th");
}

static void bombs_do_not_go_off(void **state)
{
        static const struct {
                const char *name;
                bool listed; /* as a file's content, else behind the end of the tar */
        } cases[] = { { "file", true }, { ".wh.ignored", true }, { "small", false } };
        struct fixture *f = *state;
        fg_autofree char *zeros = fg_calloc(1, 8 << 20);

        f->limits.bytes = 1 << 20;
        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                struct fg_error err = FG_ERROR_INIT;

                f->usage = (struct fg_layer_usage){ 0 };
                put(f, cases[i].name, .data = zeros, .len = cases[i].listed ? 8 << 20 : 0);
                if (!cases[i].listed)
                        assert_int_equal(fg_buf_append(&f->tar, zeros, 8 << 20, &err), 0);
                assert_int_equal(apply(f), -1);
                assert_int_equal(f->err.code, FG_ERR_CAPACITY);
                assert_true(f->usage.bytes < 2 << 20);
        }
        /* One that only claims to be large. */
        f->usage = (struct fg_layer_usage){ 0 };
        pax(f, "GNU.sparse.major", "1");
        pax(f, "GNU.sparse.minor", "0");
        pax(f, "GNU.sparse.name", "sparse");
        pax(f, "GNU.sparse.realsize", "9000000000000000000");
        put(f, "x", .data = (char[512]){ "0\n" }, .len = 512);
        apply_fails(f, FG_ERR_CAPACITY, "length of 9000000000000000000 bytes");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                layer_test(names_cannot_leave_the_root),
                layer_test(whiteouts_cannot_leave_the_root),
                layer_test(impossible_entries_are_refused),
                layer_test(impossible_owners_are_refused),
                layer_test(directory_may_not_swallow_its_link_target),
                layer_test(deep_trees_are_refused_not_followed),
                layer_test(limits_hold),
                layer_test(bombs_do_not_go_off),
        };

        return run_layer_tests(tests);
}
