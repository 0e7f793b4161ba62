/* SPDX-License-Identifier: Apache-2.0 */
#include "api/keeper.h"

#include <stdlib.h>

#include "core/lane.h"
#include "core/str.h"

struct fg_keeper {
        struct fg_vault *vault; /* the lane's */
        struct fg_lane *lane;
};

struct keep {
        struct fg_job job;
        struct fg_vault *vault;
        fg_keeper_work_fn work;
        fg_keeper_done_fn done;
        void *arg;
        struct json_object *result;
        struct fg_error err;
};

static void work(struct fg_job *job)
{
        struct keep *k = FG_CONTAINER_OF(job, struct keep, job);

        k->result = k->work(k->vault, k->arg, &k->err);
}

static void done(struct fg_job *job)
{
        struct keep *k = FG_CONTAINER_OF(job, struct keep, job);

        k->done(k->arg, k->result, k->result ? NULL : &k->err);
        fg_json_wipe(k->result);
        json_object_put(k->result);
        free(k);
}

void fg_keeper_run(struct fg_keeper *k, fg_keeper_work_fn work_fn, fg_keeper_done_fn done_fn,
                   void *arg)
{
        struct keep *keep = fg_calloc(1, sizeof(*keep));

        *keep = (struct keep){ .job = { .work = work, .done = done },
                               .vault = k->vault,
                               .work = work_fn,
                               .done = done_fn,
                               .arg = arg };
        fg_lane_submit(k->lane, &keep->job);
}

int fg_keeper_new(sd_event *event, const struct fg_vault_config *config, struct fg_keeper **ret,
                  struct fg_error *err)
{
        fg_cleanup(fg_keeper_freep) struct fg_keeper *k = fg_calloc(1, sizeof(*k));

        if (fg_vault_open(config, &k->vault, err) < 0 ||
            fg_lane_new(event, "secrets", 1, &k->lane, err) < 0)
                return -1;
        *ret = fg_take_ptr(k);
        return 0;
}

void fg_keeper_free(struct fg_keeper *k)
{
        if (!k)
                return;
        if (k->lane)
                fg_lane_free(k->lane);
        fg_vault_free(k->vault);
        free(k);
}
