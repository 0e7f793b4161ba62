/* SPDX-License-Identifier: Apache-2.0 */
#include "api/webhook_post.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/str.h"

#define CONNECT_SECONDS 10L
#define ANSWER_SECONDS  30L
#define WAIT_MAX        3600
#define HASH_LEN        32

FG_DEFINE_CLEANUP(struct curl_slist *, curl_slist_free_all)

struct fg_poster {
        struct fg_poster_config config;
        CURL *easy; /* kept: so is its connection */
        char error[CURL_ERROR_SIZE];
};

static int on_progress(void *userdata, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
                       curl_off_t ulnow)
{
        const struct fg_poster *p = userdata;

        (void)dltotal;
        (void)dlnow;
        (void)ultotal;
        (void)ulnow;
        return atomic_load(p->config.cancel) ? 1 : 0;
}

/* What a receiver answers beside its status is of no interest. */
static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
        (void)data;
        (void)userdata;
        return size * n;
}

static void set_options(struct fg_poster *p)
{
        CURL *easy = p->easy;

        curl_easy_setopt(easy, CURLOPT_URL, p->config.url);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "fgrun/" FG_VERSION);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT, ANSWER_SECONDS);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(easy, CURLOPT_XFERINFODATA, p);
        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, p->error);
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        if (p->config.ca_file)
                curl_easy_setopt(easy, CURLOPT_CAINFO, p->config.ca_file);
}

int fg_poster_new(const struct fg_poster_config *config, struct fg_poster **ret,
                  struct fg_error *err)
{
        struct fg_poster *p;
        const char *host;

        if (!fg_starts_with(config->url, "http://") && !fg_starts_with(config->url, "https://"))
                return fg_fail(err, FG_ERR_INVALID,
                               "webhook = %s: expected an http:// or https:// URL", config->url);
        host = strstr(config->url, "://") + 3;
        if (memchr(host, '@', strcspn(host, "/?#")))
                return fg_fail(err, FG_ERR_INVALID,
                               "webhook: no user or password in the URL; webhook_secret signs what "
                               "is sent");
        p = fg_calloc(1, sizeof(*p));
        p->config = *config;
        p->easy = curl_easy_init();
        if (!p->easy)
                abort();
        set_options(p);
        *ret = p;
        return 0;
}

void fg_poster_free(struct fg_poster *p)
{
        if (!p)
                return;
        curl_easy_cleanup(p->easy);
        free(p);
}

static struct curl_slist *add(struct curl_slist *list, const char *name, const char *value)
{
        fg_autofree char *line = fg_asprintf("%s: %s", name, value);
        struct curl_slist *longer = curl_slist_append(list, line);

        if (!longer)
                abort();
        return longer;
}

/* Over the time too, so that an old request cannot be sent again unnoticed. */
static void sign(const struct fg_secret *secret, const char *time, const char *body,
                 char ret[2 * HASH_LEN + 1])
{
        fg_autofree char *text = fg_asprintf("%s.%s", time, body);
        unsigned char hash[EVP_MAX_MD_SIZE];
        unsigned len = 0;

        if (!HMAC(EVP_sha256(), secret->data, (int)secret->len, (unsigned char *)text, strlen(text),
                  hash, &len) ||
            len != HASH_LEN)
                abort();
        fg_hex(hash, HASH_LEN, ret);
}

static struct curl_slist *headers_of(const struct fg_poster *p, uint64_t number, const char *body)
{
        struct curl_slist *list = NULL;
        char text[32], signature[7 + 2 * HASH_LEN + 1] = "sha256=";

        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
        list = add(list, "Content-Type", "application/json");
        list = add(list, "Expect", ""); /* of libcurl's: another round trip for nothing */
        list = add(list, "X-Fgrun-Event", text);
        (void)snprintf(text, sizeof(text), "%llu",
                       (unsigned long long)(fg_now_ns() / FG_NS_PER_SEC));
        list = add(list, "X-Fgrun-Timestamp", text);
        if (!p->config.secret)
                return list;
        sign(p->config.secret, text, body, signature + 7);
        return add(list, "X-Fgrun-Signature", signature);
}

/* Which answers will be the same tomorrow: what is wrong with the event, not with the receiver. */
static enum fg_post judge(long status)
{
        if (status >= 200 && status < 300)
                return FG_POST_TAKEN;
        return status == 400 || status == 413 || status == 415 || status == 422 ? FG_POST_REFUSED
                                                                                : FG_POST_AGAIN;
}

enum fg_post fg_poster_post(struct fg_poster *p, uint64_t number, const char *body,
                            uint64_t *ret_wait, struct fg_error *err)
{
        fg_cleanup(curl_slist_free_allp) struct curl_slist *headers = headers_of(p, number, body);
        enum fg_post result;
        curl_off_t wait = 0;
        long status = 0;
        CURLcode code;

        *ret_wait = 0;
        p->error[0] = '\0';
        curl_easy_setopt(p->easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(p->easy, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(p->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
        code = curl_easy_perform(p->easy);
        if (code != CURLE_OK) {
                fg_fail(err, FG_ERR_UPSTREAM, "%s",
                        *p->error ? p->error : curl_easy_strerror(code));
                return FG_POST_AGAIN;
        }
        curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(p->easy, CURLINFO_RETRY_AFTER, &wait);
        result = judge(status);
        if (result != FG_POST_TAKEN)
                fg_fail(err, FG_ERR_UPSTREAM, "it answered with status %ld", status);
        *ret_wait = wait > 0 ? (uint64_t)(wait < WAIT_MAX ? wait : WAIT_MAX) : 0;
        return result;
}
