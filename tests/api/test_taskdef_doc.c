/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/taskdef_private.h"
#include "core/buf.h"
#include "core/str.h"

/* docs/task-definition.md has one row for each row of the tables, with the same status. */

static const char *const statuses[] = {
        [FG_FIELD_SUPPORTED] = "supported", [FG_FIELD_RECORDED] = "recorded",
        [FG_FIELD_LATER] = "not yet",       [FG_FIELD_REFUSED] = "refused",
        [FG_FIELD_OUTPUT] = "output",
};

static size_t check_object(const char *doc, const char *prefix, const struct fg_object *o);

static size_t check_field(const char *doc, const char *prefix, const struct fg_field *f)
{
        bool is_list = f->type == FG_FIELD_OBJECTS;
        fg_autofree char *path = fg_asprintf("%s%s", prefix, f->name);
        fg_autofree char *row = fg_asprintf("\n| `%s` | %s |", path, statuses[f->status]);
        fg_autofree char *below = fg_asprintf("%s%s.", path, is_list ? "[]" : "");

        if (!strstr(doc, row))
                fail_msg("docs/task-definition.md lacks the row%s", row);
        /* Containers have a section of their own. */
        if (f->object == &fg_container_object)
                return 1 + check_object(doc, "", f->object);
        return 1 + (f->object ? check_object(doc, below, f->object) : 0);
}

static size_t check_object(const char *doc, const char *prefix, const struct fg_object *o)
{
        size_t n = 0;

        for (size_t i = 0; i < o->n_fields; i++)
                n += check_field(doc, prefix, &o->fields[i]);
        return n;
}

static void the_page_and_the_tables_agree(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf doc = FG_BUF_INIT(1 << 20);
        struct fg_error err = FG_ERROR_INIT;
        size_t rows = 0, n;

        if (fg_buf_read_file(&doc, FG_DOC, &err) < 0)
                fail_msg("%s", err.msg);
        n = check_object(doc.data, "", &fg_taskdef_object) +
            check_object(doc.data, "overrides.", &fg_overrides_object);
        for (const char *p = doc.data; (p = strstr(p, "\n| `")); p++)
                rows++;
        assert_int_equal(rows, n); /* and none for a field that does not exist */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_page_and_the_tables_agree),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
