# SPDX-License-Identifier: Apache-2.0
"""kill -9 of fgd and of VMs: nothing acknowledged is lost, nothing is left over."""

import os
import random
import signal
import threading
import time

import pytest

from fgd import Failure


def test_running_task_is_taken_up_again(fgd, task):
    running = fgd.get(fgd.run(task("lines 100", ";", "wait", ";", "print bye"))["fgrun"]["id"], wait="RUNNING")
    task_id = running["fgrun"]["id"]
    for _ in range(3):
        fgd.kill()
        fgd.start()
        assert fgd.get(task_id)["lastStatus"] == "RUNNING"
    fgd.call("POST", f"/v1/tasks/{task_id}/stop", {})
    done = fgd.stopped(running)
    assert done["stopCode"] == "UserInitiated"
    expected = "".join(f"line {i}\n" for i in range(1, 101)).encode()
    assert fgd.output_of(task_id).startswith(expected)
    assert fgd.output_of(task_id).count(b"line 1\n") == 1


def test_output_of_the_time_without_fgd_is_not_lost(fgd, task):
    task_id = fgd.run(task("print begin", ";", "sleep 300", ";", "lines 2000", ";", "exit 5"))["fgrun"]["id"]
    fgd.get(task_id, wait="RUNNING")
    fgd.kill()
    time.sleep(0.6)  # the guest ends while nobody listens
    fgd.start()
    done = fgd.get(task_id, wait="STOPPED")
    assert done["containers"][0]["exitCode"] == 5
    expected = "begin\n" + "".join(f"line {i}\n" for i in range(1, 2001))
    assert fgd.output_of(task_id) == expected.encode()


def test_vm_that_died_meanwhile(fgd, task):
    task_id = fgd.run(task("wait"))["fgrun"]["id"]
    fgd.get(task_id, wait="RUNNING")
    pid = int(open(f"{fgd.directory}/run/{task_id}/pid", encoding="ascii").read())
    fgd.kill()
    os.kill(pid, signal.SIGKILL)
    fgd.start()
    done = fgd.get(task_id, wait="STOPPED")
    assert "while fgd was not running" in done["stoppedReason"]
    assert done["fgrun"]["usage"]["open"] is False


def test_killed_vm_stops_its_task_at_once(fgd, task):
    task_id = fgd.run(task("print alive", ";", "wait"))["fgrun"]["id"]
    fgd.get(task_id, wait="RUNNING")
    pid = int(open(f"{fgd.directory}/run/{task_id}/pid", encoding="ascii").read())
    os.kill(pid, signal.SIGKILL)
    done = fgd.get(task_id, wait="STOPPED")
    assert "microVM ended unexpectedly" in done["stoppedReason"]
    assert fgd.output_of(task_id) == b"alive\n"


@pytest.mark.parametrize("seed", range(12))
def test_killed_anywhere(fgd, task, seed):
    """Tasks are submitted while fgd is killed at a random moment, several times in a row."""
    rng = random.Random(seed)
    accepted, expected = [], "".join(f"line {i}\n" for i in range(1, 51)).encode()
    for _ in range(3):
        stop = threading.Event()

        def submit():
            while not stop.is_set():
                try:
                    accepted.append(fgd.run(task("lines 50", ";", f"sleep {rng.randrange(40)}", ";", "exit 3"))["fgrun"]["id"])
                except (OSError, Failure, ValueError):
                    return  # not acknowledged

        thread = threading.Thread(target=submit)
        thread.start()
        time.sleep(rng.uniform(0.01, 0.25))
        fgd.kill()
        stop.set()
        thread.join()
        fgd.start()
    for task_id in accepted:
        done = fgd.get(task_id, wait="STOPPED")
        if done["stopCode"] == "EssentialContainerExited":
            assert done["containers"][0]["exitCode"] == 3
            assert fgd.output_of(task_id) == expected
        else:
            assert "while fgd was not running" in done["stoppedReason"], done
    assert len(set(accepted)) == len(accepted)
    settled(fgd)  # also what was stored but never acknowledged
    usage = fgd.call("GET", "/v1/usage?by=task")
    billed = {group["key"] for group in usage["groups"]}
    assert set(accepted) <= billed and not any(group["open"] for group in usage["groups"])


def settled(fgd):
    """No VM, socket, directory or reservation is left."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        active = fgd.call("GET", "/v1/tasks?status=ACTIVE")["tasks"]
        if not active and os.listdir(f"{fgd.directory}/state/tasks") == [] and os.listdir(f"{fgd.directory}/run") == ["fgd.sock"]:
            break
        time.sleep(0.05)
    assert fgd.call("GET", "/v1/info")["capacity"]["memoryMiBUsed"] == 0
    assert os.listdir(f"{fgd.directory}/state/tasks") == []
    assert os.listdir(f"{fgd.directory}/run") == ["fgd.sock"]
