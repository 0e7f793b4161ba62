# SPDX-License-Identifier: Apache-2.0
"""CloudWatch Logs: what tasks write with awslogs, and the AWS CLI and boto3 that read it."""

import contextlib
import os
import sqlite3
import subprocess
import threading
import time

import pytest

import awsapi
from awsapi import AwsError
from awslogs import awslogs, messages, now_ms, task_id


# ---- what tasks write ----

def test_output_becomes_events(fgd, task, logs):
    logs("CreateLogGroup", logGroupName="/g")
    before = now_ms()
    done = fgd.stopped(fgd.run(task("print one", ";", "print", "", ";", "print two", ";", r"print no newline\c", ";",
                                    "exit 0", container=awslogs())))
    assert done["stopCode"] == "EssentialContainerExited"
    stream = f"p/app/{task_id(done)}"
    answer = logs("GetLogEvents", logGroupName="/g", logStreamName=stream, startFromHead=True)
    assert messages(answer) == ["one", "two", "no newline"]
    for event in answer["events"]:
        assert set(event) == {"timestamp", "message", "ingestionTime"}
        assert before <= event["timestamp"] <= event["ingestionTime"] <= now_ms()
    found = logs("FilterLogEvents", logGroupName="/g")
    assert messages(found) == ["one", "two", "no newline"] and found["searchedLogStreams"] == []
    assert {event["logStreamName"] for event in found["events"]} == {stream} and "nextToken" not in found
    assert len({event["eventId"] for event in found["events"]}) == 3
    assert fgd.output_of(task_id(done)) == b"one\n\ntwo\nno newline"
    listed = logs("DescribeLogStreams", logGroupName="/g")["logStreams"]
    assert [s["logStreamName"] for s in listed] == [stream]
    assert listed[0]["firstEventTimestamp"] == answer["events"][0]["timestamp"]
    assert listed[0]["lastEventTimestamp"] == answer["events"][-1]["timestamp"]
    assert listed[0]["arn"] == f"arn:aws:logs:local-1:000000000000:log-group:/g:log-stream:{stream}"


def test_a_missing_group_fails_the_start(fgd, task, logs):
    done = fgd.stopped(fgd.run(task("print one", container=awslogs("/none"))))
    assert done["stopCode"] == "TaskFailedToStart"
    assert done["stoppedReason"] == (
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
        "failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.")
    assert logs("DescribeLogGroups")["logGroups"] == []


def test_the_group_is_created_when_asked_for(fgd, task, logs):
    fgd.stopped(fgd.run(task("print one", container=awslogs("/made", awslogs_create_group="true"))))
    assert messages(logs("FilterLogEvents", logGroupName="/made")) == ["one"]
    done = fgd.stopped(fgd.run(task("print one", container=awslogs("aws/x", awslogs_create_group="true"))))
    assert "reserved for AWS" in done["stoppedReason"]


def test_json_file_and_nothing_make_no_stream(fgd, task, logs):
    logs("CreateLogGroup", logGroupName="/g")
    fgd.stopped(fgd.run(task("print one")))
    fgd.stopped(fgd.run(task("print one", container={"logConfiguration": {"logDriver": "json-file"}})))
    assert logs("DescribeLogStreams", logGroupName="/g")["logStreams"] == []


@pytest.mark.parametrize("option, value", [
    ("awslogs-multiline-pattern", "^[0-9]{4}-"), ("awslogs-datetime-format", "%Y-%m-%d")])
def test_lines_are_joined(fgd, task, logs, option, value):
    container = awslogs(awslogs_create_group="true", **{option: value})
    fgd.stopped(fgd.run(task("print before", ";", "print 2026-01-01 first", ";", "print   at line 1", ";",
                             "print 2026-01-02 second", container=container)))
    assert messages(logs("FilterLogEvents", logGroupName="/g")) == [
        "before", "2026-01-01 first\n  at line 1", "2026-01-02 second"]


