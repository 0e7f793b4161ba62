# SPDX-License-Identifier: Apache-2.0
"""Real guests through the real AWS CLI: the session of docs/ecs.md, and a task that cannot start."""

import functools
import json
import re
import subprocess

import awsapi
from lab import BUILD, ROOT


def test_a_task_that_cannot_start(lab, busybox, tmp_path):
    container = {"name": "app", "image": busybox, "command": ["true"]}
    with awsapi.bridge(lab.fgd.socket) as endpoint:
        aws = functools.partial(awsapi.Cli(endpoint, tmp_path), "ecs")
        aws("register-task-definition", "--family", "fails", "--cpu", "256", "--memory", "512",
            "--container-definitions", json.dumps([container]))
        arn = aws("run-task", "--task-definition", "fails", "--network-configuration", "awsvpcConfiguration={subnets=[default]}",
                  "--overrides", '{"containerOverrides": [{"name": "app", "command": ["/no/such/program"]}]}')["tasks"][0]["taskArn"]
        aws("wait", "tasks-stopped", "--tasks", arn)
        (task,) = aws("describe-tasks", "--tasks", arn)["tasks"]
        assert task["stopCode"] == "TaskFailedToStart"
        assert task["stoppedReason"].startswith("CannotStartContainerError: ")
        assert arn in aws("list-tasks", "--desired-status", "STOPPED")["taskArns"]


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
