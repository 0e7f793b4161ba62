/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/aws/aws.h"
#include "api/keeper.h"

/**
 * fg_aws_keep() - do @work on the lane of the vault, and end the call with what it returns
 * @work: its argument is the call, of which it sees `in` and `body` only. Times of the result,
 * nanoseconds in the vault, become the protocol's.
 */
void fg_aws_keep(struct fg_aws_call *call, fg_keeper_work_fn work);
/** fg_aws_wipe() - overwrite a string of a decoded input; NULL is fine. */
void fg_aws_wipe(char *text);
