/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

/*
 * Network namespaces. One that is bind-mounted lives until it is unmounted and the last process in
 * it has ended; it is known again by its inode.
 */

int fg_ns_new(struct fg_error *err); /* the descriptor of one that nothing else keeps, or -1 */
/**
 * fg_ns_make() - a new namespace at @path; the calling thread stays where it is
 * Return: its descriptor, or -1.
 */
int fg_ns_make(const char *path, struct fg_error *err);
/**
 * fg_ns_find() - the namespace with the inode @inode: at @path, or if that mount is gone (a private
 * mount namespace went with its daemon), through a process that is in it
 * Return: its descriptor, -1: there is none.
 */
int fg_ns_find(const char *path, uint64_t inode);
uint64_t fg_ns_inode(int fd); /* 0: not readable */
/** fg_ns_may_change() - our user namespace owns the thread's network namespace: root does. */
bool fg_ns_may_change(void);
/** fg_ns_mount() - (again) at @path, if it is not there. */
int fg_ns_mount(int fd, const char *path, struct fg_error *err);
int fg_ns_remove(const char *path, struct fg_error *err);

/** fg_ns_set() - write a setting of /proc/sys of the thread's namespace. */
int fg_ns_set(const char *name, const char *value, struct fg_error *err);
/** fg_ns_set_if_there() - the same, where the kernel has that setting. */
int fg_ns_set_if_there(const char *name, const char *value, struct fg_error *err);
bool fg_ns_has_ipv6(void); /* the kernel has IPv6, and it is not switched off */
/** fg_ns_set_port() - a bridge's port of the thread's namespace has no addresses of its own. */
int fg_ns_set_port(const char *device, struct fg_error *err);
