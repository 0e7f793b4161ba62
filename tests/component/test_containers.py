# SPDX-License-Identifier: Apache-2.0
"""Health, restarts and the limits of a task, as fgd tells of them."""

import contextlib
import datetime
import os
import pathlib
import time

import pytest

CHECK = {"command": ["CMD", "true"]}


def with_containers(task, image, *containers):
    """A task definition of (name, command, members) each."""
    definition = task("exit 0")
    definition["containerDefinitions"] = [
        {"name": name, "image": image, "command": list(command), **members} for name, command, members in containers]
    return definition


def until(fgd, task_id, condition):
    """The task once @condition holds of it; it is looked at after each of its changes."""
    with contextlib.closing(fgd.request("GET", f"/v1/tasks/{task_id}/logs?follow=1&events=1")) as changes:
        for _ in changes:
            task = fgd.get(task_id)
            if condition(task):
                return task
    raise AssertionError(f"it has stopped: {task}")


def health_of(task):
    return {c["name"]: c["healthStatus"] for c in task["containers"]}


def health(fgd, task_id, wanted):
    """Wait for the task's health; return it by container."""
    return health_of(until(fgd, task_id, lambda task: task["healthStatus"] == wanted))


def stop(fgd, task_id):
    fgd.call("POST", f"/v1/tasks/{task_id}/stop", {})
    return fgd.get(task_id, wait="STOPPED")


def test_health_of_containers_and_of_their_task(fgd, task, image):
    definition = with_containers(
        task, image,
        ("app", ["gate", ";", "health HEALTHY", ";", "gate", ";", "health UNHEALTHY", ";", "wait"],
         {"healthCheck": CHECK}),
        ("other", ["health HEALTHY", ";", "wait"], {"healthCheck": CHECK}),
        ("side", ["health UNHEALTHY", ";", "wait"], {"healthCheck": CHECK, "essential": False}))
    gate = pathlib.Path(fgd.directory, "run", "gate")
    os.mkfifo(gate)
    task_id = fgd.run(definition)["fgrun"]["id"]
    running = fgd.get(task_id, wait="RUNNING")
    assert running["healthStatus"] == "UNKNOWN"
    gate.write_bytes(b"x")
    assert health(fgd, task_id, "HEALTHY") == {"app": "HEALTHY", "other": "HEALTHY", "side": "UNHEALTHY"}
    gate.write_bytes(b"x")
    assert health(fgd, task_id, "UNHEALTHY")["app"] == "UNHEALTHY"
    assert fgd.get(task_id)["lastStatus"] == "RUNNING", "a task that is not well goes on"
    done = stop(fgd, task_id)
    assert (done["healthStatus"], done["stopCode"]) == ("UNHEALTHY", "UserInitiated")


def test_an_essential_container_without_a_check_is_not_known_to_be_well(fgd, task, image):
    definition = with_containers(task, image, ("app", ["health HEALTHY", ";", "print x", ";", "wait"], {"healthCheck": CHECK}),
                                 ("mute", ["health HEALTHY", ";", "wait"], {}))
    task_id = fgd.run(definition)["fgrun"]["id"]
    known = until(fgd, task_id, lambda task: "HEALTHY" in health_of(task).values())
    assert health_of(known) == {"app": "HEALTHY", "mute": "UNKNOWN"} and known["healthStatus"] == "UNKNOWN"
    stop(fgd, task_id)


def test_depends_healthy(fgd, task, image):
    definition = with_containers(
        task, image, ("app", ["print second"], {"dependsOn": [{"containerName": "db", "condition": "HEALTHY"}]}),
        ("db", ["print first", ";", "sleep 100", ";", "health HEALTHY", ";", "wait"], {"healthCheck": CHECK}))
    done = fgd.stopped(fgd.run(definition))
    assert [record["data"] for record in fgd.logs(done["fgrun"]["id"])] == ["first\n", "second\n"]


