/* SPDX-License-Identifier: Apache-2.0 */
#include "api/token.h"

#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/id.h"
#include "core/str.h"

#define TOKEN_BYTES 32

static char *make_token(const char *path, struct fg_error *err)
{
        unsigned char random[TOKEN_BYTES];
        fg_autofree char *token = fg_calloc(1, 2 * TOKEN_BYTES + 1);
        fg_autofree char *line = NULL;

        fg_random(random, sizeof(random));
        fg_hex(random, sizeof(random), token);
        line = fg_asprintf("%s\n", token);
        if (fg_write_file(path, line, strlen(line), 0600, err) < 0)
                return NULL;
        return fg_take_ptr(token);
}

char *fg_token_get(const char *state_dir, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/token", state_dir);
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(4096);
        size_t len;

        if (!fg_exists(path))
                return make_token(path, err);
        if (fg_buf_read_file(&text, path, err) < 0)
                return NULL;
        len = text.data ? strcspn(text.data, "\r\n") : 0;
        if (len < 2 * TOKEN_BYTES) {
                fg_fail(err, FG_ERR_INVALID, "%s: a token has at least %d characters", path,
                        2 * TOKEN_BYTES);
                return NULL;
        }
        text.data[len] = '\0';
        return fg_strdup(text.data);
}
