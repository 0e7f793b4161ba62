/* SPDX-License-Identifier: Apache-2.0 */

/* Manifests and configs as a registry sends them: two JSON texts with a NUL between them. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "core/str.h"
#include "guest-init/image.h"

#define INPUT_MAX (256u << 10)

static void check_list(char *const *list)
{
        assert(list);
        for (; *list; list++)
                (void)strlen(*list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        const char *text = (const char *)data;
        size_t first = len > 0 ? strnlen(text, len) : 0;
        fg_cleanup(fg_image_freep) struct fg_image *image = NULL;
        struct fg_error err = FG_ERROR_INIT;

        if (len > INPUT_MAX)
                return 0;
        image = fg_image_parse_manifest(text, first, &err);
        if (!image) {
                assert(err.code == FG_ERR_INVALID);
                return 0;
        }
        assert(image->layer_count > 0 && fg_digest_valid(image->config_digest));
        if (first == len)
                return 0;
        if (fg_image_parse_config(image, text + first + 1, len - first - 1, &err) < 0) {
                assert(err.code == FG_ERR_INVALID);
                return 0;
        }
        check_list(image->entrypoint);
        check_list(image->cmd);
        check_list(image->env);
        check_list(image->volumes);
        assert(*image->working_dir == '/' && image->user && image->stop_signal > 0);
        for (size_t i = 0; i < image->layer_count; i++)
                assert(fg_digest_valid(image->layers[i].digest) &&
                       fg_digest_valid(image->layers[i].diff_id));
        return 0;
}
