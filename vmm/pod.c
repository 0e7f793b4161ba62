/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The backend of pods: containers of the host in place of VMs, to compare the two. Their PID 1 is
 * the guest's init, which speaks its end of the protocol as in a VM.
 */
#include "vmm/backend.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <utlist.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/lane.h"
#include "core/str.h"
#include "vmm/paths.h"
#include "vmm/pod_process.h"

#define CONSOLE_TAIL 4096
#define DIRECTORY    "pods"

struct pod {
        struct pods *pods;
        struct pod *next;
        char id[FG_ID_LEN + 1];
        pid_t pid;
        int pidfd; /* -1: it has ended, or never ran; its directory has not been removed yet */
        sd_event_source *exit;
};

struct pods {
        struct fg_vmm vmm;
        char *init;
        fg_vmm_gone_fn gone;
        void *userdata;
        struct fg_lane *lane; /* one thread: calls for one pod keep their order */
        struct pod *list;
        char console[CONSOLE_TAIL + 1];
};

struct call {
        struct fg_job job;
        struct pods *pods;
        struct fg_vm_spec spec; /* with strings and disks of its own */
        struct fg_vm_disk disks[FG_VM_DISKS_MAX];
        struct fg_vm_nic nic;
        struct fg_error err;
        fg_vmm_done_fn done;
        void *userdata;
};

static struct pods *pods_of(struct fg_vmm *vmm)
{
        return FG_CONTAINER_OF(vmm, struct pods, vmm);
}

static struct call *call_of(struct fg_job *job)
{
        return FG_CONTAINER_OF(job, struct call, job);
}

static struct pod *find(struct pods *pods, const char *id)
{
        struct pod *p;

        LL_FOREACH (pods->list, p)
                if (fg_streq(p->id, id))
                        return p;
        return NULL;
}

static void close_process(struct pod *p)
{
        p->exit = sd_event_source_disable_unref(p->exit);
        fg_closep(&p->pidfd);
        p->pidfd = -1;
}

static void pod_free(struct pod *p)
{
        LL_DELETE(p->pods->list, p);
        close_process(p);
        free(p);
}

static int on_exit_of(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct pod *p = userdata;
        char id[FG_ID_LEN + 1];

        (void)source;
        (void)fd;
        (void)revents;
        close_process(p);
        memcpy(id, p->id, sizeof(id));
        p->pods->gone(p->pods->userdata, id, true, "the processes of the container were ended");
        return 0;
}

static struct pod *pod_new(struct pods *pods, const char *id)
{
        struct pod *p = fg_calloc(1, sizeof(*p));

        p->pods = pods;
        p->pidfd = -1;
        memcpy(p->id, id, sizeof(p->id));
        LL_PREPEND(pods->list, p);
        return p;
}

/* One that has ended by now is known all the same: its directory waits to be removed. */
static int follow(struct pod *p, struct fg_error *err)
{
        int r;

        p->pidfd = fg_pod_open(p->pods->vmm.run_dir, p->id, &p->pid);
        if (p->pidfd < 0)
                return 0;
        r = sd_event_add_io(p->pods->vmm.event, &p->exit, p->pidfd, EPOLLIN, on_exit_of, p);
        return r < 0 ? fg_fail_errno(err, -r, "watch pod %s", p->id) : 0;
}

static struct call *call_new(struct pods *pods, const char *id, fg_vmm_done_fn done, void *userdata)
{
        struct call *c = fg_calloc(1, sizeof(*c));

        c->pods = pods;
        (void)snprintf(c->spec.id, sizeof(c->spec.id), "%s", id);
        c->done = done;
        c->userdata = userdata;
        return c;
}

static void call_finish(struct call *c)
{
        c->done(c->userdata, c->spec.id, c->err.code == FG_ERR_NONE ? NULL : &c->err);
        for (size_t i = 0; i < c->spec.n_disks; i++)
                free((char *)c->disks[i].path);
        free((char *)c->spec.scratch);
        free((char *)c->nic.netns);
        free(c);
}

static void start_work(struct fg_job *job)
{
        struct call *c = call_of(job);

        if (fg_pod_start(c->pods->vmm.run_dir, c->pods->init, &c->spec, &c->err) < 0)
                (void)fg_wrap(&c->err, "container");
}

static void start_done(struct fg_job *job)
{
        struct call *c = call_of(job);
        struct pod *p = find(c->pods, c->spec.id);

        if (p && c->err.code == FG_ERR_NONE)
                (void)follow(p, &c->err);
        if (p && c->err.code == FG_ERR_NONE && p->pidfd < 0)
                (void)fg_fail(&c->err, FG_ERR_INTERNAL, "its first process ended: %s",
                              fg_vmm_console_tail(&c->pods->vmm, c->spec.id));
        call_finish(c);
}

static void pods_start(struct fg_vmm *vmm, const struct fg_vm_spec *spec, fg_vmm_done_fn done,
                       void *userdata)
{
        struct call *c = call_new(pods_of(vmm), spec->id, done, userdata);

        c->spec = *spec;
        c->spec.scratch = fg_strdup(spec->scratch);
        for (size_t i = 0; i < spec->n_disks; i++) {
                c->disks[i] = spec->disks[i];
                c->disks[i].path = fg_strdup(spec->disks[i].path);
        }
        c->spec.disks = c->disks;
        if (spec->nic) {
                c->nic.netns = fg_strdup(spec->nic->netns);
                c->spec.nic = &c->nic;
        }
        if (!find(c->pods, spec->id))
                (void)pod_new(c->pods, spec->id);
        c->job = (struct fg_job){ .work = start_work, .done = start_done };
        fg_lane_submit(c->pods->lane, &c->job);
}

