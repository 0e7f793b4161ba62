/* SPDX-License-Identifier: Apache-2.0 */
#include "net/private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "core/str.h"

#define BACKLOG 128

/*
 * A socket that is bound and never used: packets to a published port turn off before it. Where no
 * rule of the host is for them (@listening) it takes connections. It may then be bound although
 * some of a former life have not quite ended; one that listens still keeps all others away.
 */
static int hold(const struct fg_net_port *p, int family, bool listening)
{
        fg_autoclose int fd = socket(
                family, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_in at4 = { .sin_family = AF_INET, .sin_port = htons(p->host) };
        struct sockaddr_in6 at6 = { .sin6_family = AF_INET6, .sin6_port = htons(p->host) };
        const bool six = family == AF_INET6;
        const int yes = 1;

        if (fd < 0)
                return -1;
        if (*p->address && inet_pton(family, p->address,
                                     six ? (void *)&at6.sin6_addr : (void *)&at4.sin_addr) != 1) {
                errno = EINVAL;
                return -1;
        }
        if (listening)
                (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        if ((six && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) < 0) ||
            bind(fd, six ? (struct sockaddr *)&at6 : (struct sockaddr *)&at4,
                 six ? sizeof(at6) : sizeof(at4)) < 0 ||
            (listening && listen(fd, BACKLOG) < 0))
                return -1;
        return fg_take_fd(fd);
}

/* In both families. A host without IPv6 has none of its addresses to publish at. */
static int hold_port(struct fg_net *net, const struct fg_net_port *p, struct fg_port_hold *ret)
{
        if (fg_rules_port_ipv4(p)) {
                ret->ipv4 = hold(p, AF_INET, !net->vpc.uplink->host_rules);
                if (ret->ipv4 < 0)
                        return -1;
        }
        if (fg_rules_port_ipv6(p))
                ret->ipv6 = hold(p, AF_INET6, true);
        if (!fg_rules_port_ipv6(p) || ret->ipv6 >= 0)
                return 0;
        return !*p->address && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL) ? 0 : -1;
}

static const char *protocol(const struct fg_net_port *p)
{
        return p->udp ? "udp" : "tcp";
}

/* "[::1]:8080/tcp", heap. */
static char *port_text(const struct fg_net_port *p)
{
        bool six = strchr(p->address, ':');

        return fg_asprintf("%s%s%s%s%u/%s", six ? "[" : "", p->address, six ? "]" : "",
                           *p->address ? ":" : "", p->host, protocol(p));
}

static bool same_port(const struct fg_net_port *a, const struct fg_net_port *b)
{
        if (a->udp != b->udp || a->host != b->host)
                return false;
        if (!*a->address || !*b->address || fg_streq(a->address, b->address))
                return true;
        return fg_rules_port_ipv4(a) && fg_rules_port_ipv4(b) &&
               (fg_streq(a->address, "0.0.0.0") || fg_streq(b->address, "0.0.0.0"));
}

static int fail_port(const struct fg_net_port *p, const char *who, struct fg_error *err)
{
        fg_autofree char *text = port_text(p);

        return fg_fail(err, FG_ERR_CONFLICT, "port %s of the host is in use: %s", text, who);
}

static int check_members(struct fg_net *net, const struct fg_net_member *m, size_t i,
                         struct fg_error *err)
{
        const struct fg_net_port *p = &m->eni->ports[i].port;
        struct fg_net_member *other, *next;

        HASH_ITER (hh, net->members, other, next)
                for (size_t j = 0; j < other->eni->n_ports; j++)
                        if ((other != m || j < i) && same_port(p, &other->eni->ports[j].port)) {
                                fg_autofree char *task = fg_asprintf("by task %s", other->task);

                                return fail_port(p, other == m ? "it is published twice" : task,
                                                 err);
                        }
        return 0;
}

