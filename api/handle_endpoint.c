/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "api/daemon.h"
#include "api/routes.h"
#include "api/token.h"
#include "core/fs.h"
#include "core/log.h"
#include "core/str.h"

#define ADDRESS_MAX       64
#define IDLE_EXIT_SECONDS (12 * 3600)

/*
 * POST /v1/endpoint: where clients of the AWS APIs reach this fgd. One without a TCP listener opens
 * one on the loopback interface, at the port it had there the last time.
 */

struct remember {
        struct fg_job job;
        char *path, *text;
};

static void remember_work(struct fg_job *job)
{
        struct remember *m = FG_CONTAINER_OF(job, struct remember, job);
        struct fg_error ignored = FG_ERROR_INIT; /* then it is another port the next time */

        (void)fg_write_file(m->path, m->text, strlen(m->text), 0600, &ignored);
}

static void remember_done(struct fg_job *job)
{
        struct remember *m = FG_CONTAINER_OF(job, struct remember, job);

        free(m->path);
        free(m->text);
        free(m);
}

static void remember(struct fg_daemon *d, const char *address)
{
        struct remember *m = fg_calloc(1, sizeof(*m));

        *m = (struct remember){ .job = { .work = remember_work, .done = remember_done },
                                .path = fg_asprintf("%s/endpoint", d->config.state_dir),
                                .text = fg_asprintf("%s\n", address) };
        fg_lane_submit(d->io, &m->job);
}

static int open_again(struct fg_daemon *d, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/endpoint", d->config.state_dir);
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(ADDRESS_MAX);

        if (fg_buf_read_file(&text, path, err) < 0 || text.len == 0)
                return -1;
        text.data[strcspn(text.data, "\n")] = '\0';
        return fg_starts_with(text.data, "127.0.0.1:") ? fg_http_listen_tcp(d->http, text.data, err)
                                                       : -1;
}

static int open_loopback(struct fg_daemon *d, struct fg_error *err)
{
        struct fg_error ignored = FG_ERROR_INIT;
        char address[ADDRESS_MAX];

        if (open_again(d, &ignored) < 0 && fg_http_listen_tcp(d->http, "127.0.0.1:0", err) < 0)
                return -1;
        /* Who took the address along will come back to it. */
        if (d->config.idle_exit_seconds && d->config.idle_exit_seconds < IDLE_EXIT_SECONDS)
                d->config.idle_exit_seconds = IDLE_EXIT_SECONDS;
        if (fg_http_tcp_address(d->http, address, sizeof(address)) == 0)
                return fg_fail(err, FG_ERR_INTERNAL, "the new listener has no address");
        fg_log_info("serves on tcp:%s too, since it was asked for", address);
        remember(d, address);
        return 0;
}

void handle_endpoint(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;
        struct fg_error err = FG_ERROR_INIT;
        char address[ADDRESS_MAX];
        fg_autofree char *url = NULL, *ca = NULL;
        struct json_object *body;

        if (fg_http_tcp_address(d->http, address, sizeof(address)) == 0 &&
            open_loopback(d, &err) < 0) {
                fg_reply_error(r, &err);
                return;
        }
        (void)fg_http_tcp_address(d->http, address, sizeof(address));
        url = fg_asprintf("%s://%s", d->tls.certificate.len ? "https" : "http", address);
        body = json_object_new_object();
        fg_json_set_str(body, "url", url);
        fg_json_set_str(body, "region", d->config.region);
        if (fg_streq(d->config.tls, "self-signed")) {
                ca = fg_asprintf("%s/tls/cert.pem", d->config.state_dir);
                fg_json_set_str(body, "caFile", ca);
        }
        fg_reply_json(r, 200, body);
}
