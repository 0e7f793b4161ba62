# SPDX-License-Identifier: Apache-2.0
"""CloudWatch Logs: groups and streams; putting, reading and filtering events."""

import contextlib
import json
import os
import random
import sqlite3
import threading
import time

from awsapi import AwsError
from awslogs import awslogs, messages, now_ms, put, refused, task_id


# ---- groups, streams, tags ----

def test_groups(logs):
    logs("CreateLogGroup", logGroupName="/a/one", tags={"team": "x"})
    logs("CreateLogGroup", logGroupName="/a/two")
    logs("CreateLogGroup", logGroupName="/b")
    error = refused(logs, "CreateLogGroup", logGroupName="/b")
    assert (error.status, error.name, error.message) == (
        400, "ResourceAlreadyExistsException", "The specified log group already exists")
    assert refused(logs, "CreateLogGroup", logGroupName="a b").name == "InvalidParameterException"
    assert refused(logs, "CreateLogGroup").name == "InvalidParameterException"
    for name in ("aws/x", "AWS/x"):
        assert refused(logs, "CreateLogGroup", logGroupName=name).message == \
            "logGroupName: Log groups starting with AWS/ are reserved for AWS."
    logs("CreateLogGroup", logGroupName="/aws/ecs", logGroupClass="STANDARD")
    logs("DeleteLogGroup", logGroupName="/aws/ecs")
    assert "STANDARD" in refused(logs, "CreateLogGroup", logGroupName="i", logGroupClass="INFREQUENT_ACCESS").message
    names = [g["logGroupName"] for g in logs("DescribeLogGroups", logGroupNamePrefix="/a")["logGroups"]]
    assert names == ["/a/one", "/a/two"]
    assert [g["logGroupName"] for g in logs("DescribeLogGroups", logGroupNamePattern="wo")["logGroups"]] == ["/a/two"]
    assert refused(logs, "DescribeLogGroups", logGroupNamePrefix="/", logGroupNamePattern="x").name == \
        "InvalidParameterException"
    got, token = [], {}
    while True:
        page = logs("DescribeLogGroups", limit=1, **token)
        got += [g["logGroupName"] for g in page["logGroups"]]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert got == ["/a/one", "/a/two", "/b"]
    group = logs("DescribeLogGroups")["logGroups"][0]
    assert group["arn"] == "arn:aws:logs:local-1:000000000000:log-group:/a/one:*"
    assert group["logGroupArn"] == group["arn"].removesuffix(":*") and group["logGroupClass"] == "STANDARD"
    assert group["storedBytes"] == 0 and group["metricFilterCount"] == 0 and "retentionInDays" not in group
    logs("DeleteLogGroup", logGroupName="/b")
    error = refused(logs, "DeleteLogGroup", logGroupName="/b")
    assert (error.name, error.message) == ("ResourceNotFoundException", "The specified log group does not exist.")


def test_all_errors_of_a_request_at_once(logs):
    for operation, members, parts in (
            ("CreateLogGroup", {"logGroupName": "AWS/x", "tags": {"aws:a": "", "b": "x" * 257}, "kmsKeyId": "k"},
             ("logGroupName: Log groups starting with AWS/", "tags: tag key 'aws:a'", "tags: tag b: its value has more",
              "kmsKeyId: kmsKeyId is not supported")),
            ("PutRetentionPolicy", {"logGroupName": "a b", "retentionInDays": 8}, ("logGroupName: ", "retentionInDays: Value '8' at")),
            ("TagResource", {"resourceArn": "arn:aws:s3:::b", "tags": {"aws:a": ""}},
             ("resourceArn: 'arn:aws:s3:::b' is not the ARN of a log group", "tags: tag key 'aws:a'")),
            ("DescribeLogStreams", {"logGroupName": "g", "logStreamNamePrefix": "p", "orderBy": "LastEventTime", "limit": 51,
                                    "nextToken": "x"},
             ("orderBy: Cannot order by LastEventTime", "limit: 51 is out of range", "nextToken: The specified nextToken"))):
        message = refused(logs, operation, **members).message
        assert message.startswith(f"{len(parts)} errors: ") and all(part in message for part in parts), message


