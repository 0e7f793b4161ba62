/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/base64.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"

void fg_output_init(struct fg_output *out, bool json, bool timestamps)
{
        *out = (struct fg_output){
                .json = json,
                .timestamps = timestamps,
                .bytes = FG_BUF_INIT(FG_OUTPUT_MAX),
        };
}

void fg_output_finish(struct fg_output *out)
{
        fg_buf_finish(&out->bytes);
}

static int put_stamped(struct fg_output *out, bool *mid_line, const char *time, const char *data,
                       size_t len, struct fg_error *err)
{
        while (len > 0) {
                const char *newline = memchr(data, '\n', len);
                size_t n = newline ? (size_t)(newline - data) + 1 : len;

                if (!*mid_line && fg_buf_printf(&out->bytes, err, "%s ", time) < 0)
                        return -1;
                if (fg_buf_append(&out->bytes, data, n, err) < 0)
                        return -1;
                *mid_line = !newline;
                data += n;
                len -= n;
        }
        return 0;
}

/* The chunk's bytes, decoded, into out->bytes. */
static int gather(struct fg_output *out, struct json_object *line, bool is_err,
                  struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf binary = FG_BUF_INIT(FG_OUTPUT_MAX);
        struct json_object *base64 = fg_json_get(line, "dataBase64");
        struct json_object *text = fg_json_get(line, "data");
        const char *time = fg_json_str(line, "time"), *data = "";
        size_t len = 0;

        if (base64) {
                if (fg_base64_decode(json_object_get_string(base64),
                                     (size_t)json_object_get_string_len(base64), &binary, err) < 0)
                        return -1;
                data = binary.data;
                len = binary.len;
        } else if (text) {
                data = json_object_get_string(text);
                len = (size_t)json_object_get_string_len(text);
        }
        if (out->timestamps)
                return put_stamped(out, &out->mid_line[is_err], time ? time : "-", data, len, err);
        return fg_buf_append(&out->bytes, data, len, err);
}

static void tell_lost(struct json_object *line, const char *stream)
{
        int64_t lost = fg_json_int(line, "lost", 0);

        if (lost > 0)
                (void)fprintf(stderr, "fgrun: %lld bytes of %s's %s were rotated away\n",
                              (long long)lost, fg_json_str(line, "container") ?: "?", stream);
}

int fg_output_write(struct fg_output *out, struct json_object *line, struct fg_error *err)
{
        const char *stream = fg_json_str(line, "stream");
        bool is_err = !out->json && stream && fg_streq(stream, "stderr");
        int r;

        if (!out->json)
                tell_lost(line, is_err ? "stderr" : "stdout");
        fg_buf_clear(&out->bytes);
        r = out->json ? fg_buf_printf(&out->bytes, err, "%s\n", fg_json_text(line))
                      : gather(out, line, is_err, err);
        if (r < 0)
                return -1;
        if (out->bytes.len == 0)
                return 0;
        if (fg_write_all(is_err ? STDERR_FILENO : STDOUT_FILENO, out->bytes.data, out->bytes.len,
                         err) < 0)
                return err->sys == EPIPE ? 1 : fg_wrap(err, "write output");
        if (out->first_ns == 0)
                out->first_ns = fg_mono_ns();
        return 0;
}
