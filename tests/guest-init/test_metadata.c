/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/metadata.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <json-c/json_pointer.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/task.h"

#define TASK_ID  "0123456789abcdef0123456789abcdef"
#define FIRST    TASK_ID "-0000000001"
#define SECOND   TASK_ID "-0000000002"
#define DIGEST   "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BEGUN    UINT64_C(1700000000000000001)
#define BODY_MAX (1u << 20)

static const char message[] =
        "{\"id\":\"" TASK_ID "\",\"hostname\":\"ip-172-31-0-10.fgrun.internal\",\"cpuUnits\":256,"
        "\"memoryMiB\":512,\"network\":{\"mac\":\"02:00:5e:00:53:01\",\"mtu\":1500,"
        "\"addresses\":[\"172.31.0.10/20\",\"fd00::a/"
        "64\"],\"gateways\":[\"172.31.0.1\",\"fd00::1\"],"
        "\"dnsServers\":[\"169.254.169.253\"],\"dnsSearch\":[\"fgrun.internal\"]},"
        "\"containers\":[{\"name\":\"app\",\"image\":{\"manifest\":\"" DIGEST "\"},\"memory\":64,"
        "\"mountPoints\":[{\"sourceVolume\":\"v\",\"containerPath\":\"/v\"}]},"
        "{\"name\":\"side\",\"essential\":false,\"cpu\":128,\"image\":{}}],"
        "\"metadata\":{\"cluster\":\"arn:c\",\"taskArn\":\"arn:t\",\"family\":\"web\","
        "\"revision\":\"7\",\"region\":\"local-1\",\"availabilityZone\":\"local-1a\","
        "\"launchType\":\"FARGATE\",\"serviceName\":\"front\",\"vpcId\":\"vpc-1\","
        "\"pullStartedAt\":1700000000123456789,\"ephemeralStorageMiB\":20480,"
        "\"tags\":{\"team\":\"a\"},\"containers\":[{\"dockerId\":\"" FIRST "\","
        "\"containerArn\":\"arn:1\",\"image\":\"busybox\",\"labels\":{\"own\":\"label\"},"
        "\"ports\":[{\"ContainerPort\":80}],"
        "\"logDriver\":\"awslogs\",\"logOptions\":{\"awslogs-stream\":\"a/app/1\"}},"
        "{\"dockerId\":\"" SECOND "\",\"containerArn\":\"arn:2\",\"image\":\"busybox\"}]}}";

struct fixture {
        char dir[40];
        struct fg_task task;
        struct fg_metadata metadata;
};

static void put(struct fixture *f, const char *name, const char *text)
{
        fg_autofree char *path = fg_asprintf("%s/%s", f->dir, name);
        struct fg_error err = FG_ERROR_INIT;

        if (fg_write_file(path, text, strlen(text), 0644, &err) < 0)
                fail_msg("%s", err.msg);
}

static void make(struct fixture *f, const char *name)
{
        fg_autofree char *path = fg_asprintf("%s/%s", f->dir, name);

        assert_int_equal(mkdir(path, 0755), 0);
}

/* What the kernel would show of a container that runs. */
static void fill(struct fixture *f)
{
        make(f, "0");
        make(f, "net");
        put(f, "memory.max", "536870912\n");
        put(f, "pids.max", "30000\n");
        put(f, "stat", "cpu  10 0 20 300 40 0 5 25 7 0\ncpu0 1 1 1 1\nintr 5\n");
        put(f, "net/dev",
            "Inter-|   Receive      |  Transmit\n"
            "    lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n"
            "  eth1: 1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n");
        put(f, "0/cpu.stat",
            "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 3\nnr_throttled 2\n"
            "throttled_usec 7\n");
        put(f, "0/memory.current", "4096000\n");
        put(f, "0/memory.peak", "5000000\n");
        put(f, "0/memory.max", "max\n");
        put(f, "0/memory.stat", "anon 1000\nfile 2000\nfile_mapped 30\ninactive_file 40\n");
        put(f, "0/pids.current", "5\n");
        put(f, "0/pids.max", "max\n");
        put(f, "0/io.stat", "254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n7:0 \n");
}

