/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "core/error.h"

/*
 * Where strangers' archives are opened on the host: user, mount, pid, network, ipc, uts and cgroup
 * namespaces of its own; a root directory with nothing but the host's programs, read-only, and one
 * directory to work in; identities that own nothing on the host. It dies with its parent.
 */
#define FG_SANDBOX_WORK "/work" /* the directory, seen from inside */

/* Which identity 0 of the sandbox is, and how many follow it, where root makes the sandbox: far
   above what people, containers and subordinate ids use. A user has only the own one to give. */
#define FG_SANDBOX_FIRST_ID 1879048192u
#define FG_SANDBOX_IDS      268435456u

/* Those of a process inside end it; that of all the files is watched from outside. */
struct fg_sandbox_limits {
        uint64_t memory;      /* address space of a process; not in a sanitized build */
        uint64_t cpu_seconds; /* of a process */
        uint64_t file_bytes;  /* of one file */
        uint64_t bytes;       /* by which the disk may get fuller, see images/prepare_watch.h */
};

/**
 * fg_sandbox_run() - run a function as root of a sandbox and wait for it
 * @work: directory, becomes FG_SANDBOX_WORK and belongs to the sandbox's root
 * @inside: called in the child; its result is the child's exit status
 * Return: that status (128+n after a signal), or -1: what could not be set up; CAPACITY: it took
 * too much room
 */
int fg_sandbox_run(int work, const struct fg_sandbox_limits *limits, int (*inside)(void *data),
                   void *data, struct fg_error *err);

/**
 * fg_sandbox_step() - run a function in a child of the sandbox, with few rights
 * @caps: what it keeps, a mask as in guest-init/caps.h; it cannot get more by execve()
 * @inside: called under a list of permitted system calls
 * Return: its result (128+n after a signal), or -1
 */
int fg_sandbox_step(unsigned long caps, int (*inside)(void *data), void *data,
                    struct fg_error *err);
