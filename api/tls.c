/* SPDX-License-Identifier: Apache-2.0 */
#include "api/tls.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"

#define PEM_MAX       (1U << 20)
#define DAYS          825
#define RENEW_SECONDS (30 * 86400)
#define BACKDATED     (-3600L) /* clocks differ */
#define DAY           86400L

FG_DEFINE_CLEANUP(X509 *, X509_free)
FG_DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
FG_DEFINE_CLEANUP(BIO *, BIO_free_all)
FG_DEFINE_CLEANUP(X509_EXTENSION *, X509_EXTENSION_free)

void fg_tls_finish(struct fg_tls *t)
{
        if (t->key.data)
                explicit_bzero(t->key.data, t->key.len);
        fg_buf_finish(&t->certificate);
        fg_buf_finish(&t->key);
}

/* ---- reading ---- */

static X509 *read_certificate(const struct fg_buf *pem)
{
        fg_cleanup(BIO_free_allp) BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);

        return bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
}

static int no_password(char *buf, int size, int writing, void *userdata)
{
        (void)buf;
        (void)size;
        (void)writing;
        (void)userdata;
        return -1; /* or OpenSSL would ask on the terminal */
}

static EVP_PKEY *read_key(const struct fg_buf *pem)
{
        fg_cleanup(BIO_free_allp) BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);

        return bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
}

static int set_fingerprint(struct fg_tls *t, const X509 *x509, struct fg_error *err)
{
        unsigned char sum[EVP_MAX_MD_SIZE];
        unsigned len = 0;

        if (X509_digest(x509, EVP_sha256(), sum, &len) != 1 || len != 32)
                return fg_fail(err, FG_ERR_INTERNAL, "fingerprint of the certificate");
        for (unsigned i = 0; i < len; i++)
                (void)snprintf(t->fingerprint + (size_t)i * 3, 4, "%02X%s", sum[i],
                               i + 1 < len ? ":" : "");
        return 0;
}

