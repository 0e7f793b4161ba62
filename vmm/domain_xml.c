/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/domain.h"

#include <string.h>

#include "core/str.h"
#include "guest-init/protocol.h"
#include "vmm/paths.h"

/*
 * Under TCG the cache of translated code would grow to 1 GiB. QEMU itself needs 70 to 80 MiB, of
 * which half are file pages; the rest is room for its threads and for block I/O in flight.
 */
#define TB_CACHE_MIB      128
#define QEMU_OVERHEAD_MIB 128

unsigned fg_domain_overhead_mib(enum fg_accel accel)
{
        return QEMU_OVERHEAD_MIB + (accel == FG_ACCEL_TCG ? TB_CACHE_MIB : 0);
}

static int put_char(struct fg_buf *out, char c, struct fg_error *err)
{
        switch (c) {
        case '&':
                return fg_buf_puts(out, "&amp;", err);
        case '<':
                return fg_buf_puts(out, "&lt;", err);
        case '>':
                return fg_buf_puts(out, "&gt;", err);
        case '\'':
                return fg_buf_puts(out, "&apos;", err);
        case '"':
                return fg_buf_puts(out, "&quot;", err);
        default:
                /* XML 1.0 has no way to write the others */
                if ((unsigned char)c < ' ')
                        return fg_fail(err, FG_ERR_INVALID, "control character in a path or name");
                return fg_buf_append(out, &c, 1, err);
        }
}

/* @before, then @text escaped, then @after. */
static int put_text(struct fg_buf *out, const char *before, const char *text, const char *after,
                    struct fg_error *err)
{
        if (!fg_utf8_valid(text, __builtin_strlen(text)))
                return fg_fail(err, FG_ERR_INVALID, "a path or name is not UTF-8");
        if (fg_buf_puts(out, before, err) < 0)
                return -1;
        for (const char *p = text; *p; p++)
                if (put_char(out, *p, err) < 0)
                        return -1;
        return fg_buf_puts(out, after, err);
}

static int put_header(const struct fg_domain_config *config, const struct fg_vm_spec *spec,
                      struct fg_buf *out, struct fg_error *err)
{
        char uuid[FG_UUID_LEN + 1];

        fg_id_to_uuid(spec->id, uuid);
        if (fg_buf_printf(out, err,
                          "<domain type='%s' "
                          "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
                          "  <name>" FG_DOMAIN_PREFIX "%s</name>\n"
                          "  <uuid>%s</uuid>\n"
                          "  <metadata>\n"
                          "    <fgrun:vm xmlns:fgrun='" FG_DOMAIN_NAMESPACE "' task='%s'",
                          config->accel == FG_ACCEL_KVM ? "kvm" : "qemu", spec->id, uuid,
                          spec->id) < 0)
                return -1;
        if (put_text(out, " owner='", config->owner, "'/>\n  </metadata>\n", err) < 0)
                return -1;
        /* KSM would tell one task what is in the memory of another. */
        return fg_buf_printf(out, err,
                             "  <memory unit='MiB'>%u</memory>\n"
                             "  <memoryBacking>\n"
                             "    <nosharepages/>\n"
                             "  </memoryBacking>\n"
                             "  <vcpu>%u</vcpu>\n",
                             spec->memory_mib, spec->vcpus);
}

/*
 * Without <acpi/> QEMU gives the machine acpi=off, which is faster to boot and boots reliably under
 * TCG. The timers a microvm has by default stay: without them a TCG guest is slower or hangs.
 */
static int put_features(const struct fg_domain_config *config, struct fg_buf *out,
                        struct fg_error *err)
{
        bool tcg = config->accel == FG_ACCEL_TCG;

        if (!tcg && !config->acpi)
                return 0;
        if (fg_buf_puts(out, "  <features>\n", err) < 0 ||
            (config->acpi && fg_buf_puts(out, "    <acpi/>\n", err) < 0) ||
            (tcg && fg_buf_printf(out, err,
                                  "    <tcg>\n"
                                  "      <tb-cache unit='MiB'>%u</tb-cache>\n"
                                  "    </tcg>\n",
                                  TB_CACHE_MIB) < 0))
                return -1;
        return fg_buf_puts(out, "  </features>\n", err);
}

