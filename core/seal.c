/* SPDX-License-Identifier: Apache-2.0 */
#include "core/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/digest.h"
#include "core/fs.h"
#include "core/id.h"
#include "core/str.h"

#define VERSION  1
#define KEY_LEN  32
#define ID_BYTES (FG_SEAL_ID_LEN / 2)
#define NONCE    12
#define TAG      16
#define HEAD     (1 + ID_BYTES + NONCE)
#define TEXT_LEN (2 * KEY_LEN)

_Static_assert(HEAD + TAG == FG_SEAL_OVERHEAD, "the header says so");

struct fg_seal {
        struct fg_secret key; /* KEY_LEN bytes */
        unsigned char id[ID_BYTES];
        char id_text[FG_SEAL_ID_LEN + 1];
};

FG_DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free)

/* ---- the key ---- */

static int make_key(const char *path, struct fg_error *err)
{
        unsigned char random[KEY_LEN];
        fg_autosecret text = FG_SECRET_INIT;
        int r;

        fg_secret_alloc(&text, TEXT_LEN + 1);
        fg_random(random, sizeof(random));
        fg_hex(random, sizeof(random), text.data);
        explicit_bzero(random, sizeof(random));
        text.data[TEXT_LEN] = '\n';
        r = fg_write_file(path, text.data, text.len, 0600, err);
        return r;
}

static int hex_digit(char c)
{
        const char *digits = "0123456789abcdef", *p = c ? strchr(digits, c) : NULL;

        return p ? (int)(p - digits) : -1;
}

static bool parse_hex(const char *text, size_t n, unsigned char *ret)
{
        for (size_t i = 0; i < n; i++) {
                int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

                if (high < 0 || low < 0)
                        return false;
                ret[i] = (unsigned char)(high << 4 | low);
        }
        return true;
}

static bool parse_key(const char *text, size_t len, char *ret)
{
        if (len < TEXT_LEN || (len > TEXT_LEN && text[TEXT_LEN] != '\n') || len > TEXT_LEN + 1)
                return false;
        return parse_hex(text, KEY_LEN, (unsigned char *)ret);
}

/* The id is of the key's digest under a label of its own: it says nothing about the key. */
static void derive_id(struct fg_seal *s)
{
        static const char label[] = "fgrun key id";
        fg_cleanup(fg_sha256_freep) struct fg_sha256 *h = fg_sha256_new();
        char sum[FG_DIGEST_LEN + 1];

        fg_sha256_update(h, label, sizeof(label));
        fg_sha256_update(h, s->key.data, s->key.len);
        fg_sha256_final(h, sum);
        memcpy(s->id_text, sum + strlen("sha256:"), FG_SEAL_ID_LEN);
        (void)parse_hex(s->id_text, ID_BYTES, s->id);
}

static int check_file(int fd, const char *path, struct fg_error *err)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return fg_fail_errno(err, errno, "%s", path);
        if (!S_ISREG(st.st_mode))
                return fg_fail(err, FG_ERR_INVALID, "%s: not a regular file", path);
        if (st.st_uid != geteuid() && st.st_uid != 0)
                return fg_fail(err, FG_ERR_DENIED, "%s: belongs to another user (uid %u)", path,
                               (unsigned)st.st_uid);
        if (st.st_mode & 077)
                return fg_fail(err, FG_ERR_DENIED, "%s: has mode %04o, must be 0600", path,
                               (unsigned)st.st_mode & 07777);
        return 0;
}

static int read_key(struct fg_seal *s, const char *path, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
        fg_autosecret text = FG_SECRET_INIT;
        ssize_t n;

        if (fd < 0)
                return fg_fail_errno(err, errno, "%s", path);
        if (check_file(fd, path, err) < 0)
                return -1;
        fg_secret_alloc(&text, TEXT_LEN + 2);
        n = read(fd, text.data, text.len);
        if (n < 0)
                return fg_fail_errno(err, errno, "%s", path);
        fg_secret_alloc(&s->key, KEY_LEN);
        if (!parse_key(text.data, (size_t)n, s->key.data))
                return fg_fail(err, FG_ERR_INVALID, "%s: not a key: expected %d hex digits", path,
                               TEXT_LEN);
        return 0;
}

