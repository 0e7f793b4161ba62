/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/aws/aws.h"

/* Amazon ECS, API version 2014-11-13: the table of its operations. One file per operation. */
extern const struct fg_aws_service fg_ecs_service;
