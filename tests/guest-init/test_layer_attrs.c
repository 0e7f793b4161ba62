/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/guest-init/layer_fixture.h"

#define XATTR "SCHILY.xattr."

/* Revision 2, effective, cap_net_raw permitted: what setcap cap_net_raw+ep writes. */
static const char capability[20] = { 1, 0, 0, 2, 0, 0x20 };

static void expect_xattr(struct fixture *f, const char *path, const char *name, const void *value,
                         size_t len)
{
        char got[256];

        assert_int_equal(xattr_of(f, path, name, got, sizeof(got)), len);
        assert_memory_equal(got, value, len);
}

static void expect_no_xattr(struct fixture *f, const char *path, const char *name)
{
        assert_int_equal(xattr_of(f, path, name, NULL, 0), -1);
        assert_int_equal(errno, ENODATA);
}

static void attributes_are_kept(void **state)
{
        struct fixture *f = *state;

        fixture_pax(f, XATTR "security.capability", capability, sizeof(capability));
        fixture_pax(f, XATTR "user.binary", "\n=\0x", 4);
        fixture_pax(f, XATTR "user.empty", "", 0);
        put(f, "ping", .data = "#!", .mode = 04755, .uid = 3, .gid = 4);
        pax(f, XATTR "user.dir", "d");
        put(f, "dir/", '5', .mode = 0500);
        apply_ok(f);

        expect_xattr(f, "ping", "security.capability", capability, sizeof(capability));
        expect_xattr(f, "ping", "user.binary", "\n=\0x", 4);
        expect_xattr(f, "ping", "user.empty", "", 0);
        expect_xattr(f, "dir", "user.dir", "d", 1);
        assert_int_equal(expect_stat(f, "ping").st_mode, S_IFREG | 04755);
        assert_int_equal(f->usage.xattrs_dropped, 0);
}

static void attributes_of_the_builder_are_dropped(void **state)
{
        static const char *const names[] = { "trusted.overlay.opaque", "trusted.overlay.redirect",
                                             "trusted.other",          "security.selinux",
                                             "security.ima",           "user.overlay.opaque",
                                             "system.nfs4_acl",        "com.apple.quarantine" };
        struct fixture *f = *state;
        const size_t count = sizeof(names) / sizeof(names[0]);

        for (size_t i = 0; i < count; i++) {
                char key[64];

                (void)snprintf(key, sizeof(key), XATTR "%s", names[i]);
                pax(f, key, "y");
        }
        put(f, "dir/", '5');
        pax(f, XATTR "user.on-a-link", "y");
        put(f, "link", '2', "dir");
        apply_ok(f);
        assert_int_equal(f->usage.xattrs_dropped, count + 1);
        for (size_t i = 0; i < count; i++)
                assert_int_equal(xattr_of(f, "dir", names[i], NULL, 0), -1);
}

static void merged_directory_has_the_upper_attributes(void **state)
{
        struct fixture *f = *state;

        pax(f, XATTR "user.lower", "1");
        put(f, "dir/", '5', .uid = 1);
        apply_ok(f);
        pax(f, XATTR "user.upper", "2");
        put(f, "dir/", '5', .uid = 2);
        apply_ok(f);
        expect_no_xattr(f, "dir", "user.lower");
        expect_xattr(f, "dir", "user.upper", "2", 1);
        assert_int_equal(expect_stat(f, "dir").st_uid, 2);
}

/* The kernel's form: version, then tag, permissions and id of each entry. */
#define ACL(tag, perm, id0) tag, 0, perm, 0, id0
#define NO_ID               '\xff', '\xff', '\xff', '\xff'
#define ID(n)               n, 0, 0, 0

static void acls_are_kept(void **state)
{
        static const char access[] = { 2,
                                       0,
                                       0,
                                       0,
                                       ACL(0x01, 6, NO_ID),
                                       ACL(0x02, 4, ID(7)),
                                       ACL(0x04, 4, NO_ID),
                                       ACL(0x10, 6, NO_ID),
                                       ACL(0x20, 0, NO_ID) };
        static const char inherit[] = { 2,
                                        0,
                                        0,
                                        0,
                                        ACL(0x01, 7, NO_ID),
                                        ACL(0x04, 5, NO_ID),
                                        ACL(0x08, 7, ID(9)),
                                        ACL(0x10, 7, NO_ID),
                                        ACL(0x20, 5, NO_ID) };
        struct fixture *f = *state;

        pax(f, "SCHILY.acl.default", "user::rwx,group::r-x,group:wheel:rwx:9,mask::rwx,other::r-x");
        put(f, "dir/", '5');
        pax(f, "SCHILY.acl.access", "user::rw-,user:bob:r--:7,group::r--,mask::rw-,other::---");
        put(f, "dir/file", .data = "x", .mode = 0660);
        put(f, "dir/plain", .data = "x", .mode = 0640);
        put(f, "dir/sub/", '5');
        apply_ok(f);

        expect_xattr(f, "dir", "system.posix_acl_default", inherit, sizeof(inherit));
        expect_xattr(f, "dir/file", "system.posix_acl_access", access, sizeof(access));
        /* A tar says all there is to say about a file: nothing is inherited. */
        expect_no_xattr(f, "dir/plain", "system.posix_acl_access");
        expect_no_xattr(f, "dir/sub", "system.posix_acl_default");
        assert_int_equal(expect_stat(f, "dir/plain").st_mode, S_IFREG | 0640);
        assert_int_equal(f->usage.xattrs_dropped, 0);
}

static void acl_of_a_mere_name_is_dropped(void **state)
{
        struct fixture *f = *state;

        pax(f, "SCHILY.acl.access", "user::rw-,user:bob:rwx,group::r--,mask::rwx,other::---");
        put(f, "file", .mode = 0600);
        apply_ok(f);
        expect_no_xattr(f, "file", "system.posix_acl_access");
        assert_int_equal(f->usage.xattrs_dropped, 1);
}

static void bad_capability_is_refused(void **state)
{
        struct fixture *f = *state;

        pax(f, XATTR "security.capability", "garbage");
        put(f, "file");
        apply_fails(f, FG_ERR_INVALID, "entry \"file\": extended attribute security.capability");
}

static void attributes_are_bounded(void **state)
{
        struct fixture *f = *state;

        f->limits.xattrs = 100;
        pax(f, XATTR "user.a", "0123456789012345678901234567890123456789");
        pax(f, XATTR "user.b", "0123456789012345678901234567890123456789");
        put(f, "fits");
        apply_ok(f);
        pax(f, XATTR "user.a", "0123456789012345678901234567890123456789");
        pax(f, XATTR "trusted.b", "01234567890123456789012345678901234567890123456789");
        put(f, "does-not");
        apply_fails(f, FG_ERR_CAPACITY, "entry \"does-not\": extended attributes of more than 100");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                layer_test(attributes_are_kept),
                layer_test(attributes_of_the_builder_are_dropped),
                layer_test(merged_directory_has_the_upper_attributes),
                layer_test(acls_are_kept),
                layer_test(acl_of_a_mere_name_is_dropped),
                layer_test(bad_capability_is_refused),
                layer_test(attributes_are_bounded),
        };

        return run_layer_tests(tests);
}
