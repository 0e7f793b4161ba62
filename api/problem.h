/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "core/error.h"

/*
 * What is wrong with a document: every error found in it, not only the first. Bounded, because the
 * document is a stranger's.
 */
#define FG_PROBLEMS_MAX 100

struct json_object;

struct fg_problem {
        char *path;    /* "$.containerDefinitions[0].cpu" */
        char *message; /* what is wrong */
        char *allowed; /* what would be right, or NULL when the message says it */
};

struct fg_problems {
        struct fg_problem list[FG_PROBLEMS_MAX];
        size_t n;
        size_t dropped; /* found beyond the cap */
};

#define FG_PROBLEMS_INIT ((struct fg_problems){ .n = 0 })

void fg_problems_finish(struct fg_problems *p); /* safe on a zeroed one; for fg_cleanup() */

/** fg_problems_take() - record a problem; the three heap strings are the list's from now on. */
void fg_problems_take(struct fg_problems *p, char *path, char *message, char *allowed);

/**
 * fg_problems_to_json() - the `errors` array of docs/api.md
 * The allowed values are appended to the message. The caller puts the array.
 */
struct json_object *fg_problems_to_json(const struct fg_problems *p);

/** fg_problems_fail() - sum up: "2 errors in the <what>; first: <path>: <message>". Return: -1. */
int fg_problems_fail(const struct fg_problems *p, const char *what, struct fg_error *err);

/** fg_clip() - length of the longest prefix of @s that may be quoted in a message (UTF-8 safe). */
int fg_clip(const char *s);
/** FG_CLIP() - the two arguments of "%.*s" for a string of unknown length. */
#define FG_CLIP(s) fg_clip(s), (s)