def test_retention_policy(logs):
    logs("CreateLogGroup", logGroupName="g")
    logs("PutRetentionPolicy", logGroupName="g", retentionInDays=7)
    assert logs("DescribeLogGroups")["logGroups"][0]["retentionInDays"] == 7
    assert "enum value set" in refused(logs, "PutRetentionPolicy", logGroupName="g", retentionInDays=8).message
    logs("DeleteRetentionPolicy", logGroupName="g")
    assert "retentionInDays" not in logs("DescribeLogGroups")["logGroups"][0]
    assert refused(logs, "PutRetentionPolicy", logGroupName="x", retentionInDays=7).name == "ResourceNotFoundException"


def test_tags(logs):
    logs("CreateLogGroup", logGroupName="g", tags={"a": "1"})
    arn = "arn:aws:logs:local-1:000000000000:log-group:g"
    logs("TagLogGroup", logGroupName="g", tags={"b": "2"})
    logs("TagResource", resourceArn=arn, tags={"c": "3", "a": "4"})
    assert logs("ListTagsLogGroup", logGroupName="g") == {"tags": {"a": "4", "b": "2", "c": "3"}}
    logs("UntagLogGroup", logGroupName="g", tags=["b"])
    logs("UntagResource", resourceArn=arn + ":*", tagKeys=["c"])
    assert logs("ListTagsForResource", resourceArn=arn) == {"tags": {"a": "4"}}
    assert refused(logs, "TagResource", resourceArn=arn, tags={str(n): "" for n in range(50)}).name == \
        "InvalidParameterException"
    assert logs("ListTagsForResource", resourceArn=arn) == {"tags": {"a": "4"}}
    assert refused(logs, "ListTagsForResource", resourceArn=arn + "x").name == "ResourceNotFoundException"
    assert refused(logs, "ListTagsForResource", resourceArn="arn:aws:ecs:x").name == "InvalidParameterException"
    for bad in ({}, {"logGroupName": "a b"}, {"logGroupName": 5}, {"logGroupName": "x"}):  # all that their models have
        for operation, more in (("ListTagsLogGroup", {}), ("UntagLogGroup", {"tags": ["a"]})):
            assert refused(logs, operation, **bad, **more).name == "ResourceNotFoundException"


def test_streams(logs):
    logs("CreateLogGroup", logGroupName="g")
    for name in ("b", "a", "c/d"):
        logs("CreateLogStream", logGroupName="g", logStreamName=name)
    assert refused(logs, "CreateLogStream", logGroupName="g", logStreamName="a").message == \
        "The specified log stream already exists"
    assert refused(logs, "CreateLogStream", logGroupName="g", logStreamName="a:b").name == "InvalidParameterException"

    def names(**members):
        got = []
        while True:
            page = logs("DescribeLogStreams", logGroupName="g", limit=1, **members)
            got += [s["logStreamName"] for s in page["logStreams"]]
            if "nextToken" not in page:
                return got
            members["nextToken"] = page["nextToken"]

    assert names() == ["a", "b", "c/d"] and names(descending=True) == ["c/d", "b", "a"]
    assert names(logStreamNamePrefix="c") == ["c/d"]
    for name, age in (("a", 2000), ("b", 3000), ("c/d", 1000)):
        put(logs, name, [("x", now_ms() - age)])
    assert names(orderBy="LastEventTime") == ["b", "a", "c/d"]
    assert names(orderBy="LastEventTime", descending=True) == ["c/d", "a", "b"]
    logs("DeleteLogStream", logGroupName="g", logStreamName="a")
    assert names() == ["b", "c/d"]
    assert refused(logs, "DeleteLogStream", logGroupName="g", logStreamName="a").name == "ResourceNotFoundException"
    error = refused(logs, "GetLogEvents", logGroupName="g", logStreamName="a")
    assert error.message == "The specified log stream does not exist."


