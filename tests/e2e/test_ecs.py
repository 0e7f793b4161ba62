# SPDX-License-Identifier: Apache-2.0
"""A real guest through the real AWS CLI, from register-task-definition to wait tasks-stopped."""

import functools
import json
import shlex

import awsapi

NETWORK = "awsvpcConfiguration={subnets=[default]}"


def session(endpoint, home):
    """The CLI; prints every command and what it answered, for the log."""
    cli = awsapi.Cli(endpoint, home)

    def aws(*words):
        answer = cli("ecs", *words)
        print("$", shlex.join(["aws", "ecs", *words]), *json.dumps(answer, indent=2).splitlines(), sep="\n    ")
        return answer
    return aws


def test_a_task_from_its_definition_to_its_end(lab, busybox, tmp_path):
    container = {"name": "app", "image": busybox, "command": ["sh", "-c", "echo up; trap 'exit 7' TERM; while :; do "
                                                             "sleep 1 & wait $!; done"]}
    with awsapi.bridge(lab.fgd.socket) as endpoint:
        aws = session(endpoint, tmp_path)
        aws("register-task-definition", "--family", "web", "--cpu", "256", "--memory", "512", "--network-mode", "awsvpc",
            "--requires-compatibilities", "FARGATE", "--container-definitions", json.dumps([container]))
        run = functools.partial(aws, "run-task", "--task-definition", "web", "--launch-type", "FARGATE",
                                "--network-configuration", NETWORK)
        arn = run()["tasks"][0]["taskArn"]
        aws("wait", "tasks-running", "--tasks", arn)
        assert lab.fgd.output_of(arn.split("/")[-1]) == b"up\n"
        aws("stop-task", "--task", arn, "--reason", "seen enough")
        aws("wait", "tasks-stopped", "--tasks", arn)
        (task,) = aws("describe-tasks", "--tasks", arn)["tasks"]
        assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "seen enough")
        assert task["containers"][0]["exitCode"] == 7

        arn = run("--overrides", '{"containerOverrides": [{"name": "app", "command": ["/no/such/program"]}]}')[
            "tasks"][0]["taskArn"]
        aws("wait", "tasks-stopped", "--tasks", arn)
        (task,) = aws("describe-tasks", "--tasks", arn)["tasks"]
        assert task["stopCode"] == "TaskFailedToStart"
        assert task["stoppedReason"].startswith("CannotStartContainerError: ")
        aws("deregister-task-definition", "--task-definition", "web:1")
        assert aws("list-tasks", "--desired-status", "STOPPED")["taskArns"]
