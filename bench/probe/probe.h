/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What `fgrun bench` runs in every microVM and container: each word prints one JSON line. */

int probe_efficiency(void); /* how much work is done in a second */
int probe_isolation(void);  /* what can be seen and reached from here */

long long probe_ns(void); /* CLOCK_MONOTONIC */
