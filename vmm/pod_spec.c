/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/pod_spec.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>

#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"
#include "vmm/cgroup.h"

/*
 * PID 1 of the pod makes the task's containers itself, with the code that a guest has for it; it
 * needs the capabilities for that, and they get less (guest-init/caps.c).
 */
#define CPU_PERIOD_US 100000
#define UNITS_PER_CPU 1024
#define PIDS_MAX      30000
#define SCOPE_STOP_US "30000000" /* when the host shuts down: as long as a container has */

static const struct {
        int number;
        const char *name;
} capabilities[] = {
#define NAME(cap)                                                                                  \
        {                                                                                          \
                cap, #cap                                                                          \
        }
        NAME(CAP_AUDIT_WRITE), NAME(CAP_CHOWN),      NAME(CAP_DAC_OVERRIDE),
        NAME(CAP_FOWNER),      NAME(CAP_FSETID),     NAME(CAP_KILL),
        NAME(CAP_MKNOD),       NAME(CAP_NET_ADMIN),  NAME(CAP_NET_BIND_SERVICE),
        NAME(CAP_NET_RAW),     NAME(CAP_SETFCAP),    NAME(CAP_SETGID),
        NAME(CAP_SETPCAP),     NAME(CAP_SETUID),     NAME(CAP_SYS_ADMIN),
        NAME(CAP_SYS_CHROOT),  NAME(CAP_SYS_PTRACE), NAME(CAP_SYS_RESOURCE),
#undef NAME
};
static const char *const namespaces[] = { "network", "pid", "mount", "ipc", "uts" };

static struct json_object *strings(const char *const *list, size_t n)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < n; i++)
                json_object_array_add(array, json_object_new_string(list[i]));
        return array;
}

/* Those that a container of ours may itself have lost are nobody's to give. */
static struct json_object *capability_names(void)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < FG_ARRAY_SIZE(capabilities); i++)
                if (prctl(PR_CAPBSET_READ, capabilities[i].number, 0, 0, 0) == 1)
                        json_object_array_add(array, json_object_new_string(capabilities[i].name));
        return array;
}

static void add_mount(struct json_object *mounts, const char *type, const char *source,
                      const char *target, const char *options)
{
        struct json_object *m = json_object_new_object(), *list = json_object_new_array();
        fg_autofree char *copy = fg_strdup(options);
        char *rest = copy, *one;

        while ((one = strsep(&rest, ",")))
                json_object_array_add(list, json_object_new_string(one));
        fg_json_set_str(m, "type", type);
        fg_json_set_str(m, "source", source);
        fg_json_set_str(m, "destination", target);
        fg_json_set(m, "options", list);
        json_object_array_add(mounts, m);
}

static struct json_object *mounts_of(const struct fg_pod *pod)
{
        struct json_object *mounts = json_object_new_array();

        add_mount(mounts, "proc", "proc", "/proc", "nosuid,nodev,noexec");
        add_mount(mounts, "tmpfs", "tmpfs", "/dev", "nosuid,noexec,mode=755,size=64k");
        add_mount(mounts, "sysfs", "sysfs", "/sys", "nosuid,nodev,noexec");
        add_mount(mounts, "tmpfs", "tmpfs", "/run", "nosuid,nodev,mode=755,size=1m");
        add_mount(mounts, "bind", pod->init, "/fgrun-pod", "bind,ro,nosuid,nodev");
        add_mount(mounts, "ext4", pod->scratch.path, "/run/scratch", "nodev,noatime,noinit_itable");
        for (size_t i = 0; i < pod->n_disks; i++) {
                fg_autofree char *target = fg_asprintf("/run/scratch/images/disk-%s",
                                                       pod->serials[i]);

                add_mount(mounts, "erofs", pod->disks[i].path, target, "ro,nodev");
        }
        return mounts;
}

static struct json_object *process_of(const struct fg_pod *pod)
{
        static const char *const sets[] = { "bounding", "effective", "permitted" };
        struct json_object *p = json_object_new_object(), *caps = json_object_new_object(),
                           *user = json_object_new_object();
        fg_autofree char *cgroup = fg_cgroup_of_pod(pod->id, pod->scope);
        const char *args[] = { "/fgrun-pod", cgroup };

