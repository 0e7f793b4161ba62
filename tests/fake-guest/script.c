/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The command of a container (entryPoint, then command, with the image's defaults) is a script:
 * statements separated by the word ";", each a verb and its argument, as one word or as several:
 * ["print", "a b", ";", "exit 3"]. A script that runs off its end exits with 0.
 */
#include "tests/fake-guest/guest.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/str.h"

#define STATEMENT_MAX 65536
#define GATE_MS       20

enum outcome { DONE, BLOCKED, ENDED };

static uint64_t number(const char *arg)
{
        uint64_t n = 0;

        (void)fg_parse_u64(arg, &n);
        return n;
}

static enum outcome write_line(struct container *c, size_t stream, const char *text)
{
        struct stream *s = &c->streams[stream];
        const bool open = fg_ends_with(text, "\\c"); /* as echo: no newline */

        if (stream_room(s) < strlen(text) + 1)
                return BLOCKED;
        stream_write(s, text, strlen(text) - (open ? 2 : 0));
        if (!open)
                stream_write(s, "\n", 1);
        return DONE;
}

/* The program of `fgrun bench`: a line for each of its words. */
static enum outcome run_probe(struct guest *g, struct container *c, const char *arg)
{
        static const char *const lines[][2] = {
                { "start", "{\"realtimeNs\":1}" },
                { "efficiency", "{\"integerPerSecond\":7,\"memoryMBPerSecond\":7,"
                                "\"memoryRandomPerSecond\":7,\"syscallsPerSecond\":7,"
                                "\"diskWriteMBPerSecond\":7,\"diskReadMBPerSecond\":7}" },
                { "victim", "{\"p50Ms\":1,\"p99Ms\":2}" },
                { "isolation",
                  "{\"kernelRelease\":\"1\",\"uptimeSeconds\":1,\"bootId\":\"x\",\"processes\":1,"
                  "\"kernelLog\":false,\"modules\":0,\"devices\":9,\"sysctlWritable\":false,"
                  "\"userMap\":\"0\",\"cgroup\":\"0\",\"capabilities\":\"0\",\"seccomp\":\"2\","
                  "\"namespaces\":[],\"parametersReadable\":0,\"parametersWritable\":0,"
                  "\"cgroupsSeen\":0,\"cgroupsWritable\":0,\"procLeaks\":[],\"sysLeaks\":[],"
                  "\"writable\":[],\"syscalls\":[]}" },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(lines); i++)
                if (fg_streq(arg, lines[i][0]))
                        return write_line(c, 0, lines[i][1]);
        return BLOCKED; /* "wait" */
}

static enum outcome run_print(struct guest *g, struct container *c, const char *arg)
{
        return write_line(c, 0, arg);
}

/* Bytes of stdout that are dropped, as by a lossy output whose buffer is full. */
static enum outcome run_skip(struct guest *g, struct container *c, const char *arg)
{
        struct stream *s = &c->streams[0];

        if (s->ring.len > 0)
                return BLOCKED;
        s->acked += number(arg);
        s->sent = s->acked;
        return DONE;
}

static enum outcome run_err(struct guest *g, struct container *c, const char *arg)
{
        return write_line(c, 1, arg);
}

/* The last `variable` message of the name, as in guest-init. */
static const char *variable(const struct guest *g, const struct container *c, const char *name)
{
        struct json_object *list = fg_json_arr(g->task, "variables");

        for (size_t i = list ? json_object_array_length(list) : 0; i-- > 0;) {
                struct json_object *m = json_object_array_get_idx(list, i);

                if (fg_streq(fg_json_str(m, "container"), c->name) &&
                    fg_streq(fg_json_str(m, "name"), name))
                        return fg_json_str(m, "value");
        }
        return NULL;
}

static enum outcome run_env(struct guest *g, struct container *c, const char *arg)
{
        struct json_object *env = fg_json_arr(c->spec, "environment");
        const size_t n = env ? json_object_array_length(env) : 0;

        for (size_t i = 0; i < n; i++) {
                struct json_object *pair = json_object_array_get_idx(env, i);
                const char *name = fg_json_str(pair, "name");
                const char *value = fg_json_str(pair, "value");

                if (name && value && fg_streq(name, arg))
                        return write_line(c, 0, value);
        }
        if (variable(g, c, arg))
                return write_line(c, 0, variable(g, c, arg));
        return write_line(c, 1, "not set");
}

static enum outcome run_lines(struct guest *g, struct container *c, const char *arg)
{
        const uint64_t n = number(arg);
        char line[32];

        for (; c->done < n; c->done++) {
                (void)snprintf(line, sizeof(line), "line %llu", (unsigned long long)c->done + 1);
                if (write_line(c, 0, line) == BLOCKED)
                        return BLOCKED;
        }
        return DONE;
}

/* Lines of 64 bytes. */
static enum outcome run_flood(struct guest *g, struct container *c, const char *arg)
{
        static const char line[] =
                "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopq\n";
        const uint64_t n = number(arg);

        while (c->done < n) {
                uint64_t len = 64 - c->done % 64;

                if (len > n - c->done)
                        len = n - c->done;
                if (stream_room(&c->streams[0]) < len)
                        return BLOCKED;
                stream_write(&c->streams[0], line + c->done % 64, (size_t)len);
                c->done += len;
        }
        return DONE;
}

static enum outcome run_binary(struct guest *g, struct container *c, const char *arg)
{
        char bytes[256];

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (char)i;
        if (stream_room(&c->streams[0]) < sizeof(bytes))
                return BLOCKED;
        stream_write(&c->streams[0], bytes, sizeof(bytes));
        return DONE;
}

static enum outcome run_sleep(struct guest *g, struct container *c, const char *arg)
{
        if (!c->begun)
                c->wake_ns = fg_mono_ns() + number(arg) * FG_NS_PER_MSEC;
        return fg_mono_ns() < c->wake_ns ? BLOCKED : DONE;
}

/* Until the test writes a byte into the FIFO: a state lasts as long as the test needs it. */
static enum outcome run_gate(struct guest *g, struct container *c, const char *arg)
{
        char byte;

        if (g->gate_fd < 0) /* open for writing, too: what is written stays until it is read */
                g->gate_fd = open(g->gate, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (read(g->gate_fd, &byte, 1) == 1)
                return DONE;
        c->wake_ns = fg_mono_ns() + GATE_MS * FG_NS_PER_MSEC;
        return BLOCKED;
}

static enum outcome run_wait(struct guest *g, struct container *c, const char *arg)
{
        return BLOCKED; /* until it is stopped */
}

static enum outcome run_ignore_stop(struct guest *g, struct container *c, const char *arg)
{
        c->ignores_stop = true;
        return DONE;
}

static enum outcome run_exit(struct guest *g, struct container *c, const char *arg)
{
        task_container_exited(g, c, (int)(number(arg) & 0xff), 0, false);
        return ENDED;
}

static enum outcome run_oom(struct guest *g, struct container *c, const char *arg)
{
        task_container_exited(g, c, 128 + SIGKILL, SIGKILL, true);
        return ENDED;
}

static enum outcome run_health(struct guest *g, struct container *c, const char *arg)
{
        task_container_health(g, c, arg);
        return DONE;
}

/* As if it had run for so many milliseconds longer. */
static enum outcome run_age(struct guest *g, struct container *c, const char *arg)
{
        c->started_ns -= number(arg) * FG_NS_PER_MSEC;
        return DONE;
}

/* A restarted container waits here until it is stopped. */
static enum outcome run_once(struct guest *g, struct container *c, const char *arg)
{
        return c->restarts == 0 ? DONE : BLOCKED;
}

static enum outcome run_crash(struct guest *g, struct container *c, const char *arg)
{
        (void)fprintf(stderr, "fake guest: Kernel panic - not syncing: crash was asked for\n");
        _exit(99);
}

static enum outcome run_garbage(struct guest *g, struct container *c, const char *arg)
{
        struct fg_error err = FG_ERROR_INIT;

        if (g->host < 0)
                return BLOCKED;
        return fg_buf_puts(&g->out, "this is not a frame of the protocol, but plain garbage\n",
                           &err) < 0
                       ? BLOCKED
                       : DONE;
}

static const struct verb {
        const char *name;
        enum outcome (*run)(struct guest *g, struct container *c, const char *arg);
} verbs[] = {
        { "print", run_print },     { "err", run_err },       { "env", run_env },
        { "lines", run_lines },     { "flood", run_flood },   { "binary", run_binary },
        { "sleep", run_sleep },     { "wait", run_wait },     { "ignore-stop", run_ignore_stop },
        { "exit", run_exit },       { "oom", run_oom },       { "crash", run_crash },
        { "garbage", run_garbage }, { "health", run_health }, { "age", run_age },
        { "once", run_once },       { "skip", run_skip },     { "gate", run_gate },
        { "/probe", run_probe },
};

/* The verb of the current statement, and its argument. */
static const struct verb *current(const struct container *c, const char **ret_arg)
{
        const char *text;
        size_t len;

        text = json_object_get_string(json_object_array_get_idx(c->script, c->statement));
        len = strcspn(text, " ");
        for (size_t i = 0; i < FG_ARRAY_SIZE(verbs); i++)
                if (strlen(verbs[i].name) == len && strncmp(verbs[i].name, text, len) == 0) {
                        *ret_arg = text[len] ? text + len + 1 : text + len;
                        return &verbs[i];
                }
        return NULL;
}

static void end_statement(struct container *c, struct fg_buf *text)
{
        if (text->len > 0)
                (void)json_object_array_add(c->script, json_object_new_string(text->data));
        fg_buf_clear(text);
}

static void add_words(struct container *c, struct json_object *words, struct fg_buf *text)
{
        struct fg_error err = FG_ERROR_INIT;
        const size_t n = words ? json_object_array_length(words) : 0;

        for (size_t i = 0; i < n; i++) {
                const char *word = json_object_get_string(json_object_array_get_idx(words, i));

                if (fg_streq(word, ";"))
                        end_statement(c, text);
                else if (fg_buf_printf(text, &err, "%s%s", text->len > 0 ? " " : "", word) < 0)
                        (void)fprintf(stderr, "fake guest: statement too long\n");
        }
}

void script_load(struct container *c, struct json_object *image_config)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(STATEMENT_MAX);
        struct json_object *defaults = fg_json_obj(image_config, "config");
        struct json_object *entry = fg_json_arr(c->spec, "entryPoint");
        struct json_object *command = fg_json_arr(c->spec, "command");

        if (!command && !entry && defaults)
                command = fg_json_arr(defaults, "Cmd");
        if (!entry && defaults)
                entry = fg_json_arr(defaults, "Entrypoint");
        c->script = json_object_new_array();
        add_words(c, entry, &text);
        add_words(c, command, &text);
        end_statement(c, &text);
}

bool script_executable(const struct container *c)
{
        const char *arg;

        return json_object_array_length(c->script) > 0 && current(c, &arg);
}

void script_run(struct guest *g, struct container *c)
{
        while (c->statement < json_object_array_length(c->script)) {
                const char *arg = "";
                const struct verb *verb = current(c, &arg);
                enum outcome outcome = DONE;

                if (!verb)
                        (void)write_line(c, 1, "unknown statement");
                else
                        outcome = verb->run(g, c, arg);
                if (outcome == ENDED)
                        return;
                c->begun = outcome == BLOCKED;
                if (outcome == BLOCKED)
                        return;
                c->statement++;
                c->done = 0;
                c->wake_ns = UINT64_MAX;
        }
        task_container_exited(g, c, 0, 0, false);
}
