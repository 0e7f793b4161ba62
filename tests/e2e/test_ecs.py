# SPDX-License-Identifier: Apache-2.0
"""A real guest through the real AWS CLI, from register-task-definition to wait tasks-stopped."""

import functools
import json
import re
import shlex
import subprocess

import awsapi
from lab import BUILD, ROOT

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


def documented_session():
    """The console block of docs/ecs.md: commands, and what they print."""
    text = (ROOT / "docs" / "ecs.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    steps, open_ended = [], False
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append([line[2:], []])
            open_ended = line.endswith(("\\", "<<EOF"))
        elif open_ended:
            steps[-1][0] += "\n" + line
            open_ended = line != "EOF" and (line.endswith("\\") or "<<EOF" in steps[-1][0])
        else:
            steps[-1][1].append(line)
    return steps


def test_the_session_of_the_document(lab, layout, tmp_path):
    """It can be repeated, word by word."""
    assert layout == str(BUILD / "demo" / "hello")
    steps = documented_session()
    script = "\n".join(f"{command}\nprintf '\\036\\n'" for command, _ in steps)
    (tmp_path / "build").symlink_to(BUILD)
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=400, check=False, env={
                              **lab.env, "PATH": f"{BUILD}/cli:/usr/bin:/bin", "HOME": str(tmp_path), "AWS_PAGER": "",
                              "AWS_PROFILE": "somebody", "AWS_SESSION_TOKEN": "of-aws"})
    print(done.stdout)
    answers = done.stdout.split("\036\n")[:-1]
    for (command, expected), answer in zip(steps, answers, strict=True):
        pattern = "\n".join(".*".join(re.escape(part) for part in line.split("…")) for line in expected)
        assert re.fullmatch(pattern, answer.strip("\n")), f"{command}\nexpected {expected}, found {answer!r}"
