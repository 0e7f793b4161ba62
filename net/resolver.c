/* SPDX-License-Identifier: Apache-2.0 */
#include "net/vpc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/netns.h"
#include "core/process.h"
#include "core/str.h"
#include "net/ns.h"

/*
 * dnsmasq in the VPC's namespace: small, in every distribution, and it takes names from a directory
 * it watches, so that nothing is restarted for a task. It outlives fgd, as tasks do. A VPC whose
 * dnsmasq cannot be started works without names: no task fails for it.
 */
#define PROGRAM     "dnsmasq"
#define STOP_MS     2000
#define CMDLINE_MAX 8192

/* Files that may name the host's resolvers; the second is behind systemd-resolved's own address. */
static const char *const resolv_files[] = { "/etc/resolv.conf",
                                            "/run/systemd/resolve/resolv.conf" };

/* ---- the host's resolvers ---- */

/* 1: one that is not on the loopback; 0: only such (the first IPv4 one into @ret), or none. */
static int look_into(const char *path, char ret[FG_NET_IP_MAX])
{
        fg_cleanup(fclosep) FILE *f = fopen(path, "re");
        char line[256], address[FG_NET_IP_MAX];

        while (f && fgets(line, sizeof(line), f)) {
                struct fg_ip ip;

                if (sscanf(line, " nameserver %45[0-9a-fA-F.:]", address) != 1 ||
                    !fg_ip_parse(address, &ip))
                        continue;
                if (ip.family == AF_INET && ip.bytes[0] != 127)
                        return 1;
                if (ip.family == AF_INET && !*ret)
                        memcpy(ret, address, sizeof(address));
        }
        return 0;
}

static char *upstream_path(const struct fg_vpc *vpc)
{
        return fg_asprintf("%s/upstream.conf", vpc->dir);
}

/*
 * A resolver on the host's loopback cannot be reached from another namespace: then the host's end
 * of the pair passes port 53 on to it (rules_host.c), and dnsmasq asks there.
 */
static char *resolv_file(struct fg_vpc *vpc)
{
        fg_autofree char *own = upstream_path(vpc), *text = NULL;
        char loopback[FG_NET_IP_MAX] = "";
        struct fg_error ignored;

        vpc->host_resolver[0] = '\0';
        for (size_t i = 0; i < FG_ARRAY_SIZE(resolv_files); i++)
                if (look_into(resolv_files[i], loopback))
                        return fg_strdup(resolv_files[i]);
        memcpy(vpc->host_resolver, loopback, sizeof(loopback));
        text = *loopback ? fg_asprintf("nameserver %s\n", vpc->outside4)
                         : fg_strdup("# the host has no resolver\n");
        (void)fg_write_file(own, text, strlen(text), 0644, &ignored);
        return fg_take_ptr(own);
}

void fg_vpc_resolver_upstream(struct fg_vpc *vpc)
{
        free(resolv_file(vpc));
}

/* ---- its process ---- */

/* Of the pid in the file, if it is a dnsmasq in our namespace: its pidfd, else -1. */
static int find(const struct fg_vpc *vpc, const char *pid_file, struct fg_buf *cmdline)
{
        fg_cleanup(fclosep) FILE *f = fopen(pid_file, "re");
        fg_autofree char *ns = NULL, *args = NULL, *first = NULL;
        fg_autoclose int fd = -1, there = -1;
        struct fg_error ignored;
        int pid;

        if (!f || fscanf(f, "%d", &pid) != 1 || pid <= 1)
                return -1;
        fd = (int)syscall(SYS_pidfd_open, pid, 0);
        ns = fg_asprintf("/proc/%d/ns/net", pid);
        args = fg_asprintf("/proc/%d/cmdline", pid);
        there = open(ns, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || there < 0 || fg_ns_inode(there) != fg_ns_inode(vpc->ns) ||
            fg_buf_read_file(cmdline, args, &ignored) < 0 || cmdline->len == 0 ||
            !fg_ends_with(cmdline->data, PROGRAM))
                return -1;
        return fg_take_fd(fd);
}

