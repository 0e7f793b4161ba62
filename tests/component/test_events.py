# SPDX-License-Identifier: Apache-2.0
"""GET /v1/events: every change of a task's state, in order, once at least, whatever dies meanwhile."""

import json
import os
import pathlib
import socket
import sqlite3
import subprocess

import pytest

from fgd import Failure, UnixConnection

FGRUN = str(pathlib.Path(os.environ["FGRUN_BUILD"]) / "cli" / "fgrun")

STATES = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING",
          "STOPPED"]


class Follower:
    """A reader of server-sent events, as a browser's EventSource."""

    def __init__(self, fgd, query="", last=None):
        self.connection = UnixConnection(fgd.socket, 120)
        headers = {"Last-Event-ID": last} if last else {}
        self.connection.request("GET", f"/v1/events?follow=1{query}", headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        assert self.response.getheader("Content-Type") == "text/event-stream"
        self.last = last

    def blocks(self):
        """(field, value) pairs of one event or comment."""
        fields = []
        while True:
            line = self.response.readline()
            if not line:
                return
            line = line.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(":")
                fields.append((name, value.removeprefix(" ")))
            elif fields:
                yield fields
                fields = []

    def events(self):
        for fields in self.blocks():
            event = dict(fields)
            if "id" in event:
                self.last = event["id"]
            if event.get("event") == "ECS Task State Change":
                yield json.loads(event["data"])

    def until_stopped(self, task_id):
        seen = []
        for event in self.events():
            seen.append(event)
            if event["detail"]["taskArn"].endswith(task_id) and event["detail"]["lastStatus"] == "STOPPED":
                return seen
        raise AssertionError("the stream ended")

    def close(self):
        self.connection.close()


def pages(fgd, since="0", limit=100):
    events = []
    while True:
        page = fgd.call("GET", f"/v1/events?since={since}&limit={limit}")
        events += page["events"]
        if not page["events"]:
            return events
        since = page["next"]


def test_the_life_of_a_task(fgd, task):
    follower = Follower(fgd)
    done = fgd.stopped(fgd.run(task("print hello", ";", "exit 3")))
    events = follower.until_stopped(done["fgrun"]["id"])
    statuses = [e["detail"]["lastStatus"] for e in events]
    assert sorted(statuses, key=STATES.index) == statuses  # never backwards
    assert set(statuses) >= {"PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING", "STOPPED"}
    versions = [e["detail"]["version"] for e in events]
    assert sorted(versions) == versions
    for event in events:
        assert event["version"] == "0" and event["source"] == "aws.ecs"
        assert event["detail-type"] == "ECS Task State Change"
        assert event["account"] == "000000000000" and event["region"] == "local-1"
        assert event["resources"] == [done["taskArn"]]
        assert "fgrun" not in event["detail"] and event["detail"]["clusterArn"] == done["clusterArn"]
        assert event["time"].endswith("Z") and event["detail"]["createdAt"].endswith("Z")
    assert len({e["id"] for e in events}) == len(events)
    last = events[-1]["detail"]
    assert last["containers"][0]["exitCode"] == 3 and last["stopCode"] == "EssentialContainerExited"
    assert pages(fgd) == events and pages(fgd, limit=1) == events
    follower.close()


def test_a_page_and_its_bounds(fgd, task):
    empty = fgd.call("GET", "/v1/events")
    assert empty == {"events": [], "next": "0", "oldest": "1", "newest": "0"}
    fgd.stopped(fgd.run(task("exit 0")))
    page = fgd.call("GET", "/v1/events?limit=2")
    assert len(page["events"]) == 2 and page["next"] == "2" and page["oldest"] == "1"
    for query, text in (("since=x", "since = x"), ("limit=1001", "at most 1000"), ("format=xml", "sse or lines")):
        with pytest.raises(Failure, match=text):
            fgd.call("GET", f"/v1/events?{query}")


def test_a_client_comes_back_after_a_crash(fgd, task):
    """Nothing is missed and nothing changes its id, wherever fgd dies."""
    follower = Follower(fgd, "&since=0")
    task_id = fgd.run(task("print a", ";", "wait"))["fgrun"]["id"]
    seen = []
    for event in follower.events():
        seen.append(event)
        if event["detail"]["lastStatus"] == "RUNNING":
            break
    for _ in range(3):
        fgd.kill()
        follower.close()
        fgd.start()
        follower = Follower(fgd, last=follower.last)
    fgd.call("POST", f"/v1/tasks/{task_id}/stop", {})
    seen += follower.until_stopped(task_id)
    stored = pages(fgd)
    assert [e["id"] for e in seen] == [e["id"] for e in stored]
    assert seen == stored
    follower.close()


def test_an_event_for_every_stored_state(fgd, task):
    """A task that reached a state has the event of it, whenever fgd was killed."""
    ids = [fgd.run(task("sleep 20", ";", "exit 0"))["fgrun"]["id"] for _ in range(4)]
    for _ in range(4):
        fgd.kill()
        with sqlite3.connect(f"{fgd.directory}/state/fgd.db") as db:
            statuses = dict(db.execute("SELECT id, status FROM tasks"))
            last = {}
            for (body,) in db.execute("SELECT body FROM events ORDER BY seq"):
                detail = json.loads(body)["detail"]
                last[detail["taskArn"].split("/")[-1]] = detail["lastStatus"]
        assert last == statuses
        fgd.start()
    for task_id in ids:
        fgd.get(task_id, wait="STOPPED")


def test_lines_for_programs_without_sse(fgd, task):
    task_id = fgd.run(task("exit 0"))["fgrun"]["id"]
    fgd.get(task_id, wait="STOPPED")
    response = fgd.request("GET", "/v1/events?follow=1&since=0&format=lines")
    assert response.getheader("Content-Type") == "application/x-ndjson"
    last = None
    while last != "STOPPED":
        line = json.loads(response.readline())
        if line:
            last = line["event"]["detail"]["lastStatus"]
    assert int(line["id"]) == len(pages(fgd))
    response.close()


def test_a_heartbeat_while_nothing_happens(fgd):
    follower = Follower(fgd)
    assert next(follower.blocks()) == [("", "")]
    follower.close()


def test_retention_by_count_and_what_a_reader_is_told(start, task):
    with start(events_max="100") as fgd:
        tasks = 0
        while fgd.call("GET", "/v1/events?limit=1")["oldest"] == "1":
            assert tasks < 100
            tasks += 1
            fgd.stopped(fgd.run(task("exit 0")))
        page = fgd.call("GET", "/v1/events?limit=1000")
        assert len(page["events"]) == 100
        assert int(page["newest"]) - int(page["oldest"]) == 99
        follower = Follower(fgd, "&since=0")
        first = dict(next(follower.blocks()))
        assert first["event"] == "lost" and json.loads(first["data"]) == {"lost": int(page["oldest"]) - 1}
        assert next(follower.events()) == page["events"][0]
        follower.close()
        fgd.stop()
        fgd.start()  # numbers are not given twice
        assert fgd.call("GET", "/v1/events?limit=1")["newest"] == page["newest"]


def test_a_client_that_does_not_read_is_cut_off_alone(fgd, task):
    quiet = socket.socket(socket.AF_UNIX)
    quiet.connect(fgd.socket)
    quiet.sendall(b"GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    follower = Follower(fgd)
    done = fgd.stopped(fgd.run(task("exit 0")))
    assert follower.until_stopped(done["fgrun"]["id"])
    quiet.close()
    follower.close()


def fgrun(fgd, *args, **kwargs):
    env = {"PATH": os.environ["PATH"], "HOME": fgd.directory, "FGRUN_HOST": f"unix://{fgd.socket}"}
    return subprocess.Popen([FGRUN, *args], env=env, stdout=subprocess.PIPE, text=True, **kwargs)


def test_fgrun_prints_what_is_stored(fgd, task):
    done = fgd.stopped(fgd.run(task("exit 4")))
    lines = fgrun(fgd, "events").communicate(timeout=60)[0].splitlines()
    assert len(lines) == len(pages(fgd))
    assert all(done["fgrun"]["id"][:12] in line and " test:0 " in line for line in lines)
    assert lines[-1].endswith("STOPPED app=4 (Essential container in task exited)")
    text = fgrun(fgd, "--json", "events", "--since", "3").communicate(timeout=60)[0]
    assert [json.loads(line) for line in text.splitlines()] == pages(fgd, since="3")


def test_fgrun_follows_across_a_crash(fgd, task):
    with fgrun(fgd, "--json", "events", "--follow", "--since", "0") as reader:
        task_id = fgd.run(task("wait"))["fgrun"]["id"]
        seen = []
        while not seen or seen[-1]["detail"]["lastStatus"] != "RUNNING":
            seen.append(json.loads(reader.stdout.readline()))
        fgd.kill()
        fgd.start()
        fgd.call("POST", f"/v1/tasks/{task_id}/stop", {})
        while seen[-1]["detail"]["lastStatus"] != "STOPPED":
            seen.append(json.loads(reader.stdout.readline()))
        assert seen == pages(fgd)
        reader.terminate()
