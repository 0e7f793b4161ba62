/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/daemon.h"

/*
 * A stored task that can no longer be read: by a fault of the disk, or because this fgd knows more
 * or less than the one that wrote it. It must not keep the others from being taken up, so it is set
 * aside: its VM and files are removed, then it is STOPPED with the reason, and billed until the
 * last moment of which anything is known.
 */
struct fg_aside;

/** aside_new() - @stored: an element of fg_store_load(); nothing is done before aside_end_all() */
void aside_new(struct fg_daemon *d, struct json_object *stored, const struct fg_error *why);
/** aside_has() - nobody else must touch what belongs to the task */
bool aside_has(struct fg_daemon *d, const char *id);
void aside_end_all(struct fg_daemon *d);
/** aside_busy() - some are being removed for the first time; what fails is tried again later */
bool aside_busy(struct fg_daemon *d);
void aside_free_all(struct fg_daemon *d);
