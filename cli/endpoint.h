/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cli/awscreds.h"
#include "core/error.h"

struct fg_cli;

/* Where an fgd is. Heap strings, freed by fg_endpoint_finish(). */
struct fg_endpoint {
        char *socket;           /* path of a unix socket, or NULL for TCP */
        char *url;              /* "http://localhost" for a socket */
        char *token;            /* bearer token, or NULL */
        struct fg_awscreds aws; /* to sign with, when there is no token; empty: neither */
        char *ca_file;          /* to trust beside the system's, or NULL */
};

void fg_endpoint_finish(struct fg_endpoint *endpoint);

/**
 * fg_endpoint_parse() - unix:///PATH, unix:PATH, http://ADDR[:PORT] or https://…; -1: INVALID
 * @token: of --token, or NULL: FGRUN_TOKEN, AWS_ACCESS_KEY_ID or AWS_PROFILE if one of them is
 *         set; else the token in the state directory, else the default profile in ~/.aws
 */
int fg_endpoint_parse(const char *host, const char *token, struct fg_endpoint *ret,
                      struct fg_error *err);

/**
 * fg_endpoint_find() - the fgd to talk to
 *
 * --host or FGRUN_HOST if given. Else the first that answers of the system's socket (unless
 * FGRUN_RUN_DIR sets another place) and the user's. Else an fgd started for this user.
 */
int fg_endpoint_find(struct fg_cli *cli, struct fg_endpoint *ret, struct fg_error *err);

/** fg_endpoint_answers() - 1: someone accepts connections on the unix socket @path, 0: nobody. */
int fg_endpoint_answers(const char *path);
