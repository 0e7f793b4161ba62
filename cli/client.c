/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <curl/curl.h>

#include "cli/endpoint.h"
#include "core/clock.h"
#include "core/id.h"
#include "core/json.h"
#include "core/str.h"

#define ANSWER_MAX         (64U << 20) /* bytes of an answer, and of one line of a stream */
#define CONNECT_TIMEOUT_MS 10000L
#define HTTP_SERVER_ERROR  500
#define HTTP_UNAVAILABLE   503
#define LATER_AGAIN_NS     (200 * FG_NS_PER_MSEC)
#define IDLE_WAIT_MS       3600000 /* libcurl wakes by itself for its own timers */

struct transfer {
        CURL *easy;
        struct curl_slist *headers;
        struct fg_buf body;
        fg_client_line_fn *line; /* NULL: collect the answer in body */
        void *userdata;
        struct fg_error *err; /* set by a failing line */
        bool failed;
        bool done;
        CURLcode result;
};

/* What fg_client_post_later() has to deliver. */
struct later {
        char *path; /* NULL: nothing */
        struct json_object *body;
        struct transfer transfer; /* of the present attempt; easy is NULL between them */
        uint64_t again_ns;        /* not before, CLOCK_MONOTONIC */
        struct fg_error err;      /* dropped */
};

struct fg_client {
        CURLM *multi;
        char *base;                   /* "http://host" */
        char *socket;                 /* or NULL */
        char *name;                   /* for messages */
        char *ca_file, *sigv4, *user; /* or NULL; the last two go together */
        struct curl_slist *headers;
        struct json_object *problems;
        bool unreachable; /* why the last request failed */
        struct later later;
        int watch_fd;
        int (*watch)(void *userdata, struct fg_error *err);
        void *watch_data;
};

FG_DEFINE_CLEANUP(char *, curl_free)

/* libcurl signs what it sends; a session token is a header like others. */
static void set_signature(struct fg_client *client, const struct fg_awscreds *aws)
{
        client->sigv4 = fg_asprintf("aws:amz:%s:fgrun", aws->region ? aws->region : "local-1");
        client->user = fg_asprintf("%s:%s", aws->key_id, aws->secret);
        if (aws->token) {
                fg_autofree char *header = fg_asprintf("X-Amz-Security-Token: %s", aws->token);

                client->headers = curl_slist_append(client->headers, header);
        }
}

struct fg_client *fg_client_new(const struct fg_endpoint *endpoint, struct fg_error *err)
{
        fg_cleanup(fg_client_freep) struct fg_client *client = fg_calloc(1, sizeof(*client));
        fg_autofree char *bearer = NULL;

        client->watch_fd = -1;
        /* Not TLS where it is not used: initialising it would only cost start-up time. */
        if (curl_global_init(fg_starts_with(endpoint->url, "https:")
                                     ? CURL_GLOBAL_SSL
                                     : CURL_GLOBAL_NOTHING) != CURLE_OK ||
            !(client->multi = curl_multi_init())) {
                fg_fail(err, FG_ERR_INTERNAL, "libcurl does not start");
                return NULL;
        }
        client->base = fg_strdup(endpoint->url);
        client->socket = fg_strdup(endpoint->socket);
        client->name = fg_strdup(endpoint->socket ? endpoint->socket : endpoint->url);
        client->headers = curl_slist_append(NULL, "Content-Type: application/json");
        /* libcurl would sign this header, and not send it. */
        if (endpoint->token || !endpoint->aws.key_id)
                client->headers = curl_slist_append(client->headers, "Expect:");
        if (endpoint->token) {
                bearer = fg_asprintf("Authorization: Bearer %s", endpoint->token);
                client->headers = curl_slist_append(client->headers, bearer);
        }
        client->ca_file = fg_strdup(endpoint->ca_file);
        if (!endpoint->token && endpoint->aws.key_id)
                set_signature(client, &endpoint->aws);
        return fg_take_ptr(client);
}

static void transfer_finish(struct transfer *t)
{
        curl_easy_cleanup(t->easy);
        curl_slist_free_all(t->headers);
        fg_buf_finish(&t->body);
        *t = (struct transfer){ 0 };
}

