/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/auth/sigv4.h"
#include "core/str.h"
#include "tests/fuzz/fuzz.h"

/*
 * A request in lines: method, URI, headers "name: value" up to an empty line, then the body. What
 * the parser accepts is canonicalised and verified; what is forged must never be found good.
 */
static char *take_line(char **rest)
{
        char *line = *rest, *end = strchrnul(line, '\n');

        *rest = *end ? end + 1 : end;
        *end = '\0';
        return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        fg_cleanup(fg_sigv4_freep) struct fg_sigv4 *v = fg_sigv4_new();
        struct fg_sigv4_header headers[FG_SIGV4_HEADERS_MAX];
        fg_autofree char *text = fg_calloc(1, len + 1);
        struct fg_sigv4_message m = { .headers = headers };
        struct fg_error err = FG_ERROR_INIT;
        struct fg_sigv4_claim claim;
        char *rest = text, *line;

        memcpy(text, data, len);
        m.method = take_line(&rest);
        m.uri = take_line(&rest);
        while (*(line = take_line(&rest)) && m.n_headers < FG_SIGV4_HEADERS_MAX) {
                char *colon = strstr(line, ": ");

                if (!colon)
                        continue;
                *colon = '\0';
                headers[m.n_headers++] = (struct fg_sigv4_header){ line, colon + 2 };
        }
        m.body = rest;
        m.body_len = strlen(rest);
        if (fg_sigv4_parse(&m, &claim, &err) != FG_AUTH_OK)
                return 0;
        (void)fg_sigv4_check_time(&claim, 1440938160, &err);
        (void)fg_sigv4_canonical(v, &m, &claim, true, &err);
        if (fg_sigv4_verify(v, &m, &claim, "no file of the corpus is signed with this", &err) ==
            FG_AUTH_OK)
                abort();
        return 0;
}
