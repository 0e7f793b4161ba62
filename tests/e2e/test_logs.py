# SPDX-License-Identifier: Apache-2.0
"""Output of real guests as CloudWatch Logs has it."""

import json

import awsapi
from lab import ROOT, figure

MIB = 1 << 20


def awslogs(**options):
    return {"logDriver": "awslogs", "options": {
        "awslogs-group": "/e2e", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p",
        "awslogs-create-group": "true", **{name.replace("_", "-"): value for name, value in options.items()}}}


def events(lab, group, **members):
    return awsapi.Aws(lab.fgd).call("logs", "FilterLogEvents", logGroupName=group, **members)["events"]


def test_the_example(lab, layout):
    example = json.loads((ROOT / "examples" / "logs.json").read_text(encoding="utf-8"))
    example["containerDefinitions"][0]["image"] = f"oci:{layout}"
    task_id = lab.detach(example)
    lab.wait(task_id)
    found = events(lab, "/ecs/logs")
    assert [event["message"] for event in found] == ["2026-01-01 begin\n  and more of it", "2026-01-02 end"]
    assert found[0]["logStreamName"].startswith("example/app/" + task_id[:12])


def test_blocking_and_lossy_output(lab, task):
    """Every byte is stored or counted; what is written when the buffer is empty again is there."""
    command = "i=0; while [ $i -lt 20 ]; do head -c 1048575 /dev/zero | tr '\\0' x; echo; i=$((i+1)); done; sleep 2; echo end"
    took = {}
    for mode in ("blocking", "non-blocking"):
        task_id = lab.detach(task(command, family=mode, logConfiguration=awslogs(mode=mode, max_buffer_size="64k")))
        done = lab.wait(task_id)
        assert done["containers"][0]["exitCode"] == 0
        phases = {phase["name"]: phase["atNs"] / 1e6 for phase in done["fgrun"]["phases"]}
        took[mode] = phases["stopping"] - phases["started"]
        records = [record for record in lab.fgd.logs(task_id) if record["stream"] == "stdout"]
        lost = sum(record.get("lost", 0) for record in records)
        stored = sum(len(record["data"]) for record in records)
        figure(f"{mode}: 20 MiB in {took[mode]:.0f} ms, {lost / MIB:.1f} MiB lost")
        assert records[-1]["offset"] + len(records[-1]["data"]) == 20 * MIB + len("end\n")
        assert stored + lost == 20 * MIB + len("end\n")
        assert (lost > 0) == (mode == "non-blocking")
        last = events(lab, "/e2e", filterPattern="end")[-1]
        assert last["message"].endswith("end") and last["logStreamName"].endswith(task_id)