static int set_up(void **state)
{
        struct fixture *f = fg_calloc(1, sizeof(*f));
        struct fg_error err = FG_ERROR_INIT;
        struct fg_task *t = &f->task;

        (void)snprintf(f->dir, sizeof(f->dir), "%s", "/tmp/fgrun-test-metadata.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        t->spec = fg_json_parse(message, strlen(message), &err);
        assert_non_null(t->spec);
        t->container_count = 2;
        t->image_count = 1;
        for (size_t i = 0; i < 2; i++) {
                struct json_object *spec = json_object_array_get_idx(
                        fg_json_arr(t->spec, "containers"), i);

                t->containers[i].spec = spec;
                t->containers[i].name = fg_json_str(spec, "name");
                t->containers[i].essential = fg_json_bool(spec, "essential", true);
        }
        t->has_network = true;
        assert_int_equal(fg_network_parse(fg_json_obj(t->spec, "network"), &t->network, &err), 0);
        if (fg_metadata_init(&f->metadata, t, &err) < 0)
                fail_msg("%s", err.msg);
        f->metadata.cgroup = f->metadata.proc = f->metadata.scratch = f->dir;
        f->metadata.begun_at = BEGUN;
        f->metadata.listener = -1;
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_rm_rf(f->dir, &err), 0);
        json_object_put(f->task.spec);
        free(f->metadata.containers);
        free(f);
        return 0;
}

static struct json_object *get(struct fixture *f, const char *path, int status)
{
        fg_cleanup(fg_buf_finish) struct fg_buf body = FG_BUF_INIT(BODY_MAX);
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *json;

        if (fg_metadata_answer(&f->metadata, path, strlen(path), &body) != status)
                fail_msg("%s: %s", path, body.data);
        json = fg_json_parse(body.data, body.len, &err);
        if (!json)
                fail_msg("%s: %s", err.msg, body.data);
        return json;
}

static void expect(struct json_object *json, const char *pointer, const char *text)
{
        struct json_object *value = NULL;

        if (json_pointer_get(json, pointer, &value) < 0)
                fail_msg("no %s in %s", pointer, fg_json_text(json));
        if (!fg_streq(json_object_get_string(value), text))
                fail_msg("%s is %s, not %s", pointer, json_object_get_string(value), text);
}

static void expect_absent(struct json_object *json, const char *pointer)
{
        struct json_object *value = NULL;

        if (json_pointer_get(json, pointer, &value) == 0)
                fail_msg("%s is in %s", pointer, fg_json_text(json));
}

static void run(struct fixture *f, size_t index, pid_t pid)
{
        f->task.containers[index].pid = pid;
        f->task.containers[index].state = FG_CONTAINER_STARTING;
        fg_metadata_observe(&f->metadata);
        f->task.containers[index].state = FG_CONTAINER_RUNNING;
        fg_metadata_observe(&f->metadata);
}

static void a_container_describes_itself(void **state)
{
        struct fixture *f = *state;
        fg_autojson *before = get(f, "/v4/" FIRST, 200), *json = NULL;

        expect(before, "/KnownStatus", "NONE");
        expect_absent(before, "/CreatedAt");
        f->task.image_next = 1;
        run(f, 0, 7);
        f->metadata.containers[0].started_at = 1700000001020000003;
        json = get(f, "/v4/" FIRST "/?query", 404);
        json_object_put(json);
        json = get(f, "/v4/" FIRST "/", 200);
        expect(json, "/DockerId", FIRST);
        expect(json, "/Name", "app");
        expect(json, "/Image", "busybox");
        expect(json, "/ImageID", DIGEST);
        expect(json, "/Labels/own", "label");
        expect(json, "/Ports/0/ContainerPort", "80");
        expect(json, "/Labels/com.amazonaws.ecs.task-definition-version", "7");
        expect(json, "/Labels/com.amazonaws.ecs.container-name", "app");
        expect(json, "/DesiredStatus", "RUNNING");
        expect(json, "/KnownStatus", "RUNNING");
        expect(json, "/Limits/CPU", "2");
        expect(json, "/Limits/Memory", "64");
        expect(json, "/StartedAt", "2023-11-14T22:13:21.020000003Z");
        expect(json, "/Type", "NORMAL");
        expect(json, "/Volumes/0/DockerName", "v");
        expect(json, "/LogOptions/awslogs-stream", "a/app/1");
        expect(json, "/ContainerARN", "arn:1");
        expect(json, "/Networks/0/NetworkMode", "awsvpc");
        expect(json, "/Networks/0/IPv4Addresses/0", "172.31.0.10");
        expect(json, "/Networks/0/IPv6Addresses/0", "fd00::a");
        expect(json, "/Networks/0/MACAddress", "02:00:5e:00:53:01");
        expect(json, "/Networks/0/IPv4SubnetCIDRBlock", "172.31.0.0/20");
        expect(json, "/Networks/0/IPv6SubnetCIDRBlock", "fd00::/64");
        expect(json, "/Networks/0/SubnetGatewayIpv4Address", "172.31.0.1/20");
        expect(json, "/Networks/0/DomainNameServers/0", "169.254.169.253");
        expect(json, "/Networks/0/DomainNameSearchList/0", "fgrun.internal");
        expect(json, "/Networks/0/PrivateDNSName", "ip-172-31-0-10.fgrun.internal");
        expect_absent(json, "/ExitCode");
        expect_absent(json, "/FinishedAt");
}

