/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/aws/aws.h"

extern const struct fg_aws_service fg_logs_service;
