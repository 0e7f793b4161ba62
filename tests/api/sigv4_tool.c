/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/sigv4.h"
#include "core/json.h"
#include "core/str.h"

/*
 * Verifies signed requests for test_sigv4.py: a line of JSON in, a line of JSON out. Members of a
 * request: method, uri, headers ([[name, value]…]), body, now, secret, unsignedOk, forget.
 */
static const char *const names[] = {
#define NAME(name, json, query, json_status, query_status, rest_status) #name,
        FG_AUTH_LIST(NAME)
#undef NAME
};

static struct fg_sigv4_header headers[FG_SIGV4_HEADERS_MAX];

static struct fg_sigv4_message message_of(struct json_object *in)
{
        struct json_object *list = fg_json_arr(in, "headers");
        struct fg_sigv4_message m = { .method = fg_json_str(in, "method"),
                                      .uri = fg_json_str(in, "uri"),
                                      .headers = headers,
                                      .body = fg_json_str(in, "body"),
                                      .body_may_be_unsigned = fg_json_bool(in, "unsignedOk",
                                                                           false) };

        m.body_len = strlen(m.body);
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                struct json_object *pair = json_object_array_get_idx(list, i);

                headers[m.n_headers++] = (struct fg_sigv4_header){
                        json_object_get_string(json_object_array_get_idx(pair, 0)),
                        json_object_get_string(json_object_array_get_idx(pair, 1)),
                };
        }
        return m;
}

static void check(struct fg_sigv4 *v, struct json_object *in)
{
        struct fg_sigv4_message m = message_of(in);
        struct json_object *out = json_object_new_object();
        struct fg_error err = FG_ERROR_INIT, ignored = FG_ERROR_INIT;
        struct fg_sigv4_claim claim;
        enum fg_auth_result r = fg_sigv4_parse(&m, &claim, &err);

        if (r == FG_AUTH_OK) {
                fg_json_set_str(out, "keyId", claim.key_id);
                fg_json_set_str(out, "canonical",
                                fg_sigv4_canonical(v, &m, &claim, false, &ignored));
                r = fg_sigv4_check_time(&claim, (uint64_t)fg_json_int(in, "now", 0), &err);
        }
        /* Derived keys are kept by the key's id, whose secret never changes: but here. */
        if (fg_json_bool(in, "forget", false))
                fg_sigv4_forget(v, claim.key_id);
        if (r == FG_AUTH_OK)
                r = fg_sigv4_verify(v, &m, &claim, fg_json_str(in, "secret"), &err);
        fg_json_set_str(out, "result", names[r]);
        fg_json_set_str(out, "message", err.msg);
        (void)puts(fg_json_text(out));
        (void)fflush(stdout);
        json_object_put(out);
}

int main(void)
{
        fg_cleanup(fg_sigv4_freep) struct fg_sigv4 *v = fg_sigv4_new();
        struct fg_error err = FG_ERROR_INIT;
        char *line = NULL;
        size_t size = 0;
        ssize_t len;

        while ((len = getline(&line, &size, stdin)) > 0) {
                struct json_object *in = fg_json_parse(line, (size_t)len, &err);

                if (!in) {
                        (void)fprintf(stderr, "%s\n", err.msg);
                        return 1;
                }
                check(v, in);
                json_object_put(in);
        }
        free(line);
        return 0;
}
