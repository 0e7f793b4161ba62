/* SPDX-License-Identifier: Apache-2.0 */

/* VM to domain XML, against the files in golden/; FG_REGEN=1 writes them anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/fs.h"
#include "core/str.h"
#include "vmm/cmdline.h"
#include "vmm/domain.h"

#define XML_MAX 65536

static const struct fg_domain_config tcg = {
        .accel = FG_ACCEL_TCG,
        .owner = "sha256:00ff",
        .run_dir = "/run/fgrun",
        .kernel = "/var/lib/fgrun/boot/kernel",
        .initrd = "/var/lib/fgrun/boot/initrd",
        .cmdline = "console=ttyS0 tsc_early_khz=2500000",
};

static const struct fg_vm_spec small = {
        .id = "0123456789abcdef0123456789abcdef",
        .vcpus = 1,
        .memory_mib = 512,
        .scratch = "/var/lib/fgrun/scratch/a.img",
};

static void assert_golden(const char *name, const struct fg_buf *xml)
{
        fg_cleanup(fg_buf_finish) struct fg_buf golden = FG_BUF_INIT(XML_MAX);
        fg_autofree char *path = fg_asprintf("%s/%s.xml", getenv("FG_GOLDEN"), name);
        struct fg_error err = FG_ERROR_INIT;

        if (getenv("FG_REGEN"))
                assert_int_equal(fg_write_file(path, xml->data, xml->len, 0644, &err), 0);
        assert_int_equal(fg_buf_read_file(&golden, path, &err), 0);
        assert_string_equal(xml->data, golden.data);
}

static void check(const char *name, const struct fg_domain_config *config,
                  const struct fg_vm_spec *spec)
{
        fg_cleanup(fg_buf_finish) struct fg_buf xml = FG_BUF_INIT(XML_MAX);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_domain_xml(config, spec, &xml, &err), 0);
        assert_golden(name, &xml);
}

static void test_tcg(void **state)
{
        check("tcg", &tcg, &small);
}

static void test_kvm(void **state)
{
        struct fg_domain_config kvm = tcg;
        struct fg_vm_spec large = small;

        kvm.accel = FG_ACCEL_KVM;
        kvm.cmdline = "console=ttyS0";
        large.vcpus = 16;
        large.memory_mib = 122880;
        check("kvm", &kvm, &large);
}

static void test_acpi(void **state)
{
        struct fg_domain_config acpi = tcg;

        acpi.acpi = true;
        check("acpi", &acpi, &small);
        acpi.accel = FG_ACCEL_KVM;
        check("acpi-kvm", &acpi, &small);
}

static void test_disks(void **state)
{
        const struct fg_vm_disk disks[] = { { .path = "/blobs/a",
                                              .serial = "0123456789abcdef0123" },
                                            { .path = "/blobs/<b>", .serial = "b" },
                                            { .path = "/blobs/c", .serial = "c" },
                                            { .path = "/blobs/d", .serial = "d" } };
        fg_cleanup(fg_buf_finish) struct fg_buf xml = FG_BUF_INIT(XML_MAX),
                                                more = FG_BUF_INIT(XML_MAX);
        struct fg_error err = FG_ERROR_INIT;
        struct fg_vm_spec spec = small;

        spec.disks = disks;
        spec.n_disks = 2;
        check("disks", &tcg, &spec);
        spec.n_disks = 4; /* more than there are slots */
        assert_int_equal(fg_domain_xml(&tcg, &spec, &xml, &err), -1);
        assert_int_equal(err.code, FG_ERR_INVALID);
        spec.n_disks = 0;
        spec.hotplug = true;
        check("hotplug", &tcg, &spec);
        assert_int_equal(fg_domain_hotplug_xml(&disks[1], 1, &more, &err), 0);
        assert_golden("hotplug-disk", &more);
}

