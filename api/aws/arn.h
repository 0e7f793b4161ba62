/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/task.h"

/*
 * Names of resources. Most operations take "NAME" or "arn:aws:SERVICE:REGION:ACCOUNT:TYPE/NAME";
 * inside fgd a resource is what stands behind the account, "cluster/NAME".
 */

/** fg_arn() - "arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE", RESOURCE from the format; caller frees. */
char *fg_arn(const struct fg_names *names, const char *service, const char *fmt, ...)
        __attribute__((format(printf, 3, 4), malloc));
/**
 * fg_arn_resource() - the resource of an ARN of this service, region and account
 * Return: borrowed from @arn; NULL: it is not an ARN, or of something else.
 */
const char *fg_arn_resource(const char *arn, const struct fg_names *names, const char *service);
/**
 * fg_arn_name() - the name in @text, which is "NAME" or an ARN of a "TYPE/NAME"
 * Return: borrowed from @text; NULL: an ARN of something else.
 */
const char *fg_arn_name(const char *text, const struct fg_names *names, const char *service,
                        const char *type);
