/* SPDX-License-Identifier: Apache-2.0 */
#include "images/manifest.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        struct fg_error err;
        fg_cleanup(fg_manifest_freep) struct fg_manifest *m = fg_manifest_parse((const char *)data,
                                                                                len, NULL, &err);

        (void)fg_config_check((const char *)data, len, "linux/amd64", &err);
        if (!m)
                return 0;
        if (m->n_items > (m->index ? FG_INDEX_MAX : FG_LAYERS_MAX))
                __builtin_trap();
        for (size_t i = 0; i < m->n_items; i++)
                if (!fg_digest_valid(m->items[i].digest))
                        __builtin_trap();
        if (m->index) {
                (void)fg_manifest_select(m, NULL, "linux/amd64", &err);
                (void)fg_manifest_select(m, "latest", "linux/amd64", &err);
        }
        return 0;
}
