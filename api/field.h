/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/problem.h"

/*
 * JSON objects described by tables. One row says all that is known of one member: its ECS name, its
 * type, whether it is supported, its limits and where it lives in the C struct. Decoding, encoding
 * and freeing walk the same rows, so that they cannot disagree. A member set to null counts as
 * absent; so does one without effect (false, [] or {}) of a field that is not supported.
 */
struct json_object;

enum fg_field_type {
        FG_FIELD_STRING,  /* char *, NULL when absent */
        FG_FIELD_INT,     /* int64_t, 0 when absent */
        FG_FIELD_BOOL,    /* bool, the row's fallback when absent */
        FG_FIELD_STRINGS, /* struct fg_strings */
        FG_FIELD_INTS,    /* struct fg_ints */
        FG_FIELD_MAP,     /* struct fg_pairs: an object whose values are strings */
        FG_FIELD_OBJECT,  /* pointer to the struct of the row's object, NULL when absent */
        FG_FIELD_OBJECTS, /* { struct X *v; size_t n; } */
        FG_FIELD_JSON,    /* struct json_object *, as it came: somebody else decodes it */
};

enum fg_field_status {
        FG_FIELD_SUPPORTED,
        FG_FIELD_RECORDED, /* checked, stored and returned, without effect on the task */
        FG_FIELD_LATER,    /* exists in ECS, not yet here */
        FG_FIELD_REFUSED,  /* ECS refuses it on Fargate; the row has ECS's text */
        FG_FIELD_OUTPUT,   /* ECS writes it into its answers; nobody gives it */
};

struct fg_strings {
        char **v;
        size_t n;
};

struct fg_ints {
        int64_t *v;
        size_t n;
};

struct fg_pair {
        char *name;
        char *value;
};

struct fg_pairs {
        struct fg_pair *v;
        size_t n;
};

/* A list of objects in a decoded struct. */
#define FG_LIST(type)                                                                              \
        struct {                                                                                   \
                type *v;                                                                           \
                size_t n;                                                                          \
        }

struct fg_decode;

struct fg_field {
        const char *name;
        enum fg_field_type type;
        enum fg_field_status status;
        bool required;
        bool always;   /* encoded even when zero or empty, as ECS does */
        bool fallback; /* BOOL: the value when absent */
        size_t offset;
        int64_t min, max;           /* INT: range; STRING: bytes; lists: elements; max 0: none */
        const char *const *allowed; /* strings: NULL-terminated list */
        const char *text;           /* why it is refused; what is said when a required one lacks */
        /* STRING, and each of STRINGS: false when it reported a problem. */
        bool (*check)(struct fg_decode *d, const char *s);
        /* INT, in place of the range's message: false when it reported a problem. Members that come
         * later in the document are not yet in @obj. */
        bool (*check_int)(struct fg_decode *d, int64_t value, const void *obj);
        const struct fg_object *object;
};

struct fg_object {
        size_t size; /* of the C struct */
        const struct fg_field *fields;
        size_t n_fields;
        /* Rules between members, run after decoding; bad members look like absent ones. */
        void (*check)(struct fg_decode *d, void *obj);
};

struct fg_decode {
        struct fg_problems *problems;
        int (*image_check)(const char *reference, struct fg_error *err);
        char path[512]; /* of the value being looked at */
        size_t len;
};

void fg_decode_init(struct fg_decode *d, const char *root, struct fg_problems *problems);

/** fg_decode_enter() - go down the path, for instance "[%zu]". Return: the mark to leave() to. */
size_t fg_decode_enter(struct fg_decode *d, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));
void fg_decode_leave(struct fg_decode *d, size_t mark);

/**
 * fg_decode_problem() - report a problem with @member of the current value
 * @member:  NULL for the value itself
 * @allowed: what would be right, or NULL; copied
 */
void fg_decode_problem(struct fg_decode *d, const char *member, const char *allowed,
                       const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/** fg_decode_refuse() - for a row's check: report @err of the current value. Return: false. */
bool fg_decode_refuse(struct fg_decode *d, const struct fg_error *err);

/** fg_object_decode() - fill the zeroed struct @obj; problems go to @d, the rest is decoded. */
void fg_object_decode(struct fg_decode *d, const struct fg_object *o, struct json_object *json,
                      void *obj);
/** fg_object_encode() - the JSON object of a decoded struct; the caller puts it. */
struct json_object *fg_object_encode(const struct fg_object *o, const void *obj);
/** fg_object_finish() - free what the members own; @obj itself is the caller's. */
void fg_object_finish(const struct fg_object *o, void *obj);

/** fg_nearest() - the closest of @n names to a misspelt one, or NULL when none is close. */
const char *fg_nearest(const char *name, const char *const *names, size_t n);
/** fg_join() - "a, b, c" of a NULL-terminated list; caller frees. */
char *fg_join(const char *const *names);
/** fg_join_names() - the same of @n names of a stranger's: clipped, and "…" after the first ones */
char *fg_join_names(const char *const *names, size_t n);
bool fg_one_of(const char *s, const char *const *names);