def test_a_token_belongs_to_its_question(logs):
    for name in ("g", "h", "i"):
        logs("CreateLogGroup", logGroupName=name)
        for n in range(3):
            logs("CreateLogStream", logGroupName=name, logStreamName=f"s{n}")
    questions = [("DescribeLogGroups", {})] + [
        ("DescribeLogStreams", {"logGroupName": "g", **more}) for more in (
            {}, {"descending": True}, {"orderBy": "LastEventTime"}, {"logStreamNamePrefix": "s"}, {"logGroupName": "h"})]
    tokens = [logs(operation, **question, limit=1)["nextToken"] for operation, question in questions]
    assert len(set(tokens)) == len(tokens)
    for (operation, question), good in zip(questions, tokens):
        logs(operation, **question, nextToken=good)
        for token in (good[:-2], good + "00", "x", *(t for t in tokens if t != good)):
            assert refused(logs, operation, **question, nextToken=token).message.endswith(
                "The specified nextToken is invalid.")


def test_a_token_belongs_to_its_events(logs):
    now = now_ms()
    for group in ("g", "h"):
        logs("CreateLogGroup", logGroupName=group)
        for stream in ("s", "t"):
            logs("CreateLogStream", logGroupName=group, logStreamName=stream)
            logs("PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=[
                {"timestamp": now, "message": m} for m in ("a1", "a2", "a3")])
    questions = [("FilterLogEvents", {"logGroupName": "g", **more}) for more in (
        {}, {"filterPattern": "a"}, {"logStreamNames": ["s"]}, {"logStreamNamePrefix": "s"}, {"logGroupName": "h"})]
    questions += [("GetLogEvents", {"logGroupName": group, "logStreamName": stream, "startFromHead": True})
                  for group, stream in (("g", "s"), ("g", "t"), ("h", "s"))]
    answers = [logs(operation, **question, limit=1) for operation, question in questions]
    tokens = [answer.get("nextToken", answer.get("nextForwardToken")) for answer in answers]
    for (operation, question), good in zip(questions, tokens):
        assert logs(operation, **question, nextToken=good, limit=2, endTime=now + 1000)["events"]
        for token in (good[:-2], good + "00", *(t for t in tokens if t != good)):
            assert refused(logs, operation, **question, nextToken=token).message == "The specified nextToken is invalid."


def test_a_group_by_its_arn(logs, stream):
    put(logs, stream, [("one", now_ms())])
    arn = "arn:aws:logs:local-1:000000000000:log-group:g"
    for identifier in ("g", arn, arn + ":*"):
        group = {"logGroupIdentifier": identifier}
        assert messages(logs("FilterLogEvents", **group)) == messages(logs("GetLogEvents", **group, logStreamName="s")) == ["one"]
        assert logs("DescribeLogStreams", **group)["logStreams"][0]["logStreamName"] == "s"
    for elsewhere in (arn.replace("local-1", "eu-west-1"), arn.replace("000000000000", "123456789012"), arn + "x"):
        for operation, members in (("FilterLogEvents", {}), ("GetLogEvents", {"logStreamName": "s"}), ("DescribeLogStreams", {})):
            error = refused(logs, operation, logGroupIdentifier=elsewhere, **members)
            assert error.name == "ResourceNotFoundException", elsewhere
        assert refused(logs, "TagResource", resourceArn=elsewhere, tags={"a": "b"}).name == "ResourceNotFoundException"
    assert refused(logs, "FilterLogEvents", logGroupIdentifier="g", logGroupName="g").name == "InvalidParameterException"
    assert refused(logs, "FilterLogEvents", logGroupIdentifier=arn.replace(":logs:", ":ecs:")).name == "InvalidParameterException"


# ---- PutLogEvents ----

