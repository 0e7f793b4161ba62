/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/digest.h"
#include "core/str.h"

/* The guest's implementation against the examples of FIPS 180-4. */
static void known_answers(void **state)
{
        static const struct {
                const char *text, *digest;
        } cases[] = {
                { "", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
                { "abc",
                  "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
                { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                  "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                fg_cleanup(fg_sha256_freep) struct fg_sha256 *h = fg_sha256_new();
                char digest[FG_DIGEST_LEN + 1];

                for (const char *c = cases[i].text; *c; c++)
                        fg_sha256_update(h, c, 1);
                fg_sha256_final(h, digest);
                assert_string_equal(digest, cases[i].digest);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(known_answers) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
