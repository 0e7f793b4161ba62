/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "net/address.h"

/*
 * Which address a task gets. As in a VPC of AWS the first four and the last of a subnet are never
 * given out. Pure: the journal knows what is taken.
 */
#define FG_IPAM_RESERVED 5 /* network, router, resolver, one more, broadcast */

struct fg_ipam_used {
        uint32_t host;        /* index in the subnet */
        uint64_t released_ns; /* 0: in use; else in quarantine since */
};

/**
 * fg_ipam_pick() - a free address
 * @cursor: where to look first, so that addresses come round as late as possible
 * One in quarantine is taken only when no other is left, the longest released first.
 * Return: its index; -1: CAPACITY, all are in use.
 */
int64_t fg_ipam_pick(const struct fg_cidr *subnet, const struct fg_ipam_used *used, size_t n,
                     uint32_t cursor, struct fg_error *err);
