# SPDX-License-Identifier: Apache-2.0
"""kill -9 of fgd and of VMs: nothing acknowledged is lost, nothing is left over."""

import contextlib
import json
import os
import random
import signal
import sqlite3
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


# ---- rows that can no longer be read ----

def damage(fgd, task_id, column, change):
    with contextlib.closing(sqlite3.connect(f"{fgd.directory}/state/fgd.db")) as db, db:
        (text,) = db.execute(f"SELECT {column} FROM tasks WHERE id = ?", (task_id,)).fetchone()
        db.execute(f"UPDATE tasks SET {column} = ? WHERE id = ?", (change(text), task_id))


def of_another(text):
    snapshot = json.loads(text)
    return json.dumps({**snapshot, "id": "0" * 32})


def without_definition(text):
    snapshot = json.loads(text)
    snapshot["definition"]["cpu"] = "257"
    return json.dumps(snapshot)


@pytest.mark.parametrize("change, why", [
    (lambda text: text[:len(text) // 2], "line 1"), (lambda text: "", "JSON"), (lambda text: "[]", "not a JSON object"),
    (of_another, "another task"), (without_definition, "stored task definition"),
    (lambda text: text.replace('"RUNNING"', '"RUNING"'), "damaged")])
def test_damaged_task_is_set_aside(fgd, task, change, why):
    """Only it stops, and says why; its VM is gone, its bill is closed, the others run on."""
    ids = [fgd.get(fgd.run(task("print up", ";", "wait"))["fgrun"]["id"], wait="RUNNING")["fgrun"]["id"]
           for _ in range(3)]
    bad = ids.pop(1)
    pid = int(open(f"{fgd.directory}/run/{bad}/pid", encoding="ascii").read())
    fgd.kill()
    damage(fgd, bad, "snapshot", change)
    fgd.start()
    done = fgd.get(bad)
    assert (done["lastStatus"], done["desiredStatus"], done["stopCode"]) == ("STOPPED", "STOPPED", "TerminationNotice")
    assert done["stoppedReason"].startswith("fgd cannot read what it had stored of this task: ")
    assert why in done["stoppedReason"], done["stoppedReason"]
    assert done["containers"][0]["lastStatus"] == "STOPPED" and done["stoppedAt"] and done["executionStoppedAt"]
    assert done["fgrun"]["usage"]["open"] is False and done["fgrun"]["usage"]["seconds"] == 60
    assert not os.path.exists(f"/proc/{pid}") or open(f"/proc/{pid}/stat", encoding="ascii").read().split()[2] == "Z"
    assert not os.path.exists(f"{fgd.directory}/state/tasks/{bad}") and not os.path.exists(f"{fgd.directory}/run/{bad}")
    assert f"task={bad} is set aside" in fgd.output()
    assert fgd.output_of(bad) == b"up\n"
    last = fgd.call("GET", "/v1/events?limit=1000")["events"][-1]["detail"]
    assert (last["taskArn"], last["lastStatus"]) == (done["taskArn"], "STOPPED")
    for task_id in ids:
        assert fgd.get(task_id)["lastStatus"] == "RUNNING"
    # once: the next fgd knows nothing of it any more
    fgd.kill()
    fgd.start()
    assert fgd.get(bad) == done and fgd.output().count(f"task={bad} is set aside") == 1


def test_damaged_document(fgd, task):
    """What clients see can be damaged as well: the row still says the most important things."""
    stopped = fgd.stopped(fgd.run(task("exit 0")))["fgrun"]["id"]
    running = fgd.get(fgd.run(task("wait"))["fgrun"]["id"], wait="RUNNING")["fgrun"]["id"]
    fgd.kill()
    damage(fgd, stopped, "document", lambda text: text[:100])
    damage(fgd, running, "document", lambda text: "{}")
    damage(fgd, running, "snapshot", lambda text: "{}")
    fgd.start()
    listed = {t["fgrun"]["id"]: t for t in fgd.call("GET", "/v1/tasks")["tasks"]}
    assert listed[stopped]["lastStatus"] == listed[running]["lastStatus"] == "STOPPED"
    assert listed[stopped]["fgrun"]["damaged"] and listed[stopped]["fgrun"]["family"] == "test"
    assert listed[stopped]["fgrun"]["usage"]["seconds"] == 60 and listed[stopped]["createdAt"]
    assert listed[running]["stopCode"] == "TaskFailedToStart" and listed[running]["stoppedReason"]
    assert fgd.call("POST", f"/v1/tasks/{running}/stop", {})["task"]["lastStatus"] == "STOPPED"


def test_row_that_names_no_task(fgd, task):
    running = fgd.get(fgd.run(task("wait"))["fgrun"]["id"], wait="RUNNING")["fgrun"]["id"]
    fgd.kill()
    with contextlib.closing(sqlite3.connect(f"{fgd.directory}/state/fgd.db")) as db, db:
        db.execute("INSERT INTO tasks (id, cluster, family, definition, status, wants_stop, task_group, created_ns, "
                   "stopped_ns, document, ours, snapshot) "
                   "VALUES ('../../x', 'default', 'f', 'f:1', 'RUNNING', 0, '', 1, 0, '{', '{', '{')")
    fgd.start()
    assert [t["lastStatus"] for t in fgd.call("GET", "/v1/tasks")["tasks"]] == ["RUNNING", "STOPPED"]
    assert fgd.get(running)["lastStatus"] == "RUNNING"
