/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/str.h"

/* Where things of one VM are: everything lies in <run_dir>/<id>, which goes with the VM. */
#define FG_VM_CHANNEL "channel.sock" /* QEMU listens, fgd connects */

static inline char *fg_vm_dir(const char *run_dir, const char *id)
{
        return fg_asprintf("%s/%s", run_dir, id);
}

/** fg_vm_path() - heap string: a file in the VM's directory. */
static inline char *fg_vm_path(const char *run_dir, const char *id, const char *name)
{
        return fg_asprintf("%s/%s/%s", run_dir, id, name);
}
