/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/buf.h"
#include "guest-init/layer.h"

/* Tars byte by byte, as no well-behaved program would write them, and a root to apply them to. */

struct tar_entry {
        const char *name;
        char type; /* typeflag; 0 is '0' */
        const char *link;
        const char *data;
        size_t len; /* of data; 0 is strlen */
        unsigned mode, uid, gid, mtime, major, minor;
};

#define TAR_MTIME 1000000000u /* of an entry that gives none */

struct fixture {
        int root;
        struct fg_buf tar; /* the layer being built; empty again after apply() */
        struct fg_buf pax; /* records for the next entry */
        struct fg_layer_limits limits;
        struct fg_layer_usage usage;
        struct fg_error err;
};

void fixture_put(struct fixture *f, struct tar_entry e);
void fixture_pax(struct fixture *f, const char *key, const void *value, size_t len);
#define put(f, ...)         fixture_put((f), (struct tar_entry){ __VA_ARGS__ })
#define pax(f, key, string) fixture_pax((f), (key), (string), strlen(string))

/* @filter: "gzip", "zstd" or "none" */
void pack(const struct fg_buf *tar, const char *filter, struct fg_buf *ret);

/* The blob as a source: at most @step bytes per read, and what happens at @fail_at. */
struct blob {
        const struct fg_buf *bytes;
        size_t at, step;
        size_t fail_at; /* read() fails there; 0: never */
        char digest[72], diff_id[72];
        struct fg_layer_source src;
};
void blob_init(struct blob *b, const struct fg_buf *bytes, const struct fg_buf *tar);

/* End the tar, compress, apply. */
int apply(struct fixture *f);
void apply_ok(struct fixture *f);
/* The layer is refused, with @code and @message somewhere in its text. */
void apply_fails(struct fixture *f, enum fg_err code, const char *message);

void expect_text(struct fixture *f, const char *path, const char *text);
void expect_absent(struct fixture *f, const char *path);
void expect_link(struct fixture *f, const char *path, const char *target);
struct stat expect_stat(struct fixture *f, const char *path); /* of the name, not of its target */
/* The value's length, or -1 when there is no such attribute. */
ssize_t xattr_of(struct fixture *f, const char *path, const char *name, char *ret, size_t len);

int fixture_set_up(void **state);
int fixture_tear_down(void **state);
/* Owners and device nodes are root's to make: others skip (77). */
#define run_layer_tests(tests) (geteuid() == 0 ? cmocka_run_group_tests(tests, NULL, NULL) : 77)
#define layer_test(fn)         cmocka_unit_test_setup_teardown(fn, fixture_set_up, fixture_tear_down)
