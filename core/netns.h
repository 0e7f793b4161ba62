/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

/*
 * Work in another network namespace: what it makes there (sockets, devices, processes) belongs to
 * that namespace for good. It is done by a thread of its own, which ends with it: an ordinary user
 * may enter a namespace of their own, but not come back to the host's.
 */
typedef int (*fg_netns_fn)(void *userdata, struct fg_error *err);

/**
 * fg_netns_run() - call @fn inside, and wait for it
 * @fd: of a namespace; -1: a new one, which is gone with what @fn leaves in it
 * Return: what @fn returns, or -1.
 */
int fg_netns_run(int fd, fg_netns_fn fn, void *userdata, struct fg_error *err);
int fg_netns_run_path(const char *path, fg_netns_fn fn, void *userdata, struct fg_error *err);
