# SPDX-License-Identifier: Apache-2.0
"""What a new user meets first: output, exit statuses, stop, inspect, logs."""

import json
import os
import re
import signal
import time

import pytest

import lab as lab_module
from lab import ROOT, figure, processes_naming, status_of, wait_for

PHASES = ["accepted", "scheduled", "imageReady", "vmReady", "unpacked", "started", "firstOutput", "stopping",
          "stopped"]


def test_hello_by_an_fgd_that_fgrun_starts(layout):
    """No endpoint, nothing runs: fgrun starts an fgd, which leaves when it is idle."""
    with lab_module.lab(start=False) as lab:
        lab.env["FGRUN_IDLE_EXIT"] = "1"
        started = time.monotonic()
        done = lab.fgrun("run", "--phases", ROOT / "examples" / "hello.json")
        figure(f"first run ever, capability probing included: {time.monotonic() - started:.2f} s")
        greeting, kernel = done.stdout.splitlines()
        assert re.fullmatch(r"Hello from (ip-[0-9-]+\.fgrun\.internal|[0-9a-f]{12})", greeting)
        assert kernel.endswith("-fgrun") and kernel != os.uname().release

        lines = done.stderr.splitlines()
        heading = next(i for i, line in enumerate(lines) if line.split() == ["PHASE", "MS", "+MS"])
        table = [line.split() for line in lines[heading + 1:]]
        assert [row[0] for row in table[:len(PHASES)]] == PHASES
        times = [float(row[1]) for row in table[:len(PHASES)]]
        assert times == sorted(times) and times[0] == 0
        assert re.fullmatch(r"typed to first byte [0-9.]+ ms", lines[-2])
        assert lines[-1] == "cost $0.000205708 for 1m of 256 CPU units and 512 MiB"
        wait_for(lambda: not processes_naming(lab.directory), "the idle fgd leaves", 30)
        assert lab.left_over() == []


def test_a_container_knows_itself(lab):
    """The example that asks its metadata endpoint, against what fgd says of the task."""
    done = lab.fgrun("run", ROOT / "examples" / "metadata.json")
    task, stats = map(json.loads, done.stdout.splitlines())
    told = lab.latest()
    (container,), (own,) = told["containers"], task["Containers"]
    assert (task["TaskARN"], task["Cluster"]) == (told["taskArn"], told["clusterArn"])
    assert (task["Family"], task["LaunchType"]) == ("metadata", "FARGATE")
    assert told["taskDefinitionArn"].endswith(f":task-definition/metadata:{task['Revision']}")
    assert own["DockerId"] == stats["id"] == container["runtimeId"]
    assert (own["ContainerARN"], own["ImageID"]) == (container["containerArn"], container["imageDigest"])
    assert own["Labels"]["team"] == "green" and own["KnownStatus"] == "RUNNING"
    assert task.get("VPCID") == lab.fgd.call("GET", "/v1/network").get("vpc")
    assert stats["memory_stats"]["usage"] > 0


@pytest.mark.parametrize("command, status", [
    ("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -SEGV $$", 139)])
def test_exit_status(lab, task, command, status):
    # The first process of a namespace is spared by its own signals, so that init goes first.
    done = lab.run(task(command, linuxParameters={"initProcessEnabled": True}))
    assert done.returncode == status, done.stderr


def test_command_that_is_not_there(lab, task):
    done = lab.run(task(["/no/such/program"]))
    assert done.returncode == 125
    assert "/no/such/program" in done.stderr
    stopped = lab.latest()
    assert stopped["stopCode"] == "TaskFailedToStart"
    for reason in (stopped["stoppedReason"], stopped["containers"][0]["reason"]):
        assert reason.startswith("CannotStartContainerError: ")


def test_stopped_by_a_signal(lab, task):
    task_id = lab.detach(task(["sleep", "60"], linuxParameters={"initProcessEnabled": True}))
    lab.wait(task_id, "RUNNING")
    lab.fgrun("stop", "--wait", task_id)
    assert lab.inspect(task_id)["containers"][0]["exitCode"] == 143


def test_out_of_memory(lab, task):
    done = lab.run(task("tail /dev/zero", memory=32))
    assert done.returncode == 137
    container = lab.latest()["containers"][0]
    assert container["exitCode"] == 137
    assert container["reason"].startswith("OutOfMemoryError"), container


