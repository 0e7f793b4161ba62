/* SPDX-License-Identifier: Apache-2.0 */

/* When a template may still be used: its key changes with what VMs boot from, and only then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"
#include "vmm/template_key.h"

static char dir[] = "/tmp/fgrun-key-XXXXXX";
static char kernel[64], initrd[64], qemu[64];

static int set_up(void **state)
{
        (void)state;
        if (!mkdtemp(dir))
                return -1;
        (void)snprintf(kernel, sizeof(kernel), "%s/kernel", dir);
        (void)snprintf(initrd, sizeof(initrd), "%s/initrd", dir);
        (void)snprintf(qemu, sizeof(qemu), "%s/qemu", dir);
        return 0;
}

static int tear_down(void **state)
{
        struct fg_error err;

        (void)state;
        return fg_rm_rf(dir, &err);
}

static void put(const char *path, const char *text)
{
        struct fg_error err;

        assert_int_equal(fg_write_file(path, text, strlen(text), 0644, &err), 0);
}

static const char *const texts[] = { "QEMU 7.2.22", "9.0.0" };
static const struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
static char last[FG_DIGEST_LEN + 1];

static bool changed_for(struct fg_template_basis basis)
{
        char key[FG_DIGEST_LEN + 1];
        struct fg_error err;
        bool changed;

        assert_int_equal(fg_template_key(&basis, key, &err), 0);
        assert_true(fg_digest_valid(key));
        changed = strcmp(key, last) != 0;
        memcpy(last, key, sizeof(last));
        return changed;
}

static struct fg_template_basis basis(void)
{
        return (struct fg_template_basis){
                .kernel = kernel, .initrd = initrd, .qemu = qemu, .texts = texts, .n_texts = 2
        };
}

static bool changed(void)
{
        return changed_for(basis());
}

static void test_changes(void **state)
{
        (void)state;
        put(kernel, "a kernel");
        put(initrd, "an initrd");
        put(qemu, "QEMU");
        assert_true(changed());
        put(kernel, "b kernel");
        assert_true(changed());
        put(initrd, "an initrD");
        assert_true(changed());
        put(qemu, "QEMU"); /* another file, if with the same in it */
        assert_true(changed());
        assert_int_equal(utimensat(AT_FDCWD, qemu, long_ago, 0), 0); /* the same file, touched */
        assert_true(changed());
        /* Where one ends and the next begins counts. */
        put(kernel, "b kernela");
        put(initrd, "n initrD");
        assert_true(changed());
}

static void test_texts(void **state)
{
        static const char *const newer[] = { "QEMU 7.2.23", "9.0.0" };
        static const char *const moved[] = { "QEMU 7.2.229", ".0.0" };
        struct fg_template_basis other = basis();

        (void)state;
        (void)changed();
        other.texts = newer;
        assert_true(changed_for(other));
        assert_true(changed());
        other.texts = moved;
        assert_true(changed_for(other));
        assert_true(changed());
}

static void test_nothing_else(void **state)
{
        fg_autofree char *link = fg_asprintf("%s/link", dir);
        fg_autofree char *copy = fg_asprintf("%s/copy", dir);
        struct fg_template_basis other = basis();

        (void)state;
        (void)changed();
        assert_false(changed());
        put(kernel, "b kernela"); /* written again: what is in it is the same */
        assert_int_equal(utimensat(AT_FDCWD, initrd, long_ago, 0), 0);
        assert_false(changed());
        put(copy, "n initrD");
        other.initrd = copy;
        assert_false(changed_for(other));
        assert_int_equal(symlink(qemu, link), 0);
        other.qemu = link;
        assert_false(changed_for(other));
        put(qemu, "QEMU"); /* behind the link */
        assert_true(changed_for(other));
}

static void test_missing(void **state)
{
        char key[FG_DIGEST_LEN + 1];
        struct fg_template_basis other = basis();
        struct fg_error err;

        (void)state;
        other.kernel = "/nowhere/kernel";
        assert_int_equal(fg_template_key(&other, key, &err), -1);
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
        other = basis();
        other.qemu = dir;
        assert_int_equal(fg_template_key(&other, key, &err), -1);
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_changes),
                cmocka_unit_test(test_texts),
                cmocka_unit_test(test_nothing_else),
                cmocka_unit_test(test_missing),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
