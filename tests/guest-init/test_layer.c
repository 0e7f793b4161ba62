/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/guest-init/layer_fixture.h"

#include "core/cleanup.h"
#include "core/str.h"

static void files_have_their_attributes(void **state)
{
        struct fixture *f = *state;
        struct stat st;

        pax(f, "mtime", "1234567890.125");
        pax(f, "uid", "3000000");
        put(f, "usr/bin/su", .data = "#!", .mode = 04755, .gid = 42);
        put(f, "fifo", '6', .mode = 0620, .uid = 7);
        put(f, "link", '2', "nowhere", .uid = 8, .gid = 9, .mtime = 5);
        apply_ok(f);

        st = expect_stat(f, "usr/bin/su");
        assert_int_equal(st.st_mode, S_IFREG | 04755);
        assert_int_equal(st.st_uid, 3000000);
        assert_int_equal(st.st_gid, 42);
        assert_int_equal(st.st_mtim.tv_sec, 1234567890);
        assert_int_equal(st.st_mtim.tv_nsec, 125000000);
        st = expect_stat(f, "fifo");
        assert_int_equal(st.st_mode, S_IFIFO | 0620);
        assert_int_equal(st.st_uid, 7);
        assert_int_equal(st.st_mtim.tv_sec, TAR_MTIME);
        expect_link(f, "link", "nowhere");
        st = expect_stat(f, "link");
        assert_int_equal(st.st_uid, 8);
        assert_int_equal(st.st_gid, 9);
        assert_int_equal(st.st_mtim.tv_sec, 5);
        /* Nobody listed it. */
        assert_int_equal(expect_stat(f, "usr").st_mode, S_IFDIR | 0755);
        assert_int_equal(f->usage.entries, 3);
}

static void directories_get_mode_and_time_last(void **state)
{
        struct fixture *f = *state;
        struct stat st;

        put(f, "./", '5', .mode = 0711, .mtime = 11);
        put(f, "ro/", '5', .mode = 0555, .mtime = 22);
        put(f, "ro/sub", '5', .mode = 01777, .mtime = 33);
        put(f, "ro/sub/file", .data = "x");
        apply_ok(f);

        st = expect_stat(f, ".");
        assert_int_equal(st.st_mode, S_IFDIR | 0711);
        assert_int_equal(st.st_mtim.tv_sec, 11);
        st = expect_stat(f, "ro");
        assert_int_equal(st.st_mode, S_IFDIR | 0555);
        assert_int_equal(st.st_mtim.tv_sec, 22);
        st = expect_stat(f, "ro/sub");
        assert_int_equal(st.st_mode, S_IFDIR | 01777);
        assert_int_equal(st.st_mtim.tv_sec, 33);
}

static void replaced_directory_is_not_finished(void **state)
{
        struct fixture *f = *state;

        put(f, "target/", '5', .mode = 0700, .mtime = 44);
        put(f, "d/", '5', .mode = 0777, .mtime = 55);
        put(f, "d", '2', "target");
        put(f, "other/sub/", '5', .mode = 0700);
        put(f, "p/sub/", '5', .mode = 0777);
        put(f, "p", '2', "other");
        apply_ok(f);
        expect_link(f, "d", "target");
        assert_int_equal(expect_stat(f, "other/sub").st_mode, S_IFDIR | 0700);
        assert_int_equal(expect_stat(f, "target").st_mode, S_IFDIR | 0700);
        assert_int_equal(expect_stat(f, "target").st_mtim.tv_sec, 44);
}

static void whiteout_hides_lower_layers(void **state)
{
        struct fixture *f = *state;

        put(f, "file", .data = "1");
        put(f, "tree/a/b/c", .data = "1");
        put(f, "link", '2', "tree");
        put(f, "stays", .data = "1");
        apply_ok(f);
        put(f, ".wh.file");
        put(f, ".wh.tree");
        put(f, ".wh.link");
        put(f, ".wh.never-was");
        put(f, "no/such/.wh.dir");
        put(f, "stays/.wh.below-a-file");
        apply_ok(f);

        expect_absent(f, "file");
        expect_absent(f, "tree");
        expect_absent(f, "link");
        expect_absent(f, "no");
        expect_absent(f, ".wh.file");
        expect_text(f, "stays", "1");
}

static void whiteout_spares_its_own_layer(void **state)
{
        struct fixture *f = *state;

        put(f, "before", .data = "1");
        put(f, "after", .data = "1");
        put(f, "dir/lower", .data = "1");
        put(f, "implied/lower", .data = "1");
        apply_ok(f);
        put(f, ".wh.before");
        put(f, "before", .data = "2");
        put(f, "after", .data = "2");
        put(f, ".wh.after");
        put(f, "dir/", '5');
        put(f, "dir/upper", .data = "2");
        put(f, ".wh.dir");
        put(f, "implied/upper", .data = "2");
        put(f, ".wh.implied");
        apply_ok(f);

        expect_text(f, "before", "2");
        expect_text(f, "after", "2");
        expect_text(f, "dir/upper", "2");
        expect_absent(f, "dir/lower");
        expect_text(f, "implied/upper", "2");
        expect_absent(f, "implied/lower");
}

