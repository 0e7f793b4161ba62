# SPDX-License-Identifier: Apache-2.0
"""What ECS says about containers beside starting them, seen through fgrun."""

from lab import ROOT, wait_for


def test_a_client_waits_for_a_healthy_server(lab):
    done = lab.fgrun("run", "--quiet", ROOT / "examples" / "health.json")
    assert done.stdout == "well\n"
    client, server = lab.latest()["containers"]
    assert (client["healthStatus"], server["healthStatus"]) == ("UNKNOWN", "HEALTHY")


def test_health_is_shown_and_survives_fgd(lab, task):
    """A task that is not well goes on; its health is what it was after a crash of fgd."""
    task_id = lab.detach(task("echo up; until [ -e /done ]; do sleep 0.1; done", stopTimeout=2, healthCheck={
        "command": ["CMD-SHELL", "false"], "interval": 5, "retries": 1}))
    wait_for(lambda: lab.inspect(task_id)["healthStatus"] == "UNHEALTHY", "unhealthy", 60)
    lab.fgd.kill()
    lab.fgd.start()
    again = lab.inspect(task_id)
    assert (again["lastStatus"], again["healthStatus"]) == ("RUNNING", "UNHEALTHY")
    shown = lab.fgrun("inspect", task_id).stdout.splitlines()
    heading = next(line for line in shown if line.startswith("CONTAINER"))
    row = shown[shown.index(heading) + 1]
    assert row[heading.index("HEALTH"):].startswith("UNHEALTHY")
    lab.fgrun("stop", "--wait", task_id)


def test_controls_of_the_kernel(lab, task):
    show = "cat /proc/sys/vm/max_map_count /proc/sys/net/core/somaxconn; df -k /dev/shm | tail -1 | awk '{print $2}'"
    done = lab.run(task(show, linuxParameters={"sharedMemorySize": 96}, systemControls=[
        {"namespace": "vm.max_map_count", "value": "262144"}, {"namespace": "net.core.somaxconn", "value": "1234"}]))
    assert done.stdout.split() == ["262144", "1234", "98304"], done.stderr


def test_a_control_that_is_refused(lab, task):
    done = lab.run(task("echo never", systemControls=[{"namespace": "vm.max_map_count", "value": "many"}]))
    assert done.returncode == 125 and done.stdout == ""
    stopped = lab.latest()
    assert stopped["stopCode"] == "TaskFailedToStart"
    assert stopped["stoppedReason"].startswith('ResourceInitializationError: system control "vm.max_map_count" = "many"')


def test_terminal(lab, task):
    done = lab.run(task("[ -t 0 ] && tty; echo err >&2", pseudoTerminal=True, interactive=True), "--quiet")
    assert (done.stdout, done.stderr) == ("/dev/pts/0\nerr\n", "")


def test_maximum_run_time(lab, task):
    done = lab.run(task("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done"), "--max-run-time=2s")
    assert done.stdout == "up\nbye\n" and done.returncode == 3
    stopped = lab.latest()
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated",
                                                               "Task reached its maximum run time of 2 s")
