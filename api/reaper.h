/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * fg_reaper_start() - fork; the child returns and becomes the daemon
 *
 * libvirt starts QEMU as a daemon and later waits until its pid is gone. Where PID 1 does not reap
 * orphans, a zombie keeps it waiting for ever. So the parent stays as a child subreaper, reaps
 * whatever ends up with it, passes signals on, and leaves with the daemon's exit status. fgd itself
 * cannot reap them: it would take libvirt's own children away from libvirt.
 *
 * Call before any thread or descriptor exists. Never returns in the parent.
 */
void fg_reaper_start(void);