static void the_task_is_described_with_all_of_its_containers(void **state)
{
        struct fixture *f = *state;
        fg_autojson *json = NULL, *tags = NULL, *old = NULL;

        f->task.image_next = 1;
        run(f, 0, 7);
        json = get(f, "/v4/" SECOND "/task", 200);
        expect(json, "/Cluster", "arn:c");
        expect(json, "/TaskARN", "arn:t");
        expect(json, "/Revision", "7");
        expect(json, "/KnownStatus", "NONE");
        expect(json, "/Containers/1/KnownStatus", "PULLED");
        expect(json, "/Limits/CPU", "0.25");
        expect(json, "/Limits/Memory", "512");
        expect(json, "/PullStartedAt", "2023-11-14T22:13:20.123456789Z");
        expect(json, "/AvailabilityZone", "local-1a");
        expect(json, "/LaunchType", "FARGATE");
        expect(json, "/ServiceName", "front");
        expect(json, "/VPCID", "vpc-1");
        expect(json, "/EphemeralStorageMetrics/Reserved", "20480");
        expect(json, "/ClockDrift/ReferenceTimestamp", "2023-11-14T22:13:20.000000001Z");
        expect_absent(json, "/TaskTags");
        expect_absent(json, "/ExecutionStoppedAt");
        tags = get(f, "/v4/" FIRST "/taskWithTags", 200);
        expect(tags, "/TaskTags/team", "a");
        old = get(f, "/v3/" FIRST "/task", 200);
        expect(old, "/Containers/0/Networks/0/IPv4Addresses/0", "172.31.0.10");
        expect_absent(old, "/Containers/0/Networks/0/MACAddress");
        expect_absent(old, "/ClockDrift");
}

static void what_ends_is_told(void **state)
{
        struct fixture *f = *state;
        struct fg_container *c = &f->task.containers[0];
        fg_autojson *json = NULL, *again = NULL;

        f->task.image_next = 1;
        run(f, 0, 7);
        run(f, 1, 8);
        c->pid = 0;
        c->state = FG_CONTAINER_DRAINING;
        c->exited_at = 1700000002000000000;
        fg_metadata_observe(&f->metadata);
        c->state = FG_CONTAINER_EXITED;
        c->exit_code = 3;
        f->task.stopping = true;
        json = get(f, "/v4/" SECOND "/task", 200);
        expect(json, "/DesiredStatus", "STOPPED");
        expect(json, "/KnownStatus", "RUNNING");
        expect(json, "/ExecutionStoppedAt", "2023-11-14T22:13:22.000000000Z");
        expect(json, "/Containers/0/KnownStatus", "STOPPED");
        expect(json, "/Containers/0/ExitCode", "3");
        expect(json, "/Containers/0/FinishedAt", "2023-11-14T22:13:22.000000000Z");
        expect(json, "/Containers/1/DesiredStatus", "STOPPED");
        expect(json, "/Containers/1/KnownStatus", "RUNNING");
        /* Another run has times of its own. */
        run(f, 0, 9);
        again = get(f, "/v4/" FIRST, 200);
        expect_absent(again, "/FinishedAt");
}

static void health_and_restarts_are_told(void **state)
{
        struct fixture *f = *state;
        struct fg_container *c = &f->task.containers[0];
        fg_autojson *without = get(f, "/v4/" FIRST, 200), *with = NULL, *old = NULL;

        expect_absent(without, "/Health");
        expect_absent(without, "/RestartCount");
        c->health.argv = fg_json_arr(f->task.spec, "containers"); /* any: there is a check */
        c->health.status = FG_HEALTH_UNHEALTHY;
        c->health.since = 1700000003000000000;
        c->health.exit_code = 1;
        memcpy(c->probe.output, "refused", 8);
        c->probe.output_len = 7;
        c->restart.enabled = true;
        c->restart.count = 4;
        with = get(f, "/v4/" FIRST, 200);
        expect(with, "/Health/status", "UNHEALTHY");
        expect(with, "/Health/statusSince", "2023-11-14T22:13:23.000000000Z");
        expect(with, "/Health/exitCode", "1");
        expect(with, "/Health/output", "refused");
        expect(with, "/RestartCount", "4");
        old = get(f, "/v3/" FIRST, 200);
        expect(old, "/Health/status", "UNHEALTHY");
        expect_absent(old, "/RestartCount");
}

