/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "api/run.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

/* fgrun.maxRunTime: a task that has run so long is stopped, as if its user had asked for it. */

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct fg_run *run = userdata;
        fg_autofree char *reason = fg_asprintf("Task reached its maximum run time of %" PRId64 " s",
                                               run->task->def->fgrun->max_run_time);

        (void)source;
        (void)usec;
        run->limit = sd_event_source_disable_unref(run->limit);
        if (run->task->stop_wanted || run->ending)
                return 0;
        fg_log_info("task=%s %s", run->task->id, reason);
        fg_task_want_stop(run->task, FG_STOP_USER_INITIATED, reason, fg_now_ns());
        run_save(run, NULL, NULL);
        end_stop(run);
        return 0;
}

void limit_arm(struct fg_run *run)
{
        const struct fg_task *t = run->task;
        const uint64_t now = fg_now_ns(), started = t->phase_ns[FG_PHASE_STARTED];
        uint64_t end;

        if (!t->def->fgrun || t->def->fgrun->max_run_time == 0 || started == 0 || run->limit)
                return;
        end = started + (uint64_t)t->def->fgrun->max_run_time * FG_NS_PER_SEC;
        (void)sd_event_add_time_relative(run->d->event, &run->limit, CLOCK_MONOTONIC,
                                         end > now ? (end - now) / 1000 : 0, 0, on_limit, run);
}
