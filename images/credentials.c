/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <string.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"
#include "images/auth.h"

#define CONFIG_MAX (1u << 20)
#define AUTH_MAX   16384

static void wipe_free(char *s)
{
        if (!s)
                return;
        explicit_bzero(s, strlen(s));
        free(s);
}

void fg_credentials_finish(struct fg_credentials *c)
{
        wipe_free(c->user);
        wipe_free(c->password);
        *c = (struct fg_credentials){ 0 };
}

char *fg_credentials_basic(const struct fg_credentials *c)
{
        fg_autofree char *plain = fg_asprintf("%s:%s", c->user, c->password);
        size_t len = strlen(plain);
        fg_autofree char *coded = fg_calloc(1, (len + 2) / 3 * 4 + 1);

        (void)EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)plain, (int)len);
        return fg_asprintf("Basic %s", coded);
}

/* "auth": base64 of user:password. */
static int decode_auth(const char *auth, struct fg_credentials *ret, struct fg_error *err)
{
        size_t len = strlen(auth);
        fg_autofree char *plain = NULL;
        char *colon = NULL;
        int n = -1;

        if (len > 0 && len < AUTH_MAX && len % 4 == 0) {
                plain = fg_calloc(1, len / 4 * 3 + 1);
                n = EVP_DecodeBlock((unsigned char *)plain, (const unsigned char *)auth, (int)len);
        }
        if (n >= 0)
                colon = strchr(plain, ':');
        if (!colon)
                return fg_fail(err, FG_ERR_INVALID, "\"auth\" is not base64 of user:password");
        *colon = '\0';
        ret->user = fg_strdup(plain);
        ret->password = fg_strdup(colon + 1);
        return 0;
}

/* Keys are written as "host", "https://host" or "https://host/v1/". */
static bool key_matches(const char *key, const char *registry)
{
        size_t len;

        if (fg_starts_with(key, "https://"))
                key += strlen("https://");
        else if (fg_starts_with(key, "http://"))
                key += strlen("http://");
        len = strcspn(key, "/");
        if (fg_streq(registry, "docker.io"))
                return (len == 15 && memcmp(key, "index.docker.io", len) == 0) ||
                       (len == 20 && memcmp(key, "registry-1.docker.io", len) == 0) ||
                       (len == 9 && memcmp(key, "docker.io", len) == 0);
        return len == strlen(registry) && strncasecmp(key, registry, len) == 0;
}

static struct json_object *find_entry(struct json_object *map, const char *registry)
{
        struct json_object_iter entry;

        if (!map)
                return NULL;
        json_object_object_foreachC(map, entry)
        {
                if (key_matches(entry.key, registry))
                        return entry.val;
        }
        return NULL;
}

static int from_entry(struct json_object *entry, struct fg_credentials *ret, struct fg_error *err)
{
        const char *auth = fg_json_str(entry, "auth");
        const char *user = fg_json_str(entry, "username");
        const char *password = fg_json_str(entry, "password");
        const char *identity = fg_json_str(entry, "identitytoken");

        if (identity && *identity)
                return fg_fail(err, FG_ERR_INVALID,
                               "identitytoken is not supported; log in with user and password");
        if (auth && *auth)
                return decode_auth(auth, ret, err) < 0 ? -1 : 1;
        if (!user || !password)
                return 0;
        ret->user = fg_strdup(user);
        ret->password = fg_strdup(password);
        return 1;
}

static int from_config(struct json_object *config, const char *registry, struct fg_credentials *ret,
                       struct fg_error *err)
{
        struct json_object *helper = find_entry(fg_json_obj(config, "credHelpers"), registry);
        const char *store = fg_json_str(config, "credsStore");
        struct json_object *entry = find_entry(fg_json_obj(config, "auths"), registry);
        int r = 0;

        if (helper)
                return fg_fail(err, FG_ERR_INVALID, "credHelpers \"%s\" is not supported",
                               json_object_get_string(helper));
        if (entry)
                r = from_entry(entry, ret, err);
        if (r == 0 && store && *store)
                return fg_fail(err, FG_ERR_INVALID,
                               "credsStore \"%s\" is not supported; put the credentials into "
                               "\"auths\"",
                               store);
        return r;
}

int fg_credentials_find(const char *config_path, const char *registry, struct fg_credentials *ret,
                        struct fg_error *err)
{
        fg_autojson *config = NULL;
        int r;

        if (!config_path || !fg_exists(config_path))
                return 0;
        config = fg_json_parse_file(config_path, CONFIG_MAX, err);
        if (!config)
                return fg_wrap(err, "credentials");
        r = from_config(config, registry, ret, err);
        return r < 0 ? fg_wrap(err, "credentials for %s in %s", registry, config_path) : r;
}
