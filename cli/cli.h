/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

struct fg_client;

/* What every command shares: the global options, the terminal, and one client opened on demand. */
struct fg_cli {
        uint64_t started_ns; /* CLOCK_MONOTONIC at the start of main(): the user's clock */
        const char *host;    /* --host or FGRUN_HOST; NULL: find or start an fgd */
        const char *token;   /* --token; NULL: see cli/endpoint.h */
        bool json;
        bool quiet;
        bool term_out; /* stdout, stderr are terminals */
        bool term_err;
        bool colour_out; /* and may be coloured */
        bool colour_err;
        const char *const *fgd_settings; /* for an fgd that is started; ends with NULL; or NULL */
        struct fg_client *client;        /* NULL until fg_cli_client() */
};

/** fg_cli_init() - defaults from the terminal and the environment. */
void fg_cli_init(struct fg_cli *cli);
void fg_cli_finish(struct fg_cli *cli);

/*
 * The global options as an argp child, so that they may stand after the command too. The parent's
 * ARGP_KEY_INIT sets child_inputs[0] to the struct fg_cli.
 */
extern const struct argp_child fg_cli_argp_children[];

/** fg_cli_client() - the connection to fgd, made (and fgd started) at the first call; or NULL. */
struct fg_client *fg_cli_client(struct fg_cli *cli, struct fg_error *err);

/** fg_cli_restart() - start fgd again if it does not run and the user's own was in use. */
int fg_cli_restart(struct fg_cli *cli, struct fg_error *err);

struct fg_request;
struct json_object;
/** fg_cli_call() - one request to that fgd; the caller puts the answer. */
int fg_cli_call(struct fg_cli *cli, const struct fg_request *request, struct json_object **ret,
                struct fg_error *err);

/** fg_cli_note() - one dim line on stderr, on a terminal and without --quiet only. */
void fg_cli_note(const struct fg_cli *cli, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

/** fg_cli_print_error() - the error, every validation error on its own line, and what to do next.
 */
void fg_cli_print_error(const struct fg_cli *cli, const struct fg_error *err);

/** fg_cli_print_json() - @value, indented, on stdout. */
void fg_cli_print_json(struct json_object *value);

/* Escape sequences, or "" when @on is false. */
const char *fg_cli_dim(bool on);
const char *fg_cli_red(bool on);
const char *fg_cli_reset(bool on);
