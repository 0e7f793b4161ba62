/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/loop.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>

#include "core/clock.h"

int fg_loop_init(struct fg_loop *l, struct fg_error *err)
{
        *l = (struct fg_loop){ .epoll = epoll_create1(EPOLL_CLOEXEC) };
        return l->epoll < 0 ? fg_fail_errno(err, errno, "epoll_create1") : 0;
}

int fg_loop_add(struct fg_loop *l, struct fg_source *s, uint32_t events, struct fg_error *err)
{
        struct epoll_event e = { .events = events, .data.ptr = s };

        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &e) < 0)
                return fg_fail_errno(err, errno, "watch a descriptor");
        return 0;
}

void fg_loop_del(struct fg_loop *l, struct fg_source *s)
{
        (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
}

void fg_loop_add_timer(struct fg_loop *l, struct fg_timer *t)
{
        t->next = l->timers;
        l->timers = t;
}

static int milliseconds_to_wait(const struct fg_loop *l)
{
        const uint64_t now = fg_mono_ns();
        uint64_t wait = UINT64_MAX;

        for (const struct fg_timer *t = l->timers; t; t = t->next) {
                uint64_t left = t->deadline > now ? t->deadline - now : 0;

                if (t->deadline > 0 && left < wait)
                        wait = left;
        }
        if (wait == UINT64_MAX)
                return -1;
        wait = (wait + FG_NS_PER_MSEC - 1) / FG_NS_PER_MSEC;
        return wait > INT_MAX ? INT_MAX : (int)wait;
}

static void fire_timers(struct fg_loop *l)
{
        const uint64_t now = fg_mono_ns();

        for (struct fg_timer *t = l->timers; t; t = t->next) {
                if (t->deadline == 0 || t->deadline > now)
                        continue;
                t->deadline = 0;
                t->fire(t);
        }
}

void fg_loop_step(struct fg_loop *l)
{
        struct fg_source *s;
        struct epoll_event e;

        /* One event at a time: serving it may remove any other source. */
        if (epoll_wait(l->epoll, &e, 1, milliseconds_to_wait(l)) == 1) {
                s = e.data.ptr;
                s->ready(s, e.events);
        }
        fire_timers(l);
}
