/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/libvirt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/digest.h"
#include "core/fs.h"
#include "core/str.h"
#include "vmm/accel.h"
#include "vmm/cgroup.h"
#include "vmm/cmdline.h"
#include "vmm/embed.h"
#include "vmm/kvm_device.h"
#include "vmm/paths.h"
#include "vmm/virt_local.h"

#define SYSTEM_PID_DIR "/run/libvirt/qemu"
#define EMBED          "embed"
#define LOG_MAX        (1024 * 1024)
/* <root>/lib/qemu/domain-<n>-<20 bytes of the name>/monitor.sock is libvirt's longest socket */
#define MONITOR_PATH "/lib/qemu/domain-123456789-fgrun-01234567890123/monitor.sock"

static const char *lv_console_tail(struct fg_vmm *vmm, const char *id)
{
        const struct fg_libvirt *lv = FG_CONTAINER_OF(vmm, struct fg_libvirt, base);
        const struct fg_lv_vm *vm;

        HASH_FIND_STR(lv->vms, id, vm);
        return vm && vm->console ? fg_console_tail(vm->console) : "";
}

pid_t fg_lv_pid(const struct fg_libvirt *lv, const char *id)
{
        fg_cleanup(fclosep) FILE *file = NULL;
        fg_autofree char *path = NULL;
        pid_t pid;

        if (!lv->pid_dir)
                return 0;
        path = fg_asprintf("%s/" FG_DOMAIN_PREFIX "%s.pid", lv->pid_dir, id);
        file = fopen(path, "re");
        return file && fscanf(file, "%d", &pid) == 1 && pid > 0 ? pid : 0;
}

