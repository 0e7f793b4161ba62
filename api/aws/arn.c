/* SPDX-License-Identifier: Apache-2.0 */
#include "api/aws/arn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"

char *fg_arn(const struct fg_names *names, const char *service, const char *fmt, ...)
{
        fg_autofree char *resource = NULL;
        va_list ap;

        va_start(ap, fmt);
        if (vasprintf(&resource, fmt, ap) < 0)
                abort();
        va_end(ap);
        return fg_asprintf("arn:aws:%s:%s:%s:%s", service, names->region, names->account, resource);
}

const char *fg_arn_resource(const char *arn, const struct fg_names *names, const char *service)
{
        fg_autofree char *prefix = fg_arn(names, service, "%s", "");

        return fg_starts_with(arn, prefix) ? arn + strlen(prefix) : NULL;
}

const char *fg_arn_name(const char *text, const struct fg_names *names, const char *service,
                        const char *type)
{
        const char *resource;
        size_t len = strlen(type);

        if (!fg_starts_with(text, "arn:"))
                return text;
        resource = fg_arn_resource(text, names, service);
        return resource && strncmp(resource, type, len) == 0 && resource[len] == '/'
                       ? resource + len + 1
                       : NULL;
}
