# SPDX-License-Identifier: Apache-2.0
"""What happens to containers while they run, in a real guest: health checks, restarts."""
import time

LOOP = "while :; do sleep 0.1; done"


def check(script, **members):
    return dict({"command": ["CMD-SHELL", script], "interval": 1, "timeout": 20, "retries": 2}, **members)


def health(guest, container="app"):
    return [e["status"] for e in guest.named("container.health", container)]


def on(name, condition):
    return [{"containerName": name, "condition": condition}]


def test_a_check_sees_what_its_container_sees(runner):
    """In the container's namespaces and its cgroup, as its user, confined; with nothing to read."""
    with runner.guest() as guest:
        guest.connect()
        guest.start([runner.sh(
            "app", "echo $$ > /tmp/pid; until [ -e /tmp/done ]; do sleep 0.1; done; cat /tmp/seen", user="app",
            environment=[{"name": "COLOUR", "value": "blue"}], workingDirectory="/tmp",
            healthCheck=check("[ -e done ] || { id -u; pwd; echo $COLOUR; hostname; kill -0 $(cat pid) && echo alive;"
                              " cat /proc/1/comm; grep -E '^(CapEff|Seccomp):' /proc/self/status;"
                              " cat /proc/self/cgroup; cat; ulimit -n; echo end; } > seen 2>&1; touch done"))])
        assert guest.finish() == {"app": 0}
    seen = guest.stdout().decode().split()
    assert seen == ["1000", "/tmp", "blue", "guest", "alive", "sh", "CapEff:", "0" * 16, "Seccomp:", "2",
                    "0::/health", "65535", "end"]


def test_unhealthy_and_well_again(runner):
    """`retries` failures in a row; one success ends it; the task does not care."""
    script = "n=$(cat /tmp/n 2>/dev/null || echo 0); n=$((n + 1)); echo $n > /tmp/n; echo $n >> /tmp/all; "
    with runner.guest() as guest:
        guest.connect()
        guest.start([runner.sh("app", "until [ $(cat /tmp/n 2>/dev/null || echo 0) -ge 8 ]; do sleep 0.1; done",
                               healthCheck=check(script + "[ $n = 1 -o $n = 3 -o $n -ge 6 ]"))])
        assert guest.finish() == {"app": 0}
    assert health(guest) == ["HEALTHY", "UNHEALTHY", "HEALTHY"]
    at = [e["at"] for e in guest.named("container.health")]
    assert at[1] - at[0] > 3.9e9, "2 fails, 3 succeeds, 4 and 5 fail: four intervals"
    assert guest.named("task.stopping")[0]["reason"] == "EssentialContainerExited"


def test_start_period(runner):
    """Failures do not count within it; without one they do."""
    with runner.guest() as guest:
        guest.connect()
        guest.start([
            runner.sh("patient", LOOP, healthCheck=check("false", startPeriod=6, retries=1), stopTimeout=1),
            runner.sh("strict", LOOP, healthCheck=check("false", retries=1), stopTimeout=1)])
        began = time.monotonic()
        guest.step_until(lambda: health(guest, "strict") == ["UNHEALTHY"])
        assert not health(guest, "patient")
        guest.step_until(lambda: health(guest, "patient") == ["UNHEALTHY"])
        assert time.monotonic() - began > 4
        guest.stop()
        guest.finish()


def test_a_check_that_hangs_is_killed_with_all_it_started(runner):
    """Also those that left its session; a flood of output holds nobody up."""
    with runner.guest() as guest:
        guest.connect()
        guest.start([
            runner.sh("app", "until [ -e /tmp/second ]; do sleep 0.1; done; sleep 0.5; pidof sleep | wc -w;"
                      f"trap 'exit 0' TERM; {LOOP}",
                      healthCheck=check("[ -e /tmp/first ] && touch /tmp/second; touch /tmp/first;"
                                        "setsid sleep 4321 & sh -c 'sleep 4321 & sleep 4321'", timeout=2, retries=1)),
            runner.sh("flood", f"until [ -e /tmp/ok ]; do sleep 0.1; done; {LOOP}", essential=False, stopTimeout=1,
                      healthCheck=check("cat /bin/busybox /bin/busybox /bin/busybox >&2; touch /tmp/ok", timeout=60))])
        guest.step_until(lambda: health(guest) == ["UNHEALTHY"] and health(guest, "flood") == ["HEALTHY"]
                         and guest.stdout())
        guest.stop()
        guest.finish()
    assert int(guest.stdout()) <= 3, "more than the second check's: something of the first is left"


