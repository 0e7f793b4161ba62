/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "core/digest.h"
#include "core/error.h"

/* What the memory of a VM depends on, whatever its shape. Strings are borrowed for the call. */
struct fg_template_basis {
        const char *kernel, *initrd; /* what is in them counts */
        const char *qemu;            /* which file it is: rebuilt, it may have the same version */
        const char *const *texts;
        size_t n_texts;
};

/** fg_template_key() - changes with all of @basis, and with nothing else. Reads the files. */
int fg_template_key(const struct fg_template_basis *basis, char ret[FG_DIGEST_LEN + 1],
                    struct fg_error *err);
