/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sign.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/str.h"

#define SHA256_LEN 32

struct fg_signer {
        const char *id, *secret, *region;
        time_t day;                    /* of the key below */
        unsigned char key[SHA256_LEN]; /* for this day, region and service */
        unsigned long count;           /* so that no two requests are equal */
};

struct fg_signer *fg_signer_from_environment(void)
{
        const char *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
        const char *region = getenv("AWS_DEFAULT_REGION");
        struct fg_signer *s;

        if (!id || !secret)
                return NULL;
        s = fg_calloc(1, sizeof(*s));
        s->id = id;
        s->secret = secret;
        s->region = region ? region : "local-1";
        s->count = fg_now_ns();
        return s;
}

void fg_signer_free(struct fg_signer *s)
{
        free(s);
}

static void hmac(const unsigned char *key, size_t key_len, const char *text,
                 unsigned char ret[SHA256_LEN])
{
        if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), ret,
                  NULL))
                abort();
}

static void hash(const char *text, char ret[2 * SHA256_LEN + 1])
{
        unsigned char digest[SHA256_LEN];

        if (!EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL))
                abort();
        fg_hex(digest, sizeof(digest), ret);
}

static void make_key(struct fg_signer *s, const char *date)
{
        unsigned char a[SHA256_LEN], b[SHA256_LEN];
        fg_autofree char *secret = fg_asprintf("AWS4%s", s->secret);

        hmac((unsigned char *)secret, strlen(secret), date, a);
        hmac(a, sizeof(a), s->region, b);
        hmac(b, sizeof(b), "ecs", a);
        hmac(a, sizeof(a), "aws4_request", s->key);
}

void fg_signer_headers(struct fg_signer *s, const char *host, const char *target, const char *body,
                       char *ret, size_t size)
{
        char text[4096], digest[2 * SHA256_LEN + 1], payload[2 * SHA256_LEN + 1], stamp[20],
                date[12];
        unsigned char signature[SHA256_LEN];
        time_t now = time(NULL);
        struct tm tm;

        (void)gmtime_r(&now, &tm);
        (void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
        (void)snprintf(date, sizeof(date), "%.8s", stamp);
        if (s->day != now / 86400) {
                make_key(s, date);
                s->day = now / 86400;
        }
        s->count++;
        hash(body, payload);
        (void)snprintf(
                text, sizeof(text),
                "POST\n/\n\namz-sdk-invocation-id:%lu\ncontent-type:application/x-amz-json-1.1"
                "\nhost:%s\nx-amz-date:%s\nx-amz-target:%s\n\n"
                "amz-sdk-invocation-id;content-type;host;x-amz-date;x-amz-target\n%s",
                s->count, host, stamp, target, payload);
        hash(text, digest);
        (void)snprintf(text, sizeof(text), "AWS4-HMAC-SHA256\n%s\n%s/%s/ecs/aws4_request\n%s",
                       stamp, date, s->region, digest);
        hmac(s->key, sizeof(s->key), text, signature);
        fg_hex(signature, sizeof(signature), digest);
        (void)snprintf(ret, size,
                       "amz-sdk-invocation-id: %lu\r\nX-Amz-Date: %s\r\nAuthorization: "
                       "AWS4-HMAC-SHA256 Credential=%s/%s/%s/ecs/aws4_request, SignedHeaders="
                       "amz-sdk-invocation-id;content-type;host;x-amz-date;x-amz-target, "
                       "Signature=%s\r\n",
                       s->count, stamp, s->id, date, s->region, digest);
}
