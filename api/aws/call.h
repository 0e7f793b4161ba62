/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/aws/aws.h"

void fg_aws_call_free(struct fg_aws_call *call);