/* Where the host's rules send it inside: any port that no other publication has. */
static int choose_transfer(struct fg_net *net, struct fg_net_member *m, size_t i,
                           struct fg_error *err)
{
        struct fg_rules_port *p = &m->eni->ports[i];
        fg_autofree bool *taken = fg_calloc(65536, sizeof(*taken));
        struct fg_net_member *other, *next;

        HASH_ITER (hh, net->members, other, next)
                for (size_t j = 0; j < other->eni->n_ports; j++)
                        if (other->eni->ports[j].port.udp == p->port.udp)
                                taken[other->eni->ports[j].transfer] = true;
        for (unsigned transfer = 1; transfer < 65536; transfer++)
                if (!taken[transfer]) {
                        p->transfer = (uint16_t)transfer;
                        return 0;
                }
        return fg_fail(err, FG_ERR_CAPACITY, "no more ports can be published");
}

static void nothing_held(struct fg_net_member *m)
{
        m->held = fg_calloc(m->eni->n_ports + 1, sizeof(*m->held));
        for (size_t i = 0; i < m->eni->n_ports; i++)
                m->held[i] = (struct fg_port_hold){ -1, -1 };
}

int fg_ports_hold(struct fg_net *net, struct fg_net_member *m, struct fg_error *err)
{
        nothing_held(m);
        for (size_t i = 0; i < m->eni->n_ports; i++) {
                const struct fg_net_port *p = &m->eni->ports[i].port;
                fg_autofree char *text = port_text(p);

                if (check_members(net, m, i, err) < 0 || choose_transfer(net, m, i, err) < 0)
                        return -1;
                if (hold_port(net, p, &m->held[i]) == 0)
                        continue;
                if (errno == EADDRINUSE)
                        return fail_port(p, "by another program", err);
                if (errno == EADDRNOTAVAIL)
                        return fg_fail(err, FG_ERR_INVALID,
                                       "publish: %s: the host has no such address", text);
                return fg_fail_errno(err, errno, "port %s of the host", text);
        }
        return 0;
}

void fg_ports_hold_again(struct fg_net *net, struct fg_net_member *m)
{
        nothing_held(m);
        for (size_t i = 0; i < m->eni->n_ports; i++) {
                fg_autofree char *text = port_text(&m->eni->ports[i].port);

                if (hold_port(net, &m->eni->ports[i].port, &m->held[i]) < 0)
                        fg_log_warn("task %s: its published port %s is not held any more: %s",
                                    m->task, text, strerror(errno));
        }
}

void fg_ports_open(struct fg_net *net, struct fg_net_member *m)
{
        struct fg_forward_port ports[2 * FG_NET_PORTS_MAX];
        struct fg_error err = FG_ERROR_INIT;
        const bool rules = net->vpc.uplink->host_rules;
        size_t n = 0;

        for (size_t i = 0; !m->forward && i < m->eni->n_ports && i < FG_NET_PORTS_MAX; i++) {
                struct sockaddr_in to = { .sin_family = AF_INET,
                                          .sin_port = htons(m->eni->ports[i].port.container) };

                if (inet_pton(AF_INET, m->eni->a.ipv4, &to.sin_addr) != 1)
                        continue;
                if (m->held[i].ipv4 >= 0 && !rules)
                        ports[n++] = (struct fg_forward_port){ m->held[i].ipv4, to };
                if (m->held[i].ipv6 >= 0)
                        ports[n++] = (struct fg_forward_port){ m->held[i].ipv6, to };
        }
        if (n > 0 && fg_forward_new(net->vpc.ns, ports, n, &m->forward, &err) < 0)
                fg_log_error("task %s: %s", m->task, err.msg);
}

void fg_ports_close(struct fg_net_member *m)
{
        fg_forward_free(m->forward);
        m->forward = NULL;
}

void fg_ports_drop(struct fg_net_member *m)
{
        fg_ports_close(m);
        for (size_t i = 0; m->held && i < m->eni->n_ports; i++) {
                fg_closep(&m->held[i].ipv4);
                fg_closep(&m->held[i].ipv6);
        }
        free(m->held);
        m->held = NULL;
}
