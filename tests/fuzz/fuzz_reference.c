/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/str.h"
#include "images/images.h"
#include "images/reference.h"
#include "tests/fuzz/fuzz.h"

/* What is accepted has a normal form that means the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        fg_autofree char *text = fg_asprintf("%.*s", (int)(len < 5000 ? len : 5000), data);
        fg_autofree char *normal = NULL, *again = NULL;
        struct fg_error err;

        normal = fg_reference_normalize(text, &err);
        if (!normal)
                return 0;
        again = fg_reference_normalize(normal, &err);
        if (!again || !fg_streq(normal, again))
                __builtin_trap();
        return 0;
}
