/* SPDX-License-Identifier: Apache-2.0 */
#include "api/logstore.h"

#include <assert.h>

#include "api/logstore_private.h"
#include "core/fs.h"
#include "core/str.h"

#define MIB (UINT64_C(1) << 20)

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
        return value ? value : fallback;
}

int fg_logstore_new(sd_event *event, const struct fg_logstore_options *options,
                    struct fg_logstore **ret, struct fg_error *err)
{
        fg_cleanup(fg_logstore_freep) struct fg_logstore *store = fg_calloc(1, sizeof(*store));

        store->dir = fg_strdup(options->dir);
        store->limits.segment_bytes = or_default(options->segment_bytes, 4 * MIB);
        store->limits.total_bytes = or_default(options->container_bytes, 64 * MIB);
        store->queue_bytes = or_default(options->queue_bytes, MIB);
        store->store_bytes = options->store_bytes;
        if (fg_mkdir_p(store->dir, 0700, err) < 0 ||
            fg_lane_new(event, "fgd-log-write", 1, &store->write_lane, err) < 0 ||
            fg_lane_new(event, "fgd-log-read", 1, &store->read_lane, err) < 0)
                return fg_wrap(err, "log store");
        *ret = fg_take_ptr(store);
        return 0;
}

void fg_logstore_free(struct fg_logstore *store)
{
        if (!store)
                return;
        fg_lane_free(store->write_lane);
        fg_lane_free(store->read_lane);
        assert(LIST_EMPTY(&store->writers) && LIST_EMPTY(&store->readers));
        free(store->dir);
        free(store);
}

void fg_logstore_finish(struct fg_logstore *store, const char *task)
{
        store->changes++;
        fg_logreader_wake(store, task, true);
}

void fg_logstore_wrote(struct fg_logstore *store, const char *task, uint64_t bytes)
{
        store->changes++;
        fg_logreader_wake(store, task, false);
        if (!store->store_bytes)
                return;
        store->until_sweep -= bytes < store->until_sweep ? bytes : store->until_sweep;
        if (store->until_sweep == 0 && !store->sweeping)
                fg_logstore_sweep(store);
}
