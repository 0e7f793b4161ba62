/* SPDX-License-Identifier: Apache-2.0 */
#include "net/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/str.h"

/* Work for the lane: it alone touches the VPC and the journal. Jobs carry copies. */
struct work {
        struct fg_job job;
        struct fg_net *net;
        char task[FG_ID_LEN + 1];
        struct fg_eni *eni;
        int ns;     /* attach: of its pair, or -1 */
        bool known; /* attach: the journal has it already */
        char *text;
        bool failed;
        struct fg_error err;
        fg_net_attach_fn attached;
        fg_net_done_fn detached;
        void *userdata;
};

static struct work *work_of(struct fg_job *job)
{
        return FG_CONTAINER_OF(job, struct work, job);
}

static struct work *work_new(struct fg_net *net, const char *task, void (*work)(struct fg_job *),
                             void (*done)(struct fg_job *))
{
        struct work *w = fg_calloc(1, sizeof(*w));

        w->job = (struct fg_job){ .work = work, .done = done };
        w->net = net;
        w->ns = -1;
        (void)snprintf(w->task, sizeof(w->task), "%s", task);
        return w;
}

static void work_free(struct work *w)
{
        fg_eni_free(w->eni);
        fg_closep(&w->ns);
        free(w->text);
        free(w);
}

static void forget(struct fg_job *job)
{
        work_free(work_of(job));
}

/* ---- TAPs in advance ---- */

static void refill_work(struct fg_job *job)
{
        struct work *w = work_of(job);

        /* Without them a start makes its own, and says what is wrong if that fails. */
        (void)fg_vpc_fill(&w->net->vpc, &w->err);
}

void fg_net_refill(struct fg_net *net)
{
        fg_lane_submit(net->lane, &work_new(net, "", refill_work, forget)->job);
}

/* ---- names ---- */

static void put_name(struct fg_buf *out, const struct fg_net_attachment *a, const char *name)
{
        struct fg_error ignored; /* the cap is far above what names can come to */

        (void)fg_buf_printf(out, &ignored, "%s %s\n", a->ipv4, name);
        if (*a->ipv6)
                (void)fg_buf_printf(out, &ignored, "%s %s\n", a->ipv6, name);
}

static char *names_text(const struct fg_net_member *m)
{
        struct fg_buf out = FG_BUF_INIT(64 * 1024);
        fg_autofree char *own = fg_asprintf("%s." FG_NET_DOMAIN, m->task);
        fg_autofree char *more = fg_strdup(m->names ? m->names : "");
        char *rest = more, *name;

        put_name(&out, &m->eni->a, m->eni->a.name);
        put_name(&out, &m->eni->a, own);
        while ((name = strsep(&rest, "\n")))
                if (*name)
                        put_name(&out, &m->eni->a, name);
        return fg_buf_take(&out);
}

static void names_work(struct fg_job *job)
{
        struct work *w = work_of(job);

        (void)fg_vpc_names(&w->net->vpc, w->task, w->text, &w->err);
}

static void write_names(struct fg_net *net, const struct fg_net_member *m)
{
        struct work *w = work_new(net, m->task, names_work, forget);

        w->text = names_text(m);
        fg_lane_submit(net->lane, &w->job);
}

/* @line, with its end, as a whole line of @lines. */
static char *find_line(char *lines, const char *line)
{
        char *found = lines ? strstr(lines, line) : NULL;

        while (found && found != lines && found[-1] != '\n')
                found = strstr(found + 1, line);
        return found;
}

void fg_net_name(struct fg_net *net, const char *task, const char *name, bool on)
{
        struct fg_net_member *m = fg_member_find(net, task);
        fg_autofree char *line = fg_asprintf("%s\n", name), *before = NULL;
        char *found;

        if (!m || !m->attached || m->leaving)
                return;
        found = find_line(m->names, line);
        if (on == (found != NULL))
                return;
        before = fg_take_ptr(m->names);
        if (on)
                m->names = fg_asprintf("%s%s", before ? before : "", line);
        else
                m->names = fg_asprintf("%.*s%s", (int)(found - before), before,
                                       found + strlen(line));
        write_names(net, m);
}

/* ---- attach ---- */

static int attach_device(struct work *w)
{
        struct fg_vpc *vpc = &w->net->vpc;

        if (w->eni->a.pair) {
                w->ns = fg_vpc_pair(vpc, &w->eni->a, &w->err);
                if (w->ns < 0)
                        return -1;
        }
        return fg_vpc_attach(vpc, w->eni, &w->err);
}

