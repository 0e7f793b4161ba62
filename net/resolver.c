/* SPDX-License-Identifier: Apache-2.0 */
#include "net/vpc.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/log.h"
#include "core/str.h"
#include "net/helper.h"

/*
 * dnsmasq in the VPC's namespace: small, in every distribution, and it takes names from a directory
 * it watches, so that nothing is restarted for a task. It outlives fgd, as tasks do. A VPC whose
 * dnsmasq cannot be started works without names: no task fails for it.
 */
#define PROGRAM "dnsmasq"

/* Files that may name the host's resolvers; the second is behind systemd-resolved's own address. */
static const char *const resolv_files[] = { "/etc/resolv.conf",
                                            "/run/systemd/resolve/resolv.conf" };

/* ---- the host's resolvers ---- */

static bool is_own(const struct fg_ip *ip)
{
        struct ifaddrs *all = NULL;
        bool found = false;

        if (getifaddrs(&all) < 0)
                return false;
        for (const struct ifaddrs *a = all; a && !found; a = a->ifa_next) {
                const struct sockaddr_in *in = (const void *)a->ifa_addr;

                found = in && in->sin_family == AF_INET &&
                        memcmp(&in->sin_addr, ip->bytes, sizeof(in->sin_addr)) == 0;
        }
        freeifaddrs(all);
        return found;
}

/* The VPC has an own network there, and the packet would never leave it. */
static bool is_hidden(const struct fg_vpc *vpc, const struct fg_ip *ip)
{
        struct fg_cidr c;

        for (size_t i = 0; i < vpc->config->n_subnets; i++)
                if (fg_cidr_parse(vpc->config->subnets[i].cidr, &c) && fg_cidr_contains(&c, ip))
                        return true;
        return false;
}

/* Of those that nothing from the VPC reaches (rules_host.c): on the host's loopback, at an address
   of the host, a cloud's, which is link-local, or in a network that is a subnet's too. */
static bool is_out_of_reach(const struct fg_vpc *vpc, const struct fg_ip *ip)
{
        return ip->bytes[0] == 127 || (ip->bytes[0] == 169 && ip->bytes[1] == 254) || is_own(ip) ||
               is_hidden(vpc, ip);
}

/* 1: one that the VPC reaches; 0: only others (the first IPv4 one into @ret), or none. */
static int look_into(const struct fg_vpc *vpc, const char *path, char ret[FG_NET_IP_MAX])
{
        fg_cleanup(fclosep) FILE *f = fopen(path, "re");
        char line[256], address[FG_NET_IP_MAX];

        while (f && fgets(line, sizeof(line), f)) {
                struct fg_ip ip;

                if (sscanf(line, " nameserver %45[0-9a-fA-F.:]", address) != 1 ||
                    !fg_ip_parse(address, &ip))
                        continue;
                if (ip.family == AF_INET && !is_out_of_reach(vpc, &ip))
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
 * A resolver that is out of the VPC's reach is asked all the same: the host's end of the pair
 * passes port 53 on to it (rules_host.c), and dnsmasq asks there.
 */
static char *resolv_file(struct fg_vpc *vpc)
{
        fg_autofree char *own = upstream_path(vpc), *text = NULL;
        char hidden[FG_NET_IP_MAX] = "";
        struct fg_error ignored;

        vpc->host_resolver[0] = '\0';
        for (size_t i = 0; i < FG_ARRAY_SIZE(resolv_files); i++)
                if (look_into(vpc, resolv_files[i], hidden))
                        return fg_strdup(resolv_files[i]);
        memcpy(vpc->host_resolver, hidden, sizeof(hidden));
        if (!*hidden)
                fg_log_warn("tasks know no names from outside: the host's resolv.conf has no "
                            "resolver with an IPv4 address");
        text = *hidden ? fg_asprintf("nameserver %s\n", vpc->outside4)
                       : fg_strdup("# the host has no resolver\n");
        (void)fg_write_file(own, text, strlen(text), 0644, &ignored);
        return fg_take_ptr(own);
}

void fg_vpc_resolver_upstream(struct fg_vpc *vpc)
{
        free(resolv_file(vpc));
}

/* ---- its process ---- */

static struct fg_helper helper(const struct fg_vpc *vpc, const char *pid_file)
{
        return (struct fg_helper){ .program = PROGRAM,
                                   .package = "dnsmasq-base",
                                   .pid_file = pid_file,
                                   .ns = vpc->ns,
                                   .caps = UINT64_C(1) << CAP_NET_BIND_SERVICE };
}

static char *pid_path(const struct fg_vpc *vpc)
{
        return fg_asprintf("%s/dnsmasq.pid", vpc->dir);
}

int fg_vpc_resolver_start(struct fg_vpc *vpc, struct fg_error *err)
{
        fg_autofree char *pid_file = pid_path(vpc);
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
                               (char[]){ "--dns-forward-max=10000" }, /* DNS_RATE in rules.c */
                               (char[]){ "--log-facility=/dev/null" },
                               user,
                               pid,
                               names,
                               resolv,
                               NULL };
        struct fg_helper h = helper(vpc, pid_file);

        if (fg_helper_start(&h, argv, err) == 0)
                return 0;
        return err->code == FG_ERR_NOT_FOUND
                       ? fg_fail(err, FG_ERR_NOT_FOUND,
                                 "there is no dnsmasq (package dnsmasq-base): no names in tasks")
                       : -1;
}

void fg_vpc_resolver(struct fg_vpc *vpc)
{
        struct fg_error err = FG_ERROR_INIT;

        (void)snprintf(vpc->resolver, sizeof(vpc->resolver), "%.250s",
                       fg_vpc_resolver_start(vpc, &err) < 0 ? err.msg : PROGRAM);
}

int fg_vpc_resolver_find(const struct fg_vpc *vpc)
{
        fg_autofree char *pid_file = pid_path(vpc);
        struct fg_helper h = helper(vpc, pid_file);

        return fg_helper_find(&h);
}

void fg_vpc_resolver_stop(struct fg_vpc *vpc)
{
        fg_autofree char *pid_file = pid_path(vpc);
        struct fg_helper h = helper(vpc, pid_file);

        if (vpc->ns >= 0)
                fg_helper_stop(&h);
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
