# SPDX-License-Identifier: Apache-2.0
"""Words that the tests of CloudWatch Logs share."""

import time

import pytest

from awsapi import AwsError


def refused(call, *args, **members):
    with pytest.raises(AwsError) as failure:
        call(*args, **members)
    return failure.value


def now_ms():
    return int(time.time() * 1000)


def awslogs(group="/g", **options):
    return {"logConfiguration": {"logDriver": "awslogs", "options": {
        "awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p",
        **{name.replace("_", "-"): value for name, value in options.items()}}}}


def messages(answer):
    return [event["message"] for event in answer["events"]]


def put(logs, stream, events, group="g"):
    return logs("PutLogEvents", logGroupName=group, logStreamName=stream,
                logEvents=[{"message": message, "timestamp": timestamp} for message, timestamp in events])


def task_id(task):
    return task["fgrun"]["id"]