def test_a_running_task_can_be_read(fgd, task, logs):
    logs("CreateLogGroup", logGroupName="/g")
    container = awslogs(mode="blocking")
    running = fgd.run(task("lines 3", ";", r"print unfinished\c", ";", "wait", container=container))
    stream = f"p/app/{task_id(running)}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            answer = logs("GetLogEvents", logGroupName="/g", logStreamName=stream, startFromHead=True)
        except AwsError:
            continue
        if len(answer["events"]) == 3 and b"unfinished" in fgd.output_of(task_id(running)):
            break
    assert messages(answer) == ["line 1", "line 2", "line 3"]
    again = logs("GetLogEvents", logGroupName="/g", logStreamName=stream, nextToken=answer["nextForwardToken"])
    assert again["events"] == [] and again["nextForwardToken"] == answer["nextForwardToken"]
    fgd.call("POST", f"/v1/tasks/{task_id(running)}/stop", {})
    fgd.stopped(running)
    rest = logs("GetLogEvents", logGroupName="/g", logStreamName=stream, nextToken=answer["nextForwardToken"])
    assert messages(rest) == ["unfinished"]


def test_stdout_and_stderr_are_one_stream(fgd, task, logs):
    logs("CreateLogGroup", logGroupName="/g")
    fgd.stopped(fgd.run(task("print out", ";", "sleep 30", ";", "err bad", ";", "sleep 30", ";", "print out again",
                             container=awslogs())))
    found = logs("FilterLogEvents", logGroupName="/g")
    assert messages(found) == ["out", "bad", "out again"]
    times = [event["timestamp"] for event in found["events"]]
    assert times == sorted(times)


def test_dropped_output_is_counted(fgd, task, logs):
    """A guest's buffer was full: bytes are missing, and the readers are told."""
    done = fgd.stopped(fgd.run(task(r"print be\c", ";", "skip 1000", ";", "print fore", ";", "print after", ";", "skip 7",
                                    ";", "exit 0", container=awslogs(awslogs_create_group="true", mode="non-blocking"))))
    assert done["stopCode"] == "EssentialContainerExited"
    assert messages(logs("FilterLogEvents", logGroupName="/g")) == ["be", "fore", "after"]
    assert [record["lost"] for record in fgd.logs(task_id(done)) if "lost" in record] == [1000]
    assert "lost 1007 bytes of output" in fgd.output()


def test_a_gap_is_no_right_of_a_blocking_container(fgd, task, logs):
    done = fgd.stopped(fgd.run(task("print be", ";", "skip 10", ";", "print fore",
                                    container=awslogs(awslogs_create_group="true", mode="blocking"))))
    assert "output with a gap" in done["stoppedReason"]


def test_bytes_that_are_not_utf8(fgd, task, logs):
    logs("CreateLogGroup", logGroupName="/g")
    done = fgd.stopped(fgd.run(task("binary 300", ";", "exit 0", container=awslogs())))
    expected = [line.decode("utf-8", "replace") for line in fgd.output_of(task_id(done)).split(b"\n") if line]
    got = messages(logs("FilterLogEvents", logGroupName="/g"))
    assert len(got) == len(expected) and all("\ufffd" in message for message in got[-1:])


def test_streams_live_as_long_as_the_group_says(fgd, task, logs, start):
    logs("CreateLogGroup", logGroupName="/g")
    kept = fgd.stopped(fgd.run(task("print kept", container=awslogs())))
    fgd.kill()
    # Its record goes at the next start: as if it were long ago.
    with contextlib.closing(sqlite3.connect(f"{fgd.directory}/state/fgd.db")) as db, db:
        db.execute("UPDATE tasks SET stopped_ns = 1")
    fgd.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and fgd.call("GET", "/v1/tasks")["tasks"]:
        pass
    assert messages(logs("FilterLogEvents", logGroupName="/g")) == ["kept"]
    fgd.kill()
    fgd.start()
    assert messages(logs("FilterLogEvents", logGroupName="/g")) == ["kept"]
    logs("DeleteLogStream", logGroupName="/g", logStreamName=f"p/app/{task_id(kept)}")
    while time.monotonic() < deadline and os.listdir(f"{fgd.directory}/state/logs"):
        pass
    assert os.listdir(f"{fgd.directory}/state/logs") == []


