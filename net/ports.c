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
 * A socket that is bound and never used: packets to a published port turn off before it. Without
 * rules on the host (@listening) it takes connections. It may then be bound although some of a
 * former life have not quite ended; one that listens still keeps all others away.
 */
static int hold(const struct fg_net_port *p, bool listening)
{
        fg_autoclose int fd = socket(
                AF_INET, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(p->host) };
        const int yes = 1;

        if (fd < 0)
                return -1;
        if (*p->address && inet_pton(AF_INET, p->address, &at.sin_addr) != 1) {
                errno = EINVAL;
                return -1;
        }
        if (listening)
                (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
            (listening && listen(fd, BACKLOG) < 0))
                return -1;
        return fg_take_fd(fd);
}

static const char *protocol(const struct fg_net_port *p)
{
        return p->udp ? "udp" : "tcp";
}

static bool same_port(const struct fg_net_port *a, const struct fg_net_port *b)
{
        return a->udp == b->udp && a->host == b->host &&
               (!*a->address || !*b->address || fg_streq(a->address, b->address));
}

static int fail_port(const struct fg_net_port *p, const char *who, struct fg_error *err)
{
        return fg_fail(err, FG_ERR_CONFLICT, "port %s%s%u/%s of the host is in use: %s", p->address,
                       *p->address ? ":" : "", p->host, protocol(p), who);
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

int fg_ports_hold(struct fg_net *net, struct fg_net_member *m, struct fg_error *err)
{
        m->held = fg_calloc(m->eni->n_ports + 1, sizeof(*m->held));
        for (size_t i = 0; i < m->eni->n_ports; i++)
                m->held[i] = -1;
        for (size_t i = 0; i < m->eni->n_ports; i++) {
                const struct fg_net_port *p = &m->eni->ports[i].port;

                if (check_members(net, m, i, err) < 0 || choose_transfer(net, m, i, err) < 0)
                        return -1;
                m->held[i] = hold(p, !net->vpc.uplink->host_rules);
                if (m->held[i] >= 0)
                        continue;
                if (errno == EADDRINUSE)
                        return fail_port(p, "by another program", err);
                return fg_fail_errno(err, errno, "port %s%s%u/%s of the host", p->address,
                                     *p->address ? ":" : "", p->host, protocol(p));
        }
        return 0;
}

void fg_ports_hold_again(struct fg_net *net, struct fg_net_member *m)
{
        m->held = fg_calloc(m->eni->n_ports + 1, sizeof(*m->held));
        for (size_t i = 0; i < m->eni->n_ports; i++) {
                const struct fg_net_port *p = &m->eni->ports[i].port;

                m->held[i] = hold(p, !net->vpc.uplink->host_rules);
                if (m->held[i] < 0)
                        fg_log_warn("task %s: its published port %s%s%u/%s is not held any more: "
                                    "%s",
                                    m->task, p->address, *p->address ? ":" : "", p->host,
                                    protocol(p), strerror(errno));
        }
}

void fg_ports_open(struct fg_net *net, struct fg_net_member *m)
{
        struct fg_forward_port ports[FG_NET_PORTS_MAX];
        struct fg_error err = FG_ERROR_INIT;
        size_t n = 0;

        if (net->vpc.uplink->host_rules || m->forward)
                return;
        for (size_t i = 0; i < m->eni->n_ports && i < FG_NET_PORTS_MAX; i++) {
                struct sockaddr_in to = { .sin_family = AF_INET,
                                          .sin_port = htons(m->eni->ports[i].port.container) };

                if (m->held[i] >= 0 && inet_pton(AF_INET, m->eni->a.ipv4, &to.sin_addr) == 1)
                        ports[n++] = (struct fg_forward_port){ m->held[i], to };
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
        for (size_t i = 0; m->held && i < m->eni->n_ports; i++)
                fg_closep(&m->held[i]);
        free(m->held);
        m->held = NULL;
}
