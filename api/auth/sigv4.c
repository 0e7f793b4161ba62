/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/sigv4.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/auth/sigv4_private.h"
#include "core/str.h"

#define TEXT_MAX   (256U << 10) /* more than the headers of a request can fill */
#define SECRET_MAX 128

/* ---- digests ---- */

struct fg_sigv4 *fg_sigv4_new(void)
{
        char name[] = "SHA256";
        OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                OSSL_PARAM_construct_end() };
        struct fg_sigv4 *v = fg_calloc(1, sizeof(*v));

        v->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        v->digest = EVP_MD_CTX_new();
        v->hmac_type = EVP_MAC_fetch(NULL, "HMAC", NULL);
        v->hmac = v->hmac_type ? EVP_MAC_CTX_new(v->hmac_type) : NULL;
        if (!v->sha256 || !v->digest || !v->hmac || EVP_MAC_CTX_set_params(v->hmac, params) != 1)
                abort();
        v->text = FG_BUF_INIT(TEXT_MAX);
        v->scratch = FG_BUF_INIT(TEXT_MAX);
        return v;
}

void fg_sigv4_free(struct fg_sigv4 *v)
{
        if (!v)
                return;
        OPENSSL_cleanse(v->cache, sizeof(v->cache));
        EVP_MAC_CTX_free(v->hmac);
        EVP_MAC_free(v->hmac_type);
        EVP_MD_CTX_free(v->digest);
        EVP_MD_free(v->sha256);
        fg_buf_finish(&v->text);
        fg_buf_finish(&v->scratch);
        free(v);
}

void sigv4_hex_digest(struct fg_sigv4 *v, const void *data, size_t len, char ret[65])
{
        unsigned char sum[SHA256_LEN];

        if (EVP_DigestInit_ex(v->digest, v->sha256, NULL) != 1 ||
            EVP_DigestUpdate(v->digest, data, len) != 1 ||
            EVP_DigestFinal_ex(v->digest, sum, NULL) != 1)
                abort();
        fg_hex(sum, sizeof(sum), ret);
}

static void hmac(struct fg_sigv4 *v, const void *key, size_t key_len, const char *text,
                 unsigned char ret[SHA256_LEN])
{
        size_t len = 0;

        if (EVP_MAC_init(v->hmac, key, key_len, NULL) != 1 ||
            EVP_MAC_update(v->hmac, (const unsigned char *)text, strlen(text)) != 1 ||
            EVP_MAC_final(v->hmac, ret, &len, SHA256_LEN) != 1 || len != SHA256_LEN)
                abort();
}

/* ---- signing keys: four HMACs, the same for a whole day ---- */

static void derive(struct fg_sigv4 *v, const struct fg_sigv4_claim *claim, const char *secret,
                   unsigned char ret[SHA256_LEN])
{
        char first[4 + SECRET_MAX + 1];

        (void)snprintf(first, sizeof(first), "AWS4%s", secret);
        hmac(v, first, strlen(first), claim->date, ret);
        hmac(v, ret, SHA256_LEN, claim->region, ret);
        hmac(v, ret, SHA256_LEN, claim->service, ret);
        hmac(v, ret, SHA256_LEN, "aws4_request", ret);
        OPENSSL_cleanse(first, sizeof(first));
}

static size_t cache_slot(const struct fg_sigv4_claim *claim)
{
        const char *texts[] = { claim->key_id, claim->date, claim->region, claim->service };
        uint32_t hash = 2166136261U; /* FNV-1a */

        for (size_t i = 0; i < FG_ARRAY_SIZE(texts); i++)
                for (const char *p = texts[i]; *p; p++)
                        hash = (hash ^ (unsigned char)*p) * 16777619U;
        return hash % CACHE_SIZE;
}

static const unsigned char *signing_key(struct fg_sigv4 *v, const struct fg_sigv4_claim *claim,
                                        const char *secret)
{
        struct derived *d = &v->cache[cache_slot(claim)];

        if (fg_streq(d->key_id, claim->key_id) && fg_streq(d->date, claim->date) &&
            fg_streq(d->region, claim->region) && fg_streq(d->service, claim->service))
                return d->key;
        memcpy(d->key_id, claim->key_id, sizeof(d->key_id));
        memcpy(d->date, claim->date, sizeof(d->date));
        memcpy(d->region, claim->region, sizeof(d->region));
        memcpy(d->service, claim->service, sizeof(d->service));
        derive(v, claim, secret, d->key);
        return d->key;
}

