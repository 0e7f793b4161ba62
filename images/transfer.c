/* SPDX-License-Identifier: Apache-2.0 */
#include "images/transfer.h"

#include <curl/curl.h>
#include <poll.h>
#include <string.h>
#include <strings.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/str.h"
#include "images/reference.h"

#define CONNECT_TIMEOUT_S 15L
#define STALL_TIMEOUT_S   30L /* slower than STALL_BYTES_PER_S for so long: give up */
#define STALL_BYTES_PER_S 64L
#define REDIRECTS_MAX     5
#define ERROR_BODY_MAX    8192
#define WAIT_SLICE_MS     50
#define USER_AGENT        "fgrun/" FG_VERSION

struct fg_transfer {
        CURL *easy;
        const char *ca_file;
        const atomic_bool *cancel;
};

/* One exchange, while curl calls back. */
struct exchange {
        struct fg_transfer *http;
        const struct fg_transfer_request *rq;
        struct fg_error *err; /* what a callback said */
        struct fg_buf *error_body;
        bool begun, refused; /* refused: a callback ended it */
};

FG_DEFINE_CLEANUP(CURLU *, curl_url_cleanup)
FG_DEFINE_CLEANUP(struct curl_slist *, curl_slist_free_all)

struct fg_transfer *fg_transfer_new(const char *ca_file, const atomic_bool *cancel)
{
        struct fg_transfer *h = fg_calloc(1, sizeof(*h));

        h->easy = curl_easy_init();
        if (!h->easy)
                abort();
        h->ca_file = ca_file;
        h->cancel = cancel;
        return h;
}

void fg_transfer_free(struct fg_transfer *h)
{
        if (!h)
                return;
        curl_easy_cleanup(h->easy);
        free(h);
}

void fg_transfer_reply_finish(struct fg_transfer_reply *reply)
{
        free(reply->content_type);
        free(reply->digest);
        free(reply->challenge);
        free(reply->host);
        free(reply->message);
        *reply = (struct fg_transfer_reply){ 0 };
}

static const char *header(CURL *easy, const char *name, size_t index)
{
        struct curl_header *h = NULL;

        return curl_easy_header(easy, name, index, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value
                                                                                      : NULL;
}

static int deliver(struct exchange *x, const void *data, size_t len)
{
        const struct fg_transfer_request *rq = x->rq;
        long status = 0;

        (void)curl_easy_getinfo(x->http->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status < 200 || status > 299) {
                size_t room = x->error_body->max - x->error_body->len;
                struct fg_error ignored;

                return fg_buf_append(x->error_body, data, len < room ? len : room, &ignored);
        }
        if (!x->begun && rq->begin &&
            rq->begin(rq->userdata, status, header(x->http->easy, "Content-Range", 0), x->err) < 0)
                return -1;
        x->begun = true;
        return rq->write(rq->userdata, data, len, x->err);
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
        struct exchange *x = userdata;

        if (deliver(x, data, size * n) == 0)
                return size * n;
        x->refused = true;
        return 0;
}

static int on_progress(void *userdata, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
                       curl_off_t ulnow)
{
        struct fg_transfer *h = userdata;

        return atomic_load(h->cancel) ? 1 : 0;
}

static void set_up(struct exchange *x, const char *url, struct curl_slist *headers)
{
        const struct fg_transfer_request *rq = x->rq;
        fg_autofree char *host = fg_url_host(url);
        CURL *easy = x->http->easy;

        curl_easy_reset(easy);
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, rq->plain ? "https,http" : "https");
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES_PER_S);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, STALL_TIMEOUT_S);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
        curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(easy, CURLOPT_XFERINFODATA, x->http);
        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        if (x->http->ca_file)
                curl_easy_setopt(easy, CURLOPT_CAINFO, x->http->ca_file);
        /* A proxy's loopback is not ours. */
        if (host && fg_host_is_loopback(host))
                curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
        fg_autofree char *line = fg_asprintf("%s: %s", name, value);
        struct curl_slist *longer = curl_slist_append(list, line);

        if (!longer)
                abort();
        return longer;
}

