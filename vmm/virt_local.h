/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/error.h"
#include "vmm/virt.h"

/**
 * fg_virt_check_local() - refuse a hypervisor of another machine
 * @uri: as the user wrote it
 *
 * Disks are local files, and the guests' sockets are unix sockets on the hypervisor's machine. What
 * is reached through libvirt's own unix socket is here; of anything else libvirt is asked where it
 * runs. Errors: INVALID.
 */
int fg_virt_check_local(virConnectPtr conn, const char *uri, struct fg_error *err);

/** fg_virt_uri_is_local() - can nothing but this machine be behind @uri? */
bool fg_virt_uri_is_local(const char *uri);
/** fg_same_machine() - one name, in full or without its domain */
bool fg_same_machine(const char *a, const char *b);
