/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/cwlogs/filter.h"
#include "api/cwlogs/pattern.h"
#include "core/str.h"
#include "tests/fuzz/fuzz.h"

/* The first line is a filter pattern and a datetime format, the rest is a message. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        const uint8_t *end = memchr(data, '\n', len);
        const size_t first = end ? (size_t)(end - data) : len;
        fg_autofree char *text = fg_calloc(1, first + 1);
        fg_cleanup(fg_filter_freep) struct fg_filter *filter = NULL;
        fg_cleanup(fg_pattern_freep) struct fg_pattern *datetime = NULL;
        struct fg_error err = FG_ERROR_INIT;
        const char *message = end ? (const char *)end + 1 : "";

        memcpy(text, data, first);
        filter = fg_filter_parse(text, &err);
        if (filter)
                (void)fg_filter_matches(filter, message, end ? len - first - 1 : 0);
        datetime = fg_pattern_datetime(text, &err);
        if (datetime)
                (void)fg_pattern_matches(datetime, message, end ? len - first - 1 : 0);
        return 0;
}