def test_streams_and_logs(lab, task):
    definition = task("echo out; echo err >&2; echo m\u00f6re; printf 'no newline'")
    attached = lab.run(definition, "--quiet")
    assert (attached.stdout, attached.stderr) == ("out\nm\u00f6re\nno newline", "err\n")
    logs = lab.fgrun("logs", lab.latest()["fgrun"]["id"])
    assert (logs.stdout, logs.stderr) == (attached.stdout, attached.stderr)


def test_detach_inspect_and_stop_of_a_stubborn_container(lab, task):
    done = lab.fgrun("run", "--detach", lab.file(task("trap '' TERM; echo deaf; while :; do sleep 1; done",
                                                      stopTimeout=2)))
    task_id = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"[0-9a-f]{32}", task_id)
    follower = lab.popen("logs", "-f", task_id)
    assert follower.stdout.readline() == "deaf\n"
    running = lab.inspect(task_id)
    assert (running["lastStatus"], running["desiredStatus"]) == ("RUNNING", "RUNNING")
    assert running["healthStatus"] == "UNKNOWN" and "exitCode" not in running["containers"][0]
    assert task_id[:12] in lab.fgrun("ps").stdout

    before = time.monotonic()
    lab.fgrun("stop", "--wait", "--reason=enough", task_id)
    assert 2 <= time.monotonic() - before < 25  # the default is 30
    stopped = lab.inspect(task_id[:8])
    assert stopped["lastStatus"] == "STOPPED" and stopped["stopCode"] == "UserInitiated"
    assert stopped["stoppedReason"] == "enough"
    assert stopped["containers"][0]["exitCode"] == 137
    for when in ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt", "stoppedAt"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stopped[when]), when
    assert follower.communicate(timeout=20) == ("", "") and follower.returncode == 0
    assert task_id[:12] not in lab.fgrun("ps").stdout


def test_stop_is_heard(lab, task):
    """SIGTERM reaches the container, which ends in its own way."""
    task_id = lab.detach(task("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done", stopTimeout=20))
    wait_for(lambda: "up\n" == lab.fgrun("logs", task_id).stdout, "output")
    lab.fgrun("stop", "--wait", task_id)
    assert lab.inspect(task_id)["containers"][0]["exitCode"] == 3
    assert lab.fgrun("logs", task_id).stdout == "up\nbye\n"


def test_ctrl_c_stops_the_task(lab, task):
    attached = lab.popen("run", lab.file(task("trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.1; done")))
    assert attached.stdout.readline() == "up\n"
    attached.send_signal(signal.SIGINT)
    out, _ = attached.communicate(timeout=30)
    assert out == "bye\n" and attached.returncode == 5
    stopped = lab.latest()
    assert stopped["lastStatus"] == "STOPPED" and stopped["stopCode"] == "UserInitiated"


def test_refused_definition_names_every_error(lab, task):
    wrong = task("true", comand=["x"], credentialSpecs=["credentialspec:x"])
    wrong["cpu"] = "3"
    done = lab.run(wrong)
    assert done.returncode not in (0, 125)
    for text in ('did you mean "command"', "credentialSpecs", "$.cpu"):
        assert text in done.stderr, done.stderr


def test_pipe_that_closes_stops_the_task(lab, task):
    attached = lab.popen("run", lab.file(task("while echo y; do :; done", stopTimeout=2)))
    assert attached.stdout.readline() == "y\n"
    attached.stdout.close()
    attached.stderr.read()
    attached.wait(30)
    assert lab.latest()["lastStatus"] == "STOPPED"


def test_usage(lab, task):
    lab.run(task("true", family="billed"), check=True)
    usage = json.loads(lab.fgrun("usage", "--json", "--by=family").stdout)
    billed = [group for group in usage["groups"] if group["key"] == "billed"]
    assert len(billed) == 1 and billed[0]["seconds"] == 60 and billed[0]["cost"] == "$0.000205708"


def test_memory_of_an_idle_fgd(lab):
    lab.settle()
    figure(f"fgd's RSS after these tasks, idle: {lab_module.rss_mib(lab.fgd.pid()):.1f} MiB")
    assert status_of(lab.fgd.pid(), "State")[0] in "SR"
