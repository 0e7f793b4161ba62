/* SPDX-License-Identifier: Apache-2.0 */

/* Requests to the metadata endpoint as a container sends them; how they were cut does not matter.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "guest-init/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        struct fg_http_request request = { 0 };
        const char *text = (const char *)data;
        int status, cut = 0;

        if (len > FG_HTTP_HEAD_MAX)
                len = FG_HTTP_HEAD_MAX;
        status = fg_http_parse(text, len, &request);
        assert(status == 0 || (status >= FG_HTTP_OK && status < 600));
        assert(status != 0 || len < FG_HTTP_HEAD_MAX);
        if (status == FG_HTTP_OK) {
                assert(request.path > text && request.path_len > 0 && *request.path == '/');
                assert(request.path + request.path_len < text + len);
                assert(!memchr(request.path, '?', request.path_len));
        }
        for (size_t n = 0; n <= len && cut == 0; n++)
                cut = fg_http_parse(text, n, &request);
        assert(cut == status);
        return 0;
}
