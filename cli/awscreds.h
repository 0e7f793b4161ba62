/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

/*
 * AWS credentials as AWS's own tools find them: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
 * AWS_SESSION_TOKEN, else the profile AWS_PROFILE ("default") of the files
 * AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials) and AWS_CONFIG_FILE (~/.aws/config). The region
 * likewise, from AWS_REGION or AWS_DEFAULT_REGION first. Heap strings; freed by
 * fg_awscreds_finish(), which wipes them.
 */
struct fg_awscreds {
        char *key_id, *secret; /* both or neither */
        char *token;           /* or NULL */
        char *region;          /* or NULL */
};

/** fg_awscreds_find() - 1: found, 0: there are none; -1: a profile that was asked for is missing
 * or half. */
int fg_awscreds_find(struct fg_awscreds *ret, struct fg_error *err);
void fg_awscreds_finish(struct fg_awscreds *c);
