# SPDX-License-Identifier: Apache-2.0
"""The life of a task, over HTTP."""

import threading

import pytest

from fgd import Failure

STATES = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING",
          "STOPPED"]


def test_runs_to_its_end(fgd, task):
    accepted = fgd.run(task("print hello", ";", "err oops", ";", "exit 7"), startedBy="me",
                       tags=[{"key": "a", "value": "b"}])
    assert accepted["lastStatus"] in STATES and accepted["desiredStatus"] == "RUNNING"
    done = fgd.stopped(accepted)
    assert done["stopCode"] == "EssentialContainerExited"
    assert done["stoppedReason"] == "Essential container in task exited"
    assert done["containers"][0]["exitCode"] == 7 and done["fgrun"]["endedBy"] == "app"
    assert done["containers"][0]["lastStatus"] == "STOPPED"
    assert done["startedBy"] == "me" and done["tags"] == [{"key": "a", "value": "b"}]
    stamps = [done[name] for name in ("createdAt", "pullStartedAt", "connectivityAt", "startedAt", "stoppingAt",
                                      "executionStoppedAt", "stoppedAt")]
    assert stamps[0] <= stamps[1] <= stamps[2] <= stamps[3] <= stamps[4] <= stamps[5] <= stamps[6]
    task_id = done["fgrun"]["id"]
    assert fgd.output_of(task_id) == b"hello\n"
    assert fgd.output_of(task_id, "stderr") == b"oops\n"
    names = [phase["name"] for phase in done["fgrun"]["phases"]]
    assert names[0] == "accepted" and names[-1] == "stopped" and "started" in names
    usage = done["fgrun"]["usage"]
    assert usage["seconds"] == 60 and usage["open"] is False
    assert usage["vcpuMs"] == 60_000 // 4 and usage["memoryMibMs"] == 512 * 60_000


def test_stop_by_the_user(fgd, task):
    running = fgd.get(fgd.run(task("print up", ";", "wait"))["fgrun"]["id"], wait="RUNNING")
    task_id = running["fgrun"]["id"]
    stopped = fgd.call("POST", f"/v1/tasks/{task_id}/stop", {"reason": "enough"})["task"]
    assert stopped["desiredStatus"] == "STOPPED"
    done = fgd.stopped(running)
    assert (done["stopCode"], done["stoppedReason"]) == ("UserInitiated", "enough")
    again = fgd.call("POST", f"/v1/tasks/{task_id}/stop", {"reason": "late"})["task"]
    assert again["stoppedReason"] == "enough"


def test_stop_before_the_guest_is_up(fgd, task):
    accepted = fgd.run(task("wait"))
    fgd.call("POST", f"/v1/tasks/{accepted['fgrun']['id']}/stop", {})
    assert fgd.stopped(accepted)["stoppedReason"] == "Task stopped by user"


def test_two_containers_depend(fgd, task, image):
    definition = task("sleep 20", ";", "print second")
    definition["containerDefinitions"][0]["dependsOn"] = [{"containerName": "first", "condition": "SUCCESS"}]
    definition["containerDefinitions"].append(
        {"name": "first", "image": image, "essential": False, "command": ["sleep 50", ";", "print first"]})
    done = fgd.stopped(fgd.run(definition))
    assert [c["exitCode"] for c in done["containers"]] == [0, 0]
    data = [record["data"] for record in fgd.logs(done["fgrun"]["id"])]
    assert fgd.logs(done["taskArn"]) == fgd.logs(done["fgrun"]["id"])
    assert data == ["first\n", "second\n"]


def test_vm_that_dies(fgd, task):
    done = fgd.stopped(fgd.run(task("print last words", ";", "crash")))
    assert "microVM ended unexpectedly" in done["stoppedReason"]
    assert done["containers"][0]["lastStatus"] == "STOPPED"


def test_guest_that_breaks_the_protocol(fgd, task):
    done = fgd.stopped(fgd.run(task("garbage")))
    assert done["lastStatus"] == "STOPPED" and done["stopCode"] != ""
    assert fgd.call("GET", "/v1/info")["capacity"]["memoryMiBUsed"] == 0


