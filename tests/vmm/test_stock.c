/* SPDX-License-Identifier: Apache-2.0 */

/* Which stock kernel is taken, and what of its modules goes into the guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libgen.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"
#include "vmm/stock.h"

#define ARCHIVE_MAX 65536
#define NEWEST      "6.1.0-10-cloud-amd64"

struct host {
        char dir[32];
        char *boot, *lib;
};

static void put(const struct host *host, const char *path, const char *text)
{
        fg_autofree char *full = fg_asprintf("%s/%s", host->dir, path), *dir = fg_strdup(full);
        struct fg_error err;

        assert_int_equal(fg_mkdir_p(dirname(dir), 0755, &err), 0);
        assert_int_equal(fg_write_file(full, text, strlen(text), 0644, &err), 0);
}

/* In the form of depmod: the whole closure, what is needed first comes last. */
static const char dep[] = "kernel/fs/overlay.ko:\n"
                          "kernel/veth.ko:\n"
                          "kernel/virtio_net.ko: kernel/failover.ko kernel/virtio.ko "
                          "kernel/virtio_ring.ko\n"
                          "kernel/failover.ko:\n"
                          "kernel/nd_virtio_blk.ko: kernel/virtio_ring.ko\n"
                          "kernel/virtio_blk.ko: kernel/virtio.ko kernel/virtio_ring.ko\n"
                          "kernel/virtio_console.ko: kernel/virtio.ko kernel/virtio_ring.ko\n"
                          "kernel/virtio-rng.ko: kernel/virtio.ko kernel/virtio_ring.ko\n"
                          "kernel/virtio_fs.ko: kernel/virtio_blk.ko kernel/virtio.ko\n"
                          "kernel/virtio_mmio.ko: kernel/virtio.ko kernel/virtio_ring.ko\n"
                          "kernel/virtio.ko: kernel/virtio_ring.ko\n"
                          "kernel/virtio_ring.ko:\n";

static const char order[] = "/modules/overlay.ko\n"
                            "/modules/veth.ko\n"
                            "/modules/virtio_ring.ko\n"
                            "/modules/virtio.ko\n"
                            "/modules/virtio_blk.ko\n"
                            "/modules/failover.ko\n"
                            "/modules/virtio_net.ko\n"
                            "/modules/virtio_console.ko\n"
                            "/modules/virtio-rng.ko\n"
                            "/modules/virtio_mmio.ko\n";

static int set_up(void **state)
{
        static const char *const files[] = { "fs/overlay",  "virtio",         "virtio_ring",
                                             "virtio_blk",  "virtio_console", "virtio-rng",
                                             "virtio_mmio", "virtio_net",     "veth",
                                             "failover" };
        static struct host host;

        (void)snprintf(host.dir, sizeof(host.dir), "/tmp/fgstock-XXXXXX");
        *state = &host;
        if (!mkdtemp(host.dir))
                return -1;
        host.boot = fg_asprintf("%s/boot", host.dir);
        host.lib = fg_asprintf("%s/lib", host.dir);
        put(&host, "lib/" NEWEST "/modules.dep", dep);
        put(&host, "lib/" NEWEST "/modules.builtin", "kernel/fs/ext4.ko\n");
        for (size_t i = 0; i < FG_ARRAY_SIZE(files); i++) {
                fg_autofree char *path = fg_asprintf("lib/" NEWEST "/kernel/%s.ko", files[i]);

                put(&host, path, files[i]);
        }
        return 0;
}

static int tear_down(void **state)
{
        struct host *host = *state;
        struct fg_error err;

        free(host->boot);
        free(host->lib);
        return fg_rm_rf(host->dir, &err);
}

static void test_newest(void **state)
{
        const struct host *host = *state;
        fg_cleanup(fg_stock_finish) struct fg_stock stock = { 0 };
        struct fg_error err = FG_ERROR_INIT;

        put(host, "boot/vmlinuz-6.1.0-10-amd64", "another flavour");
        assert_int_equal(fg_stock_find(host->boot, host->lib, &stock, &err), -1);
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
        assert_non_null(strstr(err.msg, "linux-image-cloud-amd64"));

        put(host, "boot/vmlinuz-6.1.0-9-cloud-amd64", "");
        put(host, "boot/vmlinuz-" NEWEST, "");
        put(host, "boot/vmlinuz-6.1.0-11-cloud-amd64", "without modules");
        put(host, "lib/6.1.0-9-cloud-amd64/modules.dep", "");
        assert_int_equal(fg_stock_find(host->boot, host->lib, &stock, &err), 0);
        assert_non_null(strstr(stock.kernel, "/boot/vmlinuz-" NEWEST));
        assert_non_null(strstr(stock.modules, "/lib/" NEWEST));
}

static int pack(const struct host *host, struct fg_buf *out, struct fg_error *err)
{
        fg_autofree char *modules = fg_asprintf("%s/" NEWEST, host->lib);

        return fg_stock_add_modules(modules, out, err);
}

/* A file's content stands behind its name, both padded to four bytes from the start. */
static void assert_holds(const struct fg_buf *archive, const char *name, const char *text)
{
        const char *at = memmem(archive->data, archive->len, name, strlen(name) + 1);
        size_t offset;

        assert_non_null(at);
        offset = (size_t)(at - archive->data) + strlen(name) + 1;
        offset = (offset + 3) & ~(size_t)3;
        assert_true(offset + strlen(text) <= archive->len);
        assert_memory_equal(archive->data + offset, text, strlen(text));
}

static void test_modules(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf archive = FG_BUF_INIT(ARCHIVE_MAX);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_buf_puts(&archive, "07070", &err), 0); /* of the initramfs before it */
        assert_int_equal(pack(*state, &archive, &err), 0);
        assert_memory_equal(archive.data + 5, "\0\0\0", 3);
        assert_memory_equal(archive.data + 8, "070701", 6);
        assert_int_equal(archive.len % 4, 0);
        assert_holds(&archive, "modules/virtio_ring.ko", "virtio_ring");
        assert_holds(&archive, "modules/overlay.ko", "fs/overlay");
        assert_holds(&archive, "modules/order", order);
        assert_holds(&archive, "TRAILER!!!", "");
        assert_null(memmem(archive.data, archive.len, "nd_virtio", strlen("nd_virtio")));
}

static void test_incomplete(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf archive = FG_BUF_INIT(ARCHIVE_MAX);
        const struct host *host = *state;
        struct fg_error err = FG_ERROR_INIT;

        put(host, "lib/" NEWEST "/modules.builtin", "");
        assert_int_equal(pack(host, &archive, &err), -1);
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
        assert_non_null(strstr(err.msg, "ext4"));
        put(host, "lib/" NEWEST "/modules.dep", "kernel/fs/ext4.ko: kernel/jbd2.ko\n");
        assert_int_equal(pack(host, &archive, &err), -1);
        assert_non_null(strstr(err.msg, "jbd2.ko"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_newest, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_modules, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_incomplete, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
