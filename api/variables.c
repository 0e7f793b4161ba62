/* SPDX-License-Identifier: Apache-2.0 */
#include "api/variables.h"

#include "core/buf.h"
#include "core/str.h"
#include "guest-init/protocol.h"

#define LINES_MAX (1u << 20) /* of all messages; the guest's channel holds as much */

struct target {
        struct fg_buf *lines;
        const char *container;
};

bool fg_variables_needed(const struct fg_taskdef *def)
{
        for (size_t i = 0; i < def->containers.n; i++)
                if (def->containers.v[i].secrets.n > 0 ||
                    def->containers.v[i].environment_files.n > 0)
                        return true;
        return false;
}

/* Not through json-c, which would leave copies of the value behind. */
static int put_string(struct fg_buf *out, const char *text, size_t len, struct fg_error *err)
{
        int r = fg_buf_puts(out, "\"", err);

        for (size_t i = 0; r >= 0 && i < len; i++) {
                unsigned char c = (unsigned char)text[i];

                if (c < 0x20)
                        r = fg_buf_printf(out, err, "\\u%04x", c);
                else if (c == '"' || c == '\\')
                        r = fg_buf_printf(out, err, "\\%c", c);
                else
                        r = fg_buf_append(out, text + i, 1, err);
        }
        return r < 0 ? -1 : fg_buf_puts(out, "\"", err);
}

static int put_variable(void *userdata, const char *name, size_t name_len, const char *value,
                        size_t value_len, struct fg_error *err)
{
        const struct target *t = userdata;
        size_t before = t->lines->len;
        struct fg_error full = FG_ERROR_INIT;

        if (fg_buf_puts(t->lines, "{\"type\":\"variable\",\"container\":", &full) < 0 ||
            put_string(t->lines, t->container, strlen(t->container), &full) < 0 ||
            fg_buf_puts(t->lines, ",\"name\":", &full) < 0 ||
            put_string(t->lines, name, name_len, &full) < 0 ||
            fg_buf_puts(t->lines, ",\"value\":", &full) < 0 ||
            put_string(t->lines, value, value_len, &full) < 0 ||
            fg_buf_puts(t->lines, "}\n", &full) < 0)
                return fg_fail(err, FG_ERR_INVALID, "the task's variables are too large");
        if (t->lines->len - before > FG_PROTO_MAX_PAYLOAD)
                return fg_fail(err, FG_ERR_INVALID, "the variable %.*s is too large", (int)name_len,
                               name);
        return 0;
}

/* The last file first: a variable that comes again takes the place of the one before. */
static int add_files(const struct fg_container_def *c, const char *s3_root, struct target *t,
                     struct fg_error *err)
{
        for (size_t i = c->environment_files.n; i-- > 0;) {
                const char *arn = c->environment_files.v[i].value;
                fg_autosecret text = FG_SECRET_INIT;
                int r = s3_root ? fg_envfile_read(s3_root, arn, &text, err)
                                : fg_fail(err, FG_ERR_INVALID, "s3_root is not configured");

                if (r < 0)
                        fg_wrap(err, "%s", arn);
                else
                        r = fg_envfile_parse(arn, text.data, text.len, put_variable, t, err);
                if (r < 0)
                        return fg_wrap(err, "failed to download env files");
        }
        return 0;
}

static int add_secrets(struct fg_vault *v, const struct fg_container_def *c, struct target *t,
                       struct fg_error *err)
{
        for (size_t i = 0; i < c->secrets.n; i++) {
                const struct fg_secret_ref *ref = &c->secrets.v[i];
                fg_autosecret value = FG_SECRET_INIT;

                if (fg_value_from_resolve(v, ref->value_from, &value, err) < 0 ||
                    put_variable(t, ref->name, strlen(ref->name), value.data, value.len, err) < 0)
                        return fg_wrap(err, "unable to pull secrets or registry auth");
        }
        return 0;
}

int fg_variables_resolve(struct fg_vault *v, const struct fg_taskdef *def, const char *s3_root,
                         struct fg_secret *ret, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf lines = FG_BUF_INIT_SECRET(LINES_MAX);

        for (size_t i = 0; i < def->containers.n; i++) {
                const struct fg_container_def *c = &def->containers.v[i];
                struct target t = { .lines = &lines, .container = c->name };

                if (add_files(c, s3_root, &t, err) < 0 || add_secrets(v, c, &t, err) < 0)
                        return -1;
        }
        fg_secret_set(ret, lines.data, lines.len);
        return 0;
}
