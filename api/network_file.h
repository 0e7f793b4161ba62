/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/field_row.h"
#include "api/network.h"
#include "core/str.h"

/*
 * The file of subnets and security groups, in the shape of EC2's DescribeSubnets and
 * DescribeSecurityGroups: docs/networking.md. network_fields.c has what a value may be,
 * network_file.c what holds between values, network_config.c makes of it what net/ takes.
 */
#define NETWORK_DEFAULT_SUBNET "subnet-0f9a3c51d20e7b648"
#define NETWORK_DEFAULT_GROUP  "sg-0b71e2c84f5d9a036"

struct network_pair_rule {
        char *group_id;
        char *description;
};

struct network_range4 {
        char *cidr;
        char *description;
};

struct network_permission {
        char *protocol;
        int64_t from_port, to_port; /* -1: all */
        FG_LIST(struct network_range4) ranges4;
        FG_LIST(struct network_range4) ranges6;
        FG_LIST(struct network_pair_rule) groups;
};

struct network_group {
        char *id, *name, *description;
        FG_LIST(struct network_permission) ingress;
        FG_LIST(struct network_permission) egress;
};

struct network_subnet {
        char *id, *cidr, *cidr6;
};

struct network_file {
        FG_LIST(struct network_subnet) subnets;
        FG_LIST(struct network_group) groups;
};

static inline bool network_has_ports(const char *protocol)
{
        return fg_streq(protocol, "tcp") || fg_streq(protocol, "udp");
}

extern const struct fg_object network_subnet_object, network_group_object; /* network_fields.c */
extern const struct fg_object network_file_object;                         /* network_file.c */
