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
static void add(struct fg_buf *fields, const char *where, const char *field)
{
        struct fg_error full;

        (void)fg_buf_printf(fields, &full, "%s%s%s%s", fields->len > 0 ? ", " : "", field,
                            where ? " of container " : "", where ? where : "");
}

static void add_unsupported(struct fg_buf *fields, const struct fg_container_def *c)
{
        const struct fg_linux_parameters *linux_parameters = c->linux_parameters;
        const bool split = fg_vmm_pods_split();

        if (c->system_controls.n > 0)
                add(fields, c->name, "systemControls");
        if (linux_parameters && linux_parameters->capabilities &&
            linux_parameters->capabilities->add.n > 0)
                add(fields, c->name, "linuxParameters.capabilities.add");
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
