/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt-qemu.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"
#include "vmm/cmdline.h"
#include "vmm/libvirt.h"
#include "vmm/template_key.h"

/*
 * A template is the RAM of a stopped VM, in a file that QEMU wrote as the VM ran, and the state of
 * its devices, as QEMU migrates it. libvirt does not migrate without RAM, so QEMU is told directly.
 */
#define STATE_MAX    (64u << 20) /* a megabyte or two are usual */
#define SAVE_SECONDS 30
#define FD_NAME      "fgrun"
#define IGNORE_RAM                                                                                 \
        "{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":"               \
        "[{\"capability\":\"x-ignore-shared\",\"state\":true}]}}"
#define GIVE_FD "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"" FD_NAME "\"}}"
#define WRITE   "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"fd:" FD_NAME "\"}}"
#define READ    "{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"fd:" FD_NAME "\"}}"
#define ASK     "{\"execute\":\"query-migrate\"}"

struct save_job {
        struct fg_job job;
        struct fg_libvirt *lv;
        char id[FG_ID_LEN + 1];
        char *ram, *state;
        bool failed;
        struct fg_error err;
        fg_vmm_done_fn done;
        void *userdata;
};

/* @fd: goes along, -1: none. Return: what QEMU answered, or NULL: it refused. */
static struct json_object *tell(virDomainPtr dom, const char *command, int fd, struct fg_error *err)
{
        fg_autofree char *text = NULL;
        fg_autojson *answer = NULL;
        struct json_object *error;

        if (virDomainQemuMonitorCommandWithFiles(dom, command, fd >= 0, &fd, NULL, NULL, &text, 0) <
            0) {
                fg_virt_fail(err, "QEMU's monitor");
                return NULL;
        }
        answer = fg_json_parse(text, strlen(text), err);
        if (!answer)
                return NULL;
        error = fg_json_obj(answer, "error");
        if (error) {
                fg_fail(err, FG_ERR_INTERNAL, "QEMU: %s", fg_json_str(error, "desc"));
                return NULL;
        }
        return json_object_get(fg_json_get(answer, "return"));
}

static int order(virDomainPtr dom, const char *command, int fd, struct fg_error *err)
{
        fg_autojson *answer = tell(dom, command, fd, err);

        return answer ? 0 : -1;
}

/* ---- restore ---- */

int fg_lv_template_load(virDomainPtr dom, const char *path, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return fg_fail_errno(err, errno, "%s", path);
        if (order(dom, IGNORE_RAM, -1, err) < 0 || order(dom, GIVE_FD, fd, err) < 0 ||
            order(dom, READ, -1, err) < 0)
                return -1;
        /* While QEMU still reads, this means: go on once all is there. It does so only with the
           state of a VM that was running, which is why save() does not stop it before. */
        return virDomainResume(dom) < 0 ? fg_virt_fail(err, "resume") : 0;
}

/* ---- save ---- */

int fg_lv_template_new(const struct fg_libvirt *lv, const char *path, unsigned mib,
                       struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        const struct fg_qemu_user *user = &lv->user;

        if (fd < 0 || ftruncate(fd, (off_t)mib << 20) < 0 ||
            (user->separate && fchown(fd, user->uid, user->gid) < 0))
                return fg_fail_errno(err, errno, "%s", path);
        return user->separate ? fg_qemu_user_reaches(user, path, err) : 0;
}

/* From now on QEMU's user may map it, but not change when that was last done. */
static int seal(const struct fg_libvirt *lv, const char *path, struct fg_error *err)
{
        const struct fg_qemu_user *user = &lv->user;

        if (user->separate && (lchown(path, 0, user->gid) < 0 || chmod(path, 0660) < 0))
                return fg_fail_errno(err, errno, "%s", path);
        return 0;
}

/* What QEMU writes, until it closes its end. */
static int drain(int from, int to, struct fg_error *err)
{
        const uint64_t deadline = fg_mono_ns() + SAVE_SECONDS * FG_NS_PER_SEC;
        struct pollfd p = { .fd = from, .events = POLLIN };
        static const size_t chunk = 65536;
        fg_autofree char *data = fg_calloc(1, chunk);

        for (size_t total = 0; total < STATE_MAX;) {
                const uint64_t now = fg_mono_ns();
                ssize_t n;

                if (now >= deadline ||
                    poll(&p, 1, (int)((deadline - now) / FG_NS_PER_MSEC) + 1) == 0)
                        return fg_fail(err, FG_ERR_TIMEOUT, "QEMU has not written its state");
                n = read(from, data, chunk);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? fg_fail_errno(err, errno, "read QEMU's state") : 0;
                if (fg_write_all(to, data, (size_t)n, err) < 0)
                        return -1;
                total += (size_t)n;
        }
        return fg_fail(err, FG_ERR_CAPACITY, "QEMU's state is over %u MiB", STATE_MAX >> 20);
}

static int write_state(virDomainPtr dom, int to, struct fg_error *err)
{
        fg_autoclose int ours = -1, theirs = -1;
        fg_autojson *answer = NULL;
        const char *status;
        int pipefd[2];

        if (pipe2(pipefd, O_CLOEXEC) < 0)
                return fg_fail_errno(err, errno, "pipe");
        ours = pipefd[0];
        theirs = pipefd[1];
        if (order(dom, IGNORE_RAM, -1, err) < 0 || order(dom, GIVE_FD, theirs, err) < 0 ||
            order(dom, WRITE, -1, err) < 0)
                return -1;
        (void)close(fg_take_fd(theirs));
        if (drain(ours, to, err) < 0)
                return -1;
        answer = tell(dom, ASK, -1, err);
        if (!answer)
                return -1;
        status = fg_json_str(answer, "status");
        return status && fg_streq(status, "completed")
                       ? 0
                       : fg_fail(err, FG_ERR_INTERNAL, "QEMU's state: %s", status ?: "unknown");
}

/* QEMU stops it when it comes to its devices. */
static int save(const struct save_job *job, struct fg_error *err)
{
        fg_cleanup(virDomainFreep) virDomainPtr dom = NULL;
        fg_autoclose int to = open(job->state, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        char uuid[FG_UUID_LEN + 1];

        if (to < 0)
                return fg_fail_errno(err, errno, "%s", job->state);
        fg_id_to_uuid(job->id, uuid);
        dom = virDomainLookupByUUIDString(job->lv->conn, uuid);
        if (!dom)
                return fg_virt_fail(err, "save VM %s", job->id);
        return write_state(dom, to, err) < 0 ? -1 : seal(job->lv, job->ram, err);
}

static void save_work(struct fg_job *base)
{
        struct save_job *job = FG_CONTAINER_OF(base, struct save_job, job);

        job->failed = save(job, &job->err) < 0;
}

static void save_done(struct fg_job *base)
{
        struct save_job *job = FG_CONTAINER_OF(base, struct save_job, job);

        job->done(job->userdata, job->id, job->failed ? &job->err : NULL);
        free(job->ram);
        free(job->state);
        free(job);
}

void fg_lv_save(struct fg_vmm *vmm, const char *id, const struct fg_vm_template *template,
                fg_vmm_done_fn done, void *userdata)
{
        struct save_job *job = fg_calloc(1, sizeof(*job));

        job->job = (struct fg_job){ .work = save_work, .done = save_done };
        job->lv = FG_CONTAINER_OF(vmm, struct fg_libvirt, base);
        (void)snprintf(job->id, sizeof(job->id), "%s", id);
        job->ram = fg_strdup(template->ram);
        job->state = fg_strdup(template->state);
        job->done = done;
        job->userdata = userdata;
        fg_lane_submit(job->lv->lane, &job->job);
}

/* ---- what templates depend on ---- */

/* Where the QEMU is that libvirt will start. Return: heap, NULL: error. */
static char *qemu_path(struct fg_libvirt *lv, struct fg_error *err)
{
        static const char begin[] = "<path>", end[] = "</path>";
        fg_autofree char *xml = virConnectGetDomainCapabilities(lv->conn, NULL, "x86_64", "microvm",
                                                                NULL, 0);
        const char *from, *to;

        if (!xml) {
                fg_virt_fail(err, "ask which QEMU is started");
                return NULL;
        }
        from = strstr(xml, begin);
        to = from ? strstr(from, end) : NULL;
        if (!to) {
                fg_fail(err, FG_ERR_INVALID, "libvirt does not say which QEMU is started");
                return NULL;
        }
        from += strlen(begin);
        return fg_asprintf("%.*s", (int)(to - from), from);
}

int fg_lv_template_key(struct fg_libvirt *lv, struct fg_error *err)
{
        struct fg_vmm_info *info = &lv->base.info;
        /* The rate of the TSC is measured at each start, a little differently each time. */
        fg_autofree char *cmdline = fg_cmdline_new(lv->domain.accel, lv->boot.acpi, 0);
        const char *const texts[] = { info->hypervisor, info->libvirt, info->accel, cmdline,
                                      "1" /* the shape of the domain, and what the guest keeps */ };
        fg_autofree char *qemu = NULL;

        if (!lv->root) /* another libvirt may confine QEMU to files that it knows of */
                return 0;
        qemu = qemu_path(lv, err);
        return qemu ? fg_template_key(
                              &(struct fg_template_basis){ .kernel = lv->boot.kernel,
                                                           .initrd = lv->boot.initrd,
                                                           .qemu = qemu,
                                                           .texts = texts,
                                                           .n_texts = FG_ARRAY_SIZE(texts) },
                              info->template_key, err)
                    : -1;
}