static void paths_that_lead_nowhere(void **state)
{
        static const char *const paths[] = { "/",
                                             "/v4",
                                             "/v4/",
                                             "/v4/x",
                                             "/v4/" TASK_ID,
                                             "/v5/" FIRST,
                                             "/v4/" FIRST "/tasks",
                                             "/v4/" FIRST "//task",
                                             "/v4/" FIRST "x",
                                             "/v2/metadata",
                                             "/v4/" FIRST "/stats" };

        for (size_t i = 0; i < FG_ARRAY_SIZE(paths); i++)
                json_object_put(get(*state, paths[i], 404));
}

static void stats_are_the_kernels(void **state)
{
        struct fixture *f = *state;
        fg_autojson *json = NULL, *task = NULL, *old = NULL;

        fill(f);
        run(f, 0, 7);
        json = get(f, "/v4/" FIRST "/stats", 200);
        expect(json, "/name", "app");
        expect(json, "/id", FIRST);
        expect(json, "/cpu_stats/cpu_usage/total_usage", "1500000");
        expect(json, "/cpu_stats/cpu_usage/usage_in_kernelmode", "500000");
        expect(json, "/cpu_stats/throttling_data/throttled_time", "7000");
        expect(json, "/cpu_stats/system_cpu_usage", "4000000000");
        expect(json, "/precpu_stats/cpu_usage/total_usage", "0");
        expect(json, "/memory_stats/usage", "4096000");
        expect(json, "/memory_stats/max_usage", "5000000");
        expect(json, "/memory_stats/limit", "536870912");
        expect(json, "/memory_stats/stats/file", "2000");
        expect(json, "/memory_stats/stats/cache", "2000");
        expect(json, "/memory_stats/stats/rss", "1000");
        expect(json, "/pids_stats/current", "5");
        expect(json, "/pids_stats/limit", "30000");
        expect(json, "/blkio_stats/io_service_bytes_recursive/1/op", "Write");
        expect(json, "/blkio_stats/io_service_bytes_recursive/1/value", "8192");
        expect(json, "/blkio_stats/io_service_bytes_recursive/3/value", "12288");
        expect(json, "/blkio_stats/io_serviced_recursive/3/value", "3");
        expect_absent(json, "/blkio_stats/io_serviced_recursive/4");
        expect(json, "/networks/eth1/rx_bytes", "1000");
        expect(json, "/networks/eth1/tx_dropped", "4");
        task = get(f, "/v4/" SECOND "/task/stats", 200);
        expect(task, "/" FIRST "/cpu_stats/cpu_usage/total_usage", "1500000");
        assert_true(json_object_object_get_ex(task, SECOND, NULL));
        assert_null(fg_json_get(task, SECOND));
        old = get(f, "/v3/" FIRST "/stats", 200);
        expect_absent(old, "/network_rate_stats");
        json_object_put(get(f, "/v4/" SECOND "/stats", 404));
}

static struct fg_stats_sample sample(uint64_t seconds, uint64_t total_ns)
{
        return (struct fg_stats_sample){ .at = seconds * FG_NS_PER_SEC,
                                         .total_ns = total_ns,
                                         .system_ns = seconds * FG_NS_PER_SEC *
                                                      (uint64_t)get_nprocs() };
}

static void differences_span_a_second_at_least(void **state)
{
        const uint64_t started = 100 * FG_NS_PER_SEC;
        struct fg_stats_history h = { 0 };
        struct fg_stats_sample s = sample(110, 50), before;

        before = fg_stats_since(&h, &s, started, BEGUN); /* since it began: nothing was used */
        assert_int_equal(before.at, started);
        assert_int_equal(before.total_ns, 0);
        assert_int_equal(before.system_ns, 100 * FG_NS_PER_SEC * (uint64_t)get_nprocs());
        assert_int_equal(before.net.at, BEGUN);
        s.at += FG_NS_PER_SEC / 2; /* too soon: compared with what the last one was compared with */
        before = fg_stats_since(&h, &s, started, BEGUN);
        assert_int_equal(before.at, started);
        s = sample(112, 70);
        before = fg_stats_since(&h, &s, started, BEGUN);
        assert_int_equal(before.total_ns, 50);
        s = sample(130, 90);
        before = fg_stats_since(&h, &s, started, BEGUN);
        assert_int_equal(before.total_ns, 70);
        s = sample(140, 5); /* it was started again */
        before = fg_stats_since(&h, &s, 135 * FG_NS_PER_SEC, BEGUN);
        assert_int_equal(before.at, 135 * FG_NS_PER_SEC);
        assert_int_equal(before.total_ns, 0);
}