def test_put_and_get(logs, stream):
    t = now_ms()
    assert put(logs, stream, [("one", t - 2), ("two\nlines", t - 1)])["nextSequenceToken"]
    put(logs, stream, [("three \u20ac", t)])
    answer = logs("GetLogEvents", logGroupName="g", logStreamName="s", startFromHead=True)
    assert [(e["message"], e["timestamp"]) for e in answer["events"]] == [
        ("one", t - 2), ("two\nlines", t - 1), ("three \u20ac", t)]
    assert all(abs(e["ingestionTime"] - t) < 60000 for e in answer["events"])
    assert messages(logs("GetLogEvents", logGroupName="g", logStreamName="s", startTime=t - 1, endTime=t)) == [
        "two\nlines"]
    listed = logs("DescribeLogStreams", logGroupName="g")["logStreams"][0]
    assert (listed["firstEventTimestamp"], listed["lastEventTimestamp"]) == (t - 2, t)


def test_put_out_of_order(logs, stream):
    t = now_ms()
    put(logs, stream, [("late", t)])
    put(logs, stream, [("early", t - 5000)])
    put(logs, stream, [("middle", t - 2500)])
    for members in ({"startFromHead": True}, {}):
        assert messages(logs("GetLogEvents", logGroupName="g", logStreamName="s", **members)) == [
            "early", "middle", "late"]
    assert messages(logs("FilterLogEvents", logGroupName="g", startTime=t - 3000)) == ["middle", "late"]


def test_limits_of_a_batch(logs, stream):
    t, day = now_ms(), 86400000
    assert "chronological" in refused(put, logs, stream, [("a", t), ("b", t - 1)]).message
    assert "24 hours" in refused(put, logs, stream, [("a", t - day - 1), ("b", t)]).message
    assert "Upload too large: 1048602 bytes exceeds limit" in refused(put, logs, stream, [("x" * 1048576, t)]).message
    put(logs, stream, [("x" * (1048576 - 26), t)])
    assert refused(put, logs, stream, [("m", t)] * 10001).name == "InvalidParameterException"
    assert refused(put, logs, stream, []).name == "InvalidParameterException"
    assert refused(put, logs, stream, [("", t)]).name == "InvalidParameterException"
    assert refused(put, logs, "none", [("m", t)]).message == "The specified log stream does not exist."
    answer = put(logs, stream, [("old", t - 15 * day)])
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    answer = put(logs, stream, [("now", t), ("soon", t + 3 * 3600000)])
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    got = messages(logs("FilterLogEvents", logGroupName="g", filterPattern="now"))
    assert got == ["now"]


def test_a_tasks_stream_is_not_put_to(fgd, task, logs):
    logs("CreateLogGroup", logGroupName="g")
    done = fgd.stopped(fgd.run(task("print one", container=awslogs("g"))))
    assert "what a task writes" in refused(put, logs, f"p/app/{task_id(done)}", [("m", now_ms())]).message


def test_what_was_acknowledged_survives(fgd, logs, stream):
    """kill -9 at random moments, with writers at work."""
    rng = random.Random(5)
    acknowledged = []
    for round_ in range(6):
        stop = threading.Event()

        def work():
            n = 0
            while not stop.is_set():
                batch = [f"{round_}-{n}-{i}" for i in range(rng.randrange(1, 50))]
                try:
                    put(logs, stream, [(message, now_ms()) for message in batch])
                except (OSError, AwsError, ValueError):
                    return
                acknowledged.extend(batch)
                n += 1

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(rng.uniform(0.02, 0.4))
        fgd.kill()
        stop.set()
        thread.join()
        fgd.start()
    got, token = [], {}
    while True:
        page = logs("FilterLogEvents", logGroupName="g", **token)
        got += messages(page)
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert len(acknowledged) > 50 and set(acknowledged) <= set(got)
    assert len(got) == len(set(got))


# ---- reading ----

