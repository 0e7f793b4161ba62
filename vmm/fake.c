/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A backend whose VMs are processes that speak the guest's end of the protocol: the daemon can be
 * tested whole, crashes and re-adoption included, where no VM can run.
 */
#include "vmm/backend.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <utlist.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/lane.h"
#include "core/str.h"
#include "vmm/fake_process.h"
#include "vmm/paths.h"

#define CONSOLE_TAIL 4096

struct guest {
        struct fake *fake;
        struct guest *next;
        char id[FG_ID_LEN + 1];
        pid_t pid;
        int pidfd; /* -1: its process has ended, its directory has not been removed yet */
        sd_event_source *exit;
};

struct fake {
        struct fg_vmm vmm;
        char *program;
        fg_vmm_gone_fn gone;
        void *userdata;
        struct fg_lane *lane; /* one thread: calls for one VM keep their order */
        struct guest *guests;
        char console[CONSOLE_TAIL + 1];
};

struct call {
        struct fg_job job;
        struct fake *fake;
        char id[FG_ID_LEN + 1];
        char *scratch;
        struct fg_error err;
        fg_vmm_done_fn done;
        fg_vmm_list_fn list_done;
        void *userdata;
};

static struct fake *fake_of(struct fg_vmm *vmm)
{
        return FG_CONTAINER_OF(vmm, struct fake, vmm);
}

static struct call *call_of(struct fg_job *job)
{
        return FG_CONTAINER_OF(job, struct call, job);
}

static struct guest *find(struct fake *fake, const char *id)
{
        struct guest *g;

        LL_FOREACH (fake->guests, g)
                if (fg_streq(g->id, id))
                        return g;
        return NULL;
}

static void close_process(struct guest *g)
{
        g->exit = sd_event_source_disable_unref(g->exit);
        if (g->pidfd >= 0)
                fg_fake_process_reap(g->pidfd);
        fg_closep(&g->pidfd);
        g->pidfd = -1;
}

static void guest_free(struct guest *g)
{
        LL_DELETE(g->fake->guests, g);
        close_process(g);
        free(g);
}

static int on_exit_of(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct guest *g = userdata;
        fg_autofree char *channel = fg_vm_path(g->fake->vmm.run_dir, g->id, FG_VM_CHANNEL);
        const bool crashed = fg_exists(channel);
        char id[FG_ID_LEN + 1];

        close_process(g);
        memcpy(id, g->id, sizeof(id));
        g->fake->gone(g->fake->userdata, id, crashed, crashed ? "killed" : "powered off");
        return 0;
}

/* Takes VM @id into the books, running or not. */
static int adopt(struct fake *fake, const char *id, struct fg_error *err)
{
        struct guest *g = fg_calloc(1, sizeof(*g));
        int r;

        g->fake = fake;
        memcpy(g->id, id, sizeof(g->id));
        g->pidfd = fg_fake_process_open(fake->vmm.run_dir, id, &g->pid);
        LL_PREPEND(fake->guests, g);
        if (g->pidfd < 0)
                return 0;
        r = sd_event_add_io(fake->vmm.event, &g->exit, g->pidfd, EPOLLIN, on_exit_of, g);
        if (r >= 0)
                return 0;
        guest_free(g);
        return fg_fail_errno(err, -r, "watch VM %s", id);
}

static struct call *call_new(struct fake *fake, const char *id, fg_vmm_done_fn done, void *userdata)
{
        struct call *c = fg_calloc(1, sizeof(*c));

        c->fake = fake;
        (void)snprintf(c->id, sizeof(c->id), "%s", id);
        c->done = done;
        c->userdata = userdata;
        return c;
}

static void call_finish(struct call *c)
{
        c->done(c->userdata, c->id, c->err.code == FG_ERR_NONE ? NULL : &c->err);
        free(c->scratch);
        free(c);
}

static void start_work(struct fg_job *job)
{
        struct call *c = call_of(job);
        const char *run_dir = c->fake->vmm.run_dir;
        fg_autofree char *dir = fg_vm_dir(run_dir, c->id);

        if (c->err.code != FG_ERR_NONE)
                return;
        if (fg_mkdir_p(dir, 0700, &c->err) < 0 ||
            fg_fake_process_start(c->fake->program, run_dir, c->id, c->scratch, &c->err) < 0)
                (void)fg_wrap(&c->err, "VM %s", c->id);
}

