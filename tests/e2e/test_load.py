# SPDX-License-Identifier: Apache-2.0
"""Much output and many tasks: fgd stays small, neighbours do not notice."""

import itertools
import json
import pathlib
import time

import lab as lab_module
from lab import definition, figure, rss_mib, wait_for

MIB = 1 << 20
FLOOD_MIB = 50
# awk is slow, so that it makes one block of numbered lines, 64 bytes each, which cat repeats.
BLOCK_LINES = MIB // 64 - 1


def flood(blocks):
    return (f"awk 'BEGIN {{ for (i = 1; i <= {BLOCK_LINES}; i++) printf \"%063d\\n\", i }}' > /tmp/block; "
            f"b=0; while [ $b -lt {blocks} ]; do b=$((b+1)); printf 'block %057d\\n' $b; cat /tmp/block; done; "
            "echo done >&2")


def flooded():
    for block in range(1, FLOOD_MIB + 1):
        yield f"block {block:057d}\n"
        for line in range(1, BLOCK_LINES + 1):
            yield f"{line:063d}\n"


def flooded_lines(lines):
    """The place of each whole line; the first and the last may have been cut."""
    block = 0
    for line in lines[1:-1]:
        assert len(line) == 64, line
        block, place = (int(line[6:]), 0) if line.startswith("block") else (block, int(line))
        yield block, place


def has_output(lab, task_id):
    return any(phase["name"] == "firstOutput" for phase in lab.fgd.get(task_id)["fgrun"]["phases"])


def test_flood(lab, task):
    """The cap is 64 MiB per container, so all of it is there: each line once and in its place."""
    fgd = lab.fgd.pid()
    task_id = lab.detach(task(flood(FLOOD_MIB), family="flood", stopTimeout=2))
    wait_for(lambda: has_output(lab, task_id), "output")
    started, peak = time.monotonic(), 0
    while lab.fgd.get(task_id)["lastStatus"] != "STOPPED":
        peak = max(peak, rss_mib(fgd))
        assert time.monotonic() - started < 120
        time.sleep(0.05)
    figure(f"flood of {FLOOD_MIB} MiB: {time.monotonic() - started:.1f} s, fgd's RSS at most {peak:.0f} MiB")
    assert lab.inspect(task_id)["containers"][0]["exitCode"] == 0
    with lab.popen("logs", task_id) as logs:
        for number, (line, expected) in enumerate(itertools.zip_longest(logs.stdout, flooded()), 1):
            assert line == expected, f"line {number}"
        assert logs.stderr.read() == "done\n"
    assert logs.returncode == 0
    figure(f"fgd's RSS after reading it back: {rss_mib(fgd):.0f} MiB")
    assert max(peak, rss_mib(fgd)) < 150


def test_flood_without_end(busybox):
    """A neighbour is not held up; the log keeps the end, and says what it dropped."""
    with lab_module.lab(log_task_mib=4) as lab:
        fgd = lab.fgd.pid()
        task_id = lab.detach(definition(busybox, flood(1_000_000), stopTimeout=2))
        wait_for(lambda: has_output(lab, task_id), "output")
        peak, times = 0, []
        for _ in range(3):
            started = time.monotonic()
            echo = lab.run(definition(busybox, "echo neighbour"), "--quiet", check=True)
            times.append(time.monotonic() - started)
            assert echo.stdout == "neighbour\n"
            peak = max(peak, rss_mib(fgd))
        assert lab.fgd.get(task_id)["lastStatus"] == "RUNNING"
        lab.fgrun("stop", "--wait", task_id)
        records = [record for record in lab.fgd.logs(task_id) if record.get("stream") == "stdout"]
        lost = sum(record.get("lost", 0) for record in records)
        lines = "".join(record["data"] for record in records).splitlines(keepends=True)
        kept = sum(map(len, lines))
        figure(f"endless flood: {(kept + lost) // MIB} MiB in {sum(times):.1f} s, fgd's RSS at most {peak:.0f} MiB; "
               f"a neighbour's echo: {', '.join(f'{t:.1f}' for t in times)} s")
        assert peak < 150
        assert lost > 0 and 0 < kept <= 4 * MIB  # in segments: a new one may just have begun
        order = list(flooded_lines(lines))
        assert order == sorted(order) and len(set(order)) == len(order)
        disk = sum(path.stat().st_blocks * 512 for path in pathlib.Path(lab.directory, "state/logs").rglob("*"))
        assert disk < 5 * MIB


def test_ten_tasks_at_once(lab, task):
    lab.settle()
    idle = rss_mib(lab.fgd.pid())
    info = json.loads(lab.fgrun("info", "--json").stdout)
    before = time.monotonic()
    ids = [lab.detach(task(f"echo task {i}; sleep 3; exit {i}")) for i in range(10)]
    assert len(set(ids)) == 10
    for task_id in ids:
        lab.wait(task_id, "RUNNING")
    running = time.monotonic() - before
    sizes = []
    for task_id in ids:
        try:
            sizes.append(rss_mib(lab.qemu(task_id)))
        except OSError:
            continue  # already over
    for i, task_id in enumerate(ids):
        done = lab.wait(task_id)
        assert done["containers"][0]["exitCode"] == i
        assert lab.fgd.output_of(task_id) == f"task {i}\n".encode()
    taken = time.monotonic() - before
    figure(f"ten tasks: all running after {running:.1f} s, stopped after {taken:.1f} s")
    figure(f"RSS of a VM of 512 MiB: {min(sizes):.0f} to {max(sizes):.0f} MiB ({len(sizes)} VMs)")
    lab.settle()
    figure(f"fgd's RSS idle: {idle:.1f} MiB before, {rss_mib(lab.fgd.pid()):.1f} MiB after")
    assert rss_mib(lab.fgd.pid()) < 150
    after = json.loads(lab.fgrun("info", "--json").stdout)
    assert after["capacity"]["memoryMiBUsed"] == info["capacity"]["memoryMiBUsed"] == 0


def test_what_the_host_cannot_hold_is_refused(lab, task):
    big = task("true", task={"cpu": "16384", "memory": "122880"})
    done = lab.run(big)
    assert done.returncode not in (0, 125) and "RESOURCE:" in done.stderr, done.stderr