static struct curl_slist *make_headers(const struct fg_transfer_request *rq, bool trusted)
{
        struct curl_slist *list = NULL;

        if (rq->accept)
                list = add_header(list, "Accept", rq->accept);
        if (rq->authorization && trusted)
                list = add_header(list, "Authorization", rq->authorization);
        if (rq->from) {
                fg_autofree char *range = fg_asprintf("bytes=%llu-", (unsigned long long)rq->from);

                list = add_header(list, "Range", range);
        }
        return list;
}

static bool is_transient_curl(CURLcode code)
{
        switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
        case CURLE_OPERATION_TIMEDOUT:
        case CURLE_GOT_NOTHING:
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
        case CURLE_PARTIAL_FILE:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
                return true;
        default:
                return false;
        }
}

static bool is_transient_status(long status)
{
        return status == 408 || status == 429 || (status >= 500 && status != 501);
}

/* A registry explains itself as {"errors": [{"code", "message"}]}, a token server as "details". */
static char *error_text(struct fg_buf *body)
{
        struct fg_error ignored;
        fg_autojson *doc = body->len ? fg_json_parse(body->data, body->len, &ignored) : NULL;
        struct json_object *list = fg_json_arr(doc, "errors"), *first;
        const char *text = fg_json_str(doc, "details");

        first = list ? json_object_array_get_idx(list, 0) : NULL;
        if (!text)
                text = fg_json_str(first, "message");
        return text && *text ? fg_asprintf("%.150s", text) : NULL;
}

static char *join_challenges(CURL *easy)
{
        fg_cleanup(fg_buf_finish) struct fg_buf all = FG_BUF_INIT(16384);
        struct fg_error ignored;
        const char *value;

        for (size_t i = 0; i < 8 && (value = header(easy, "WWW-Authenticate", i)); i++)
                (void)fg_buf_printf(&all, &ignored, "%s%s", all.len ? ", " : "", value);
        return all.len ? fg_buf_take(&all) : NULL;
}

static void fill_reply(struct exchange *x, const char *url, struct fg_transfer_reply *ret)
{
        CURL *easy = x->http->easy;
        curl_off_t wait = 0;

        (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &ret->status);
        (void)curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait);
        ret->retry_after = wait > 0 ? (uint64_t)wait : 0;
        ret->transient = is_transient_status(ret->status);
        ret->content_type = fg_strdup(header(easy, "Content-Type", 0));
        ret->digest = fg_strdup(header(easy, "Docker-Content-Digest", 0));
        ret->challenge = join_challenges(easy);
        ret->host = fg_url_host(url);
        ret->message = error_text(x->error_body);
}

static int fail_curl(struct exchange *x, CURLcode code, const char *url, const char *detail,
                     struct fg_transfer_reply *ret)
{
        fg_autofree char *host = fg_url_host(url);

        if (x->refused)
                return -1;
        if (code == CURLE_ABORTED_BY_CALLBACK)
                return fg_fail(x->err, FG_ERR_CONFLICT, "cancelled");
        ret->transient = is_transient_curl(code);
        ret->tls_failed = code == CURLE_SSL_CONNECT_ERROR;
        return fg_fail(x->err, code == CURLE_OPERATION_TIMEDOUT ? FG_ERR_TIMEOUT : FG_ERR_UPSTREAM,
                       "%s: %s", host ? host : "?", *detail ? detail : curl_easy_strerror(code));
}

/* One request to one URL. */
static int exchange(struct fg_transfer *h, const struct fg_transfer_request *rq, const char *url,
                    bool trusted, struct fg_transfer_reply *ret, struct fg_error *err)
{
        fg_cleanup(curl_slist_free_allp) struct curl_slist *headers = make_headers(rq, trusted);
        fg_cleanup(fg_buf_finish) struct fg_buf body = FG_BUF_INIT(ERROR_BODY_MAX);
        struct exchange x = { .http = h, .rq = rq, .err = err, .error_body = &body };
        char detail[CURL_ERROR_SIZE] = "";
        CURLcode code;

        set_up(&x, url, headers);
        curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, detail);
        code = curl_easy_perform(h->easy);
        curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, NULL);
        fill_reply(&x, url, ret);
        return code == CURLE_OK ? 0 : fail_curl(&x, code, url, detail, ret);
}

