/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "api/aws/call.h"
#include "api/store.h"

int fg_aws_raise(struct fg_aws_call *call, const char *exception, const char *fmt, ...)
{
        va_list ap;

        call->exception = exception;
        va_start(ap, fmt);
        (void)vsnprintf(call->error.msg, sizeof(call->error.msg), fmt, ap);
        va_end(ap);
        return -1;
}

static int run_work(sqlite3 *db, void *userdata, struct fg_error *err)
{
        struct fg_aws_call *call = userdata;
        int r;

        /* It may be the second time. */
        json_object_put(fg_take_ptr(call->output));
        call->exception = NULL;
        r = call->work(call, db, err);
        return r < 0 && call->exception ? fg_fail(err, FG_ERR_INVALID, "%s", call->exception) : r;
}

static void on_done(void *userdata, const struct fg_error *err)
{
        struct fg_aws_call *call = userdata;

        if (err && call->exception)
                fg_aws_fail(call, call->exception, "%s", call->error.msg);
        else if (err)
                fg_aws_fail_error(call, err);
        else if (call->done)
                call->done(call);
        else
                fg_aws_reply(call, fg_take_ptr(call->output));
}

void fg_aws_work(struct fg_aws_call *call, fg_aws_work_fn work, bool writes,
                 void (*done)(struct fg_aws_call *call))
{
        call->work = work;
        call->done = done;
        if (writes)
                fg_store_write(call->d->store, run_work, on_done, call);
        else
                fg_store_read(call->d->store, run_work, on_done, call);
}