void fg_sigv4_forget(struct fg_sigv4 *v, const char *key_id)
{
        for (size_t i = 0; i < CACHE_SIZE; i++)
                if (fg_streq(v->cache[i].key_id, key_id))
                        OPENSSL_cleanse(&v->cache[i], sizeof(v->cache[i]));
}

/* ---- time ---- */

static void format_stamp(uint64_t seconds, char ret[17])
{
        time_t t = (time_t)seconds;
        struct tm tm;

        (void)gmtime_r(&t, &tm);
        if (strftime(ret, 17, "%Y%m%dT%H%M%SZ", &tm) == 0)
                ret[0] = '\0';
}

enum fg_auth_result fg_sigv4_check_time(const struct fg_sigv4_claim *claim, uint64_t now,
                                        struct fg_error *err)
{
        uint64_t early = now - FG_SIGV4_SKEW_SEC, late = now + FG_SIGV4_SKEW_SEC;
        char now_text[17], early_text[17], late_text[17];

        format_stamp(now, now_text);
        format_stamp(early, early_text);
        format_stamp(late, late_text);
        if (strncmp(claim->date, claim->stamp, 8) != 0) {
                fg_fail(err, FG_ERR_DENIED,
                        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
                        "date from HTTP: '%s' != '%.8s', from '%s'.",
                        claim->date, claim->stamp, claim->stamp);
                return FG_AUTH_SIGNATURE;
        }
        if (claim->time > late) {
                fg_fail(err, FG_ERR_DENIED,
                        "Signature not yet current: %s is still later than %s (%s + 5 min.)",
                        claim->stamp, late_text, now_text);
                return FG_AUTH_SIGNATURE;
        }
        if (claim->presigned && claim->time + claim->expires < now) {
                fg_fail(err, FG_ERR_DENIED, "Request has expired.");
                return FG_AUTH_EXPIRED;
        }
        if (!claim->presigned && claim->time < early) {
                fg_fail(err, FG_ERR_DENIED,
                        "Signature expired: %s is now earlier than %s (%s - 5 min.)", claim->stamp,
                        early_text, now_text);
                return FG_AUTH_SIGNATURE;
        }
        return FG_AUTH_OK;
}

/* ---- the signature ---- */

static int matches(struct fg_sigv4 *v, const struct fg_sigv4_message *m,
                   const struct fg_sigv4_claim *claim, const unsigned char *key, bool as_sent,
                   struct fg_error *err)
{
        const char *canonical = fg_sigv4_canonical(v, m, claim, as_sent, err);
        unsigned char sum[SHA256_LEN];
        char hash[2 * SHA256_LEN + 1], to_sign[256];

        if (!canonical)
                return -1;
        sigv4_hex_digest(v, canonical, v->text.len, hash);
        (void)snprintf(to_sign, sizeof(to_sign), SIGV4_PREFIX "\n%s\n%s/%s/%s/aws4_request\n%s",
                       claim->stamp, claim->date, claim->region, claim->service, hash);
        hmac(v, key, SHA256_LEN, to_sign, sum);
        return CRYPTO_memcmp(sum, claim->signature, sizeof(sum)) == 0;
}

/*
 * The specification encodes a path that is already encoded once more, and puts parameters in order.
 * libcurl before 8.3 signs both exactly as it sends them: that is accepted too. A text that fits
 * either way binds the same request, since no two of our requests differ in encoding alone.
 */
enum fg_auth_result fg_sigv4_verify(struct fg_sigv4 *v, const struct fg_sigv4_message *m,
                                    const struct fg_sigv4_claim *claim, const char *secret,
                                    struct fg_error *err)
{
        const unsigned char *key = signing_key(v, claim, secret);
        int r = matches(v, m, claim, key, false, err);

        if (r == 0 && !claim->presigned && !fg_streq(m->uri, "/"))
                r = matches(v, m, claim, key, true, err);
        if (r == 0)
                fg_fail(err, FG_ERR_DENIED,
                        "The request signature we calculated does not match the signature you "
                        "provided. Check your AWS Secret Access Key and signing method. Consult "
                        "the service documentation for details.");
        return r > 0 ? FG_AUTH_OK : FG_AUTH_SIGNATURE;
}
