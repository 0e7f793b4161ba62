/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/console.h"
#include "guest-init/pod.h"

#define CONTROLLERS    "+cpu +io +memory +pids"
#define CPU_PERIOD_US  100000
#define UNITS_PER_CPU  1024
#define PIDS_MAX       "30000"              /* of the kernel's 32768: PID 1 can always fork */
#define INIT_BYTES     (UINT64_C(24) << 20) /* for PID 1 and the kernel's own growth */
#define MIB(n)         ((uint64_t)(n) << 20)
#define SHARES_DEFAULT 2    /* what ECS gives a container whose cpu is 0 */
#define EVENTS_MAX     4096 /* bytes of memory.events */
#define OOM_KILL       "\noom_kill "
#define SHARES_MAX     262144
#define PROBE          "health" /* a group within the container's */

static int put(const char *dir, const char *file, const char *value, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/%s", dir, file);
        fg_autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

        /* A controller that the host has not here: fgd has refused what needs it. */
        if (fd < 0 && errno == ENOENT && fg_pod)
                return 0;
        if (fd < 0)
                return fg_fail_errno(err, errno, "open %s", path);
        if (fg_write_all(fd, value, strlen(value), err) < 0)
                return fg_wrap(err, "write %s to %s", value, path);
        return 0;
}

static int put_number(const char *dir, const char *file, uint64_t value, struct fg_error *err)
{
        fg_autofree char *text = fg_asprintf("%" PRIu64, value);

        return put(dir, file, text, err);
}

static int make(const char *dir, struct fg_error *err)
{
        if (mkdir(dir, 0755) < 0 && errno != EEXIST)
                return fg_fail_errno(err, errno, "mkdir %s", dir);
        return 0;
}

static int open_dir(const char *dir, struct fg_error *err)
{
        int fd = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

        return fd < 0 ? fg_fail_errno(err, errno, "open %s", dir) : fd;
}

int fg_cgroup_limit_cpu(struct json_object *task, struct fg_error *err)
{
        const uint64_t units = (uint64_t)fg_json_int(task, "cpuUnits", 0);
        fg_autofree char *value = NULL;

        if (units == 0 || units >= (uint64_t)get_nprocs() * UNITS_PER_CPU)
                return 0;
        value = fg_asprintf("%" PRIu64 " %d", units * CPU_PERIOD_US / UNITS_PER_CPU, CPU_PERIOD_US);
        return put(FG_CGROUP_TASK, "cpu.max", value, err);
}

static int limit_memory(uint64_t bytes, struct fg_error *err)
{
        struct sysinfo info;
        uint64_t total;

        if (sysinfo(&info) < 0)
                return fg_fail_errno(err, errno, "sysinfo");
        total = (uint64_t)info.totalram * info.mem_unit;
        total = total > 2 * INIT_BYTES ? total - INIT_BYTES : total / 2;
        return put_number(FG_CGROUP_TASK, "memory.max", bytes > 0 && bytes < total ? bytes : total,
                          err);
}

/* A guest has all of them; of a host some may be cgroup v1's. */
static int delegate(const char *dir, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/cgroup.controllers", dir);
        fg_cleanup(fg_buf_finish) struct fg_buf has = FG_BUF_INIT(EVENTS_MAX);

        if (!fg_pod)
                return put(dir, "cgroup.subtree_control", CONTROLLERS, err);
        if (fg_buf_read_file(&has, path, err) < 0)
                return -1;
        if (has.len == 0 || !strstr(has.data, "memory"))
                return 0;
        return put(dir, "cgroup.subtree_control", CONTROLLERS, err);
}

int fg_cgroup_init_task(struct json_object *task, struct fg_error *err)
{
        if (delegate(FG_CGROUP_ROOT, err) < 0 || make(FG_CGROUP_TASK, err) < 0 ||
            delegate(FG_CGROUP_TASK, err) < 0 || put(FG_CGROUP_TASK, "pids.max", PIDS_MAX, err) < 0)
                return -1;
        return limit_memory(MIB(fg_json_int(task, "memoryMiB", 0)), err);
}

/* The kernel's mapping of cgroup v1 shares (2..262144) to v2 weights (1..10000), as runc has it. */
static uint64_t weight_of(int64_t cpu)
{
        uint64_t shares = cpu < SHARES_DEFAULT ? SHARES_DEFAULT : (uint64_t)cpu;

        if (shares > SHARES_MAX)
                shares = SHARES_MAX;
        return 1 + (shares - 2) * 9999 / (SHARES_MAX - 2);
}

int fg_cgroup_new(unsigned index, struct json_object *container, struct fg_error *err)
{
        fg_autofree char *dir = fg_asprintf(FG_CGROUP_TASK "/%u", index);
        const int64_t memory = fg_json_int(container, "memory", 0);
        const int64_t reserved = fg_json_int(container, "memoryReservation", 0);

        /* One process killed for want of memory takes the container with it, as users expect. */
        if (make(dir, err) < 0 || put(dir, "memory.oom.group", "1", err) < 0 ||
            put_number(dir, "cpu.weight", weight_of(fg_json_int(container, "cpu", 0)), err) < 0)
                return -1;
        if (memory > 0 && put_number(dir, "memory.max", MIB(memory), err) < 0)
                return -1;
        if (reserved > 0 && put_number(dir, "memory.low", MIB(reserved), err) < 0)
                return -1;
        return open_dir(dir, err);
}

uint64_t fg_cgroup_oom_kills(unsigned index)
{
        fg_autofree char *path = fg_asprintf(FG_CGROUP_TASK "/%u/memory.events", index);
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(EVENTS_MAX);
        struct fg_error err = FG_ERROR_INIT;
        const char *line;

        if (fg_buf_read_file(&text, path, &err) < 0 || text.len == 0)
                return 0;
        line = strstr(text.data, OOM_KILL);
        return line ? strtoull(line + strlen(OOM_KILL), NULL, 10) : 0;
}

int fg_cgroup_probe(unsigned index, struct fg_error *err)
{
        fg_autofree char *dir = fg_asprintf(FG_CGROUP_TASK "/%u/" PROBE, index);

        return make(dir, err) < 0 ? -1 : open_dir(dir, err);
}

/* What is gone already needs no killing. */
static void kill_all(const char *dir)
{
        struct fg_error err = FG_ERROR_INIT;

        if (put(dir, "cgroup.kill", "1", &err) < 0)
                fg_console("%s", err.msg);
}

void fg_cgroup_kill_probe(unsigned index)
{
        fg_autofree char *dir = fg_asprintf(FG_CGROUP_TASK "/%u/" PROBE, index);

        kill_all(dir);
}

void fg_cgroup_kill(unsigned index)
{
        fg_autofree char *dir = fg_asprintf(FG_CGROUP_TASK "/%u", index);

        kill_all(dir);
}

void fg_cgroup_remove(unsigned index)
{
        fg_autofree char *dir = fg_asprintf(FG_CGROUP_TASK "/%u", index);
        fg_autofree char *probe = fg_asprintf("%s/" PROBE, dir);

        (void)rmdir(probe);
        (void)rmdir(dir);
}

int fg_ordinary(struct fg_error *err)
{
        if (!fg_pod && setpriority(PRIO_PROCESS, 0, 0) < 0)
                return fg_fail_errno(err, errno, "setpriority");
        return put("/proc/self", "oom_score_adj", "0", err);
}
