/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Task definitions and overrides as a stranger sends them. What is accepted must survive a round
 * trip unchanged, take its overrides or say why not, and make a message for the guest.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "api/overrides.h"
#include "api/spec.h"
#include "core/json.h"
#include "core/str.h"

#define INPUT_MAX (256u << 10)

static void check_round_trip(const struct fg_taskdef *def)
{
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *copy = fg_taskdef_copy(def);
        fg_autojson *before = fg_taskdef_to_json(def);
        fg_autojson *after = fg_taskdef_to_json(copy);

        assert(fg_streq(fg_json_text(before), fg_json_text(after)));
}

static void check_spec(const struct fg_taskdef *def)
{
        struct fg_spec_image images[FG_CONTAINERS_MAX] = { 0 };
        struct fg_spec spec = { .id = "0", .def = def, .images = images };
        fg_autojson *json = fg_spec_to_json(&spec);

        assert(json_object_array_length(fg_json_arr(json, "containers")) == def->containers.n);
}

static void check_overrides(const struct fg_taskdef *def, struct json_object *json)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_cleanup(fg_overrides_freep) struct fg_overrides *overrides = fg_overrides_decode(
                json, &problems);
        size_t before = problems.n;
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *applied = fg_overrides_apply(overrides, def,
                                                                                     &problems);

        assert(!applied == (problems.n > before));
        if (applied && before == 0)
                check_round_trip(applied);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = NULL;
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *nested;
        fg_autojson *json = NULL;
        fg_autofree char *text = NULL;

        if (len > INPUT_MAX)
                return 0;
        text = fg_calloc(1, len + 1);
        memcpy(text, data, len);
        json = fg_json_parse(text, len, &err);
        if (!json)
                return 0;
        nested = fg_json_obj(json, "taskDefinition");
        def = fg_taskdef_decode(nested ? nested : json, NULL, &problems);
        assert(!def == (problems.n > 0));
        if (!def) {
                fg_autojson *errors = fg_problems_to_json(&problems);

                assert(json_object_array_length(errors) >= problems.n);
                assert(fg_problems_fail(&problems, "task definition", &err) == -1);
                return 0;
        }
        check_round_trip(def);
        check_spec(def);
        check_overrides(def, fg_json_get(json, "overrides"));
        return 0;
}
