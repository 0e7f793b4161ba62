/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/awscreds.h"

#include <ini.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/str.h"

static const char *env(const char *name)
{
        const char *value = getenv(name);

        return value && *value ? value : NULL;
}

static void wipe(char **s)
{
        if (*s)
                explicit_bzero(*s, strlen(*s));
        free(fg_take_ptr(*s));
}

void fg_awscreds_finish(struct fg_awscreds *c)
{
        wipe(&c->key_id);
        wipe(&c->secret);
        wipe(&c->token);
        wipe(&c->region);
}

static void set(char **s, const char *value)
{
        wipe(s);
        *s = fg_strdup(value);
}

/* ---- the files ---- */

struct file {
        struct fg_awscreds *creds;
        const char *profile;
        bool found;
};

/* "[NAME]" in the one file, "[profile NAME]" (but "[default]") in the other. */
static bool is_section(const char *section, const char *profile)
{
        if (fg_streq(section, profile))
                return true;
        return fg_starts_with(section, "profile ") &&
               fg_streq(section + strlen("profile "), profile);
}

static int on_line(void *userdata, const char *section, const char *key, const char *value)
{
        static const struct {
                const char *key;
                size_t offset;
        } keys[] = { { "aws_access_key_id", offsetof(struct fg_awscreds, key_id) },
                     { "aws_secret_access_key", offsetof(struct fg_awscreds, secret) },
                     { "aws_session_token", offsetof(struct fg_awscreds, token) },
                     { "region", offsetof(struct fg_awscreds, region) } };
        struct file *f = userdata;

        if (!is_section(section, f->profile))
                return 1;
        f->found = true;
        for (size_t i = 0; i < FG_ARRAY_SIZE(keys); i++) {
                char **field = (char **)(void *)((char *)f->creds + keys[i].offset);

                /* What the credentials file says, which is read first, holds. */
                if (fg_streq(keys[i].key, key) && *value && !*field)
                        *field = fg_strdup(value);
        }
        return 1;
}

static void read_file(struct file *f, const char *variable, const char *name)
{
        const char *home = env("HOME"), *given = env(variable);
        fg_autofree char *path = NULL;

        if (given)
                path = fg_strdup(given);
        else if (home)
                path = fg_asprintf("%s/.aws/%s", home, name);
        /* Files with lines that are none of ours are AWS's business. */
        if (path)
                (void)ini_parse(path, on_line, f);
}

/* ---- the environment ---- */

static void read_environment(struct fg_awscreds *c)
{
        const char *region = env("AWS_REGION") ?: env("AWS_DEFAULT_REGION");

        if (env("AWS_ACCESS_KEY_ID") && env("AWS_SECRET_ACCESS_KEY")) {
                set(&c->key_id, env("AWS_ACCESS_KEY_ID"));
                set(&c->secret, env("AWS_SECRET_ACCESS_KEY"));
                set(&c->token, env("AWS_SESSION_TOKEN"));
        }
        if (region)
                set(&c->region, region);
}

int fg_awscreds_find(struct fg_awscreds *ret, struct fg_error *err)
{
        const char *profile = env("AWS_PROFILE");
        struct file f = { .creds = ret, .profile = profile ? profile : "default" };

        *ret = (struct fg_awscreds){ 0 };
        read_file(&f, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
        read_file(&f, "AWS_CONFIG_FILE", "config");
        read_environment(ret);
        if (profile && !f.found && !ret->key_id) {
                fg_awscreds_finish(ret);
                return fg_fail(err, FG_ERR_INVALID,
                               "AWS_PROFILE=%s: there is no such profile in ~/.aws/credentials and "
                               "~/.aws/config",
                               profile);
        }
        if (!ret->key_id != !ret->secret) {
                bool id = ret->key_id != NULL;

                fg_awscreds_finish(ret);
                return fg_fail(err, FG_ERR_INVALID, "the AWS credentials have %s",
                               id ? "a key id, but no secret" : "a secret, but no key id");
        }
        return ret->key_id ? 1 : 0;
}
