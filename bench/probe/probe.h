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
