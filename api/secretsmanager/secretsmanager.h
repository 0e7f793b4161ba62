/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct fg_aws_service;

/* AWS Secrets Manager, over the vault (docs/secrets.md). */
extern const struct fg_aws_service fg_secretsmanager_service;
