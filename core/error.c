/* SPDX-License-Identifier: Apache-2.0 */
#include "core/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
        const char *name;
        const char *exception;
        int http;
        int exit;
} table[] = {
#define FG_ERR_ROW(name, exception, http, exit) [FG_ERR_##name] = { #name, exception, http, exit },
        FG_ERR_LIST(FG_ERR_ROW)
#undef FG_ERR_ROW
};

static enum fg_err code_from_errno(int sys)
{
        switch (sys) {
        case ENOENT:
                return FG_ERR_NOT_FOUND;
        case EISDIR:
        case ENOTDIR:
                return FG_ERR_INVALID;
        case EACCES:
        case EPERM:
        case EROFS:
                return FG_ERR_DENIED;
        case EEXIST:
        case EBUSY:
        case EADDRINUSE:
                return FG_ERR_CONFLICT;
        case ENOSPC:
        case EDQUOT:
        case ENOMEM:
        case EMFILE:
        case ENFILE:
                return FG_ERR_CAPACITY;
        case ETIMEDOUT:
                return FG_ERR_TIMEOUT;
        default:
                return FG_ERR_INTERNAL;
        }
}

#undef fg_fail
#undef fg_fail_errno
#undef fg_wrap

int fg_fail(struct fg_error *err, enum fg_err code, const char *fmt, ...)
{
        va_list ap;

        err->code = code;
        err->sys = 0;
        va_start(ap, fmt);
        (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
        va_end(ap);
        return -1;
}

int fg_fail_errno(struct fg_error *err, int sys, const char *fmt, ...)
{
        size_t len;
        va_list ap;

        err->code = code_from_errno(sys);
        err->sys = sys;
        va_start(ap, fmt);
        (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
        va_end(ap);
        len = strlen(err->msg);
        (void)snprintf(err->msg + len, sizeof(err->msg) - len, ": %s",
                       strerrordesc_np(sys) ?: "unknown error");
        return -1;
}

int fg_wrap(struct fg_error *err, const char *fmt, ...)
{
        char old[sizeof(err->msg)];
        size_t len;
        va_list ap;

        memcpy(old, err->msg, sizeof(old));
        va_start(ap, fmt);
        (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
        va_end(ap);
        len = strlen(err->msg);
        (void)snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", old);
        return -1;
}

const char *fg_err_name(enum fg_err code)
{
        return table[code].name;
}

const char *fg_err_exception(enum fg_err code)
{
        return table[code].exception;
}

int fg_err_http(enum fg_err code)
{
        return table[code].http;
}

int fg_err_exit(enum fg_err code)
{
        return table[code].exit;
}

/* Other names, which fgd has from AWS: what a client acts on is the same. */
static const struct {
        const char *exception;
        enum fg_err code;
} others[] = {
        { "MissingAuthenticationTokenException", FG_ERR_DENIED },
        { "IncompleteSignatureException", FG_ERR_DENIED },
        { "UnrecognizedClientException", FG_ERR_DENIED },
        { "InvalidSignatureException", FG_ERR_DENIED },
        { "RequestExpired", FG_ERR_DENIED },
        { "ServiceUnavailable", FG_ERR_CAPACITY },
};

enum fg_err fg_err_from_exception(const char *exception)
{
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                if (strcmp(others[i].exception, exception) == 0)
                        return others[i].code;
        for (size_t i = 1; i < sizeof(table) / sizeof(table[0]); i++)
                if (strcmp(table[i].exception, exception) == 0)
                        return (enum fg_err)i;
        return FG_ERR_INTERNAL;
}
