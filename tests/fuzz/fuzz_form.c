/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/aws/form.h"
#include "api/aws/xml.h"
#include "core/json.h"
#include "tests/fuzz/fuzz.h"

/* A form is parsed; what was parsed is written as XML, which holds no character of a tag's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *form = fg_form_parse((const char *)data, len, &err);
        struct json_object_iter it;

        if (!form)
                return 0;
        json_object_object_foreachC(form, it)
        {
                fg_cleanup(fg_buf_finish) struct fg_buf xml = FG_BUF_INIT(8 * len + 1);

                if (strlen(it.key) > len || !json_object_is_type(it.val, json_type_string))
                        __builtin_trap();
                if (fg_xml_append_text(&xml, json_object_get_string(it.val), &err) < 0 ||
                    (xml.data && strpbrk(xml.data, "<>")))
                        __builtin_trap();
        }
        return 0;
}
