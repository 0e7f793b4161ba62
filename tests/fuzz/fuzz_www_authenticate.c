/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/str.h"
#include "images/auth.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        fg_autofree char *header = fg_asprintf("%.*s", (int)(len < 20000 ? len : 20000), data);
        fg_cleanup(fg_challenge_finish) struct fg_challenge c = { 0 };
        struct fg_error err;

        if (fg_challenge_parse(header, &c, &err) == 0 && c.scheme == FG_AUTH_BEARER && !c.realm)
                __builtin_trap();
        return 0;
}
