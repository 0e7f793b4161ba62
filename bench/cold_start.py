#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The phases of a cold start, beside a bare QEMU that boots the same kernel with the same command line.

Both are run in turn, A B A B, so that a drift of the machine hits both alike. Prints medians; with
--json FILE also every sample.

usage: bench/cold_start.py BUILD [--runs N] [--json FILE]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

import fgd as fgd_harness  # noqa: E402
import guest as guest_harness  # noqa: E402

STEPS = ["scheduled", "imageReady", "vmReady", "unpacked", "started", "firstOutput", "stopping", "stopped"]


def definition(image, *command):
    return {"family": "cold-start", "cpu": "256", "memory": "512",
            "containerDefinitions": [{"name": "app", "image": image, "command": list(command), "stopTimeout": 2}]}


def resident_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


def qemu_of(task_id):
    """Pid and arguments of a task's QEMU."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if arguments[0].endswith("qemu-system-x86_64") and any(task_id in word for word in arguments):
            return int(path.parent.name), arguments
    raise RuntimeError("the task has no QEMU")


def settings_of(fgd, image):
    """Kernel, initramfs and command line as fgd gives them, and the memory of an idle VM and of fgd."""
    task_id = fgd.run(definition(image, "sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"))["fgrun"]["id"]
    fgd.get(task_id, wait="RUNNING")
    pid, arguments = qemu_of(task_id)
    memory = {"qemu": resident_mib(pid), "fgd": resident_mib(fgd.pid())}
    fgd.call("POST", f"/v1/tasks/{task_id}/stop", {})
    fgd.get(task_id, wait="STOPPED")
    value = {flag: arguments[arguments.index(flag) + 1] for flag in ("-kernel", "-initrd", "-append")}
    return value, memory


def bare_boot(settings, directory):
    """Milliseconds from starting QEMU to the guest's hello."""
    directory.mkdir()
    channel = directory / "channel"
    scratch = directory / "scratch.img"
    with open(scratch, "wb") as file:
        file.truncate(20 << 30)
    begin = time.monotonic()
    process = subprocess.Popen(
        ["qemu-system-x86_64", "-M", "microvm,acpi=off", "-accel", "tcg", "-cpu", "max", "-m", "512", "-nodefaults",
         "-no-user-config", "-display", "none", "-no-reboot", "-kernel", settings["-kernel"], "-initrd",
         settings["-initrd"], "-append", settings["-append"], "-serial", "null", "-device", "virtio-serial-device",
         "-chardev", f"socket,id=c,path={channel},server=on,wait=off",
         "-device", "virtserialport,chardev=c,name=org.fgrun.guest.0",
         "-drive", f"if=none,id=d,format=raw,cache=unsafe,file={scratch}", "-device", "virtio-blk-device,drive=d"],
        stdin=subprocess.DEVNULL)
    try:
        guest = guest_harness.Guest.attach(process, channel)
        guest.connect()
        elapsed = (time.monotonic() - begin) * 1000
        guest.disconnect()
    finally:
        process.kill()
        process.wait()
    return elapsed


def report(phases, bare, idle, memory):
    print(f"{len(bare)} runs each, in turn, after one warm-up; load average {os.getloadavg()[0]:.1f}; medians\n")
    print(f"{'phase':<14}{'ms since accept':>16}{'ms since the phase before':>28}")
    before = 0.0
    for name in STEPS:
        now = statistics.median(sample[name] for sample in phases)
        print(f"{name:<14}{now:>16.1f}{now - before:>28.1f}")
        before = now
    ready = statistics.median(sample["vmReady"] for sample in phases)
    boot = statistics.median(bare)
    print(f"\nbare QEMU, start to the guest's hello: {boot:.1f} ms; fgd's vmReady is {ready / boot:.2f} times that")
    print(f"resident memory: fgd idle {idle:.0f} MiB, with one task {memory['fgd']:.0f} MiB; "
          f"QEMU with a sleeping 512 MiB guest {memory['qemu']:.0f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    program = str((arguments.build / "api" / "fgd").resolve())
    image = f"oci:{(arguments.build / 'demo' / 'hello').resolve()}:latest"
    phases, bare = [], []
    with fgd_harness.running(program, "embed") as fgd, tempfile.TemporaryDirectory(prefix="fgrun-bench-") as scratch:
        idle = resident_mib(fgd.pid())
        settings, memory = settings_of(fgd, image)  # also the warm-up
        for run in range(arguments.runs):
            done = fgd.stopped(fgd.run(definition(image, "echo", "hello")))
            phases.append({phase["name"]: phase["sinceAcceptMs"] for phase in done["fgrun"]["phases"]})
            bare.append(bare_boot(settings, pathlib.Path(scratch) / str(run)))
    report(phases, bare, idle, memory)
    if arguments.json:
        arguments.json.write_text(json.dumps({"phases": phases, "bareMs": bare, "idleMiB": idle, "memory": memory}),
                                  encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
