/* SPDX-License-Identifier: Apache-2.0 */
/* Looks only: nothing is changed, and no system call is made with arguments that could work. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/probe/probe.h"

#define KLOG_READ_ALL 3
#define TEXT_MAX      65536

static char text[TEXT_MAX];

/* A file as text, at most so much of it; "" when it cannot be read. */
static const char *read_text(const char *path)
{
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n, len = 0;

        while (fd >= 0 && len < TEXT_MAX - 1 &&
               (n = read(fd, text + len, TEXT_MAX - 1 - (size_t)len)) > 0)
                len += n;
        text[len] = '\0';
        if (fd >= 0)
                (void)close(fd);
        return text;
}

/* The first line of the file, as a JSON string. */
static void put_line(const char *key, const char *path)
{
        (void)printf("\"%s\":\"", key);
        for (const char *c = read_text(path); *c && *c != '\n'; c++)
                if (*c >= ' ' && *c != '"' && *c != '\\')
                        (void)putchar(*c);
        (void)printf("\",");
}

static int count_entries(const char *path, bool numbers)
{
        DIR *dir = opendir(path);
        const struct dirent *entry;
        int n = 0;

        while (dir && (entry = readdir(dir)))
                n += numbers ? isdigit((unsigned char)entry->d_name[0]) != 0
                             : entry->d_name[0] != '.';
        if (dir)
                (void)closedir(dir);
        return n;
}

static int count_lines(const char *path)
{
        int n = 0;

        for (const char *c = read_text(path); *c; c++)
                n += *c == '\n';
        return n;
}

/* A member of /proc/self/status. */
static void put_status(const char *key, const char *name)
{
        const char *at = strstr(read_text("/proc/self/status"), name);

        at = at ? at + strlen(name) : "";
        at += strspn(at, ":\t ");
        (void)printf("\"%s\":\"%.*s\",", key, (int)strcspn(at, "\n"), at);
}

/* With arguments that the kernel refuses: what it says shows whether it looked at them. */
static void put_syscalls(void)
{
        static const struct {
                const char *name;
                long number;
        } calls[] = {
                { "bpf", SYS_bpf },
                { "perf_event_open", SYS_perf_event_open },
                { "keyctl", SYS_keyctl },
                { "userfaultfd", SYS_userfaultfd },
                { "io_uring_setup", SYS_io_uring_setup },
                { "init_module", SYS_init_module },
                { "kexec_load", SYS_kexec_load },
                { "open_by_handle_at", SYS_open_by_handle_at },
                { "mount", SYS_mount },
                { "ptrace", SYS_ptrace },
                { "setns", SYS_setns },
        };
        bool first = true;

        (void)printf("\"syscalls\":[");
        for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
                if (syscall(calls[i].number, -1L, 0L, -1L, -1L, -1L) < 0 &&
                    (errno == EPERM || errno == ENOSYS || errno == EACCES))
                        continue;
                (void)printf("%s\"%s\"", first ? "" : ",", calls[i].name);
                first = false;
        }
        (void)printf("]");
}

int probe_isolation(void)
{
        struct utsname name = { 0 };
        struct sysinfo info = { 0 };

        (void)uname(&name);
        (void)sysinfo(&info);
        (void)printf("{\"kernelRelease\":\"%s\",\"uptimeSeconds\":%ld,", name.release, info.uptime);
        put_line("bootId", "/proc/sys/kernel/random/boot_id");
        (void)printf("\"processes\":%d,", count_entries("/proc", true));
        (void)printf("\"kernelLog\":%s,",
                     klogctl(KLOG_READ_ALL, text, TEXT_MAX) > 0 ? "true" : "false");
        (void)printf("\"modules\":%d,", count_lines("/proc/modules"));
        (void)printf("\"devices\":%d,", count_entries("/dev", false));
        (void)printf("\"sysctlWritable\":%s,",
                     access("/proc/sys/kernel/core_pattern", W_OK) == 0 ? "true" : "false");
        put_line("userMap", "/proc/self/uid_map");
        put_line("cgroup", "/proc/self/cgroup");
        put_status("capabilities", "CapEff");
        put_status("seccomp", "Seccomp");
        put_syscalls();
        return printf("}\n") < 0;
}