static int put_boot(const struct fg_domain_config *config, struct fg_buf *out, struct fg_error *err)
{
        if (fg_buf_puts(out, "  <os>\n    <type arch='x86_64' machine='microvm'>hvm</type>\n",
                        err) < 0 ||
            put_text(out, "    <kernel>", config->kernel, "</kernel>\n", err) < 0 ||
            put_text(out, "    <initrd>", config->initrd, "</initrd>\n", err) < 0 ||
            put_text(out, "    <cmdline>", config->cmdline, "</cmdline>\n  </os>\n", err) < 0 ||
            put_features(config, out, err) < 0)
                return -1;
        return fg_buf_puts(out,
                           config->accel == FG_ACCEL_KVM
                                   ? "  <cpu mode='host-passthrough' check='none'/>\n"
                                   : "  <cpu mode='maximum' check='none'/>\n",
                           err);
}

/* A unix socket on which QEMU listens: what nobody reads is dropped, never stored on the host. */
static int put_socket(const struct fg_domain_config *config, const struct fg_vm_spec *spec,
                      const char *name, struct fg_buf *out, struct fg_error *err)
{
        fg_autofree char *path = fg_vm_path(config->run_dir, spec->id, name);

        return put_text(out, "      <source mode='bind' path='", path, "'/>\n", err);
}

/*
 * managed='no': the TAP is somebody else's, and QEMU gets it by its name, without being allowed to
 * make one. driver='qemu': what the guest says about packets is read by the confined process, not
 * by the host's kernel.
 */
static int put_nic(const struct fg_vm_nic *nic, struct fg_buf *out, struct fg_error *err)
{
        if (!nic)
                return 0;
        if (put_text(out, "    <interface type='ethernet'>\n      <mac address='", nic->mac,
                     "'/>\n", err) < 0 ||
            put_text(out, "      <target dev='", nic->tap, "' managed='no'/>\n", err) < 0)
                return -1;
        return fg_buf_puts(out,
                           "      <model type='virtio'/>\n"
                           "      <driver name='qemu'/>\n"
                           "      <address type='virtio-mmio'/>\n"
                           "    </interface>\n",
                           err);
}

/*
 * cache='unsafe' ignores the guest's flushes: the disk is scratch, and what ends the host ends the
 * VM with it. discard='unmap' gives space that the guest frees back to the host.
 * With ACPI off there are 8 virtio-mmio slots: disk, NIC, serial and rng take four.
 */
static int put_devices(const struct fg_domain_config *config, const struct fg_vm_spec *spec,
                       struct fg_buf *out, struct fg_error *err)
{
        if (fg_buf_puts(out,
                        "  <devices>\n"
                        "    <disk type='file' device='disk'>\n"
                        "      <driver name='qemu' type='raw' cache='unsafe' discard='unmap'/>\n",
                        err) < 0 ||
            put_text(out, "      <source file='", spec->scratch, "'/>\n", err) < 0 ||
            fg_buf_puts(out,
                        "      <target dev='vda' bus='virtio'/>\n"
                        "      <address type='virtio-mmio'/>\n"
                        "    </disk>\n",
                        err) < 0 ||
            put_nic(spec->nic, out, err) < 0 ||
            fg_buf_puts(out,
                        "    <controller type='usb' model='none'/>\n"
                        "    <controller type='virtio-serial' index='0' ports='2'>\n"
                        "      <address type='virtio-mmio'/>\n"
                        "    </controller>\n"
                        "    <channel type='unix'>\n",
                        err) < 0 ||
            put_socket(config, spec, FG_VM_CHANNEL, out, err) < 0 ||
            fg_buf_puts(out,
                        "      <target type='virtio' name='" FG_PROTO_PORT "'/>\n"
                        "    </channel>\n"
                        "    <serial type='unix'>\n",
                        err) < 0 ||
            put_socket(config, spec, FG_DOMAIN_CONSOLE, out, err) < 0)
                return -1;
        return fg_buf_puts(out,
                           "      <target type='isa-serial' port='0'/>\n"
                           "    </serial>\n"
                           "    <rng model='virtio'>\n"
                           "      <backend model='random'>/dev/urandom</backend>\n"
                           "      <address type='virtio-mmio'/>\n"
                           "    </rng>\n"
                           "    <memballoon model='none'/>\n",
                           err);
}

/* A cold VM has its disks as virtio devices; SCSI is the only bus of a microvm that can be
   hot-plugged to, and its controller costs time at boot. */
static int put_disk(const struct fg_vm_disk *disk, const char *target, struct fg_buf *out,
                    struct fg_error *err)
{
        bool scsi = target[0] == 's';

        if (fg_buf_puts(out,
                        "    <disk type='file' device='disk'>\n"
                        "      <driver name='qemu' type='raw'/>\n",
                        err) < 0 ||
            put_text(out, "      <source file='", disk->path, "'/>\n", err) < 0 ||
            put_text(out, "      <serial>", disk->serial, "</serial>\n", err) < 0)
                return -1;
        return fg_buf_printf(out, err,
                             "      <target dev='%s' bus='%s'/>\n"
                             "      <readonly/>\n"
                             "%s"
                             "    </disk>\n",
                             target, scsi ? "scsi" : "virtio",
                             scsi ? "" : "      <address type='virtio-mmio'/>\n");
}

