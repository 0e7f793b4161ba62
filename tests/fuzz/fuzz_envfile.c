/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/buf.h"
#include "secrets/secrets.h"
#include "tests/fuzz/fuzz.h"

static int check(void *userdata, const char *name, size_t name_len, const char *value,
                 size_t value_len, struct fg_error *err)
{
        if (name_len == 0 || memchr(name, '=', name_len) || memchr(name, '\n', name_len) ||
            memchr(value, '\n', value_len) || memchr(value, '\0', value_len))
                __builtin_trap();
        return fg_buf_printf(userdata, err, "%.*s=%.*s\n", (int)name_len, name, (int)value_len,
                             value);
}

/* What is accepted, written out again, is accepted and means the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        fg_cleanup(fg_buf_finish) struct fg_buf once = FG_BUF_INIT(1u << 20);
        fg_cleanup(fg_buf_finish) struct fg_buf twice = FG_BUF_INIT(1u << 20);
        struct fg_value_from from;
        struct fg_error err = FG_ERROR_INIT;
        char text[256] = "";

        memcpy(text, data, len < sizeof(text) - 1 ? len : sizeof(text) - 1);
        if (fg_value_from_parse(text, &from, &err) == 0)
                fg_value_from_finish(&from);
        if (fg_envfile_parse("x", (const char *)data, len, check, &once, &err) < 0 || once.len == 0)
                return 0;
        if (fg_envfile_parse("x", once.data, once.len, check, &twice, &err) < 0 ||
            once.len != twice.len || memcmp(once.data, twice.data, once.len) != 0)
                __builtin_trap();
        return 0;
}