static void test_nic(void **state)
{
        static const struct fg_vm_nic nic = { .netns = "/run/fgrun/vpc/net",
                                              .tap = "tap7",
                                              .mac = "02:11:22:33:44:55" };
        struct fg_vm_spec spec = small;

        spec.nic = &nic;
        check("nic", &tcg, &spec);
}

/* Nothing in a string gets out of its place. */
static void test_templates(void **state)
{
        struct fg_vm_template template = { .ram = "/var/cache/fgrun/templates/a,b'.new/ram" };
        struct fg_vm_spec spec = small;

        (void)state;
        spec.template = &template;
        check("template", &tcg, &spec);
        template.ram = "/var/cache/fgrun/templates/a/ram";
        template.state = "/var/cache/fgrun/templates/a/state";
        check("restored", &tcg, &spec);
}

static void test_escapes(void **state)
{
        struct fg_domain_config config = tcg;
        struct fg_vm_spec spec = small;

        config.run_dir = "/run/a'/><!--";
        config.kernel = "/k</kernel><emulator>/bin/sh</emulator>";
        config.cmdline = "a=\"b\" c&d ü";
        spec.scratch = "/s'\"&<>";
        check("escapes", &config, &spec);
}

static void test_refuses(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf xml = FG_BUF_INIT(XML_MAX), tiny = FG_BUF_INIT(100);
        struct fg_error err = FG_ERROR_INIT;
        struct fg_vm_spec spec = small;

        spec.scratch = "/a\nb";
        assert_int_equal(fg_domain_xml(&tcg, &spec, &xml, &err), -1);
        assert_int_equal(err.code, FG_ERR_INVALID);
        spec.scratch = "/a\xff";
        assert_int_equal(fg_domain_xml(&tcg, &spec, &xml, &err), -1);
        assert_int_equal(err.code, FG_ERR_INVALID);
        assert_int_equal(fg_domain_xml(&tcg, &small, &tiny, &err), -1);
        assert_int_equal(err.code, FG_ERR_CAPACITY);
}

static void test_cmdline(void **state)
{
        fg_autofree char *kvm = fg_cmdline_new(FG_ACCEL_KVM, false, 2500000);
        fg_autofree char *emulated = fg_cmdline_new(FG_ACCEL_TCG, false, 2500000);
        fg_autofree char *acpi = fg_cmdline_new(FG_ACCEL_TCG, true, 2500000);
        fg_autofree char *no_tsc = fg_cmdline_new(FG_ACCEL_TCG, false, 0);

        /* the guest has kvm-clock there, and a CPU that speculates */
        assert_null(strstr(kvm, "tsc"));
        assert_null(strstr(kvm, "nolapic_timer"));
        assert_null(strstr(kvm, "mitigations"));
        assert_non_null(strstr(emulated, " tsc_early_khz=2500000"));
        assert_non_null(strstr(emulated, " mitigations=off"));
        assert_null(strstr(no_tsc, "tsc_early_khz"));
        assert_non_null(strstr(no_tsc, " nolapic_timer"));
        /* the only timer there */
        assert_null(strstr(acpi, "nolapic_timer"));
        assert_non_null(strstr(acpi, " tsc_early_khz=2500000"));
        /* a panic must end the VM and be seen */
        assert_non_null(strstr(kvm, "reboot=t panic=-1 oops=panic"));
        assert_null(strstr(kvm, "loglevel=0"));
}

/* Two measurements agree to 0.1 %, or a guest's clock would drift by a minute in a day. */
static void test_tsc(void **state)
{
        unsigned a = fg_tsc_khz(), b = fg_tsc_khz();

        assert_true(a > 100000);
        assert_in_range(b, a - a / 1000, a + a / 1000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_templates), cmocka_unit_test(test_tcg),
                cmocka_unit_test(test_kvm),       cmocka_unit_test(test_acpi),
                cmocka_unit_test(test_escapes),   cmocka_unit_test(test_disks),
                cmocka_unit_test(test_nic),       cmocka_unit_test(test_refuses),
                cmocka_unit_test(test_cmdline),   cmocka_unit_test(test_tsc),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