/* Ends the present attempt. */
static void stop_later(struct fg_client *client)
{
        if (client->later.transfer.easy)
                (void)curl_multi_remove_handle(client->multi, client->later.transfer.easy);
        transfer_finish(&client->later.transfer);
}

static void drop_later(struct fg_client *client)
{
        stop_later(client);
        free(client->later.path);
        json_object_put(client->later.body);
        client->later = (struct later){ 0 };
}

void fg_client_free(struct fg_client *client)
{
        if (!client)
                return;
        drop_later(client);
        (void)curl_multi_cleanup(client->multi);
        curl_slist_free_all(client->headers);
        json_object_put(client->problems);
        free(client->base);
        free(client->ca_file);
        free(client->sigv4);
        if (client->user)
                explicit_bzero(client->user, strlen(client->user));
        free(client->user);
        free(client->socket);
        free(client->name);
        free(client);
}

static int fail_with(struct json_object *body, struct fg_error *err)
{
        const char *type = fg_json_str(body, "__type"), *message = fg_json_str(body, "message");

        return fg_fail(err, type ? fg_err_from_exception(type) : FG_ERR_UPSTREAM, "%s",
                       message ? message : "fgd tells an error without a message");
}

static int hand_over(struct transfer *t, const char *text, size_t len)
{
        fg_autojson *line = NULL;

        if (len == 0)
                return 0;
        line = fg_json_parse(text, len, t->err);
        if (!line)
                return fg_wrap(t->err, "answer of fgd");
        if (fg_json_obj(line, "error"))
                return fail_with(fg_json_obj(line, "error"), t->err);
        return t->line(t->userdata, line, t->err);
}

static int hand_over_lines(struct transfer *t)
{
        size_t start = 0;
        char *newline;

        while ((newline = memchr(t->body.data + start, '\n', t->body.len - start))) {
                size_t end = (size_t)(newline - t->body.data);

                if (hand_over(t, t->body.data + start, end - start) < 0)
                        return -1;
                start = end + 1;
        }
        fg_buf_consume(&t->body, start);
        return 0;
}

static size_t receive(char *data, size_t size, size_t n, void *userdata)
{
        struct transfer *t = userdata;
        long status = 0;

        t->failed = fg_buf_append(&t->body, data, size * n, t->err) < 0;
        (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        if (!t->failed && t->line && status < 300)
                t->failed = hand_over_lines(t) < 0;
        return t->failed ? CURL_WRITEFUNC_ERROR : size * n;
}

/* Of two requests that are equal but for this header fgd does not take one for a recording of the
 * other. libcurl signs it. */
static struct curl_slist *make_headers(const struct fg_client *client)
{
        fg_autofree char *header = NULL;
        struct curl_slist *headers = NULL;
        char id[FG_ID_LEN + 1];

        fg_id_new(id);
        header = fg_asprintf("amz-sdk-invocation-id: %s", id);
        if (client->sigv4)
                headers = curl_slist_append(NULL, header);
        for (const struct curl_slist *h = client->headers; h; h = h->next)
                headers = curl_slist_append(headers, h->data);
        return headers;
}

static int transfer_init(struct fg_client *client, struct transfer *t,
                         const struct fg_request *request, struct fg_error *err)
{
        fg_autofree char *url = fg_asprintf("%s%s", client->base, request->path);

        t->body = FG_BUF_INIT(ANSWER_MAX);
        t->err = err;
        t->easy = curl_easy_init();
        if (!t->easy)
                return fg_fail(err, FG_ERR_CAPACITY, "out of memory");
        (void)curl_easy_setopt(t->easy, CURLOPT_URL, url);
        (void)curl_easy_setopt(t->easy, CURLOPT_UNIX_SOCKET_PATH, client->socket);
        t->headers = make_headers(client);
        (void)curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
        (void)curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
        if (client->ca_file)
                (void)curl_easy_setopt(t->easy, CURLOPT_CAINFO, client->ca_file);
        if (client->sigv4) {
                (void)curl_easy_setopt(t->easy, CURLOPT_AWS_SIGV4, client->sigv4);
                (void)curl_easy_setopt(t->easy, CURLOPT_USERPWD, client->user);
        }
        /* A token must not go to a proxy that happens to be in the environment. */
        (void)curl_easy_setopt(t->easy, CURLOPT_NOPROXY, "*");
        (void)curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(t->easy, CURLOPT_TCP_KEEPALIVE, 1L);
        (void)curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
        (void)curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, receive);
        (void)curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
        (void)curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
        (void)curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, request->method);
        if (request->body || fg_streq(request->method, "POST"))
                (void)curl_easy_setopt(t->easy, CURLOPT_COPYPOSTFIELDS,
                                       request->body ? fg_json_text(request->body) : "");
        return 0;
}

