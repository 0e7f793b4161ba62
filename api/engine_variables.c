/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "api/run.h"
#include "api/variables.h"
#include "core/str.h"

/*
 * The values behind `secrets` and `environmentFiles`. They are fetched when a task starts, kept in
 * memory until its guest has them, and never stored: a new fgd fetches them again for a guest that
 * had not got its task.
 */
struct fetch {
        struct run_ref *ref;
        struct fg_taskdef *def; /* a copy */
        char *s3_root;
        struct fg_secret lines;
};

static struct json_object *fetch_work(struct fg_vault *v, void *arg, struct fg_error *err)
{
        struct fetch *f = arg;

        return fg_variables_resolve(v, f->def, f->s3_root, &f->lines, err) < 0
                       ? NULL
                       : json_object_new_object();
}

static void fetch_done(void *arg, struct json_object *result, const struct fg_error *err)
{
        struct fetch *f = arg;
        struct fg_run *run = run_ref_take(f->ref);

        (void)result;
        if (run) {
                run->fetching = false;
                if (err) {
                        end_failed(run, "ResourceInitializationError", err);
                } else if (!run->ending) {
                        run->variables = f->lines;
                        f->lines = FG_SECRET_INIT;
                        run->variables_ready = true;
                        start_try_send(run);
                }
        }
        fg_secret_finish(&f->lines);
        fg_taskdef_free(f->def);
        free(f->s3_root);
        free(f);
}

void start_variables(struct fg_run *run)
{
        struct fetch *f;

        if (run->fetching || run->variables_ready)
                return;
        if (!fg_variables_needed(run->task->def)) {
                run->variables_ready = true;
                return;
        }
        run->fetching = true;
        f = fg_calloc(1, sizeof(*f));
        f->ref = run_ref_new(run);
        f->def = fg_taskdef_copy(run->task->def);
        f->s3_root = fg_strdup(run->d->config.s3_root);
        fg_keeper_run(run->d->keeper, fetch_work, fetch_done, f);
}