def test_image_that_is_not_there(fgd, task):
    done = fgd.stopped(fgd.run(task("exit 0", container={"image": "oci:/nonexistent/layout:latest"})))
    assert done["stopCode"] == "TaskFailedToStart"
    assert "CannotPullContainerError" in done["stoppedReason"]
    assert "CannotPullContainerError" in done["containers"][0]["reason"]


def test_binary_output_survives(fgd, task):
    done = fgd.stopped(fgd.run(task("binary")))
    assert fgd.output_of(done["fgrun"]["id"]) == bytes(range(256))


def test_flood_is_complete(fgd, task):
    done = fgd.stopped(fgd.run(task("flood 3000000")))
    assert len(fgd.output_of(done["fgrun"]["id"])) == 3000000


def test_follow_sees_output_as_it_comes(fgd, task):
    task_id = fgd.run(task("print early", ";", "wait"))["fgrun"]["id"]
    response = fgd.request("GET", f"/v1/tasks/{task_id}/logs?follow=1")
    assert b"early" in response.readline()
    fgd.call("POST", f"/v1/tasks/{task_id}/stop", {})
    assert response.read() == b""  # the stream ends with the task


def test_events_on_the_log_stream(fgd, task):
    task_id = fgd.run(task("print x"))["fgrun"]["id"]
    lines = fgd.logs(task_id, "?follow=1&events=1")
    states = [line["lastStatus"] for line in lines if line.get("event") == "state"]
    assert states[-1] == "STOPPED"
    assert [STATES.index(s) for s in states] == sorted(STATES.index(s) for s in states)


def test_oom_is_named(fgd, task):
    container = fgd.stopped(fgd.run(task("oom")))["containers"][0]
    assert container["exitCode"] == 137 and container["reason"].startswith("OutOfMemoryError")


def test_image_defaults_and_overrides(fgd, task):
    definition = task()
    del definition["containerDefinitions"][0]["command"]
    assert fgd.output_of(fgd.stopped(fgd.run(definition))["fgrun"]["id"]) == b"image default\n"
    overrides = {"containerOverrides": [{"name": "app", "command": ["env", "A"],
                                         "environment": [{"name": "A", "value": "over"}]}], "cpu": "512", "memory": "1024"}
    done = fgd.stopped(fgd.run(task("exit 1"), overrides=overrides))
    assert done["cpu"] == "512" and done["memory"] == "1024"
    assert fgd.output_of(done["fgrun"]["id"]) == b"over\n"


def test_all_errors_at_once(fgd):
    with pytest.raises(Failure) as failure:
        fgd.run({"family": "x y", "cpu": "300", "memory": "512", "containerDefinitions": [
            {"name": "a", "image": "b", "comand": ["x"], "credentialSpecs": ["x"]}]}, startedBy="x" * 200)
    body = failure.value.body
    assert failure.value.status == 400
    paths = {problem["path"] for problem in body["errors"]}
    assert {"$.startedBy", "$.family", "$.containerDefinitions[0].comand", "$.containerDefinitions[0].credentialSpecs"} <= paths
    messages = " ".join(problem["message"] for problem in body["errors"])
    assert "command" in messages and "not supported" in messages


def test_capacity_is_refused_not_queued(start, task):
    with start(vcpu_overcommit_percent=50) as fgd:
        with pytest.raises(Failure) as failure:
            fgd.run(task("wait", cpu="4096", memory="8192"))
        assert failure.value.status == 503
        assert failure.value.body["message"].startswith("RESOURCE:CPU")


def test_client_token(fgd, task):
    first = fgd.run(task("wait"), clientToken="t1")
    again = fgd.run(task("wait"), clientToken="t1")
    assert first["taskArn"] == again["taskArn"]
    with pytest.raises(Failure) as failure:
        fgd.run(task("exit 0"), clientToken="t1")
    assert failure.value.status == 409
    fgd.call("POST", f"/v1/tasks/{first['fgrun']['id']}/stop", {})
    fgd.stopped(first)
    assert fgd.run(task("wait"), clientToken="t1")["taskArn"] == first["taskArn"]


