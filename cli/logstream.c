/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/logstream.h"

#include <stdio.h>
#include <string.h>

#include "cli/base64.h"
#include "cli/cli.h"
#include "cli/task.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"

#define RECONNECT_SEC 30                  /* unless FGRUN_RECONNECT says otherwise */
#define START_AFTER   (2 * FG_NS_PER_SEC) /* a service manager may bring fgd back by itself */
#define DELAY_MIN_MS  50
#define DELAY_MAX_MS  1000

/*
 * Records arrive nearly in the order of their times: streams are stamped in the guest and sent
 * side by side. To resume, this much is read again; what was handed over already is dropped.
 */
#define OVERLAP (60 * FG_NS_PER_SEC)

/* How much of a container's output was handed over. */
struct fg_logplace {
        SLIST_ENTRY(fg_logplace) link;
        char *container;
        uint64_t end[2]; /* of stdout, stderr */
};

void fg_logstream_finish(struct fg_logstream *s)
{
        struct fg_logplace *place;

        while ((place = SLIST_FIRST(&s->places))) {
                SLIST_REMOVE_HEAD(&s->places, link);
                free(place->container);
                free(place);
        }
}

static struct fg_logplace *find_place(struct fg_logstream *s, const char *container)
{
        struct fg_logplace *place;

        SLIST_FOREACH(place, &s->places, link)
        if (fg_streq(place->container, container))
                return place;
        place = fg_calloc(1, sizeof(*place));
        place->container = fg_strdup(container);
        SLIST_INSERT_HEAD(&s->places, place, link);
        return place;
}

static uint64_t data_len(struct json_object *line)
{
        struct json_object *base64 = fg_json_get(line, "dataBase64");

        if (base64)
                return fg_base64_size(json_object_get_string(base64),
                                      (size_t)json_object_get_string_len(base64));
        return (uint64_t)json_object_get_string_len(fg_json_get(line, "data"));
}

/* Moves on behind the record; false when it was handed over before. */
static bool advance(struct fg_logstream *s, const char *stream, struct json_object *line)
{
        struct fg_logplace *place = find_place(s, fg_json_str(line, "container") ?: "");
        uint64_t *end = &place->end[fg_streq(stream, "stderr")];
        uint64_t offset = (uint64_t)fg_json_int(line, "offset", 0);
        uint64_t lost = (uint64_t)fg_json_int(line, "lost", 0);
        uint64_t time_ns = (uint64_t)fg_json_int(line, "timeNs", 0);

        if (offset < *end)
                return false;
        /* Part of what is gone for a new reader may have reached us in time. */
        if (lost > offset - *end)
                fg_json_set_int(line, "lost", (int64_t)(offset - *end));
        *end = offset + data_len(line);
        if (time_ns > s->newest_ns)
                s->newest_ns = time_ns;
        return true;
}

static int handle_line(void *userdata, struct json_object *line, struct fg_error *err)
{
        struct fg_logstream *s = userdata;
        const char *stream = fg_json_str(line, "stream");

        return stream && !advance(s, stream, line) ? 0 : s->line(s->userdata, line, err);
}

static int stream_once(struct fg_logstream *s, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf path = FG_BUF_INIT(4096);
        uint64_t since_ns = s->newest_ns > OVERLAP ? s->newest_ns - OVERLAP : 0;
        char since[FG_RFC3339_MAX];

        if (since_ns < s->since_ns)
                since_ns = s->since_ns;
        fg_rfc3339(since_ns, since);
        if (fg_buf_printf(&path, err, "/v1/tasks/%s/logs", s->id) < 0 ||
            fg_query_add(&path, "follow", s->follow ? "1" : NULL, err) < 0 ||
            fg_query_add(&path, "events", s->events ? "1" : NULL, err) < 0 ||
            fg_query_add(&path, "container", s->container, err) < 0 ||
            fg_query_add(&path, "since", since_ns > 0 ? since : NULL, err) < 0)
                return -1;
        if (s->opening && s->opening(s->userdata, err) < 0)
                return -1;
        return fg_client_stream(s->cli->client, &(struct fg_request){ "GET", path.data, NULL },
                                handle_line, s, err);
}

static uint64_t patience(void)
{
        const char *text = getenv("FGRUN_RECONNECT");
        uint64_t seconds = RECONNECT_SEC;

        if (text)
                (void)fg_parse_u64(text, &seconds);
        return seconds;
}

/* Waits until an fgd knows the task again. */
static int reconnect(struct fg_logstream *s, uint64_t seconds, struct fg_error *err)
{
        uint64_t lost_ns = fg_mono_ns(), away_ns;
        unsigned delay_ms = DELAY_MIN_MS;

        do {
                fg_autojson *task = NULL;

                *err = FG_ERROR_INIT;
                if (fg_client_pause(s->cli->client, delay_ms, err) < 0)
                        return -1;
                away_ns = fg_mono_ns() - lost_ns;
                if (away_ns > START_AFTER && fg_cli_restart(s->cli, err) < 0)
                        return -1;
                if (fg_task_get(s->cli, s->id, NULL, &task, err) == 0)
                        return 0;
                delay_ms = delay_ms * 2 < DELAY_MAX_MS ? delay_ms * 2 : DELAY_MAX_MS;
        } while (fg_client_unreachable(s->cli->client) && away_ns / FG_NS_PER_SEC < seconds);
        return -1;
}

int fg_logstream_run(struct fg_logstream *s, struct json_object **ret, struct fg_error *err)
{
        uint64_t seconds = s->follow ? patience() : 0;

        for (;;) {
                int r = stream_once(s, err);

                /* An fgd that is shut down ends the stream as if the task had ended. */
                if (r == 0 && s->follow)
                        r = fg_task_get(s->cli, s->id, "STOPPED", ret, err);
                if (r == 0 || seconds == 0 || !fg_client_unreachable(s->cli->client))
                        return r;
                (void)fprintf(stderr, "fgrun: lost fgd, trying to reach it again\n");
                if (reconnect(s, seconds, err) < 0)
                        return -1;
        }
}
