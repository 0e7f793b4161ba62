/* SPDX-License-Identifier: Apache-2.0 */
/* Who and where the probe is: its kernel, processes, devices and rights. */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/probe/probe.h"

#define KLOG_READ_ALL 3
#define TEXT_MAX      65536

static char text[TEXT_MAX];

const char *probe_read(const char *path)
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
        for (const char *c = probe_read(path); *c && *c != '\n'; c++)
                if (*c >= ' ' && *c != '"' && *c != '\\')
                        (void)putchar(*c);
        (void)printf("\",");
}

static int count_entries(const char *path, bool (*counts)(char first))
{
        DIR *dir = opendir(path);
        const struct dirent *entry;
        int n = 0;

        while (dir && (entry = readdir(dir)))
                n += counts(entry->d_name[0]);
        if (dir)
                (void)closedir(dir);
        return n;
}

static bool is_digit(char first)
{
        return first >= '0' && first <= '9';
}

static bool is_visible(char first)
{
        return first != '.';
}

int probe_entries(const char *path)
{
        return count_entries(path, is_visible);
}

static int count_lines(const char *path)
{
        int n = 0;

        for (const char *c = probe_read(path); *c; c++)
                n += *c == '\n';
        return n;
}

/* A member of /proc/self/status. */
static void put_status(const char *key, const char *name)
{
        const char *at = strstr(probe_read("/proc/self/status"), name);

        at = at ? at + strlen(name) : "";
        at += strspn(at, ":\t ");
        (void)printf("\"%s\":\"%.*s\",", key, (int)strcspn(at, "\n"), at);
}

int probe_isolation(void)
{
        struct utsname name = { 0 };
        struct sysinfo info = { 0 };

        (void)uname(&name);
        (void)sysinfo(&info);
        (void)printf("{\"kernelRelease\":\"%s\",\"uptimeSeconds\":%ld,", name.release, info.uptime);
        put_line("bootId", "/proc/sys/kernel/random/boot_id");
        (void)printf("\"processes\":%d,", count_entries("/proc", is_digit));
        (void)printf("\"kernelLog\":%s,",
                     klogctl(KLOG_READ_ALL, text, TEXT_MAX) > 0 ? "true" : "false");
        (void)printf("\"devices\":%d,", probe_entries("/dev"));
        (void)printf("\"sysctlWritable\":%s,",
                     access("/proc/sys/kernel/core_pattern", W_OK) == 0 ? "true" : "false");
        put_line("userMap", "/proc/self/uid_map");
        put_line("cgroup", "/proc/self/cgroup");
        probe_reach();
        put_status("capabilities", "CapEff");
        put_status("seccomp", "Seccomp");
        return printf("\"modules\":%d}\n", count_lines("/proc/modules")) < 0;
}
