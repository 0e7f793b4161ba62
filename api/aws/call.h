/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/aws/aws.h"

void fg_aws_call_free(struct fg_aws_call *call);
/** fg_aws_authorize() - whether who called may do this in the clusters it is about; -1: answered.
 */
int fg_aws_authorize(struct fg_aws_call *call);