/* Delivered, or lost with the connection or the fgd that had it. */
static void finish_later(struct fg_client *client)
{
        const struct transfer *t = &client->later.transfer;
        long status = 0;

        (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        if (t->result == CURLE_OK && status < HTTP_SERVER_ERROR) {
                drop_later(client);
                return;
        }
        stop_later(client);
        client->later.again_ns = fg_mono_ns() + LATER_AGAIN_NS;
}

static void collect_finished(struct fg_client *client)
{
        struct CURLMsg *message;
        int left;

        while ((message = curl_multi_info_read(client->multi, &left))) {
                struct transfer *t = NULL;

                if (message->msg != CURLMSG_DONE)
                        continue;
                (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
                t->done = true;
                t->result = message->data.result;
        }
        if (client->later.transfer.done)
                finish_later(client);
}

static void start_later(struct fg_client *client)
{
        struct later *later = &client->later;
        struct fg_request request = { "POST", later->path, later->body };

        if (!later->path || later->transfer.easy || fg_mono_ns() < later->again_ns)
                return;
        if (transfer_init(client, &later->transfer, &request, &later->err) < 0 ||
            curl_multi_add_handle(client->multi, later->transfer.easy) != CURLM_OK) {
                transfer_finish(&later->transfer);
                later->again_ns = fg_mono_ns() + LATER_AGAIN_NS;
        }
}

/* How long the loop may sleep before it is time for the next attempt. */
static int until_later(const struct fg_client *client)
{
        uint64_t now = fg_mono_ns();

        if (!client->later.path || client->later.transfer.easy)
                return IDLE_WAIT_MS;
        return now < client->later.again_ns
                       ? (int)((client->later.again_ns - now) / FG_NS_PER_MSEC) + 1
                       : 0;
}

static int wait_for_more(struct fg_client *client, int ms, struct fg_error *err)
{
        struct curl_waitfd wait = { .fd = client->watch_fd, .events = CURL_WAIT_POLLIN };

        if (curl_multi_poll(client->multi, &wait, client->watch_fd >= 0, ms, NULL) != CURLM_OK)
                return fg_fail(err, FG_ERR_INTERNAL, "libcurl fails");
        return wait.revents ? client->watch(client->watch_data, err) : 0;
}

/* Drives libcurl until @t is done. */
static int perform(struct fg_client *client, struct transfer *t, struct fg_error *err)
{
        int running;

        for (;;) {
                if (curl_multi_perform(client->multi, &running) != CURLM_OK)
                        return fg_fail(err, FG_ERR_INTERNAL, "libcurl fails");
                collect_finished(client);
                if (t->done)
                        return 0;
                start_later(client);
                if (wait_for_more(client, until_later(client), err) < 0)
                        return -1;
        }
}

static int fail_unreachable(struct fg_client *client, struct transfer *t, struct fg_error *err)
{
        const char *why = curl_easy_strerror(t->result);
        long sys = 0;

        (void)curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &sys);
        client->unreachable = sys != EACCES;
        if (t->result != CURLE_COULDNT_CONNECT)
                return fg_fail(err, FG_ERR_UPSTREAM, "lost fgd at %s: %s", client->name, why);
        if (sys)
                why = strerrordesc_np((int)sys) ?: why;
        fg_fail(err, sys == EACCES ? FG_ERR_DENIED : FG_ERR_UPSTREAM, "no fgd answers at %s: %s",
                client->name, why);
        err->sys = (int)sys;
        return -1;
}

static int fail_answer(struct fg_client *client, struct transfer *t, long status,
                       struct fg_error *err)
{
        struct fg_error ignored = FG_ERROR_INIT;
        fg_autojson *body = fg_json_parse(t->body.data ? t->body.data : "", t->body.len, &ignored);

        if (!fg_json_str(body, "__type"))
                return fg_fail(err, status == 401 ? FG_ERR_DENIED : FG_ERR_UPSTREAM,
                               "%s answers with HTTP status %ld", client->name, status);
        client->unreachable = status == HTTP_UNAVAILABLE;
        client->problems = json_object_get(fg_json_arr(body, "errors"));
        return fail_with(body, err);
}

static int request_run(struct fg_client *client, struct transfer *t,
                       const struct fg_request *request, struct fg_error *err)
{
        long status = 0;
        int r;

        json_object_put(fg_take_ptr(client->problems));
        client->unreachable = false;
        if (transfer_init(client, t, request, err) < 0)
                return -1;
        if (curl_multi_add_handle(client->multi, t->easy) != CURLM_OK)
                return fg_fail(err, FG_ERR_INTERNAL, "libcurl fails");
        r = perform(client, t, err);
        (void)curl_multi_remove_handle(client->multi, t->easy);
        if (r < 0 || t->failed)
                return -1;
        if (t->result != CURLE_OK)
                return fail_unreachable(client, t, err);
        (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status < 200 || status > 299)
                return fail_answer(client, t, status, err);
        return 0;
}

int fg_client_call(struct fg_client *client, const struct fg_request *request,
                   struct json_object **ret, struct fg_error *err)
{
        fg_cleanup(transfer_finish) struct transfer t = { 0 };

        if (request_run(client, &t, request, err) < 0)
                return -1;
        *ret = fg_json_parse(t.body.data ? t.body.data : "", t.body.len, err);
        return *ret ? 0 : fg_wrap(err, "answer of fgd");
}

int fg_client_stream(struct fg_client *client, const struct fg_request *request,
                     fg_client_line_fn *line, void *userdata, struct fg_error *err)
{
        fg_cleanup(transfer_finish) struct transfer t = { .line = line, .userdata = userdata };

        if (request_run(client, &t, request, err) < 0)
                return -1;
        return hand_over(&t, t.body.data, t.body.len);
}

void fg_client_watch(struct fg_client *client, int fd,
                     int (*ready)(void *userdata, struct fg_error *err), void *userdata)
{
        client->watch_fd = fd;
        client->watch = ready;
        client->watch_data = userdata;
}

void fg_client_post_later(struct fg_client *client, const char *path, struct json_object *body)
{
        if (client->later.path)
                return;
        client->later.path = fg_strdup(path);
        client->later.body = json_object_get(body);
}

int fg_client_pause(struct fg_client *client, unsigned ms, struct fg_error *err)
{
        uint64_t now = fg_mono_ns(), end = now + ms * FG_NS_PER_MSEC;

        stop_later(client); /* it went to an fgd that is gone */
        for (; now < end; now = fg_mono_ns())
                if (wait_for_more(client, (int)((end - now) / FG_NS_PER_MSEC) + 1, err) < 0)
                        return -1;
        return 0;
}

bool fg_client_unreachable(const struct fg_client *client)
{
        return client->unreachable;
}

const char *fg_client_socket(const struct fg_client *client)
{
        return client->socket;
}

struct json_object *fg_client_problems(const struct fg_client *client)
{
        return client->problems;
}

int fg_query_add(struct fg_buf *path, const char *key, const char *value, struct fg_error *err)
{
        fg_cleanup(curl_freep) char *escaped = NULL;

        if (!value)
                return 0;
        escaped = curl_easy_escape(NULL, value, 0);
        if (!escaped)
                return fg_fail(err, FG_ERR_CAPACITY, "out of memory");
        return fg_buf_printf(path, err, "%c%s=%s", strchr(path->data, '?') ? '&' : '?', key,
                             escaped);
}