static void end(int pidfd)
{
        struct pollfd gone = { .fd = pidfd, .events = POLLIN };

        (void)syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
        if (poll(&gone, 1, STOP_MS) == 0) {
                (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
                (void)poll(&gone, 1, STOP_MS);
        }
}

static bool same_words(const struct fg_buf *cmdline, char *const argv[])
{
        size_t at = 0;

        for (size_t i = 0; argv[i]; i++) {
                if (at >= cmdline->len || !fg_streq(cmdline->data + at, argv[i]))
                        return false;
                at += strlen(argv[i]) + 1;
        }
        return at == cmdline->len;
}

/* In the VPC's namespace. It answers once it has become a daemon, which it does when it listens. */
static int spawn(const struct fg_vpc *vpc, char *const argv[], struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf output = FG_BUF_INIT(4096);
        int back = fg_netns_enter(vpc->ns, err), status;

        if (back < 0)
                return -1;
        status = fg_spawn((const char *const *)argv, &output, err);
        fg_netns_leave(back);
        if (status < 0 && err->sys == ENOENT)
                return fg_fail(err, FG_ERR_NOT_FOUND,
                               "there is no dnsmasq (package dnsmasq-base): no names in tasks");
        if (status != 0)
                return fg_fail(err, FG_ERR_INTERNAL, "dnsmasq did not start (%d): %.*s", status,
                               output.len > 0 ? (int)strcspn(output.data + 1, "\n") + 1 : 0,
                               output.len > 0 ? output.data : "");
        return 0;
}

static int start(struct fg_vpc *vpc, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf cmdline = FG_BUF_INIT(CMDLINE_MAX);
        fg_autofree char *pid_file = fg_asprintf("%s/dnsmasq.pid", vpc->dir);
        fg_autofree char *pid = fg_asprintf("--pid-file=%s", pid_file);
        fg_autofree char *names = fg_asprintf("--hostsdir=%s", vpc->names);
        fg_autofree char *upstream = resolv_file(vpc);
        fg_autofree char *resolv = fg_asprintf("--resolv-file=%s", upstream);
        fg_autofree char *user = fg_asprintf("--user=%s", getpwnam(PROGRAM) ? PROGRAM : "nobody");
        char *const argv[] = { (char[]){ PROGRAM },
                               (char[]){ "--conf-file=/dev/null" },
                               (char[]){ "--no-hosts" },
                               (char[]){ "--bind-interfaces" },
                               (char[]){ "--listen-address=" FG_NET_RESOLVER },
                               (char[]){ "--domain-needed" },
                               (char[]){ "--bogus-priv" },
                               (char[]){ "--local=/" FG_NET_DOMAIN "/" },
                               (char[]){ "--cache-size=1000" },
                               (char[]){ "--log-facility=/dev/null" },
                               user,
                               pid,
                               names,
                               resolv,
                               NULL };
        fg_autoclose int running = find(vpc, pid_file, &cmdline);

        if (running >= 0 && same_words(&cmdline, argv))
                return 0;
        if (running >= 0)
                end(running);
        return spawn(vpc, argv, err);
}

void fg_vpc_resolver(struct fg_vpc *vpc)
{
        struct fg_error err = FG_ERROR_INIT;

        (void)snprintf(vpc->resolver, sizeof(vpc->resolver), "%.250s",
                       start(vpc, &err) < 0 ? err.msg : PROGRAM);
}

void fg_vpc_resolver_stop(struct fg_vpc *vpc)
{
        fg_cleanup(fg_buf_finish) struct fg_buf cmdline = FG_BUF_INIT(CMDLINE_MAX);
        fg_autofree char *pid_file = fg_asprintf("%s/dnsmasq.pid", vpc->dir);
        fg_autoclose int running = vpc->ns >= 0 ? find(vpc, pid_file, &cmdline) : -1;

        if (running >= 0)
                end(running);
}

/* ---- names ---- */

int fg_vpc_names(struct fg_vpc *vpc, const char *task, const char *text, struct fg_error *err)
{
        fg_autofree char *file = fg_asprintf("%s/%s", vpc->names, task);
        fg_autofree char *draft = fg_asprintf("%s/draft", vpc->dir);
        fg_autoclose int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        /* Renamed, so that dnsmasq never reads half of it; and not synchronised: it is made anew.
         */
        if (fd < 0 || fchmod(fd, 0644) < 0)
                return fg_fail_errno(err, errno, "%s", draft);
        if (fg_write_all(fd, text, strlen(text), err) < 0)
                return -1;
        return rename(draft, file) < 0 ? fg_fail_errno(err, errno, "%s", file) : 0;
}