static void opaque_hides_lower_layers_only(void **state)
{
        struct fixture *f = *state;

        put(f, "d/old", .data = "1");
        put(f, "d/same", .data = "1");
        put(f, "d/sub/old", .data = "1");
        put(f, "d/gone/deep/er", .data = "1");
        put(f, "beside", .data = "1");
        apply_ok(f);
        put(f, "d/same", .data = "2");
        put(f, "d/sub/new", .data = "2");
        put(f, "d/.wh..wh..opq");
        put(f, "d/last", .data = "2");
        apply_ok(f);

        expect_absent(f, "d/old");
        expect_absent(f, "d/gone");
        expect_absent(f, "d/sub/old");
        expect_absent(f, "d/.wh..wh..opq");
        expect_text(f, "d/same", "2");
        expect_text(f, "d/sub/new", "2");
        expect_text(f, "d/last", "2");
        expect_text(f, "beside", "1");
}

static void opaque_sees_names_not_inodes(void **state)
{
        struct fixture *f = *state;

        put(f, "usr/lib/old", .data = "1");
        put(f, "lib", '2', "usr/lib");
        apply_ok(f);
        put(f, "lib/new", '1', "usr/lib/old");
        put(f, "usr/lib/.wh..wh..opq");
        apply_ok(f);

        /* A second name of a hidden file stays, also when made through a link. */
        expect_absent(f, "usr/lib/old");
        expect_text(f, "usr/lib/new", "1");
}

static void aufs_bookkeeping_is_ignored(void **state)
{
        struct fixture *f = *state;

        put(f, ".wh..wh.aufs", .data = "x");
        put(f, ".wh..wh.plnk/", '5');
        put(f, ".wh..wh.plnk/12.34", .data = "x");
        put(f, "file", .data = "1");
        apply_ok(f);
        expect_absent(f, ".wh..wh.aufs");
        expect_absent(f, ".wh..wh.plnk");
        expect_text(f, "file", "1");
}

static void parents_may_be_links(void **state)
{
        struct fixture *f = *state;

        put(f, "usr/bin/", '5');
        put(f, "bin", '2', "usr/bin");
        put(f, "sbin", '2', "/usr/bin");
        put(f, "out", '2', "../../../../../usr/bin");
        apply_ok(f);
        put(f, "bin/a", .data = "1");
        put(f, "sbin/b", .data = "2");
        put(f, "out/c/d", .data = "3");
        put(f, "bin/.wh.nothing");
        apply_ok(f);

        expect_link(f, "bin", "usr/bin");
        expect_text(f, "usr/bin/a", "1");
        expect_text(f, "usr/bin/b", "2");
        expect_text(f, "usr/bin/c/d", "3");
}

static void other_kinds_are_replaced(void **state)
{
        struct fixture *f = *state;

        put(f, "dir-file/x/y", .data = "1");
        put(f, "dir-link/x", .data = "1");
        put(f, "file-dir", .data = "1");
        put(f, "real/x", .data = "1");
        put(f, "link-dir", '2', "real");
        put(f, "link-file", '2', "real/x");
        put(f, "one", .data = "1");
        put(f, "two", '1', "one");
        apply_ok(f);
        put(f, "dir-file", .data = "2");
        put(f, "dir-link", '2', "real");
        put(f, "file-dir/", '5');
        put(f, "file-dir/x", .data = "2");
        put(f, "link-dir/", '5');
        put(f, "link-file", .data = "2");
        put(f, "one", .data = "2");
        apply_ok(f);

        expect_text(f, "dir-file", "2");
        expect_link(f, "dir-link", "real");
        expect_text(f, "file-dir/x", "2");
        assert_true(S_ISDIR(expect_stat(f, "link-dir").st_mode));
        expect_absent(f, "link-dir/x");
        expect_text(f, "link-file", "2");
        expect_text(f, "real/x", "1");
        /* A new file, not new content of the old one. */
        expect_text(f, "one", "2");
        expect_text(f, "two", "1");
}

static void last_of_duplicates_wins(void **state)
{
        struct fixture *f = *state;

        put(f, "etc/real", .data = "0");
        put(f, "a", '2', "etc/real");
        put(f, "a", .data = "1");
        put(f, "./a", .data = "2");
        put(f, "d/", '5', .mode = 0700);
        put(f, "d/x", .data = "1");
        put(f, "d/", '5', .mode = 0750);
        apply_ok(f);
        expect_text(f, "a", "2");
        expect_text(f, "etc/real", "0");
        expect_text(f, "d/x", "1");
        assert_int_equal(expect_stat(f, "d").st_mode, S_IFDIR | 0750);
}

