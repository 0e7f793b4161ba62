/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "api/logstore.h"
#include "core/buf.h"
#include "core/fs.h"
#include "core/str.h"

#define TASK     "0123456789abcdef0123456789abcdef"
#define LIMIT    UINT64_C(10000000) /* µs a test waits for one event */
#define ALL      ((struct fg_logreader_options){ .task = TASK })

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* A store in a directory of its own, with a loop; and objects that record what they are told. */
struct fixture {
        char dir[40];
        struct fg_logstore_options options;
        sd_event *event;
        struct fg_logstore *store;
};

void store_open(struct fixture *f);
void store_close(struct fixture *f);
int setup(void **state);
int teardown(void **state);
void run_once(struct fixture *f);

struct writer {
        struct fg_logwriter *w;
        uint64_t next[FG_LOG_STREAMS];
        int stored, drained, failed;
        struct fg_error error;
};

extern const struct fg_logwriter_events writer_events; /* of a struct writer */

/* Opens a log and waits for what it says is stored. */
void writer_open(struct fixture *f, struct writer *w, const char *task, const char *container);
int append(struct writer *w, unsigned stream, uint64_t offset, uint64_t time, const void *data,
           size_t len);
void wait_stored(struct fixture *f, struct writer *w, unsigned stream, uint64_t offset);

/* Collects each stream's bytes, and checks that the offsets are continuous but for what is lost. */
struct reader {
        struct fg_logreader *r;
        struct fg_buf data[FG_LOG_STREAMS];
        uint64_t next[FG_LOG_STREAMS];
        uint64_t lost;
        char order[64]; /* first letters of the containers, in the order of arrival */
        size_t records;
        int answers;
        bool ended;
};

void reader_open(struct fixture *f, struct reader *r, const struct fg_logreader_options *o);
void reader_close(struct reader *r);
void read_answer(struct fixture *f, struct reader *r);
/* Everything there is, to the end. The caller closes the reader. */
void read_all(struct fixture *f, struct reader *r, const struct fg_logreader_options *o);
