/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

struct fg_cli;

/**
 * fg_awsenv_print() - shell assignments that point the AWS CLI and SDKs at this fgd
 * fgd opens a loopback TCP listener when it has none. The access key is made once for this user
 * and remembered in his state directory (aws-env.json, mode 0600).
 */
int fg_awsenv_print(struct fg_cli *cli, struct fg_error *err);
