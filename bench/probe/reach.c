/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a kernel can be read, changed or called from here. Nothing is changed, and no system call
 * is made with arguments that could work.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bench/probe/probe.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define PATH_SIZE    768
#define CGROUPS      "/sys/fs/cgroup"

/* ---- lists of names ---- */

static void begin_list(const char *key)
{
        (void)printf("\"%s\":[", key);
}

static void put_name(const char *name, bool *some)
{
        (void)printf("%s\"%s\"", *some ? "," : "", name);
        *some = true;
}

static void end_list(void)
{
        (void)printf("],");
}

/* ---- namespaces ---- */

/* The first of each kind has a number that is fixed; who is in another one has one of its own. */
static const struct {
        const char *name;
        ino_t first;
} namespaces[] = {
        { "cgroup", 0xeffffffb }, { "ipc", 0xefffffff },  { "pid", 0xeffffffc },
        { "time", 0xeffffffa },   { "user", 0xeffffffd }, { "uts", 0xeffffffe },
};

static bool has_own(const char *name, ino_t first)
{
        char path[64];
        struct stat st;

        (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
        return stat(path, &st) == 0 && st.st_ino != first;
}

static void put_namespaces(void)
{
        bool some = false;

        begin_list("namespaces");
        for (size_t i = 0; i < COUNT(namespaces); i++)
                if (has_own(namespaces[i].name, namespaces[i].first))
                        put_name(namespaces[i].name, &some);
        end_list();
}

/* ---- system calls ---- */

/* With arguments that the kernel refuses: what it says shows whether it looked at them. */
static const struct {
        const char *name;
        long number;
} calls[] = {
        { "bpf", SYS_bpf },
        { "perf_event_open", SYS_perf_event_open },
        { "keyctl", SYS_keyctl },
        { "add_key", SYS_add_key },
        { "request_key", SYS_request_key },
        { "userfaultfd", SYS_userfaultfd },
        { "io_uring_setup", SYS_io_uring_setup },
        { "init_module", SYS_init_module },
        { "finit_module", SYS_finit_module },
        { "kexec_load", SYS_kexec_load },
        { "open_by_handle_at", SYS_open_by_handle_at },
        { "name_to_handle_at", SYS_name_to_handle_at },
        { "mount", SYS_mount },
        { "umount2", SYS_umount2 },
        { "pivot_root", SYS_pivot_root },
        { "fsopen", SYS_fsopen },
        { "fsconfig", SYS_fsconfig },
        { "move_mount", SYS_move_mount },
        { "open_tree", SYS_open_tree },
        { "ptrace", SYS_ptrace },
        { "process_vm_readv", SYS_process_vm_readv },
        { "process_vm_writev", SYS_process_vm_writev },
        { "kcmp", SYS_kcmp },
        { "setns", SYS_setns },
        { "unshare", SYS_unshare },
        { "clone3", SYS_clone3 },
        { "fanotify_init", SYS_fanotify_init },
        { "move_pages", SYS_move_pages },
        { "splice", SYS_splice },
        { "waitid", SYS_waitid },
};

static void put_syscalls(void)
{
        bool some = false;

        begin_list("syscalls");
        for (size_t i = 0; i < COUNT(calls); i++)
                if (syscall(calls[i].number, -1L, 0L, -1L, -1L, -1L, -1L) >= 0 ||
                    (errno != EPERM && errno != ENOSYS && errno != EACCES))
                        put_name(calls[i].name, &some);
        end_list();
}

/* ---- files of the kernel ---- */

static bool gives_data(const char *path)
{
        return *probe_read(path) != '\0';
}

/* Not in its place a file that is made for the container. */
static bool is_kernels(const char *path)
{
        struct statfs fs = { 0 };

        return gives_data(path) && statfs(path, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* Lines that begin with an address, which is 0 for those who are not to know it. */
static bool gives_addresses(const char *path)
{
        for (const char *line = probe_read(path); *line; line += strcspn(line, "\n")) {
                line += *line == '\n';
                if (line[strspn(line, "0")] && strchr("123456789abcdef", line[strspn(line, "0")]))
                        return true;
        }
        return false;
}

static bool has_entries(const char *path)
{
        return probe_entries(path) > 0;
}

static bool is_writable(const char *path)
{
        return access(path, W_OK) == 0;
}

struct place {
        const char *path;
        bool (*open)(const char *path);
};

static const struct place proc[] = {
        { "/proc/cmdline", gives_data },     { "/proc/config.gz", gives_data },
        { "/proc/diskstats", gives_data },   { "/proc/interrupts", gives_data },
        { "/proc/iomem", gives_addresses },  { "/proc/kallsyms", gives_addresses },
        { "/proc/kcore", gives_data },       { "/proc/keys", gives_data },
        { "/proc/loadavg", is_kernels },     { "/proc/meminfo", is_kernels },
        { "/proc/modules", gives_data },     { "/proc/partitions", gives_data },
        { "/proc/sched_debug", gives_data }, { "/proc/slabinfo", gives_data },
        { "/proc/timer_list", gives_data },  { "/proc/vmallocinfo", gives_addresses },
        { "/proc/zoneinfo", gives_data },
};
static const struct place sys[] = {
        { "/sys/block", has_entries },
        { "/sys/bus/pci/devices", has_entries },
        { "/sys/class/dmi/id", has_entries },
        { "/sys/class/powercap", has_entries },
        { "/sys/devices/system/cpu/vulnerabilities", has_entries },
        { "/sys/firmware", has_entries },
        { "/sys/fs/bpf", has_entries },
        { "/sys/kernel/btf/vmlinux", gives_data },
        { "/sys/kernel/debug", has_entries },
        { "/sys/kernel/mm/ksm/run", gives_data },
        { "/sys/kernel/notes", gives_data },
        { "/sys/kernel/security", has_entries },
        { "/sys/kernel/tracing", has_entries },
        { "/sys/kernel/vmcoreinfo", gives_data },
        { "/sys/module", has_entries },
};
static const struct place writable[] = {
        { "/dev/kmsg", is_writable },
        { "/dev/mem", is_writable },
        { "/proc/sys/fs/binfmt_misc/register", is_writable },
        { "/proc/sys/kernel/core_pattern", is_writable },
        { "/proc/sys/kernel/hotplug", is_writable },
        { "/proc/sys/kernel/modprobe", is_writable },
        { "/proc/sys/vm/panic_on_oom", is_writable },
        { "/proc/sysrq-trigger", is_writable },
        { "/sys/kernel/uevent_helper", is_writable },
        { "/sys/kernel/mm/ksm/run", is_writable },
};

static void put_places(const char *key, const struct place *places, size_t n)
{
        bool some = false;

        begin_list(key);
        for (size_t i = 0; i < n; i++)
                if (places[i].open(places[i].path))
                        put_name(places[i].path, &some);
        end_list();
}

/* ---- below a directory ---- */

struct tally {
        int seen, writable;
};

/* Every entry of a directory, with its path. */
static void each_entry(const char *path, void (*look)(const char *path, struct tally *t),
                       struct tally *t)
{
        DIR *dir = opendir(path);
        const struct dirent *entry;
        char below[PATH_SIZE];

        while (dir && (entry = readdir(dir)))
                if (entry->d_name[0] != '.' &&
                    snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) < PATH_SIZE)
                        look(below, t);
        if (dir)
                (void)closedir(dir);
}

/* Root passes access() whatever the mode says, the kernel's files go by the mode. */
static void look_at_parameter(const char *path, struct tally *t)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return;
        t->seen += (st.st_mode & 0444) && access(path, R_OK) == 0;
        t->writable += (st.st_mode & 0222) && access(path, W_OK) == 0;
}

static void look_at_module(const char *path, struct tally *t)
{
        char below[PATH_SIZE];

        if (snprintf(below, sizeof(below), "%s/parameters", path) < PATH_SIZE)
                each_entry(below, look_at_parameter, t);
}

static void look_at_cgroup(const char *path, struct tally *t)
{
        char procs[PATH_SIZE];

        if (snprintf(procs, sizeof(procs), "%s/cgroup.procs", path) >= PATH_SIZE ||
            access(procs, F_OK) < 0)
                return;
        t->seen++;
        t->writable += access(procs, W_OK) == 0;
}

/* The first cgroup of a hierarchy has files that no other has, or lacks one that all others have.
 */
static bool is_first(const char *root, bool unified)
{
        char path[PATH_SIZE + sizeof("/release_agent")];

        (void)snprintf(path, sizeof(path), "%s/%s", root,
                       unified ? "cgroup.type" : "release_agent");
        return (access(path, F_OK) == 0) != unified;
}

/*
 * Cgroups along the way from the root of a hierarchy, as we see it, to our own, @own, that are not
 * on it. Those below our own are ours.
 */
static void look_along(const char *root, const char *own, struct tally *t)
{
        char path[PATH_SIZE];
        size_t len = (size_t)snprintf(path, sizeof(path), "%s", root);

        if (len + strlen(own) >= sizeof(path))
                return;
        for (own += strspn(own, "/"); *own; own += strspn(own, "/")) {
                struct tally here = { 0 }, ours = { 0 };

                each_entry(path, look_at_cgroup, &here);
                len += (size_t)snprintf(path + len, sizeof(path) - len, "/%.*s",
                                        (int)strcspn(own, "/"), own);
                look_at_cgroup(path, &ours);
                if (ours.seen == 0) /* what is mounted here begins with our own */
                        return;
                t->seen += here.seen - ours.seen;
                t->writable += here.writable - ours.writable;
                own += strcspn(own, "/");
        }
}

/* Of a line of /proc/self/cgroup: "4:memory:/a/b", "1:name=systemd:/", "0::/". */
static void look_at_hierarchy(char *line, struct tally *t)
{
        char root[PATH_SIZE], *name = strchr(line, ':'), *own = name ? strchr(name + 1, ':') : NULL;
        bool unified;

        if (!own)
                return;
        *own++ = '\0';
        unified = name[1] == '\0';
        name += strncmp(name, ":name=", 6) == 0 ? 6 : 1;
        if (unified && access(CGROUPS "/cgroup.procs", F_OK) == 0)
                (void)snprintf(root, sizeof(root), CGROUPS);
        else
                (void)snprintf(root, sizeof(root), CGROUPS "/%.64s", unified ? "unified" : name);
        if (strcmp(own, "/") == 0 && is_first(root, unified))
                each_entry(root, look_at_cgroup, t); /* they are everybody's */
        else
                look_along(root, own, t);
}

static void look_at_cgroups(struct tally *t)
{
        char lines[4096], *rest = NULL;

        (void)snprintf(lines, sizeof(lines), "%s", probe_read("/proc/self/cgroup"));
        for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                look_at_hierarchy(line, t);
}

void probe_reach(void)
{
        struct tally parameters = { 0 }, cgroups = { 0 };

        each_entry("/sys/module", look_at_module, &parameters);
        look_at_cgroups(&cgroups);
        (void)printf("\"parametersReadable\":%d,\"parametersWritable\":%d,", parameters.seen,
                     parameters.writable);
        (void)printf("\"cgroupsSeen\":%d,\"cgroupsWritable\":%d,", cgroups.seen, cgroups.writable);
        put_namespaces();
        put_places("procLeaks", proc, COUNT(proc));
        put_places("sysLeaks", sys, COUNT(sys));
        put_places("writable", writable, COUNT(writable));
        put_syscalls();
}
