/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

/*
 * The network namespace of the calling thread, for a while: what it makes meanwhile (sockets,
 * devices, processes) belongs to that namespace for good.
 */

/** fg_netns_enter() - @fd: of a namespace. Return: where it was, for fg_netns_leave(); -1: error.
 */
int fg_netns_enter(int fd, struct fg_error *err);
int fg_netns_enter_path(const char *path, struct fg_error *err);
void fg_netns_leave(int back); /* aborts when it cannot go back; closes @back */