int fg_tls_load(const char *certificate, const char *key, struct fg_tls *ret, struct fg_error *err)
{
        fg_cleanup(fg_tls_finish) struct fg_tls t = { .certificate = FG_BUF_INIT(PEM_MAX),
                                                      .key = FG_BUF_INIT(PEM_MAX) };
        fg_cleanup(X509_freep) X509 *x509 = NULL;
        fg_cleanup(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;

        if (fg_buf_read_file(&t.certificate, certificate, err) < 0 ||
            fg_buf_read_file(&t.key, key, err) < 0)
                return -1;
        x509 = read_certificate(&t.certificate);
        if (!x509)
                return fg_fail(err, FG_ERR_INVALID, "%s: not a certificate in PEM", certificate);
        pkey = read_key(&t.key);
        if (!pkey)
                return fg_fail(err, FG_ERR_INVALID,
                               "%s: not a private key in PEM without a password", key);
        if (X509_check_private_key(x509, pkey) != 1)
                return fg_fail(err, FG_ERR_INVALID, "%s is not the key of %s", key, certificate);
        if (X509_cmp_current_time(X509_get0_notAfter(x509)) < 0)
                return fg_fail(err, FG_ERR_INVALID, "%s has expired", certificate);
        if (set_fingerprint(&t, x509, err) < 0)
                return -1;
        *ret = t;
        t = (struct fg_tls){ 0 };
        return 0;
}

/* ---- one of our own ---- */

static int add_extension(X509 *x509, int nid, const char *value)
{
        fg_cleanup(X509_EXTENSION_freep) X509_EXTENSION *extension = NULL;
        X509V3_CTX ctx;

        X509V3_set_ctx_nodb(&ctx);
        X509V3_set_ctx(&ctx, x509, x509, NULL, NULL, 0);
        extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
        return extension && X509_add_ext(x509, extension, -1) == 1;
}

static int set_names(X509 *x509)
{
        X509_NAME *name = X509_get_subject_name(x509);
        const unsigned char *text = (const unsigned char *)"fgd, self-signed";
        char host[256] = "localhost";
        fg_autofree char *names = NULL;

        (void)gethostname(host, sizeof(host) - 1);
        names = fg_asprintf("DNS:localhost,IP:127.0.0.1,IP:::1,DNS:%s", host);
        /* A CA of its own, so that it can be given to clients as the one to trust. */
        return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1 &&
               X509_set_issuer_name(x509, name) == 1 &&
               add_extension(x509, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
               add_extension(x509, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
               add_extension(x509, NID_ext_key_usage, "serverAuth") &&
               add_extension(x509, NID_subject_key_identifier, "hash") &&
               (add_extension(x509, NID_subject_alt_name, names) ||
                add_extension(x509, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1"));
}

static X509 *make_certificate(EVP_PKEY *pkey)
{
        fg_cleanup(X509_freep) X509 *x509 = X509_new();
        uint64_t serial = 0;

        if (!x509 || RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1 ||
            X509_set_version(x509, 2) != 1 ||
            ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial >> 1 | 1) != 1 ||
            !X509_gmtime_adj(X509_getm_notBefore(x509), BACKDATED) ||
            !X509_gmtime_adj(X509_getm_notAfter(x509), DAYS * DAY) ||
            X509_set_pubkey(x509, pkey) != 1 || !set_names(x509) ||
            X509_sign(x509, pkey, EVP_sha256()) == 0)
                return NULL;
        return fg_take_ptr(x509);
}

static int write_pem(BIO *bio, const char *path, struct fg_error *err)
{
        char *data = NULL;
        long len = BIO_get_mem_data(bio, &data);

        return fg_write_file(path, data, (size_t)len, 0600, err);
}

static int make_pair(const char *certificate, const char *key, struct fg_error *err)
{
        fg_cleanup(EVP_PKEY_freep) EVP_PKEY *pkey = EVP_EC_gen("P-256");
        fg_cleanup(X509_freep) X509 *x509 = pkey ? make_certificate(pkey) : NULL;
        fg_cleanup(BIO_free_allp) BIO *key_pem = BIO_new(BIO_s_secmem());
        fg_cleanup(BIO_free_allp) BIO *pem = BIO_new(BIO_s_mem());

        if (!x509 || !key_pem || !pem || PEM_write_bio_X509(pem, x509) != 1 ||
            PEM_write_bio_PrivateKey(key_pem, pkey, NULL, NULL, 0, NULL, NULL) != 1)
                return fg_fail(err, FG_ERR_INTERNAL, "cannot make a certificate");
        if (write_pem(key_pem, key, err) < 0)
                return -1;
        return write_pem(pem, certificate, err);
}

static bool lasts(const char *path)
{
        fg_cleanup(fg_buf_finish) struct fg_buf pem = FG_BUF_INIT(PEM_MAX);
        fg_cleanup(X509_freep) X509 *x509 = NULL;
        struct fg_error ignored = FG_ERROR_INIT;
        time_t then = time(NULL) + RENEW_SECONDS;

        if (fg_buf_read_file(&pem, path, &ignored) < 0)
                return false;
        x509 = read_certificate(&pem);
        return x509 && X509_cmp_time(X509_get0_notAfter(x509), &then) > 0;
}

int fg_tls_self_signed(const char *dir, struct fg_tls *ret, struct fg_error *err)
{
        fg_autofree char *certificate = fg_asprintf("%s/cert.pem", dir);
        fg_autofree char *key = fg_asprintf("%s/key.pem", dir);

        if (fg_mkdir_p(dir, 0700, err) < 0)
                return -1;
        if ((!fg_exists(key) || !lasts(certificate)) && make_pair(certificate, key, err) < 0)
                return fg_wrap(err, "self-signed certificate");
        return fg_tls_load(certificate, key, ret, err);
}
