/* SPDX-License-Identifier: Apache-2.0 */
#include "api/taskstate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void moves_only_go_forward(void **state)
{
        for (int from = 0; from < FG_TASK_STATES; from++)
                for (int to = 0; to <= from; to++)
                        assert_false(fg_task_state_may_move(from, to));
}

static void every_state_reaches_stopped(void **state)
{
        bool reaches[FG_TASK_STATES] = { [FG_TASK_STOPPED] = true };

        /* Moves go forward, so one pass from the end sees them all. */
        for (int from = FG_TASK_STOPPED - 1; from >= 0; from--) {
                for (int to = 0; to < FG_TASK_STATES; to++)
                        reaches[from] |= fg_task_state_may_move(from, to) && reaches[to];
                assert_true(reaches[from]);
        }
}

static void stopped_is_the_end(void **state)
{
        for (int to = 0; to < FG_TASK_STATES; to++)
                assert_false(fg_task_state_may_move(FG_TASK_STOPPED, to));
}

static void resources_are_released_before_stopped(void **state)
{
        for (int from = FG_TASK_PENDING; from < FG_TASK_DEPROVISIONING; from++) {
                assert_false(fg_task_state_may_move(from, FG_TASK_STOPPED));
                assert_true(fg_task_state_may_move(from, FG_TASK_DEPROVISIONING));
        }
        assert_true(fg_task_state_may_move(FG_TASK_DEPROVISIONING, FG_TASK_STOPPED));
}

static void the_good_life_is_allowed(void **state)
{
        static const enum fg_task_state life[] = {
                FG_TASK_PROVISIONING, FG_TASK_PENDING,        FG_TASK_ACTIVATING, FG_TASK_RUNNING,
                FG_TASK_STOPPING,     FG_TASK_DEPROVISIONING, FG_TASK_STOPPED,
        };

        for (size_t i = 1; i < sizeof(life) / sizeof(life[0]); i++)
                assert_true(fg_task_state_may_move(life[i - 1], life[i]));
        assert_false(fg_task_state_may_move(FG_TASK_PROVISIONING, FG_TASK_RUNNING));
        assert_false(fg_task_state_may_move(FG_TASK_PENDING, FG_TASK_RUNNING));
}

static void names_are_those_of_ecs(void **state)
{
        static const char *const names[] = { "PROVISIONING",   "PENDING",      "ACTIVATING",
                                             "RUNNING",        "DEACTIVATING", "STOPPING",
                                             "DEPROVISIONING", "STOPPED" };

        assert_int_equal(FG_TASK_STATES, sizeof(names) / sizeof(names[0]));
        for (int i = 0; i < FG_TASK_STATES; i++) {
                enum fg_task_state parsed = FG_TASK_STATES;

                assert_string_equal(fg_task_state_name(i), names[i]);
                assert_true(fg_task_state_parse(names[i], &parsed));
                assert_int_equal(parsed, i);
        }
}

static void unknown_names_change_nothing(void **state)
{
        enum fg_task_state task = FG_TASK_RUNNING;
        enum fg_container_state container = FG_CONTAINER_RUNNING;
        enum fg_stop_code code = FG_STOP_USER_INITIATED;

        assert_false(fg_task_state_parse("running", &task));
        assert_false(fg_task_state_parse("", &task));
        assert_false(fg_container_state_parse("PROVISIONING", &container));
        assert_false(fg_stop_code_parse("Other", &code));
        assert_int_equal(task, FG_TASK_RUNNING);
        assert_int_equal(container, FG_CONTAINER_RUNNING);
        assert_int_equal(code, FG_STOP_USER_INITIATED);
}

static void reached_means_at_or_past(void **state)
{
        assert_true(fg_task_state_reached(FG_TASK_RUNNING, FG_TASK_RUNNING));
        assert_true(fg_task_state_reached(FG_TASK_STOPPED, FG_TASK_RUNNING));
        assert_false(fg_task_state_reached(FG_TASK_PENDING, FG_TASK_RUNNING));
}

static void desired_status_follows_the_stop(void **state)
{
        assert_string_equal(fg_task_desired_status(FG_TASK_PROVISIONING, false), "RUNNING");
        assert_string_equal(fg_task_desired_status(FG_TASK_RUNNING, false), "RUNNING");
        assert_string_equal(fg_task_desired_status(FG_TASK_RUNNING, true), "STOPPED");
        assert_string_equal(fg_task_desired_status(FG_TASK_STOPPING, false), "STOPPED");
        assert_string_equal(fg_task_desired_status(FG_TASK_STOPPED, false), "STOPPED");
}

static void containers_have_three_states(void **state)
{
        assert_true(fg_container_state_may_move(FG_CONTAINER_PENDING, FG_CONTAINER_RUNNING));
        assert_true(fg_container_state_may_move(FG_CONTAINER_PENDING, FG_CONTAINER_STOPPED));
        assert_true(fg_container_state_may_move(FG_CONTAINER_RUNNING, FG_CONTAINER_STOPPED));
        for (int from = 0; from < FG_CONTAINER_STATES; from++) {
                enum fg_container_state parsed = FG_CONTAINER_STATES;

                for (int to = 0; to <= from; to++)
                        assert_false(fg_container_state_may_move(from, to));
                assert_true(fg_container_state_parse(fg_container_state_name(from), &parsed));
                assert_int_equal(parsed, from);
        }
}

static void stop_codes_are_those_of_ecs(void **state)
{
        static const char *const names[] = { "",
                                             "TaskFailedToStart",
                                             "EssentialContainerExited",
                                             "UserInitiated",
                                             "ServiceSchedulerInitiated",
                                             "SpotInterruption",
                                             "TerminationNotice" };

        for (int i = 0; i < FG_STOP_CODES; i++) {
                enum fg_stop_code parsed = FG_STOP_CODES;

                assert_string_equal(fg_stop_code_name(i), names[i]);
                assert_true(fg_stop_code_parse(names[i], &parsed));
                assert_int_equal(parsed, i);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(moves_only_go_forward),
                cmocka_unit_test(every_state_reaches_stopped),
                cmocka_unit_test(stopped_is_the_end),
                cmocka_unit_test(resources_are_released_before_stopped),
                cmocka_unit_test(the_good_life_is_allowed),
                cmocka_unit_test(names_are_those_of_ecs),
                cmocka_unit_test(unknown_names_change_nothing),
                cmocka_unit_test(reached_means_at_or_past),
                cmocka_unit_test(desired_status_follows_the_stop),
                cmocka_unit_test(containers_have_three_states),
                cmocka_unit_test(stop_codes_are_those_of_ecs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
