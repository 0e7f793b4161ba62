/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/cleanup.h"
#include "core/error.h"

/* What a registry's WWW-Authenticate asks for. Pure; any thread. */
enum fg_auth_scheme { FG_AUTH_NONE, FG_AUTH_BASIC, FG_AUTH_BEARER };

struct fg_challenge {
        enum fg_auth_scheme scheme;
        char *realm; /* URL of the token server for Bearer */
        char *service;
        char *scope;
};

/**
 * fg_challenge_parse() - the first Bearer or Basic challenge in one header value
 * Bearer wins over Basic. Unknown schemes are skipped: NONE when there is nothing else.
 * Return: 0, or -1: UPSTREAM (malformed, or Bearer without a realm).
 */
int fg_challenge_parse(const char *header, struct fg_challenge *ret, struct fg_error *err);
void fg_challenge_finish(struct fg_challenge *c);

/* Credentials of one registry from a docker config.json. */
struct fg_credentials {
        char *user;
        char *password;
};
void fg_credentials_finish(struct fg_credentials *c);
/**
 * fg_credentials_find() - look @registry ("docker.io", "host:port") up in @config_path
 * Return: 1 found, 0 there are none (no file, no entry), -1: INVALID (cannot be used: a helper,
 * an identity token, damaged; the message says why).
 */
int fg_credentials_find(const char *config_path, const char *registry, struct fg_credentials *ret,
                        struct fg_error *err);
/** fg_credentials_basic() - "Basic <base64>"; caller frees. */
char *fg_credentials_basic(const struct fg_credentials *c);