static void destroy_work(struct fg_job *job)
{
        struct call *c = call_of(job);

        (void)fg_pod_remove(c->pods->vmm.run_dir, c->spec.id, &c->err);
        (void)rmdir(c->pods->vmm.run_dir); /* if it was the last one */
}

static void destroy_done(struct fg_job *job)
{
        struct call *c = call_of(job);
        struct pod *p = find(c->pods, c->spec.id);

        if (p && c->err.code == FG_ERR_NONE)
                pod_free(p);
        call_finish(c);
}

static void pods_destroy(struct fg_vmm *vmm, const char *id, fg_vmm_done_fn done, void *userdata)
{
        struct call *c = call_new(pods_of(vmm), id, done, userdata);
        struct pod *p = find(c->pods, id);

        if (p)
                p->exit = sd_event_source_disable_unref(p->exit); /* a wanted end: no gone() */
        c->job = (struct fg_job){ .work = destroy_work, .done = destroy_done };
        fg_lane_submit(c->pods->lane, &c->job);
}

bool fg_pods_have(struct fg_vmm *vmm, const char *id)
{
        return find(pods_of(vmm), id) != NULL;
}

struct fg_vm *fg_pods_list(struct fg_vmm *vmm, size_t room, size_t *n)
{
        struct pods *pods = pods_of(vmm);
        struct fg_vm *list;
        struct pod *p;

        LL_COUNT(pods->list, p, *n);
        list = fg_calloc(room + *n + 1, sizeof(*list));
        *n = 0;
        LL_FOREACH (pods->list, p) {
                memcpy(list[room + *n].id, p->id, sizeof(p->id));
                list[room + (*n)++].running = p->pidfd >= 0;
        }
        return list;
}

static const char *pods_console_tail(struct fg_vmm *vmm, const char *id)
{
        struct pods *pods = pods_of(vmm);
        fg_autofree char *path = fg_vm_path(vmm->run_dir, id, FG_POD_CONSOLE);
        fg_cleanup(fclosep) FILE *f = fopen(path, "re");
        size_t n;

        pods->console[0] = '\0';
        if (!f)
                return pods->console;
        if (fseek(f, -CONSOLE_TAIL, SEEK_END) < 0)
                rewind(f);
        n = fread(pods->console, 1, CONSOLE_TAIL, f);
        pods->console[n] = '\0';
        return pods->console;
}

/* Of PID 1 alone; what the containers take, their cgroup knows. */
static uint64_t pods_memory_kib(struct fg_vmm *vmm, const char *id)
{
        struct pod *p = find(pods_of(vmm), id);
        fg_cleanup(fg_buf_finish) struct fg_buf statm = FG_BUF_INIT(256);
        fg_autofree char *path = p ? fg_asprintf("/proc/%d/statm", (int)p->pid) : NULL;
        struct fg_error err = FG_ERROR_INIT;
        const char *resident;

        if (!p || p->pidfd < 0 || fg_buf_read_file(&statm, path, &err) < 0)
                return 0;
        resident = statm.len > 0 ? strchr(statm.data, ' ') : NULL;
        return resident ? strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) / 1024 : 0;
}

static void pods_free(struct fg_vmm *vmm)
{
        struct pods *pods = pods_of(vmm);
        struct pod *p, *next;

        fg_lane_free(pods->lane);
        LL_FOREACH_SAFE(pods->list, p, next)
        pod_free(p);
        free(pods->init);
        free(pods->vmm.run_dir);
        free(pods);
}

static int adopt_all(struct pods *pods, struct fg_error *err)
{
        fg_cleanup(closedirp) DIR *dir = opendir(pods->vmm.run_dir);
        struct dirent *e;

        if (!dir && errno == ENOENT) /* made with the first one */
                return 0;
        if (!dir)
                return fg_fail_errno(err, errno, "read %s", pods->vmm.run_dir);
        while ((e = readdir(dir)))
                if (fg_id_valid(e->d_name) && follow(pod_new(pods, e->d_name), err) < 0)
                        return -1;
        return 0;
}

static const struct fg_backend_ops pods_ops = {
        .free = pods_free,
        .start = pods_start,
        .destroy = pods_destroy,
        .console_tail = pods_console_tail,
        .memory_kib = pods_memory_kib,
};

FG_DEFINE_CLEANUP(struct fg_vmm *, pods_free)

int fg_pods_new(sd_event *event, const struct fg_vmm_config *config, fg_vmm_gone_fn gone,
                void *userdata, struct fg_vmm **ret, struct fg_error *err)
{
        struct pods *pods = fg_calloc(1, sizeof(*pods));
        fg_cleanup(pods_freep) struct fg_vmm *vmm = &pods->vmm;

        vmm->ops = &pods_ops;
        vmm->event = event;
        vmm->run_dir = fg_asprintf("%s/" DIRECTORY, config->run_dir);
        pods->init = fg_strdup(config->init);
        pods->gone = gone;
        pods->userdata = userdata;
        if (adopt_all(pods, err) < 0 || fg_lane_new(event, "pods", 1, &pods->lane, err) < 0)
                return -1;
        *ret = fg_take_ptr(vmm);
        return 0;
}