int fg_seal_open(const char *path, bool may_create, struct fg_seal **ret, struct fg_error *err)
{
        fg_cleanup(fg_seal_freep) struct fg_seal *s = fg_calloc(1, sizeof(*s));

        if (may_create && !fg_exists(path) && make_key(path, err) < 0)
                return fg_wrap(err, "sealing key");
        if (read_key(s, path, err) < 0)
                return fg_wrap(err, "sealing key");
        derive_id(s);
        *ret = fg_take_ptr(s);
        return 0;
}

void fg_seal_free(struct fg_seal *s)
{
        if (!s)
                return;
        fg_secret_finish(&s->key);
        free(s);
}

const char *fg_seal_id(const struct fg_seal *s)
{
        return s->id_text;
}

/* ---- sealing ---- */

static int start(EVP_CIPHER_CTX *ctx, const struct fg_seal *s, const unsigned char *nonce,
                 const char *context, int encrypt)
{
        int n;

        return EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, (unsigned char *)s->key.data, nonce,
                                 encrypt) == 1 &&
               EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)context,
                                (int)strlen(context)) == 1;
}

int fg_seal_wrap(const struct fg_seal *s, const char *context, const void *data, size_t len,
                 struct fg_buf *ret, struct fg_error *err)
{
        fg_cleanup(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
        unsigned char *out;
        int n = 0, rest = 0;

        if (len > INT_MAX)
                return fg_fail(err, FG_ERR_CAPACITY, "%zu bytes to seal", len);
        if (fg_buf_reserve(ret, len + FG_SEAL_OVERHEAD, err) < 0)
                return -1;
        out = (unsigned char *)ret->data + ret->len;
        out[0] = VERSION;
        memcpy(out + 1, s->id, ID_BYTES);
        fg_random(out + 1 + ID_BYTES, NONCE);
        if (!ctx || !start(ctx, s, out + 1 + ID_BYTES, context, 1) ||
            EVP_CipherUpdate(ctx, out + HEAD, &n, data, (int)len) != 1 ||
            EVP_CipherFinal_ex(ctx, out + HEAD + n, &rest) != 1 ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, out + HEAD + len) != 1)
                return fg_fail(err, FG_ERR_INTERNAL, "the cipher failed");
        ret->len += len + FG_SEAL_OVERHEAD;
        ret->data[ret->len] = '\0';
        return 0;
}

static int check_head(const struct fg_seal *s, const unsigned char *in, size_t len,
                      struct fg_error *err)
{
        if (len < FG_SEAL_OVERHEAD || len > INT_MAX || in[0] != VERSION)
                return fg_fail(err, FG_ERR_INVALID, "a sealed value is damaged");
        if (memcmp(in + 1, s->id, ID_BYTES) != 0)
                return fg_fail(err, FG_ERR_DENIED, "a value was sealed with another key");
        return 0;
}

int fg_seal_unwrap(const struct fg_seal *s, const char *context, const void *sealed, size_t len,
                   struct fg_secret *ret, struct fg_error *err)
{
        fg_cleanup(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
        const unsigned char *in = sealed;
        fg_autosecret plain = FG_SECRET_INIT;
        unsigned char tag[TAG];
        int n = 0, rest = 0;

        if (check_head(s, in, len, err) < 0)
                return -1;
        fg_secret_alloc(&plain, len - FG_SEAL_OVERHEAD);
        memcpy(tag, in + len - TAG, TAG);
        if (!ctx || !start(ctx, s, in + 1 + ID_BYTES, context, 0) ||
            EVP_CipherUpdate(ctx, (unsigned char *)plain.data, &n, in + HEAD, (int)plain.len) !=
                    1 ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) != 1 ||
            EVP_CipherFinal_ex(ctx, (unsigned char *)plain.data + n, &rest) != 1)
                return fg_fail(err, FG_ERR_INVALID, "a sealed value is damaged");
        fg_secret_finish(ret);
        *ret = plain;
        plain = FG_SECRET_INIT;
        return 0;
}