static bool is_redirect(long status)
{
        return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static char *url_part(const char *url, CURLUPart part)
{
        fg_cleanup(curl_url_cleanupp) CURLU *u = curl_url();
        char *value = NULL, *copy;

        if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
            curl_url_get(u, part, &value, CURLU_DEFAULT_PORT) != CURLUE_OK)
                return NULL;
        copy = fg_strdup(value);
        curl_free(value);
        return copy;
}

static bool same_part(const char *a, const char *b, CURLUPart part)
{
        fg_autofree char *x = url_part(a, part), *y = url_part(b, part);

        return x && y && strcasecmp(x, y) == 0;
}

static bool same_origin(const char *a, const char *b)
{
        return same_part(a, b, CURLUPART_SCHEME) && same_part(a, b, CURLUPART_HOST) &&
               same_part(a, b, CURLUPART_PORT);
}

/* The next URL after a redirect; NULL: refused. */
static char *next_url(struct fg_transfer *h, const char *url, struct fg_error *err)
{
        fg_autofree char *host = fg_url_host(url);
        char *next = NULL;

        (void)curl_easy_getinfo(h->easy, CURLINFO_REDIRECT_URL, &next);
        if (!next) {
                fg_fail(err, FG_ERR_UPSTREAM, "%s: redirect without a location", host);
                return NULL;
        }
        if (fg_starts_with(url, "https:") && !same_part(next, url, CURLUPART_SCHEME)) {
                fg_fail(err, FG_ERR_UPSTREAM, "%s: redirect from TLS to plain text refused", host);
                return NULL;
        }
        return fg_strdup(next);
}

int fg_transfer_get(struct fg_transfer *h, const struct fg_transfer_request *rq,
                    struct fg_transfer_reply *ret, struct fg_error *err)
{
        fg_autofree char *url = fg_strdup(rq->url);
        bool trusted = true;

        for (int i = 0; i <= REDIRECTS_MAX; i++) {
                fg_autofree char *next = NULL;

                fg_transfer_reply_finish(ret);
                if (exchange(h, rq, url, trusted, ret, err) < 0)
                        return -1;
                if (!is_redirect(ret->status))
                        return 0;
                next = next_url(h, url, err);
                if (!next)
                        return -1;
                trusted = trusted && same_origin(rq->url, next);
                free(url);
                url = fg_take_ptr(next);
        }
        return fg_fail(err, FG_ERR_UPSTREAM, "%s: more than %d redirects", ret->host,
                       REDIRECTS_MAX);
}

int fg_transfer_wait(struct fg_transfer *h, uint64_t ms, struct fg_error *err)
{
        for (uint64_t waited = 0; waited < ms; waited += WAIT_SLICE_MS) {
                if (atomic_load(h->cancel))
                        return fg_fail(err, FG_ERR_CONFLICT, "cancelled");
                (void)poll(NULL, 0, WAIT_SLICE_MS);
        }
        return 0;
}

char *fg_transfer_escape(const char *s)
{
        char *escaped = curl_easy_escape(NULL, s, 0), *copy;

        if (!escaped)
                abort();
        copy = fg_strdup(escaped);
        curl_free(escaped);
        return copy;
}

char *fg_url_host(const char *url)
{
        const char *host = strstr(url, "://"), *at;
        size_t len;

        if (!host)
                return NULL;
        host += strlen("://");
        len = strcspn(host, "/?#");
        at = memrchr(host, '@', len);
        if (at) {
                len -= (size_t)(at + 1 - host);
                host = at + 1;
        }
        return fg_asprintf("%.*s", (int)len, host);
}