def test_a_command_that_is_not_there_is_a_failure(runner):
    with runner.guest() as guest:
        guest.connect()
        guest.start([runner.sh("app", LOOP, stopTimeout=1,
                               healthCheck=check("", command=["CMD", "/no/such"], retries=1)),
                     runner.sh("args", LOOP, stopTimeout=1,
                               healthCheck=check("", command=["CMD", "test", "a b", "=", "a b"], retries=1))])
        guest.step_until(lambda: health(guest) == ["UNHEALTHY"] and health(guest, "args") == ["HEALTHY"])
        guest.stop()
        guest.finish()


def test_depends_healthy(runner):
    guest, codes = runner.run(
        runner.sh("app", "echo app", dependsOn=on("server", "HEALTHY")),
        runner.sh("server", "sleep 2; touch /tmp/up; trap 'exit 0' TERM; " + LOOP, essential=False,
                  healthCheck=check("[ -e /tmp/up ]", retries=1)))
    assert codes == {"app": 0, "server": 0}
    order = [(e["event"], e.get("container"), e.get("status")) for e in guest.events]
    assert health(guest, "server") == ["UNHEALTHY", "HEALTHY"]
    assert (order.index(("container.health", "server", "HEALTHY"))
            < order.index(("container.started", "app", None)))


def test_depends_healthy_never(runner):
    guest, codes = runner.run(
        runner.sh("app", "echo never", dependsOn=on("server", "HEALTHY")),
        runner.sh("server", "sleep 1", essential=False, healthCheck=check("false")))
    assert codes == {"server": 0}
    assert "HEALTHY" in guest.named("task.stopping")[0]["message"]


def test_start_timeout(runner):
    """Counted from the start of the one that is waited for; START does not wait."""
    guest, codes = runner.run(
        runner.sh("beside", "trap 'exit 0' TERM; " + LOOP, dependsOn=on("server", "START")),
        runner.sh("app", "echo never", dependsOn=on("server", "HEALTHY")),
        runner.sh("server", "trap 'exit 0' TERM; " + LOOP, essential=False, startTimeout=3,
                  healthCheck=check("false")))
    assert codes == {"beside": 0, "server": 0} and not guest.named("container.started", "app")
    stopping = guest.named("task.stopping")[0]
    assert stopping["reason"] == "TaskFailedToStart" and "startTimeout" in stopping["message"]
    waited = stopping["at"] - guest.named("container.started", "server")[0]["at"]
    assert 2.9e9 < waited < 20e9


def again(**members):
    return dict({"enabled": True, "restartAttemptPeriod": 1}, **members)


def test_restart(runner):
    """Of an essential container: same streams, same files, its task goes on."""
    script = ("echo r >> /runs; echo run $(wc -l < /runs); echo e >&2; ls -A /dev/shm; touch /dev/shm/x; echo x >> /v/x;"
              "sleep 1.5; [ $(wc -l < /runs) -lt 3 ] && exit 3; wc -l < /v/x; exit 0")
    guest, codes = runner.run(
        runner.sh("app", script, restartPolicy=again(ignoredExitCodes=[0]),
                  mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}]), volumes=["v"])
    assert codes == {"app": 0}
    assert guest.stdout() == b"run 1\nrun 2\nrun 3\n3\n" and guest.stderr() == b"e\n" * 3
    restarted = guest.named("container.restarted")
    assert [(e["restartCount"], e["exitCode"]) for e in restarted] == [(1, 3), (2, 3)]
    assert len(guest.named("container.started")) == len(guest.named("container.exited")) == 1
    assert guest.ended == {0, 1}