int fg_domain_hotplug_xml(const struct fg_vm_disk *disk, unsigned index, struct fg_buf *out,
                          struct fg_error *err)
{
        const char target[] = { 's', 'd', (char)('a' + index % 26), '\0' };

        return put_disk(disk, target, out, err);
}

static int put_hotplug(const struct fg_vm_spec *spec, struct fg_buf *out, struct fg_error *err)
{
        if (!spec->hotplug)
                return 0;
        return fg_buf_puts(out,
                           "    <controller type='scsi' index='0' model='virtio-scsi'>\n"
                           "      <address type='virtio-mmio'/>\n"
                           "    </controller>\n",
                           err);
}

static int put_disks(const struct fg_vm_spec *spec, struct fg_buf *out, struct fg_error *err)
{
        if (spec->n_disks > FG_VM_DISKS_MAX)
                return fg_fail(err, FG_ERR_INVALID, "%zu disks: at most %d", spec->n_disks,
                               FG_VM_DISKS_MAX);
        for (size_t i = 0; i < spec->n_disks; i++) {
                const char target[] = { 'v', 'd', (char)('b' + i), '\0' };

                if (put_disk(&spec->disks[i], target, out, err) < 0)
                        return -1;
        }
        return 0;
}

/* A comma ends a value of QEMU's, unless there are two. */
static int put_value(struct fg_buf *out, const char *path, struct fg_error *err)
{
        fg_autofree char *text = fg_calloc(2, strlen(path) + 1);
        char *to = text;

        for (const char *p = path; *p; p++) {
                *to++ = *p;
                if (*p == ',')
                        *to++ = ',';
        }
        return put_text(out, "", text, "", err);
}

/*
 * RAM in a file: who makes the template writes to it, who is restored from it maps it privately, so
 * that what they have in common is in memory once. libvirt knows such RAM, but not under a name
 * that several domains share, and nothing of a VM that waits for its state.
 * QEMU still makes the RAM that libvirt names, which nobody touches: addresses, but no memory.
 */
static int put_template(const struct fg_vm_spec *spec, struct fg_buf *out, struct fg_error *err)
{
        const struct fg_vm_template *t = spec->template;

        if (!t)
                return 0;
        if (fg_buf_printf(out, err,
                          "  <qemu:commandline>\n"
                          "    <qemu:arg value='-object'/>\n"
                          "    <qemu:arg value='memory-backend-file,id=fgrun-ram,size=%uM,share=%s,"
                          "merge=off,mem-path=",
                          spec->memory_mib, t->state ? "off" : "on") < 0 ||
            put_value(out, t->ram, err) < 0 ||
            fg_buf_puts(out,
                        "'/>\n"
                        "    <qemu:arg value='-machine'/>\n"
                        "    <qemu:arg value='memory-backend=fgrun-ram'/>\n",
                        err) < 0)
                return -1;
        if (t->state && fg_buf_puts(out,
                                    "    <qemu:arg value='-incoming'/>\n"
                                    "    <qemu:arg value='defer'/>\n",
                                    err) < 0)
                return -1;
        return fg_buf_puts(out, "  </qemu:commandline>\n", err);
}

int fg_domain_xml(const struct fg_domain_config *config, const struct fg_vm_spec *spec,
                  struct fg_buf *out, struct fg_error *err)
{
        if (put_header(config, spec, out, err) < 0 || put_boot(config, out, err) < 0 ||
            fg_buf_puts(out,
                        "  <on_poweroff>destroy</on_poweroff>\n"
                        "  <on_reboot>destroy</on_reboot>\n"
                        "  <on_crash>destroy</on_crash>\n",
                        err) < 0 ||
            put_devices(config, spec, out, err) < 0 || put_disks(spec, out, err) < 0 ||
            put_hotplug(spec, out, err) < 0)
                return fg_wrap(err, "domain of %s", spec->id);
        /* Without it libvirt asks for every CPU property in turn: 210 queries, 330 ms a start. */
        if (fg_buf_puts(out,
                        "  </devices>\n"
                        "  <qemu:capabilities>\n"
                        "    <qemu:del capability='cpu-unavailable-features'/>\n"
                        "  </qemu:capabilities>\n",
                        err) < 0 ||
            put_template(spec, out, err) < 0)
                return fg_wrap(err, "domain of %s", spec->id);
        return fg_buf_puts(out, "</domain>\n", err);
}