def test_pages_forwards_and_backwards(logs, stream):
    t = now_ms() - 100000
    for start in range(0, 2000, 500):
        put(logs, stream, [(f"m{n}", t + n) for n in range(start, start + 500)])

    def get(**members):
        return logs("GetLogEvents", logGroupName="g", logStreamName="s", **members)

    got, page = [], get(startFromHead=True, limit=300)
    while page["events"]:
        got += messages(page)
        token, page = page["nextForwardToken"], get(nextToken=page["nextForwardToken"], limit=300)
    assert got == [f"m{n}" for n in range(2000)] and page["nextForwardToken"] == token

    got, page = [], get(limit=300)
    assert messages(page) == [f"m{n}" for n in range(1700, 2000)]
    assert get(nextToken=page["nextForwardToken"])["events"] == []
    while page["events"]:
        got = messages(page) + got
        token, page = page["nextBackwardToken"], get(nextToken=page["nextBackwardToken"], limit=300)
    assert got == [f"m{n}" for n in range(2000)] and page["nextBackwardToken"] == token
    assert refused(get, nextToken="f/x").message == "The specified nextToken is invalid."
    assert messages(get(startTime=t + 10, endTime=t + 12)) == ["m10", "m11"]


def test_streams_are_interleaved(logs):
    logs("CreateLogGroup", logGroupName="g")
    t = now_ms() - 10000
    for k, name in enumerate(("s0", "s1", "other")):
        logs("CreateLogStream", logGroupName="g", logStreamName=name)
        put(logs, name, [(f"{n}", t + n) for n in range(k, 900, 3)])
    got, token, pages = [], {}, 0
    while True:
        page = logs("FilterLogEvents", logGroupName="g", limit=100, interleaved=True, **token)
        got += [int(message) for message in messages(page)]
        pages += 1
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert got == list(range(900)) and pages >= 9
    found = logs("FilterLogEvents", logGroupName="g", logStreamNamePrefix="s")
    assert len(found["events"]) == 600
    found = logs("FilterLogEvents", logGroupName="g", logStreamNames=["other", "other"], endTime=t + 8)
    assert messages(found) == ["2", "5"]
    assert refused(logs, "FilterLogEvents", logGroupName="g", logStreamNames=["none"]).name == \
        "ResourceNotFoundException"
    assert refused(logs, "FilterLogEvents", logGroupName="g", logStreamNames=["s0"], logStreamNamePrefix="s").name == \
        "InvalidParameterException"


def test_a_page_has_one_mebibyte(logs, stream):
    t = now_ms()
    for n in range(5):
        put(logs, stream, [("x" * 300000 + str(n), t + n)])
    page = logs("FilterLogEvents", logGroupName="g")
    assert len(page["events"]) == 3
    rest = logs("FilterLogEvents", logGroupName="g", nextToken=page["nextToken"])
    assert [m[-1] for m in messages(page) + messages(rest)] == list("01234")
    last = logs("GetLogEvents", logGroupName="g", logStreamName="s")
    assert [m[-1] for m in messages(last)] == list("234")


def test_filter_patterns(logs, stream):
    t = now_ms()
    events = ["ERROR one", "WARN two", "info ERROR WARN three", json.dumps({"level": "error", "n": 7, "a": [1, {"b": None}]})]
    put(logs, stream, [(event, t + i) for i, event in enumerate(events)])

    def numbers(pattern):
        found = logs("FilterLogEvents", logGroupName="g", filterPattern=pattern)
        return [events.index(message) for message in messages(found)]

    assert numbers("") == [0, 1, 2, 3]
    assert numbers("ERROR") == [0, 2] and numbers("ERROR WARN") == [2] and numbers("ERROR -WARN") == [0]
    assert numbers("?ERROR ?WARN") == [0, 1, 2] and numbers('"WARN t"') == [1, 2]
    assert numbers('{ $.level = "err*" && $.n > 5 }') == [3] and numbers("{ $.n > 7 }") == []
    assert numbers("{ $.a[1].b IS NULL && $.c NOT EXISTS }") == [3]
    assert numbers("%^[A-Z]+ one$%") == [0]
    assert "Invalid filter pattern" in refused(logs, "FilterLogEvents", logGroupName="g", filterPattern="{ $.a }").message


