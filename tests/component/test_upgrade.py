# SPDX-License-Identifier: Apache-2.0
"""A database of the first version is taken over, with all its tasks."""

import json
import os
import sqlite3

import awsapi
import fgd as fgd_harness
from conftest import HYPERVISOR, PROGRAM

FIRST = """
CREATE TABLE tasks (id TEXT PRIMARY KEY, family TEXT NOT NULL, status TEXT NOT NULL, created_ns INTEGER NOT NULL,
  stopped_ns INTEGER NOT NULL, document TEXT NOT NULL, snapshot TEXT, client_token TEXT, request_hash TEXT) STRICT;
CREATE INDEX tasks_by_created ON tasks (created_ns);
CREATE INDEX tasks_by_token ON tasks (client_token) WHERE client_token IS NOT NULL;
CREATE TABLE alive (one INTEGER PRIMARY KEY CHECK (one = 1), ns INTEGER NOT NULL) STRICT;
PRAGMA user_version = 1;
"""
ARN = "arn:aws:ecs:local-1:000000000000"
ID = "0123456789abcdef0123456789abcdef"
SECONDS = 4102444800  # far enough ahead not to expire

OLD = {
    "taskArn": f"{ARN}:task/old/{ID}", "clusterArn": f"{ARN}:cluster/old", "group": "family:f",
    "taskDefinitionArn": f"{ARN}:task-definition/f:1", "startedBy": "me", "launchType": "FARGATE",
    "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "cpu": "256", "memory": "512", "version": 9,
    "createdAt": "2100-01-01T00:00:00.123Z", "startedAt": "2100-01-01T00:00:01.999Z",
    "stoppedAt": "2100-01-01T00:00:02.000Z", "stopCode": "UserInitiated", "containers": [], "attachments": [],
    "tags": [{"key": "z", "value": "1"}, {"key": "a"}], "fgrun": {"id": ID, "family": "f", "endedBy": "app"},
}


def first_database(directory):
    os.makedirs(f"{directory}/state", mode=0o711)
    with sqlite3.connect(f"{directory}/state/fgd.db") as db:
        db.executescript(FIRST)
        db.execute("INSERT INTO tasks VALUES (?, 'f', 'STOPPED', ?, ?, ?, NULL, 'token', 'hash')",
                   (ID, SECONDS * 10**9, (SECONDS + 2) * 10**9, json.dumps(OLD)))
    db.close()


def test_tasks_of_the_first_version(tmp_path):
    first_database(tmp_path)
    os.chmod(tmp_path, 0o711)
    fgd = fgd_harness.Fgd(PROGRAM, str(tmp_path), hypervisor=HYPERVISOR).start()
    try:
        task = fgd.get(ID[:8])
        assert task["fgrun"].pop("usage", None) is None
        assert task == {**OLD, "tags": [{"key": "z", "value": "1"}, {"key": "a", "value": ""}]}
        assert [t["taskArn"] for t in fgd.call("GET", "/v1/tasks")["tasks"]] == [OLD["taskArn"]]
        tags = awsapi.Aws(fgd).call("ecs", "ListTagsForResource", resourceArn=OLD["taskArn"])["tags"]
        assert tags == task["tags"]
    finally:
        assert fgd.stop() == 0
    with sqlite3.connect(f"{tmp_path}/state/fgd.db") as db:
        assert db.execute("SELECT cluster, definition, wants_stop, started_by, task_group FROM tasks").fetchall() == [
            ("old", "f:1", 1, "me", "family:f")]
        assert db.execute("SELECT * FROM client_tokens").fetchall() == [
            ("token", "hash", SECONDS * 10**9, json.dumps([ID]))]
        document = json.loads(db.execute("SELECT document FROM tasks").fetchone()[0])
    db.close()
    assert (document["createdAt"], document["startedAt"], document["stoppedAt"]) == (
        SECONDS + 0.123, SECONDS + 1.999, SECONDS + 2)
