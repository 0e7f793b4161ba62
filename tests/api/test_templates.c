/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/templates.h"
#include "core/fs.h"
#include "core/str.h"

/* The templates of a daemon, which may begin a new life. */

struct fixture {
        sd_event *event;
        struct fg_lane *io;
        char dir[32];
        struct fg_templates *templates;
};

static const char images[2][FG_DIGEST_LEN + 1] = {
        "sha256:1111111111111111111111111111111111111111111111111111111111111111",
        "sha256:2222222222222222222222222222222222222222222222222222222222222222",
};
static const struct fg_template_shape small = { .vcpus = 1, .memory_mib = 512 };

/* What is to be removed is gone when the lane has ended. */
static void settle(struct fixture *f)
{
        struct fg_error err = FG_ERROR_INIT;

        fg_lane_free(f->io);
        assert_int_equal(fg_lane_new(f->event, "io", 1, &f->io, &err), 0);
}

static void begin_life(struct fixture *f, const char *key, unsigned max)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_templates_config config = { .dir = f->dir, .key = key, .max = max };

        settle(f);
        fg_templates_free(f->templates);
        config.io = f->io;
        if (fg_templates_new(&config, &f->templates, &err) < 0)
                fail_msg("%s", err.msg);
}

static int set_up(void **state)
{
        struct fixture *f = fg_calloc(1, sizeof(*f));
        struct fg_error err = FG_ERROR_INIT;

        assert_true(sd_event_new(&f->event) >= 0);
        assert_int_equal(fg_lane_new(f->event, "io", 1, &f->io, &err), 0);
        (void)snprintf(f->dir, sizeof(f->dir), "/tmp/fg-templates-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        *state = f;
        begin_life(f, "kernel", 2);
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;

        fg_lane_free(f->io);
        fg_templates_free(f->templates);
        sd_event_unref(f->event);
        assert_int_equal(fg_rm_rf(f->dir, &err), 0);
        free(f);
        return 0;
}

static void name_of(struct fixture *f, unsigned vcpus, char ret[FG_TEMPLATE_NAME_LEN + 1])
{
        struct fg_template_shape shape = small;

        shape.vcpus = vcpus;
        fg_templates_name(f->templates, &shape, ret);
}

static void make(struct fixture *f, const char *name)
{
        struct fg_error err = FG_ERROR_INIT;

        assert_true(fg_templates_begin(f->templates, name));
        for (enum fg_template_file file = 0; file <= FG_TEMPLATE_SCRATCH; file++) {
                fg_autofree char *path = fg_templates_path(f->templates, name, file);

                assert_int_equal(fg_write_file(path, "x", 1, 0600, &err), 0);
        }
        fg_templates_commit(f->templates, name);
}

static unsigned entries(const struct fixture *f)
{
        fg_cleanup(closedirp) DIR *dir = opendir(f->dir);
        const struct dirent *e;
        unsigned n = 0;

        assert_non_null(dir);
        while ((e = readdir(dir)))
                n += e->d_name[0] != '.';
        return n;
}

static void names_say_what_a_guest_is(void **state)
{
        struct fg_template_shape shapes[] = { small, small, small, small, small, small };
        char names[FG_ARRAY_SIZE(shapes)][FG_TEMPLATE_NAME_LEN + 1];
        char again[FG_TEMPLATE_NAME_LEN + 1];
        struct fixture *f = *state;

        shapes[1].vcpus = 2;
        shapes[2].memory_mib = 1024;
        shapes[3].nic = true;
        shapes[4].n_images = 1;
        shapes[4].manifests = &images[0];
        shapes[5].n_images = 1;
        shapes[5].manifests = &images[1];
        for (size_t i = 0; i < FG_ARRAY_SIZE(shapes); i++) {
                fg_templates_name(f->templates, &shapes[i], names[i]);
                assert_int_equal(strlen(names[i]), FG_TEMPLATE_NAME_LEN);
                for (size_t j = 0; j < i; j++)
                        assert_string_not_equal(names[i], names[j]);
        }
        begin_life(f, "kernel", 2);
        fg_templates_name(f->templates, &shapes[4], again);
        assert_string_equal(again, names[4]);
        begin_life(f, "another kernel", 2);
        fg_templates_name(f->templates, &shapes[4], again);
        assert_string_not_equal(again, names[4]);
}

static void one_is_made_and_outlives_the_daemon(void **state)
{
        char name[FG_TEMPLATE_NAME_LEN + 1];
        struct fixture *f = *state;

        name_of(f, 1, name);
        assert_false(fg_templates_find(f->templates, name));
        assert_true(fg_templates_begin(f->templates, name));
        assert_false(fg_templates_begin(f->templates, name)); /* one at a time */
        assert_false(fg_templates_find(f->templates, name));
        fg_templates_abandon(f->templates, name);
        assert_false(fg_templates_begin(f->templates, name)); /* not while its files are going */
        settle(f);
        assert_int_equal(entries(f), 0);
        make(f, name);
        assert_true(fg_templates_find(f->templates, name));
        begin_life(f, "kernel", 2);
        assert_true(fg_templates_find(f->templates, name));
        assert_false(fg_templates_begin(f->templates, name));
        begin_life(f, "another kernel", 2);
        assert_int_equal(entries(f), 0);
}

static void what_is_half_made_is_removed(void **state)
{
        char name[FG_TEMPLATE_NAME_LEN + 1];
        struct fixture *f = *state;

        name_of(f, 1, name);
        assert_true(fg_templates_begin(f->templates, name));
        assert_int_equal(entries(f), 1);
        begin_life(f, "kernel", 2);
        assert_int_equal(entries(f), 0);
        assert_true(fg_templates_begin(f->templates, name));
}

static void write_to(struct fixture *f, const char *name, enum fg_template_file file)
{
        fg_autofree char *path = fg_templates_path(f->templates, name, file);
        fg_autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
        struct stat before, after;

        assert_true(fd >= 0 && fstat(fd, &before) == 0);
        do { /* the kernel's clock for files ticks a hundred times a second */
                assert_int_equal(pwrite(fd, "x", 1, 0), 1); /* the same content, even */
                assert_int_equal(fstat(fd, &after), 0);
        } while (memcmp(&before.st_ctim, &after.st_ctim, sizeof(after.st_ctim)) == 0);
}

static void one_that_was_written_to_is_dropped(void **state)
{
        char name[FG_TEMPLATE_NAME_LEN + 1];
        struct fixture *f = *state;

        name_of(f, 1, name);
        for (enum fg_template_file file = 0; file <= FG_TEMPLATE_SCRATCH; file++) {
                make(f, name);
                assert_true(fg_templates_find(f->templates, name));
                write_to(f, name, file);
                assert_false(fg_templates_find(f->templates, name));
                settle(f);
                assert_int_equal(entries(f), 0);
                assert_false(fg_templates_begin(f->templates, name)); /* not again in this life */
                begin_life(f, "kernel", 2);
        }
        assert_true(fg_templates_begin(f->templates, name));
}

static void one_that_fails_is_dropped(void **state)
{
        char name[FG_TEMPLATE_NAME_LEN + 1];
        struct fixture *f = *state;
        fg_autojson *json = NULL;

        name_of(f, 1, name);
        make(f, name);
        fg_templates_drop(f->templates, name, "the guest did not answer");
        assert_false(fg_templates_find(f->templates, name));
        json = fg_templates_to_json(f->templates);
        assert_string_equal(fg_json_str(json, "dropped"), "the guest did not answer");
        assert_int_equal(fg_json_int(json, "ready", -1), 0);
        settle(f);
        assert_int_equal(entries(f), 0);
}

static void the_least_recently_used_makes_room(void **state)
{
        char names[3][FG_TEMPLATE_NAME_LEN + 1];
        struct fixture *f = *state;

        for (unsigned i = 0; i < 3; i++)
                name_of(f, i + 1, names[i]);
        make(f, names[0]);
        make(f, names[1]);
        assert_true(fg_templates_find(f->templates, names[0]));
        make(f, names[2]);
        assert_true(fg_templates_find(f->templates, names[0]));
        assert_false(fg_templates_find(f->templates, names[1]));
        settle(f);
        assert_int_equal(entries(f), 2);
}

static void none_are_made_where_there_can_be_none(void **state)
{
        char name[FG_TEMPLATE_NAME_LEN + 1];
        struct fixture *f = *state;

        begin_life(f, "kernel", 0);
        name_of(f, 1, name);
        assert_false(fg_templates_begin(f->templates, name));
        begin_life(f, "", 2); /* the hypervisor cannot save */
        assert_false(fg_templates_begin(f->templates, name));
        assert_int_equal(entries(f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(names_say_what_a_guest_is),
                TEST(one_is_made_and_outlives_the_daemon),
                TEST(what_is_half_made_is_removed),
                TEST(one_that_was_written_to_is_dropped),
                TEST(one_that_fails_is_dropped),
                TEST(the_least_recently_used_makes_room),
                TEST(none_are_made_where_there_can_be_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