static void hardlinks_reach_across_layers(void **state)
{
        struct fixture *f = *state;

        put(f, "usr/bin/perl", .data = "p", .mode = 0755);
        put(f, "bin", '2', "/usr/bin");
        put(f, "sym", '2', "usr/bin/perl");
        apply_ok(f);
        put(f, "usr/bin/perl5", '1', "/bin/perl");
        put(f, "sym2", '1', "sym");
        put(f, "usr/bin/perl", '1', "usr/bin/perl");
        apply_ok(f);

        expect_text(f, "usr/bin/perl5", "p");
        assert_int_equal(expect_stat(f, "usr/bin/perl").st_nlink, 2);
        expect_link(f, "sym2", "usr/bin/perl");
        assert_int_equal(expect_stat(f, "sym2").st_ino, expect_stat(f, "sym").st_ino);
}

static void sparse_files_have_holes(void **state)
{
        struct fixture *f = *state;
        char body[512 + 5] = "1\n1048576\n5\n";
        struct stat st;
        char got[5];

        memcpy(body + 512, "hello", 5);
        pax(f, "GNU.sparse.major", "1");
        pax(f, "GNU.sparse.minor", "0");
        pax(f, "GNU.sparse.name", "sparse");
        pax(f, "GNU.sparse.realsize", "8388608");
        put(f, "GNUSparseFile.0/sparse", .data = body, .len = sizeof(body));
        apply_ok(f);

        st = expect_stat(f, "sparse");
        assert_int_equal(st.st_size, 8 << 20);
        assert_true(st.st_blocks < 64);
        {
                fg_autoclose int fd = openat(f->root, "sparse", O_RDONLY | O_CLOEXEC);

                assert_int_equal(pread(fd, got, 5, 1 << 20), 5);
                assert_memory_equal(got, "hello", 5);
        }
}

static void devices_are_made_when_allowed(void **state)
{
        struct fixture *f = *state;
        struct stat st;

        put(f, "null", '3', .mode = 0666, .major = 1, .minor = 3);
        put(f, "disk", '4', .mode = 0660, .gid = 6, .major = 8, .minor = 17);
        apply_ok(f);
        st = expect_stat(f, "null");
        assert_int_equal(st.st_mode, S_IFCHR | 0666);
        assert_int_equal(st.st_rdev, makedev(1, 3));
        st = expect_stat(f, "disk");
        assert_int_equal(st.st_mode, S_IFBLK | 0660);
        assert_int_equal(st.st_gid, 6);
        assert_int_equal(st.st_rdev, makedev(8, 17));

        f->limits.devices = false;
        put(f, "zero", '3', .major = 1, .minor = 5);
        apply_fails(f, FG_ERR_DENIED, "entry \"zero\": device nodes");
        expect_absent(f, "zero");
}

static void names_are_bytes(void **state)
{
        struct fixture *f = *state;
        char longest[256], path[600];

        memset(longest, 'n', 255);
        longest[255] = '\0';
        (void)snprintf(path, sizeof(path), "%s/%s", longest, longest);
        pax(f, "path", path);
        put(f, "short", .data = "1");
        put(f, "././@LongLink", 'L', .data = path, .len = strlen(path) + 1);
        put(f, "short", .data = "2");
        pax(f, "path", "caf\xc3\xa9/\xe6\x97\xa5");
        put(f, "short", .data = "3");
        pax(f, "path", "latin-\xe9");
        put(f, "short", .data = "4");
        put(f, "ustar-\xc3\xa9-\xe9", .data = "5");
        put(f, "new\nline\t\\", .data = "6");
        pax(f, "linkpath", "\xc3\xa9/\xff");
        put(f, "link", '2', "short");
        put(f, "._name", .data = "7");
        put(f, "name", .data = "8");
        apply_ok(f);

        expect_text(f, path, "2");
        expect_text(f, "caf\xc3\xa9/\xe6\x97\xa5", "3");
        expect_text(f, "latin-\xe9", "4");
        expect_text(f, "ustar-\xc3\xa9-\xe9", "5");
        expect_text(f, "new\nline\t\\", "6");
        expect_link(f, "link", "\xc3\xa9/\xff");
        expect_text(f, "._name", "7");
        expect_text(f, "name", "8");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                layer_test(files_have_their_attributes),
                layer_test(directories_get_mode_and_time_last),
                layer_test(replaced_directory_is_not_finished),
                layer_test(whiteout_hides_lower_layers),
                layer_test(whiteout_spares_its_own_layer),
                layer_test(opaque_hides_lower_layers_only),
                layer_test(opaque_sees_names_not_inodes),
                layer_test(aufs_bookkeeping_is_ignored),
                layer_test(parents_may_be_links),
                layer_test(other_kinds_are_replaced),
                layer_test(last_of_duplicates_wins),
                layer_test(hardlinks_reach_across_layers),
                layer_test(sparse_files_have_holes),
                layer_test(devices_are_made_when_allowed),
                layer_test(names_are_bytes),
        };

        return run_layer_tests(tests);
}
