/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What `fgrun bench` runs in every microVM and container: each word prints one JSON line. */

int probe_efficiency(void); /* how much work is done in a second */
int probe_isolation(void);  /* what can be seen and reached from here */
int probe_victim(void);     /* how late a little work is done */
/* These two go on until they are told to end, noise for half a minute at most. */
int probe_noise(const char *what); /* cpu, fork, memory, disk, conntrack */
int probe_serve(const char *port); /* what the network carries */

long long probe_ns(void); /* CLOCK_MONOTONIC */

/* ---- of "isolation" only ---- */

/** probe_reach() - members of its line: namespaces, files, parameters, cgroups, system calls. */
void probe_reach(void);
/** probe_read() - a file as text, at most 64 KiB of it, until the next call; "" when it cannot be
 * read. */
const char *probe_read(const char *path);
/** probe_entries() - of a directory, the hidden ones aside. */
int probe_entries(const char *path);
