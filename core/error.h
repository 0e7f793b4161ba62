/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Errors are values. A function that can fail takes `struct fg_error *err` last (never NULL) and
 * returns -1 or NULL; results >= 0 are documented outcomes, not errors. Context is prepended on
 * the way out, so the message reads from the caller's goal to the cause.
 */

/* One row per code that some caller acts on: name, API exception, HTTP status, CLI exit status. */
#define FG_ERR_LIST(X)                                                                             \
        X(NONE, "", 200, 0)                                                                        \
        X(INVALID, "InvalidParameterException", 400, 64)                                           \
        X(DENIED, "AccessDeniedException", 403, 77)                                                \
        X(NOT_FOUND, "ResourceNotFoundException", 404, 66)                                         \
        X(METHOD, "MethodNotAllowedException", 405, 64)                                            \
        X(CONFLICT, "ConflictException", 409, 73)                                                  \
        X(CAPACITY, "CapacityUnavailableException", 503, 75)                                       \
        X(THROTTLED, "ThrottlingException", 400, 75)                                               \
        X(UPSTREAM, "UpstreamException", 502, 69)                                                  \
        X(TIMEOUT, "TimeoutException", 504, 74)                                                    \
        X(INTERNAL, "ServerException", 500, 70)

enum fg_err {
#define FG_ERR_ENUM(name, exception, http, exit) FG_ERR_##name,
        FG_ERR_LIST(FG_ERR_ENUM)
#undef FG_ERR_ENUM
};

struct fg_error {
        enum fg_err code; /* what a caller may act on */
        int sys;          /* errno, or 0 */
        char msg[1024];   /* for people; never contains a secret */
};

#define FG_ERROR_INIT ((struct fg_error){ 0 })

/**
 * fg_fail() - set @err from a format string
 * Return: always -1, so that `return fg_fail(...)` is the error path.
 */
int fg_fail(struct fg_error *err, enum fg_err code, const char *fmt, ...)
        __attribute__((format(printf, 3, 4), nonnull(1, 3)));

/**
 * fg_fail_errno() - the same from an errno value; ": <strerror>" is appended
 * @sys: a positive errno; its code follows from it (ENOENT is NOT_FOUND, EACCES is DENIED, ...)
 */
int fg_fail_errno(struct fg_error *err, int sys, const char *fmt, ...)
        __attribute__((format(printf, 3, 4), nonnull(1, 3)));

/** fg_wrap() - prepend "context: " to the message, keeping code and errno. Return: -1. */
int fg_wrap(struct fg_error *err, const char *fmt, ...)
        __attribute__((format(printf, 2, 3), nonnull(1, 2)));

#ifdef __clang_analyzer__ /* it sees one file at a time: tell it what these return */
#define fg_fail(...)       (fg_fail(__VA_ARGS__), -1)
#define fg_fail_errno(...) (fg_fail_errno(__VA_ARGS__), -1)
#define fg_wrap(...)       (fg_wrap(__VA_ARGS__), -1)
#endif

const char *fg_err_name(enum fg_err code);      /* "NOT_FOUND" */
const char *fg_err_exception(enum fg_err code); /* "ResourceNotFoundException" */
int fg_err_http(enum fg_err code);              /* 404 */
int fg_err_exit(enum fg_err code);              /* sysexits-like status of the CLI */
/** fg_err_from_exception() - reverse of fg_err_exception(); INTERNAL when unknown. */
enum fg_err fg_err_from_exception(const char *exception);
