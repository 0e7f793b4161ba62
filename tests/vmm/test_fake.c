/* SPDX-License-Identifier: Apache-2.0 */

/* The fake backend and the fake guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/vmm/fake_host.h"

static void test_a_task_from_start_to_power_off(void **state)
{
        struct host *h = *state;

        host_boot(h, "[{\"name\":\"app\",@,\"command\":"
                     "[\"print\",\"hi\",\"there\",\";\",\"err oops\",\";\",\"exit 3\"]}]");
        host_run_until(h, &h->gone, 1);
        assert_false(h->crashed);
        assert_string_equal(h->events.data, "image.begin:app image.done:app container.started:app "
                                            "container.exited:app:3 task.stopping task.stopped ");
        assert_string_equal(h->output[0].data, "hi there\n");
        assert_string_equal(h->output[1].data, "oops\n");
        assert_int_equal(h->ended, 3);
        host_list(h);
        assert_int_equal(h->n_vms, 1);
        assert_false(h->running);
        host_destroy(h);
        host_list(h);
        assert_int_equal(h->n_vms, 0);
}

static void test_dependencies_and_image_defaults(void **state)
{
        struct host *h = *state;

        host_boot(h, "[{\"name\":\"a\",@,\"dependsOn\":[{\"containerName\":\"b\","
                     "\"condition\":\"SUCCESS\"}]},"
                     "{\"name\":\"b\",@,\"essential\":false,\"command\":[\"sleep 20\"]}]");
        host_run_until(h, &h->gone, 1);
        assert_string_equal(h->events.data,
                            "image.begin:a image.done:a image.begin:b image.done:b "
                            "container.started:b container.exited:b:0 container.started:a "
                            "container.exited:a:0 task.stopping task.stopped ");
        assert_string_equal(h->output[0].data, "default\n");
}

static void test_failures_to_start(void **state)
{
        struct host *h = *state;

        host_boot(h, "[{\"name\":\"a\",@,\"dependsOn\":[{\"containerName\":\"b\","
                     "\"condition\":\"SUCCESS\"}]},"
                     "{\"name\":\"b\",@,\"essential\":false,\"command\":[\"/bin/sh\"]}]");
        host_run_until(h, &h->gone, 1);
        assert_string_equal(h->events.data,
                            "image.begin:a image.done:a image.begin:b image.done:b "
                            "container.failed:b container.failed:a task.stopping task.stopped ");
}

static void test_stop(void **state)
{
        struct host *h = *state;
        struct json_object *stop = json_object_new_object();

        host_boot(h, "[{\"name\":\"a\",@,\"command\":[\"wait\"]},"
                     "{\"name\":\"b\",@,\"stopTimeout\":0,"
                     "\"command\":[\"ignore-stop\",\";\",\"print up\",\";\",\"wait\"]}]");
        while (h->output[2].len == 0)
                assert_true(sd_event_run(h->event, 1000000) > 0);
        fg_json_set_str(stop, "type", "stop");
        fg_json_set_str(stop, "reason", "enough");
        host_send(h, stop);
        host_run_until(h, &h->gone, 1);
        assert_non_null(strstr(h->events.data, "task.stopping container.exited:a:143 "
                                               "container.exited:b:137 task.stopped "));
}

static void test_crash_and_garbage(void **state)
{
        struct host *h = *state;

        host_boot(h, "[{\"name\":\"a\",@,\"command\":[\"garbage\",\";\",\"sleep "
                     "100\",\";\",\"crash\"]}]");
        host_run_until(h, &h->downs, 1);
        assert_int_equal(h->error.code, FG_ERR_INVALID);
        host_run_until(h, &h->gone, 1);
        assert_true(h->crashed);
        assert_non_null(strstr(fg_vmm_console_tail(h->vmm, h->id), "Kernel panic"));
}

static void test_adoption_by_a_new_daemon(void **state)
{
        struct host *h = *state;

        host_boot(h, "[{\"name\":\"a\",@,\"command\":[\"print up\",\";\",\"wait\"]}]");
        while (h->output[0].len == 0)
                assert_true(sd_event_run(h->event, 1000000) > 0);
        host_hang_up(h);
        fg_vmm_free(h->vmm);
        h->vmm = NULL;

        host_open(h, getenv("FG_FAKE_GUEST"));
        host_list(h);
        assert_int_equal(h->n_vms, 1);
        assert_true(h->running);
        assert_true(fg_vmm_memory_kib(h->vmm, h->id) > 0);
        host_connect(h);
        assert_true(h->has_task);
        host_destroy(h);
        assert_int_equal(h->gone, 0);
        host_list(h);
        assert_int_equal(h->n_vms, 0);
}

/* Output is continuous whenever the daemon goes away; stored or not, no byte is lost or doubled. */
static void test_output_across_reconnects(void **state)
{
        struct host *h = *state;

        host_boot(h, "[{\"name\":\"a\",@,\"command\":[\"flood 3145728\"]}]");
        for (size_t cut = 1; cut < FLOOD; cut += 600000) {
                while (h->output[0].len < cut)
                        assert_true(sd_event_run(h->event, 1000000) > 0);
                host_hang_up(h);
                host_connect(h);
                host_send_stored(h, "resume");
        }
        host_run_until(h, &h->gone, 1);
        assert_int_equal(h->output[0].len, FLOOD);
        for (size_t i = 0; i + 64 < FLOOD; i++)
                assert_int_equal(h->output[0].data[i], h->output[0].data[i + 64]);
        assert_non_null(strstr(h->events.data, "container.exited:a:0 "));
}

/* The pull goes on where it was, too. */
static void test_pull_across_reconnects(void **state)
{
        struct host *h = *state;

        host_boot(h, "[{\"name\":\"a\",@}]");
        for (int i = 0; i < 5; i++) {
                while (h->at < 300000)
                        assert_true(sd_event_run(h->event, 1000000) > 0);
                h->at = 0;
                host_hang_up(h);
                host_connect(h);
                host_send_stored(h, "resume");
        }
        host_run_until(h, &h->gone, 1);
        assert_string_equal(h->output[0].data, "default\n");
}

static void test_program_that_is_no_guest(void **state)
{
        struct host *h = *state;

        host_open(h, "/bin/true");
        host_start(h);
        assert_int_equal(h->error.code, FG_ERR_INTERNAL);
        host_list(h);
        assert_int_equal(h->n_vms, 1);
        assert_false(h->running);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_a_task_from_start_to_power_off),
                TEST(test_dependencies_and_image_defaults),
                TEST(test_failures_to_start),
                TEST(test_stop),
                TEST(test_crash_and_garbage),
                TEST(test_adoption_by_a_new_daemon),
                TEST(test_output_across_reconnects),
                TEST(test_pull_across_reconnects),
                TEST(test_program_that_is_no_guest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
