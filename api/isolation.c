/* SPDX-License-Identifier: Apache-2.0 */
#include "api/isolation.h"

#include "core/buf.h"
#include "core/str.h"
#include "vmm/vmm.h"

#define FIELDS_MAX 700 /* bytes: they have to fit into one error */

bool isolation_container(const struct fg_taskdef *def)
{
        return def->fgrun && def->fgrun->isolation && fg_streq(def->fgrun->isolation, "container");
}

/* What does not fit any more is told by the next try. */
static void add(struct fg_buf *fields, const char *container, const char *field)
{
        struct fg_error full;

        (void)fg_buf_printf(fields, &full, "%s%s of container %s", fields->len > 0 ? ", " : "",
                            field, container);
}

/* Of its network or of its own namespace of System V IPC, and not of the host's kernel. */
static bool is_namespaced(const char *control)
{
        static const char *const beginnings[] = { "net.", "fs.mqueue.", "kernel.msg", "kernel.sem",
                                                  "kernel.shm" };

        for (size_t i = 0; i < FG_ARRAY_SIZE(beginnings); i++) {
                const char *at = beginnings[i], *name = control;

                while (*at && (*at == *name || (*at == '.' && *name == '/'))) {
                        at++;
                        name++;
                }
                if (!*at)
                        return true;
        }
        return false;
}

static bool controls_host(const struct fg_container_def *c)
{
        for (size_t i = 0; i < c->system_controls.n; i++)
                if (!is_namespaced(c->system_controls.v[i].name))
                        return true;
        return false;
}

static void add_unsupported(struct fg_buf *fields, const struct fg_container_def *c)
{
        const bool split = fg_vmm_pods_split();

        if (controls_host(c))
                add(fields, c->name, "systemControls of the whole kernel");
        /* Where the controllers are cgroup v1's, only the task as a whole is limited. */
        if (c->cpu > 0 && !split)
                add(fields, c->name, "cpu");
        if (c->memory > 0 && !split)
                add(fields, c->name, "memory");
        if (c->memory_reservation > 0 && !split)
                add(fields, c->name, "memoryReservation");
}

int isolation_check(const struct fg_daemon *d, const struct fg_submission *s, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf fields = FG_BUF_INIT(FIELDS_MAX);

        if (!isolation_container(s->def))
                return 0;
        if (!fg_streq(d->config.isolation, "container"))
                return fg_fail(err, FG_ERR_INVALID,
                               "fgrun.isolation: 'container' is refused: this fgd allows "
                               "microvm alone (isolation = container in fgd.conf allows both)");
        if (fg_vmm_pods(d->vmm, err) < 0)
                return fg_wrap(err, "fgrun.isolation: 'container'");
        for (size_t i = 0; i < s->def->containers.n; i++)
                add_unsupported(&fields, &s->def->containers.v[i]);
        if (fields.len > 0)
                return fg_fail(err, FG_ERR_INVALID,
                               "not supported with fgrun.isolation 'container' on this host: %s",
                               fields.data);
        return 0;
}