        for (size_t i = 0; i < FG_ARRAY_SIZE(sets); i++)
                fg_json_set(caps, sets[i], capability_names());
        fg_json_set_int(user, "uid", 0);
        fg_json_set_int(user, "gid", 0);
        fg_json_set(p, "user", user);
        fg_json_set(p, "args", strings(args, FG_ARRAY_SIZE(args)));
        fg_json_set(p, "env", json_object_new_array());
        fg_json_set_str(p, "cwd", "/");
        fg_json_set(p, "capabilities", caps);
        return p;
}

static void allow(struct json_object *devices, const struct fg_loop_disk *disk)
{
        struct json_object *d = json_object_new_object();

        fg_json_set(d, "allow", json_object_new_boolean(true));
        fg_json_set_str(d, "type", "b");
        fg_json_set_int(d, "major", 7);
        fg_json_set_int(d, "minor", disk->minor);
        fg_json_set_str(d, "access", "rw");
        json_object_array_add(devices, d);
}

static struct json_object *resources_of(const struct fg_pod *pod)
{
        struct json_object *r = json_object_new_object(), *cpu = json_object_new_object(),
                           *memory = json_object_new_object(), *pids = json_object_new_object(),
                           *devices = json_object_new_array(), *none = json_object_new_object();

        fg_json_set(none, "allow", json_object_new_boolean(false));
        fg_json_set_str(none, "access", "rwm");
        json_object_array_add(devices, none);
        allow(devices, &pod->scratch);
        for (size_t i = 0; i < pod->n_disks; i++)
                allow(devices, &pod->disks[i]);
        fg_json_set_int(cpu, "period", CPU_PERIOD_US);
        fg_json_set_int(cpu, "quota", (int64_t)pod->cpu_units * CPU_PERIOD_US / UNITS_PER_CPU);
        fg_json_set_int(memory, "limit", (int64_t)pod->memory_mib << 20);
        fg_json_set_int(pids, "limit", PIDS_MAX);
        fg_json_set(r, "cpu", cpu);
        fg_json_set(r, "memory", memory);
        fg_json_set(r, "pids", pids);
        fg_json_set(r, "devices", devices);
        return r;
}

static struct json_object *linux_of(const struct fg_pod *pod)
{
        struct json_object *l = json_object_new_object(), *list = json_object_new_array();
        fg_autofree char *cgroup = pod->scope
                                           ? fg_asprintf(FG_CGROUP_POD_SLICE ":fgrun:%s", pod->id)
                                           : fg_asprintf("/" FG_CGROUP_POD_PREFIX "%s", pod->id);

        for (size_t i = pod->network ? 1 : 0; i < FG_ARRAY_SIZE(namespaces); i++) {
                struct json_object *ns = json_object_new_object();

                fg_json_set_str(ns, "type", namespaces[i]);
                json_object_array_add(list, ns);
        }
        fg_json_set(l, "namespaces", list);
        fg_json_set_str(l, "cgroupsPath", cgroup);
        fg_json_set(l, "resources", resources_of(pod));
        return l;
}

/* One that ends badly is not kept for anybody to look at: fgd has its own words for it. */
static struct json_object *properties_of_scope(void)
{
        struct json_object *a = json_object_new_object();

        fg_json_set_str(a, "org.systemd.property.CollectMode", "'inactive-or-failed'");
        fg_json_set_str(a, "org.systemd.property.TimeoutStopUSec", "uint64 " SCOPE_STOP_US);
        return a;
}

struct json_object *fg_pod_spec(const struct fg_pod *pod)
{
        struct json_object *spec = json_object_new_object(), *root = json_object_new_object();

        fg_json_set_str(root, "path", pod->root);
        fg_json_set(root, "readonly", json_object_new_boolean(false));
        fg_json_set_str(spec, "ociVersion", "1.0.2");
        fg_json_set(spec, "process", process_of(pod));
        fg_json_set(spec, "root", root);
        fg_json_set(spec, "mounts", mounts_of(pod));
        fg_json_set(spec, "linux", linux_of(pod));
        if (pod->scope)
                fg_json_set(spec, "annotations", properties_of_scope());
        return spec;
}
