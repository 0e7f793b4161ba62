/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The table of settings (config.c), as the file and the command line use it (config_load.c). */

#include <stddef.h>
#include <stdint.h>

#include "api/config.h"

/* A flag --state-dir is the key state_dir in the file. */
struct setting {
        const char *key;
        enum { TEXT, PATH, WORD, NUMBER, SIGNED } kind; /* PATH: an absolute one */
        size_t offset;
        const char *fallback; /* NULL: decided at start, see help */
        uint64_t min, max;
        const char *words; /* of a WORD: what it may be, separated by spaces */
        const char *help;
};

extern const struct setting config_settings[];
extern const size_t config_n_settings;

const struct setting *config_find(const char *key);
const char *config_nearest(const char *key); /* NULL: none is near */
bool config_is_text(const struct setting *s);
char **config_text(struct fg_config *c, const struct setting *s);
/** config_set() - Return: 0; -1: INVALID names the key, the value and what is allowed */
int config_set(struct fg_config *c, const struct setting *s, const char *value,
               struct fg_error *err);
int config_set_defaults(struct fg_config *c, struct fg_error *err);