def test_no_restart(runner):
    """Too early, an ignored exit code, no policy, a policy that is off."""
    guest, codes = runner.run(
        runner.sh("early", "exit 3", restartPolicy=again(restartAttemptPeriod=5), essential=False),
        runner.sh("ignored", "sleep 1.5; exit 7", restartPolicy=again(ignoredExitCodes=[1, 7]), essential=False),
        runner.sh("off", "sleep 1.5; exit 3", restartPolicy=again(enabled=False), essential=False),
        runner.sh("second", "[ -e /x ] && exit 4; touch /x; sleep 1.5; exit 3", restartPolicy=again(), essential=False),
        runner.sh("killed", "[ -e /x ] && exit 5; touch /x; sleep 1.5; kill -9 $$; sleep 60", essential=False,
                  linuxParameters={"initProcessEnabled": True}, restartPolicy=again()),
        runner.sh("memory", "[ -e /x ] && exit 6; touch /x; sleep 1.5; exec probe memory", essential=False, memory=32,
                  restartPolicy=again()))
    assert codes == {"early": 3, "ignored": 7, "off": 3, "second": 4, "killed": 5, "memory": 6}
    assert ({e["container"]: e["exitCode"] for e in guest.named("container.restarted")}
            == {"second": 3, "killed": 137, "memory": 137})
    assert {e["container"] for e in guest.named("container.restarted") if e["oomKilled"]} == {"memory"}
    assert not [e for e in guest.named("container.exited") if e["oomKilled"]], "that was the run before"


def test_restart_and_the_others(runner):
    """A restart is no end for those that wait for one; stopping restarts nobody."""
    with runner.guest() as guest:
        guest.connect()
        guest.start([
            runner.sh("app", "sleep 1.5; exit 3", restartPolicy=again(), healthCheck=check("true")),
            runner.sh("after", "echo never", essential=False, dependsOn=on("app", "COMPLETE")),
            runner.sh("base", "trap 'exit 3' TERM; " + LOOP, restartPolicy=again(restartAttemptPeriod=0), stopTimeout=9)])
        guest.step_until(lambda: len(guest.named("container.restarted", "app")) == 2)
        guest.step_until(lambda: len(health(guest)) >= 4)
        guest.stop()
        codes = guest.finish()
    assert codes["base"] == 3 and not guest.named("container.restarted", "base")
    assert health(guest)[:4] == ["HEALTHY", "UNKNOWN"] * 2, "a new run is not known to be healthy"
    assert not guest.named("container.started", "after")


def test_a_restart_that_fails(runner):
    """Then the container has ended as its last run did."""
    guest, codes = runner.run(
        runner.sh("program", "sleep 1.5; rm /bin/sh; exit 4", restartPolicy=again(), essential=False),
        runner.sh("other", "sleep 4"))
    assert codes == {"program": 4, "other": 0} and not guest.named("container.restarted")
    reason = guest.named("container.exited", "program")[0]["reason"]
    assert reason.startswith("CannotStartContainerError: ") and "sh" in reason


def test_news_wait_for_a_host_that_is_away(runner):
    """Only the latest state is kept for it."""
    with runner.guest() as guest:
        guest.connect()
        guest.acknowledge = False
        guest.start([runner.sh(
            "app", LOOP, stopTimeout=1,
            healthCheck=check("echo >> /tmp/n; [ $(($(wc -l < /tmp/n) % 2)) = 1 ]", retries=1))])
        guest.step_until(lambda: guest.named("container.health"))
        deadline = time.monotonic() + 9
        while time.monotonic() < deadline:
            guest.step(0.2)
        assert health(guest) == ["HEALTHY"]
        guest.acknowledge = True
        guest.control(dict(guest.position(), type="ack"))
        guest.step_until(lambda: len(health(guest)) >= 3)
        guest.stop()
        guest.finish()
