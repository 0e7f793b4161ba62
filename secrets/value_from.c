/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "core/str.h"
#include "secrets/secrets.h"

#define SECRET_ARN    "arn:aws:secretsmanager:"
#define PARAMETER_ARN "arn:aws:ssm:"
#define FROM_MAX      2048

static char *word(const char *text)
{
        return text && *text ? fg_strdup(text) : NULL;
}

/* arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME[:json-key:version-stage:version-id] */
static int parse_secret(const char *text, struct fg_value_from *ret, struct fg_error *err)
{
        fg_autofree char *copy = fg_strdup(text);
        char *rest = copy, *part[11] = { 0 };
        size_t n = 0;

        while (rest && n < FG_ARRAY_SIZE(part))
                part[n++] = strsep(&rest, ":");
        if (rest || (n != 7 && n != 10) || !fg_streq(part[5], "secret") || !*part[6])
                return fg_fail(err, FG_ERR_INVALID,
                               "expected arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, "
                               "or the same with :JSON-KEY:VERSION-STAGE:VERSION-ID behind it");
        ret->kind = FG_VALUE_SECRET;
        ret->id = fg_asprintf(SECRET_ARN "%s:%s:secret:%s", part[3], part[4], part[6]);
        if (n == 10) {
                ret->json_key = word(part[7]);
                ret->stage = word(part[8]);
                ret->version = word(part[9]);
        }
        return 0;
}

int fg_value_from_parse(const char *text, struct fg_value_from *ret, struct fg_error *err)
{
        *ret = (struct fg_value_from){ 0 };
        if (!*text || strlen(text) > FROM_MAX)
                return fg_fail(err, FG_ERR_INVALID, "must have 1 to %d bytes", FROM_MAX);
        if (fg_starts_with(text, SECRET_ARN))
                return parse_secret(text, ret, err);
        if (fg_starts_with(text, "arn:") &&
            (!fg_starts_with(text, PARAMETER_ARN) || !strstr(text, ":parameter/")))
                return fg_fail(err, FG_ERR_INVALID,
                               "expected the ARN of a Secrets Manager secret, or the ARN or name "
                               "of an SSM parameter");
        ret->kind = FG_VALUE_PARAMETER;
        ret->id = fg_strdup(text);
        return 0;
}

void fg_value_from_finish(struct fg_value_from *from)
{
        free(from->id);
        free(from->json_key);
        free(from->stage);
        free(from->version);
        *from = (struct fg_value_from){ 0 };
}