static void a_message_that_is_wrong_is_refused(void **state)
{
        struct fixture *f = *state;
        struct json_object *list = fg_json_arr(fg_json_obj(f->task.spec, "metadata"), "containers");
        struct fg_metadata m = { 0 };
        struct fg_error err = FG_ERROR_INIT;

        fg_json_set_str(json_object_array_get_idx(list, 1), "dockerId", "../stats");
        assert_int_equal(fg_metadata_init(&m, &f->task, &err), -1);
        assert_non_null(strstr(err.msg, "containers[1].dockerId"));
        free(m.containers);
        m = (struct fg_metadata){ 0 };
        f->task.container_count = 1;
        assert_int_equal(fg_metadata_init(&m, &f->task, &err), -1);
        assert_non_null(strstr(err.msg, "2 containers of 1"));
}

/* ---- the way to it, in namespaces of our own ---- */

static bool enter_namespaces(void)
{
        fg_autofree char *uids = fg_asprintf("0 %u 1", geteuid());
        struct fg_error err = FG_ERROR_INIT;
        fg_autoclose int fd = -1;

        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
                return false;
        fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fg_write_all(fd, uids, strlen(uids), &err), 0);
        return true;
}

static int dial(const char *address)
{
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0 && inet_pton(AF_INET, address, &to.sin_addr) == 1);
        assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
        return fd;
}

static void the_endpoint_leaves_port_80_to_the_task(void **state)
{
        static const char request[] = "GET /v4/" FIRST " HTTP/1.0\r\n\r\n";
        const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(80) };
        struct fixture *f = *state;
        fg_autoclose int client = -1, own = -1;
        struct fg_error err = FG_ERROR_INIT;
        struct fg_loop loop;
        char answer[4096] = "";
        int parked;

        if (!enter_namespaces())
                skip(); /* not everybody may */
        assert_int_equal(fg_loop_init(&loop, &err), 0);
        f->task.loop = &loop;
        /* Made before the task is there, as in a guest that waits for one. */
        if (fg_metadata_park(&f->metadata, &err) < 0)
                fail_msg("%s", err.msg);
        parked = f->metadata.listener;
        assert_int_equal(fg_metadata_serve(&f->metadata, &err), 0);
        assert_int_equal(f->metadata.server.listener.fd, parked);
        assert_int_equal(f->metadata.listener, -1);
        own = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(own, (const struct sockaddr *)&any, sizeof(any)), 0);
        assert_int_equal(listen(own, 1), 0);

        client = dial("169.254.170.2");
        assert_int_equal(send(client, request, strlen(request), 0), (ssize_t)strlen(request));
        while (recv(client, answer, sizeof(answer) - 1, MSG_DONTWAIT) < 0)
                fg_loop_step(&loop);
        assert_true(fg_starts_with(answer, "HTTP/1.1 200 OK\r\n"));
        assert_non_null(strstr(answer, FIRST));
        (void)close(fg_take_fd(client));
        while (f->metadata.server.connections[0].phase != FG_HTTP_FREE)
                fg_loop_step(&loop);
        (void)close(f->metadata.server.listener.fd);
        (void)close(loop.epoll);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_container_describes_itself, set_up, tear_down),
                cmocka_unit_test_setup_teardown(the_task_is_described_with_all_of_its_containers,
                                                set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_ends_is_told, set_up, tear_down),
                cmocka_unit_test_setup_teardown(health_and_restarts_are_told, set_up, tear_down),
                cmocka_unit_test_setup_teardown(paths_that_lead_nowhere, set_up, tear_down),
                cmocka_unit_test_setup_teardown(stats_are_the_kernels, set_up, tear_down),
                cmocka_unit_test(differences_span_a_second_at_least),
                cmocka_unit_test_setup_teardown(a_message_that_is_wrong_is_refused, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(the_endpoint_leaves_port_80_to_the_task, set_up,
                                                tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