def test_restart_of_an_essential_container(fgd, task):
    """The task goes on, and so do its log and its state; fgd may die meanwhile."""
    definition = task("print run", ";", "age 61000", ";", "health HEALTHY", ";", "once", ";", "exit 3", container={
        "restartPolicy": {"enabled": True, "restartAttemptPeriod": 60}, "healthCheck": CHECK})
    task_id = fgd.run(definition)["fgrun"]["id"]
    until(fgd, task_id, lambda task: task["fgrun"].get("restarts") and task["healthStatus"] == "HEALTHY")
    fgd.kill()
    fgd.start()
    again = fgd.get(task_id)
    assert again["fgrun"]["restarts"] == {"app": 1} and again["healthStatus"] == "HEALTHY"
    assert again["lastStatus"] == "RUNNING" and "exitCode" not in again["containers"][0]
    done = stop(fgd, task_id)
    assert done["fgrun"]["restarts"] == {"app": 1} and done["containers"][0]["exitCode"] == 143
    assert fgd.output_of(task_id) == b"run\nrun\n"


def test_no_restart(fgd, task):
    """Before its time, and of an exit code that is left alone."""
    policy = {"enabled": True, "restartAttemptPeriod": 60, "ignoredExitCodes": [3]}
    for command in (["exit 2"], ["age 61000", ";", "exit 3"]):
        done = fgd.stopped(fgd.run(task(*command, container={"restartPolicy": policy})))
        assert "restarts" not in done["fgrun"] and done["containers"][0]["exitCode"] in (2, 3)


def seconds_of(task):
    begun, ended = (datetime.datetime.fromisoformat(task[name]) for name in ("startedAt", "stoppingAt"))
    return (ended - begun).total_seconds()


@pytest.mark.parametrize("where", ["definition", "override"])
def test_maximum_run_time(fgd, task, where):
    limits = {"fgrun": {"maxRunTime": 1}}
    definition = task("print up", ";", "wait", **(limits if where == "definition" else {"fgrun": {"maxRunTime": 999}}))
    done = fgd.stopped(fgd.run(definition, **({} if where == "definition" else {"overrides": limits})))
    assert (done["stopCode"], done["stoppedReason"]) == ("UserInitiated", "Task reached its maximum run time of 1 s")
    assert done["containers"][0]["exitCode"] == 143 and done["fgrun"]["maxRunTime"] == 1
    assert 0.9 < seconds_of(done) < 30
    assert fgd.output_of(done["fgrun"]["id"]) == b"up\n"


def test_maximum_run_time_survives_fgd(fgd, task):
    """It goes on from where it was, and what is over is over as soon as an fgd is there."""
    task_id = fgd.run(task("wait", fgrun={"maxRunTime": 2}))["fgrun"]["id"]
    fgd.get(task_id, wait="RUNNING")
    fgd.kill()
    fgd.start()
    assert fgd.get(task_id)["lastStatus"] == "RUNNING"
    done = fgd.get(task_id, wait="STOPPED")
    assert 1.9 < seconds_of(done) < 30 and "maximum run time" in done["stoppedReason"]
    task_id = fgd.run(task("wait", fgrun={"maxRunTime": 1}))["fgrun"]["id"]
    begun = fgd.get(task_id, wait="RUNNING")["startedAt"]
    fgd.kill()
    while (datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(begun)).total_seconds() < 1.2:
        time.sleep(0.05)
    fgd.start()
    done = fgd.get(task_id, wait="STOPPED")
    assert "maximum run time" in done["stoppedReason"] and done["stopCode"] == "UserInitiated"


def test_a_task_that_ends_before_its_maximum(fgd, task):
    done = fgd.stopped(fgd.run(task("exit 4", fgrun={"maxRunTime": 1000})))
    assert done["stopCode"] == "EssentialContainerExited" and done["containers"][0]["exitCode"] == 4
