/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <libvirt/libvirt.h>

#include "core/cleanup.h"
#include "core/error.h"

FG_DEFINE_CLEANUP(virDomainPtr, virDomainFree)

/** fg_virt_fail() - libvirt's last error of this thread as ours, behind a context. Return: -1. */
int fg_virt_fail(struct fg_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * The thread that runs libvirt's event loop. Without it embedded libvirt sees neither its monitors
 * nor the end of a QEMU. It must run before the first connection is opened and until the last one
 * is closed.
 */
struct fg_virt_loop;

int fg_virt_loop_new(struct fg_virt_loop **ret, struct fg_error *err);
void fg_virt_loop_free(struct fg_virt_loop *loop);
FG_DEFINE_CLEANUP(struct fg_virt_loop *, fg_virt_loop_free)
