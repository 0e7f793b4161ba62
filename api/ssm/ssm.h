/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct fg_aws_service;

/* The Parameter Store of AWS Systems Manager, over the vault (docs/secrets.md). */
extern const struct fg_aws_service fg_ssm_service;
extern const char *const fg_ssm_model[]; /* model.c */