static void start_done(struct fg_job *job)
{
        struct call *c = call_of(job);

        /* One that has died by now is known all the same: its directory waits for destroy. */
        if (!find(c->fake, c->id))
                (void)adopt(c->fake, c->id, &c->err);
        call_finish(c);
}

static void fake_start(struct fg_vmm *vmm, const struct fg_vm_spec *spec, fg_vmm_done_fn done,
                       void *userdata)
{
        struct call *c = call_new(fake_of(vmm), spec->id, done, userdata);

        c->scratch = fg_strdup(spec->scratch);
        if (find(c->fake, c->id))
                (void)fg_fail(&c->err, FG_ERR_CONFLICT, "VM %s exists", c->id);
        c->job = (struct fg_job){ .work = start_work, .done = start_done };
        fg_lane_submit(c->fake->lane, &c->job);
}

static void destroy_work(struct fg_job *job)
{
        struct call *c = call_of(job);
        fg_autofree char *dir = fg_vm_dir(c->fake->vmm.run_dir, c->id);

        if (fg_fake_process_kill(c->fake->vmm.run_dir, c->id, &c->err) < 0 ||
            fg_rm_rf(dir, &c->err) < 0)
                (void)fg_wrap(&c->err, "VM %s", c->id);
}

static void destroy_done(struct fg_job *job)
{
        struct call *c = call_of(job);
        struct guest *g = find(c->fake, c->id);

        if (g && c->err.code == FG_ERR_NONE)
                guest_free(g);
        call_finish(c);
}

static void fake_destroy(struct fg_vmm *vmm, const char *id, fg_vmm_done_fn done, void *userdata)
{
        struct call *c = call_new(fake_of(vmm), id, done, userdata);
        struct guest *g = find(c->fake, id);

        if (g)
                g->exit = sd_event_source_disable_unref(g->exit); /* a wanted end: no gone() */
        c->job = (struct fg_job){ .work = destroy_work, .done = destroy_done };
        fg_lane_submit(c->fake->lane, &c->job);
}

static void list_work(struct fg_job *job)
{
        (void)job; /* the books are on the loop */
}

static void list_done(struct fg_job *job)
{
        struct call *c = call_of(job);
        fg_autofree struct fg_vm *vms = NULL;
        struct guest *g;
        size_t n = 0;

        LL_COUNT(c->fake->guests, g, n);
        vms = fg_calloc(n + 1, sizeof(*vms));
        n = 0;
        LL_FOREACH (c->fake->guests, g) {
                memcpy(vms[n].id, g->id, sizeof(g->id));
                vms[n++].running = g->pidfd >= 0;
        }
        c->list_done(c->userdata, vms, n, NULL);
        free(c);
}

static void fake_list(struct fg_vmm *vmm, fg_vmm_list_fn done, void *userdata)
{
        struct call *c = call_new(fake_of(vmm), "", NULL, userdata);

        c->list_done = done;
        c->job = (struct fg_job){ .work = list_work, .done = list_done };
        fg_lane_submit(c->fake->lane, &c->job);
}

static const char *fake_console_tail(struct fg_vmm *vmm, const char *id)
{
        struct fake *fake = fake_of(vmm);
        fg_autofree char *path = fg_vm_path(vmm->run_dir, id, FG_FAKE_CONSOLE);
        fg_cleanup(fclosep) FILE *f = fopen(path, "re");
        size_t n;

        fake->console[0] = '\0';
        if (!f)
                return fake->console;
        if (fseek(f, -CONSOLE_TAIL, SEEK_END) < 0)
                rewind(f);
        n = fread(fake->console, 1, CONSOLE_TAIL, f);
        fake->console[n] = '\0';
        return fake->console;
}