static void attach_work(struct fg_job *job)
{
        struct work *w = work_of(job);
        struct fg_vpc *vpc = &w->net->vpc;
        struct fg_error ignored;

        if (!w->known && fg_vpc_address(vpc, w->eni, &w->err) < 0) {
                w->failed = true;
                return;
        }
        if (attach_device(w) == 0)
                return;
        w->failed = true;
        if (!w->known)
                (void)fg_vpc_detach(vpc, w->eni, &ignored);
}

/* For whoever starts the container; one of an earlier try is nobody's. */
static void keep_namespace(struct fg_net_member *m, struct work *w)
{
        fg_closep(&m->ns);
        m->ns = fg_take_fd(w->ns);
        (void)snprintf(m->netns, sizeof(m->netns), "/proc/self/fd/%d", m->ns);
}

static void attach_done(struct fg_job *job)
{
        struct work *w = work_of(job);
        struct fg_net_member *m = fg_member_find(w->net, w->task);

        if (m && !m->leaving && !w->failed) {
                m->eni->a = w->eni->a;
                m->attached = true;
                keep_namespace(m, w);
                fg_ports_open(w->net, m);
                write_names(w->net, m);
        }
        w->attached(w->userdata, w->task, w->failed ? NULL : &w->eni->a,
                    w->failed ? &w->err : NULL);
        fg_net_refill(w->net);
        work_free(w);
}

static void nothing(struct fg_job *job)
{
        (void)job;
}

static void refused_done(struct fg_job *job)
{
        struct work *w = work_of(job);

        w->attached(w->userdata, w->task, NULL, &w->err);
        work_free(w);
}

void fg_net_attach(struct fg_net *net, const char *task, fg_net_attach_fn done, void *userdata)
{
        struct fg_net_member *m = fg_member_find(net, task);
        struct work *w = work_new(net, task, m ? attach_work : nothing,
                                  m ? attach_done : refused_done);

        w->attached = done;
        w->userdata = userdata;
        if (m) {
                w->eni = fg_eni_copy(m->eni);
                w->known = m->attached;
        } else {
                fg_fail(&w->err, FG_ERR_NOT_FOUND, "task %s has reserved no network", task);
        }
        fg_lane_submit(net->lane, &w->job);
}

/* ---- detach ---- */

/* The journal says what there is: the attachment may have been made after the wish to end it. */
static int detach_journaled(struct work *w)
{
        struct fg_eni **enis = NULL;
        int n = fg_journal_load(&w->net->vpc.journal, &enis, &w->err), r = n < 0 ? -1 : 0;

        for (int i = 0; i < n; i++) {
                if (r == 0 && fg_streq(enis[i]->a.task, w->task))
                        r = fg_vpc_detach(&w->net->vpc, enis[i], &w->err);
                fg_eni_free(enis[i]);
        }
        free(enis);
        return r;
}

static void detach_work(struct fg_job *job)
{
        struct work *w = work_of(job);

        w->failed = detach_journaled(w) < 0;
}

static void detach_done(struct fg_job *job)
{
        struct work *w = work_of(job);
        struct fg_net_member *m = fg_member_find(w->net, w->task);

        if (m && !w->failed)
                fg_member_free(w->net, m);
        if (w->detached)
                w->detached(w->userdata, w->task, w->failed ? &w->err : NULL);
        work_free(w);
}

void fg_net_detach(struct fg_net *net, const char *task, fg_net_done_fn done, void *userdata)
{
        struct fg_net_member *m = fg_member_find(net, task);
        struct work *w = work_new(net, task, detach_work, detach_done);

        if (m) {
                m->leaving = true;
                fg_ports_close(m); /* its address is somebody else's before long */
        }
        w->detached = done;
        w->userdata = userdata;
        fg_lane_submit(net->lane, &w->job);
}

void fg_net_claim(struct fg_net *net, const char *const *tasks, size_t n)
{
        struct fg_net_member *m, *next;

        HASH_ITER (hh, net->members, m, next) {
                bool claimed = false;

                for (size_t i = 0; i < n && !claimed; i++)
                        claimed = fg_streq(tasks[i], m->task);
                if (!claimed)
                        fg_net_detach(net, m->task, NULL, NULL);
                else
                        write_names(net, m);
        }
}