# ---- the AWS CLI ----

def test_the_aws_cli(fgd, task, tmp_path):
    with awsapi.bridge(fgd.socket) as endpoint:
        cli = awsapi.Cli(endpoint, tmp_path)
        assert cli("logs", "create-log-group", "--log-group-name", "/ecs/app") is None
        done = fgd.stopped(fgd.run(task("lines 3", container=awslogs("/ecs/app"))))
        stream = f"p/app/{task_id(done)}"
        tail = cli.run("logs", "tail", "/ecs/app", "--format", "short")
        assert tail.returncode == 0, tail.stderr
        assert [line.split(" ", 1)[1] for line in tail.stdout.splitlines()] == ["line 1", "line 2", "line 3"]
        follow = subprocess.Popen(["/usr/bin/aws", "--endpoint-url", endpoint, "logs", "tail", "/ecs/app", "--follow",
                                   "--format", "short", "--filter-pattern", "?more ?end"],
                                  env={**cli.env, "PYTHONUNBUFFERED": "1"},
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        limit = threading.Timer(240, follow.kill)
        limit.start()
        try:
            fgd.stopped(fgd.run(task("print one", ";", "print more", ";", "print end", container=awslogs("/ecs/app"))))
            assert [follow.stdout.readline().split(" ", 1)[1] for _ in range(2)] == ["more\n", "end\n"]
        finally:
            limit.cancel()
            follow.kill()
            follow.communicate()
        got = cli("logs", "get-log-events", "--log-group-name", "/ecs/app", "--log-stream-name", stream)
        assert messages(got) == ["line 1", "line 2", "line 3"]
        got = cli("logs", "filter-log-events", "--log-group-name", "/ecs/app", "--filter-pattern", '"line 2"')
        assert messages(got) == ["line 2"]
        assert cli("logs", "describe-log-groups")["logGroups"][0]["logGroupName"] == "/ecs/app"
        streams = cli("logs", "describe-log-streams", "--log-group-name", "/ecs/app", "--order-by", "LastEventTime")
        assert [s["logStreamName"] for s in streams["logStreams"]][0] == stream and len(streams["logStreams"]) == 2
        assert cli.fails("logs", "get-log-events", "--log-group-name", "/x", "--log-stream-name", "y").endswith(
            "(ResourceNotFoundException) when calling the GetLogEvents operation: "
            "The specified log group does not exist.")


def test_boto3(fgd, task):
    """Paginators, and what an SDK makes of the answers."""
    boto3 = pytest.importorskip("boto3")
    with awsapi.bridge(fgd.socket) as endpoint:
        client = boto3.client("logs", endpoint_url=endpoint, region_name="local-1", aws_access_key_id="AKIDEXAMPLE",
                              aws_secret_access_key="secret")
        client.create_log_group(logGroupName="/g", tags={"a": "b"})
        fgd.stopped(fgd.run(task("lines 25000", container=awslogs(mode="blocking"))))
        got = [event["message"] for page in client.get_paginator("filter_log_events").paginate(logGroupName="/g")
               for event in page["events"]]
        assert got == [f"line {n}" for n in range(1, 25001)]
        for n in range(120):
            client.create_log_stream(logGroupName="/g", logStreamName=f"s{n:03}")
        streams = [s["logStreamName"] for page in client.get_paginator("describe_log_streams").paginate(
            logGroupName="/g", logStreamNamePrefix="s") for s in page["logStreams"]]
        assert streams == [f"s{n:03}" for n in range(120)]
        with pytest.raises(client.exceptions.ResourceAlreadyExistsException):
            client.create_log_group(logGroupName="/g")
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.get_log_events(logGroupName="/g", logStreamName="none")
        with pytest.raises(client.exceptions.InvalidParameterException):
            client.filter_log_events(logGroupName="/g", filterPattern="{")
        assert client.list_tags_log_group(logGroupName="/g")["tags"] == {"a": "b"}