static uint64_t fake_memory_kib(struct fg_vmm *vmm, const char *id)
{
        struct guest *g = find(fake_of(vmm), id);
        fg_cleanup(fg_buf_finish) struct fg_buf statm = FG_BUF_INIT(256);
        fg_autofree char *path = g ? fg_asprintf("/proc/%d/statm", (int)g->pid) : NULL;
        struct fg_error err = FG_ERROR_INIT;
        const char *resident;

        if (!g || g->pidfd < 0 || fg_buf_read_file(&statm, path, &err) < 0)
                return 0;
        resident = statm.len > 0 ? strchr(statm.data, ' ') : NULL;
        if (!resident)
                return 0;
        return strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void fake_free(struct fg_vmm *vmm)
{
        struct fake *fake = fake_of(vmm);
        struct guest *g, *next;

        fg_lane_free(fake->lane);
        LL_FOREACH_SAFE(fake->guests, g, next)
        guest_free(g);
        free(fake->program);
        free(fake->vmm.run_dir);
        free(fake);
}

static int adopt_all(struct fake *fake, struct fg_error *err)
{
        fg_cleanup(closedirp) DIR *dir = opendir(fake->vmm.run_dir);
        struct dirent *e;

        if (!dir)
                return fg_fail_errno(err, errno, "read %s", fake->vmm.run_dir);
        while ((e = readdir(dir)))
                if (fg_id_valid(e->d_name) && adopt(fake, e->d_name, err) < 0)
                        return -1;
        return 0;
}

/*
 * The guest that is a process has no use for disks: it asks for blobs. Where a test has put a file
 * "no-disks" beside the VMs, adding one fails; a FIFO there is opened first, so the test says when.
 */
static void attach_done(struct fg_job *job)
{
        call_finish(call_of(job));
}

static void attach_work(struct fg_job *job)
{
        struct call *c = call_of(job);
        fg_autofree char *slow = fg_asprintf("%s/slow-disks", c->fake->vmm.run_dir);
        fg_autoclose int gate = open(slow, O_RDONLY | O_CLOEXEC);
        fg_autofree char *none = fg_asprintf("%s/no-disks", c->fake->vmm.run_dir);

        (void)gate;
        if (fg_exists(none))
                (void)fg_fail(&c->err, FG_ERR_INTERNAL, "VM %s takes no disks", c->id);
}

static void fake_attach(struct fg_vmm *vmm, const char *id, const struct fg_vm_disk *disk,
                        fg_vmm_done_fn done, void *userdata)
{
        struct call *c = call_new(fake_of(vmm), id, done, userdata);

        (void)disk;
        c->job = (struct fg_job){ .work = attach_work, .done = attach_done };
        fg_lane_submit(c->fake->lane, &c->job);
}

static const struct fg_backend_ops fake_ops = {
        .free = fake_free,
        .start = fake_start,
        .attach = fake_attach,
        .destroy = fake_destroy,
        .list = fake_list,
        .console_tail = fake_console_tail,
        .memory_kib = fake_memory_kib,
};

FG_DEFINE_CLEANUP(struct fg_vmm *, fake_free)

int fg_fake_new(sd_event *event, const struct fg_vmm_config *config, fg_vmm_gone_fn gone,
                void *userdata, struct fg_vmm **ret, struct fg_error *err)
{
        struct fake *fake = fg_calloc(1, sizeof(*fake));
        fg_cleanup(fake_freep) struct fg_vmm *vmm = &fake->vmm;

        vmm->ops = &fake_ops;
        vmm->event = event;
        vmm->run_dir = fg_strdup(config->run_dir);
        fake->program = fg_strdup(config->uri + strlen(FG_FAKE_SCHEME));
        fake->gone = gone;
        fake->userdata = userdata;
        (void)snprintf(vmm->info.hypervisor, sizeof(vmm->info.hypervisor), "fake");
        (void)snprintf(vmm->info.uri, sizeof(vmm->info.uri), "%s", config->uri);
        (void)snprintf(vmm->info.accel, sizeof(vmm->info.accel), "none");
        (void)snprintf(vmm->info.accel_reason, sizeof(vmm->info.accel_reason),
                       "no VM: a process plays the guest");
        if (access(fake->program, X_OK) < 0)
                return fg_fail_errno(err, errno, "%s", config->uri);
        if (fg_mkdir_p(vmm->run_dir, 0700, err) < 0 || adopt_all(fake, err) < 0 ||
            fg_lane_new(event, "fake-vm", 1, &fake->lane, err) < 0)
                return -1;
        *ret = fg_take_ptr(vmm);
        return 0;
}