def test_same_token_at_the_same_time(fgd, task):
    arns = []
    threads = [threading.Thread(target=lambda: arns.append(fgd.run(task("exit 0"), clientToken="race")["taskArn"]))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(arns) == 8 and len(set(arns)) == 1


def test_lists_and_prefixes(fgd, task):
    done = fgd.stopped(fgd.run(task("exit 0")))
    active = fgd.run(task("wait", family="other"))
    task_id = done["fgrun"]["id"]
    ids = [t["fgrun"]["id"] for t in fgd.call("GET", "/v1/tasks")["tasks"]]
    assert ids == [active["fgrun"]["id"], task_id]
    assert [t["fgrun"]["id"] for t in fgd.call("GET", "/v1/tasks?status=STOPPED")["tasks"]] == [task_id]
    assert len(fgd.call("GET", "/v1/tasks?family=other&status=ACTIVE")["tasks"]) == 1
    assert fgd.get(task_id[:8])["taskArn"] == done["taskArn"]
    assert fgd.call("GET", f"/v1/tasks/{done['taskArn']}")["task"]["taskArn"] == done["taskArn"]
    for bad, status in (("zzzz", 400), ("0" * 32, 404)):
        with pytest.raises(Failure) as failure:
            fgd.get(bad)
        assert failure.value.status == status
    fgd.call("POST", f"/v1/tasks/{active['fgrun']['id']}/stop", {})
    fgd.stopped(active)


def pages(fgd, query, between=lambda: None):
    """The ids of each page of a list; @between is called after each."""
    answer = fgd.call("GET", f"/v1/tasks?{query}")
    yield [t["fgrun"]["id"] for t in answer["tasks"]]
    while "next" in answer:
        between()
        answer = fgd.call("GET", f"/v1/tasks?{query}&next={answer['next']}")
        yield [t["fgrun"]["id"] for t in answer["tasks"]]


def test_pages(fgd, task):
    ids = [fgd.run(task("exit 0"))["fgrun"]["id"] for _ in range(5)]
    for task_id in ids:
        fgd.get(task_id, wait="STOPPED")
    assert list(pages(fgd, "limit=2")) == [ids[:2:-1], ids[2:0:-1], ids[:1]]
    assert list(pages(fgd, "limit=5")) == list(pages(fgd, "")) == [ids[::-1]]
    # what comes in between is on no later page, and moves nothing
    seen = list(pages(fgd, "limit=2&status=STOPPED&family=test", lambda: fgd.stopped(fgd.run(task("exit 0")))))
    assert seen == [ids[:2:-1], ids[2:0:-1], ids[:1]]
    assert list(pages(fgd, "limit=2&family=other")) == [[]]


@pytest.mark.parametrize("query, allowed", [
    ("limit=0", "from 1 to 1000"), ("limit=many", "from 1 to 1000"), ("next=1", "earlier answer"),
    ("status=ENDED", "PROVISIONING, PENDING")])
def test_lists_that_are_not_understood(fgd, query, allowed):
    with pytest.raises(Failure) as failure:
        fgd.call("GET", f"/v1/tasks?{query}")
    assert failure.value.status == 400 and allowed in failure.value.body["message"]


def test_many_tasks_leave_nothing(fgd, task):
    tasks = [fgd.run(task(f"print {i}")) for i in range(20)]
    for i, accepted in enumerate(tasks):
        assert fgd.output_of(fgd.stopped(accepted)["fgrun"]["id"]) == f"{i}\n".encode()
    info = fgd.call("GET", "/v1/info")
    assert info["capacity"]["memoryMiBUsed"] == 0 and info["capacity"]["cpuUnitsUsed"] == 0
    import os
    assert os.listdir(f"{fgd.directory}/state/tasks") == []
    assert os.listdir(f"{fgd.directory}/run") == ["fgd.sock"]


def test_usage_and_prune(fgd, task):
    for _ in range(2):
        fgd.stopped(fgd.run(task("exit 0")))
    report = fgd.call("GET", "/v1/usage?by=family")
    assert report["groups"][0]["key"] == "test" and report["total"]["seconds"] == 120
    assert fgd.call("POST", "/v1/prune", {"images": True, "tasks": True})["tasks"] == 2
    assert fgd.call("GET", "/v1/tasks")["tasks"] == [] and fgd.call("GET", "/v1/images")["images"] == []
    assert fgd.call("GET", "/v1/usage")["total"]["seconds"] == 120  # the ledger forgets nothing