static uint64_t lv_memory_kib(struct fg_vmm *vmm, const char *id)
{
        const struct fg_libvirt *lv = FG_CONTAINER_OF(vmm, struct fg_libvirt, base);
        fg_cleanup(fclosep) FILE *statm = NULL;
        fg_autofree char *path = NULL;
        unsigned long pages;
        pid_t pid = fg_lv_pid(lv, id);

        if (!pid)
                return 0;
        path = fg_asprintf("/proc/%d/statm", pid);
        statm = fopen(path, "re");
        if (!statm || fscanf(statm, "%*u %lu", &pages) != 1)
                return 0;
        return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static bool has_ended(void *userdata, const char *id)
{
        struct fg_libvirt *lv = userdata;

        return !fg_lv_vm_find(lv, id) && !fg_lv_pid(lv, id);
}

static void lv_free(struct fg_vmm *vmm)
{
        struct fg_libvirt *lv = FG_CONTAINER_OF(vmm, struct fg_libvirt, base);
        struct fg_lv_vm *vm, *next;

        HASH_ITER (hh, lv->vms, vm, next)
                fg_lv_submit_ends(vm);
        /* First the calls that are under way, then the source of events, then their carrier. */
        fg_lane_free(lv->lane);
        lv->gone = NULL;
        fg_lv_forget_ends(lv);
        if (lv->lifecycle >= 0)
                (void)virConnectDomainEventDeregisterAny(lv->conn, lv->lifecycle);
        if (lv->disk_errors >= 0)
                (void)virConnectDomainEventDeregisterAny(lv->conn, lv->disk_errors);
        if (lv->conn)
                (void)virConnectClose(lv->conn);
        fg_virt_loop_free(lv->loop);
        fg_lane_free(lv->mail);
        if (lv->root)
                fg_embed_forget_ended(lv->root, has_ended, lv);
        sd_event_source_disable_unref(lv->room);
        HASH_ITER (hh, lv->vms, vm, next)
                fg_lv_vm_free(lv, vm);
        fg_boot_files_finish(&lv->boot);
        free(lv->owner);
        free(lv->cmdline);
        free(lv->state_dir);
        free(lv->pid_dir);
        free(lv->root);
        free(lv->base.run_dir);
        free(lv);
}

static const struct fg_backend_ops libvirt_ops = {
        .free = lv_free,
        .start = fg_lv_start,
        .attach = fg_lv_attach,
        .save = fg_lv_save,
        .destroy = fg_lv_destroy,
        .list = fg_lv_list,
        .console_tail = lv_console_tail,
        .memory_kib = lv_memory_kib,
        .limit_cpu = fg_lv_limit_cpu,
};

static void lv_freep(struct fg_libvirt **lv)
{
        if (*lv)
                lv_free(&(*lv)->base);
}

static int choose_accel(struct fg_libvirt *lv, const struct fg_vmm_config *config,
                        struct fg_error *err)
{
        struct fg_vmm_info *info = &lv->base.info;
        fg_autofree char *node = fg_asprintf("%s/kvm", config->state_dir);
        struct fg_accel_host host = {
                .kvm = "/dev/kvm",
                .cpuinfo = "/proc/cpuinfo",
                .uid = lv->user.uid,
                .gid = lv->user.gid,
                .extra_gid = lv->user.kvm_gid,
                .probe = fg_kvm_probe,
        };
        struct fg_accel_choice choice;

        if (fg_accel_choose(&host, config->accel, &choice, err) < 0)
                return -1;
        if (choice.kvm_hidden && fg_streq(config->uri, EMBED)) {
                struct fg_error why = FG_ERROR_INIT;

                if (fg_kvm_device_unhide(node, lv->user.kvm_gid, &why) == 0)
                        choice.warning[0] = '\0';
                else if (choice.accel == FG_ACCEL_KVM) {
                        *err = why;
                        return fg_wrap(err, "%s", choice.warning);
                }
        }
        lv->domain.accel = choice.accel;
        info->overhead_mib = fg_domain_overhead_mib(choice.accel);
        (void)snprintf(info->accel, sizeof(info->accel), "%s",
                       choice.accel == FG_ACCEL_KVM ? "kvm" : "tcg");
        (void)snprintf(info->accel_reason, sizeof(info->accel_reason), "%s", choice.reason);
        (void)snprintf(info->warning, sizeof(info->warning), "%s", choice.warning);
        return 0;
}

/* Everything that is the same for all VMs. */
static int prepare_domains(struct fg_libvirt *lv, const struct fg_vmm_config *config,
                           struct fg_error *err)
{
        fg_autofree char *boot = fg_asprintf("%s/boot", config->state_dir);
        char digest[FG_DIGEST_LEN + 1];

        if (fg_mkdir_p(config->run_dir, 0755, err) < 0 ||
            fg_mkdir_p(config->state_dir, 0700, err) < 0 ||
            fg_qemu_user_mkdir(&lv->user, config->state_dir, err) < 0)
                return -1;
        if (choose_accel(lv, config, err) < 0 ||
            fg_boot_files_prepare(config->kernel, config->initrd, boot, &lv->user, &lv->boot, err) <
                    0 ||
            fg_qemu_user_reaches(&lv->user, lv->boot.kernel, err) < 0)
                return -1;
        fg_digest_of(config->state_dir, strlen(config->state_dir), digest);
        lv->owner = fg_strdup(digest);
        lv->cmdline = fg_cmdline_new(lv->domain.accel, lv->boot.acpi, fg_tsc_khz());
        lv->domain.owner = lv->owner;
        lv->domain.run_dir = lv->base.run_dir;
        lv->domain.kernel = lv->boot.kernel;
        lv->domain.initrd = lv->boot.initrd;
        lv->domain.cmdline = lv->cmdline;
        lv->domain.acpi = lv->boot.acpi;
        (void)snprintf(lv->base.info.kernel, sizeof(lv->base.info.kernel), "%s", lv->boot.source);
        return 0;
}

/*
 * The embedded driver logs on stderr, a line or two for each VM, and takes orders only from the
 * environment. Its errors go to a file instead, which starts anew when it has grown; what matters
 * of them is in our own errors.
 */
static int divert_log(const char *root, struct fg_error *err)
{
        fg_autofree char *dir = fg_asprintf("%s/log", root);
        fg_autofree char *path = fg_asprintf("%s/log/libvirt.log", root);
        fg_autofree char *output = fg_asprintf("4:file:%s", path);
        struct stat st;

        if (fg_mkdir_p(dir, 0755, err) < 0)
                return -1;
        if (stat(path, &st) == 0 && st.st_size > LOG_MAX)
                (void)unlink(path);
        return setenv("LIBVIRT_LOG_OUTPUTS", output, 0) < 0
                       ? fg_fail_errno(err, errno, "set LIBVIRT_LOG_OUTPUTS")
                       : 0;
}

/*
 * Where the embedded driver keeps everything: below the state directory, or if that is too long for
 * the sockets in it, as in a long home, beside the VMs' own sockets. Return: heap, NULL: error.
 */
static char *embed_root(const struct fg_vmm_config *config, struct fg_error *err)
{
        const char *const places[] = { config->state_dir, config->run_dir };

        for (size_t i = 0; i < FG_ARRAY_SIZE(places); i++) {
                fg_autofree char *root = fg_asprintf("%s/libvirt", places[i]);

                if (strlen(root) + strlen(MONITOR_PATH) <
                    sizeof(((struct sockaddr_un *)NULL)->sun_path))
                        return fg_take_ptr(root);
        }
        fg_fail(err, FG_ERR_INVALID, "too long for sockets in them: the directories %s and %s",
                config->state_dir, config->run_dir);
        return NULL;
}

/* In embed mode: the driver's own directories. Return: the URI to open, heap. */
static char *prepare_uri(struct fg_libvirt *lv, const struct fg_vmm_config *config,
                         struct fg_error *err)
{
        lv->limits = fg_cgroup_usable(FG_CGROUP_ROOT, "memory");
        /* Without a memory controller to use, ours is configured to make no cgroups at all. */
        lv->base.info.limits_cpu = lv->limits && fg_cgroup_usable(FG_CGROUP_ROOT, "cpu");
        if (!fg_streq(config->uri, EMBED)) {
                if (fg_starts_with(config->uri, "qemu:///system"))
                        lv->pid_dir = fg_strdup(SYSTEM_PID_DIR);
                else
                        lv->limits = lv->base.info.limits_cpu = false; /* not known */
                return fg_strdup(config->uri);
        }
        lv->root = embed_root(config, err);
        if (!lv->root || fg_embed_prepare(lv->root, &lv->user, lv->limits, err) < 0 ||
            divert_log(lv->root, err) < 0)
                return NULL;
        lv->pid_dir = fg_asprintf("%s/run/qemu", lv->root);
        return fg_embed_uri(lv->root);
}

static int connect_to(struct fg_libvirt *lv, const char *uri, struct fg_error *err)
{
        struct fg_vmm_info *info = &lv->base.info;
        unsigned long v;

        if (fg_virt_loop_new(&lv->loop, err) < 0)
                return -1;
        lv->conn = virConnectOpen(uri);
        if (!lv->conn)
                return fg_virt_fail(err, "connect to %s", uri);
        if (fg_virt_check_local(lv->conn, uri, err) < 0)
                return -1;
        (void)snprintf(info->uri, sizeof(info->uri), "%s", uri);
        if (virConnectGetVersion(lv->conn, &v) < 0) {
                fg_virt_fail(err, "no QEMU (package qemu-system-x86)");
                err->code = FG_ERR_NOT_FOUND;
                return -1;
        }
        (void)snprintf(info->hypervisor, sizeof(info->hypervisor), "%s %lu.%lu.%lu",
                       virConnectGetType(lv->conn), v / 1000000, v / 1000 % 1000, v % 1000);
        if (virConnectGetLibVersion(lv->conn, &v) == 0)
                (void)snprintf(info->libvirt, sizeof(info->libvirt), "%lu.%lu.%lu", v / 1000000,
                               v / 1000 % 1000, v % 1000);
        lv->lifecycle = virConnectDomainEventRegisterAny(
                lv->conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                VIR_DOMAIN_EVENT_CALLBACK(fg_lv_on_lifecycle), lv, NULL);
        lv->disk_errors = virConnectDomainEventRegisterAny(
                lv->conn, NULL, VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON,
                VIR_DOMAIN_EVENT_CALLBACK(fg_lv_on_disk_error), lv, NULL);
        return lv->lifecycle < 0 || lv->disk_errors < 0 ? fg_virt_fail(err, "watch VMs") : 0;
}

static int adopt_all(struct fg_libvirt *lv, struct fg_error *err)
{
        fg_autofree struct fg_vm *vms = NULL;
        int n = fg_lv_find_all(lv, &vms, err);

        for (int i = 0; i < n; i++)
                fg_lv_adopt(lv, vms[i].id);
        return n < 0 ? -1 : 0;
}

int fg_libvirt_new(sd_event *event, const struct fg_vmm_config *config, fg_vmm_gone_fn gone,
                   void *userdata, struct fg_vmm **ret, struct fg_error *err)
{
        fg_cleanup(lv_freep) struct fg_libvirt *lv = fg_calloc(1, sizeof(*lv));
        fg_autofree char *uri = NULL;

        lv->base = (struct fg_vmm){
                .ops = &libvirt_ops,
                .event = event,
                .run_dir = fg_strdup(config->run_dir),
        };
        lv->gone = gone;
        lv->userdata = userdata;
        lv->lifecycle = lv->disk_errors = -1;
        lv->state_dir = fg_strdup(config->state_dir);
        if (fg_qemu_user_get(&lv->user, err) < 0 || prepare_domains(lv, config, err) < 0)
                return -1;
        uri = prepare_uri(lv, config, err);
        if (!uri || fg_lane_new(event, "virt-mail", 0, &lv->mail, err) < 0 ||
            connect_to(lv, uri, err) < 0 || fg_lv_template_key(lv, err) < 0 ||
            adopt_all(lv, err) < 0 ||
            fg_lane_new(event, "virt", config->lanes ?: 1, &lv->lane, err) < 0)
                return -1;
        *ret = &fg_take_ptr(lv)->base;
        return 0;
}