def test_old_events_are_not_shown(logs, stream):
    t = now_ms()
    put(logs, stream, [("old", t - 5 * 86400000)])
    put(logs, stream, [("new", t)])
    logs("PutRetentionPolicy", logGroupName="g", retentionInDays=3)
    assert messages(logs("FilterLogEvents", logGroupName="g")) == ["new"]
    assert messages(logs("GetLogEvents", logGroupName="g", logStreamName="s")) == ["new"]
    day, t = 86400000, now_ms()
    rejected = lambda *days: put(logs, stream, [("m", int(t - d * day)) for d in days]).get("rejectedLogEventsInfo")  # noqa: E731
    assert rejected(4) == {"expiredLogEventEndIndex": 1} and rejected(3.5, 2.6) == {"expiredLogEventEndIndex": 1}
    assert rejected(14.5, 13.6) == {"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2} and rejected(2.9) is None
    logs("PutRetentionPolicy", logGroupName="g", retentionInDays=30)
    assert rejected(15) == {"tooOldLogEventEndIndex": 1}


def test_many_lines(fgd, task, logs):
    """Page by page, in bounded answers; others are served meanwhile."""
    count = 200000
    logs("CreateLogGroup", logGroupName="/g")
    fgd.stopped(fgd.run(task(f"lines {count}", container=awslogs(mode="blocking"))))
    waits, over = [], threading.Event()

    def others():
        while not over.wait(0.02):
            begin = time.monotonic()
            fgd.call("GET", "/v1/info")
            waits.append(time.monotonic() - begin)

    thread = threading.Thread(target=others)
    thread.start()
    expected, token, begin = 1, {}, time.monotonic()
    try:
        while True:
            page = logs("FilterLogEvents", logGroupName="/g", **token)
            assert len(page["events"]) <= 10000
            for event in page["events"]:
                assert event["message"] == f"line {expected}"
                expected += 1
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
        paged = time.monotonic() - begin
        begin = time.monotonic()
        found = logs("FilterLogEvents", logGroupName="/g", filterPattern='"line 199999"')
        assert messages(found) == ["line 199999"] and "nextToken" not in found
        searched = time.monotonic() - begin
    finally:
        over.set()
        thread.join()
    assert expected == count + 1
    print(f"{paged:.1f} s for all pages, {searched:.2f} s for a search, others waited {max(waits):.3f} s at most")
    assert max(waits) < 5  # on a loaded machine; a page takes some 50 ms


def test_old_events_go(fgd, logs, stream):
    """A stream that has become too old as a whole: its file goes, the stream stays."""
    put(logs, stream, [("old", now_ms())])
    logs("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
    assert len(os.listdir(f"{fgd.directory}/state/logs")) == 1
    fgd.kill()
    with contextlib.closing(sqlite3.connect(f"{fgd.directory}/state/logs.db")) as db, db:
        db.execute("UPDATE log_stream SET created_ms = 1, first_ms = 1, last_ms = 1")
    fgd.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and os.listdir(f"{fgd.directory}/state/logs"):
        time.sleep(0.1)
    assert os.listdir(f"{fgd.directory}/state/logs") == []
    assert "lastEventTimestamp" not in logs("DescribeLogStreams", logGroupName="g")["logStreams"][0]
    put(logs, stream, [("new", now_ms())])
    assert messages(logs("FilterLogEvents", logGroupName="g")) == ["new"]


def test_live_tail_is_refused_by_name(logs):
    error = refused(logs, "StartLiveTail", logGroupIdentifiers=["x"])
    assert error.name == "UnsupportedFeatureException" and "StartLiveTail" in error.message
