# SPDX-License-Identifier: Apache-2.0
"""kill -9 of fgd and of QEMU: what was acknowledged goes on, or ends with a true reason."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time

import pytest

import lab as lab_module
import ociimage
from faultproxy import FaultProxy, Slow
from lab import definition, figure, wait_for
from registry import Registry

LINES = 200
# 25 lines at a time, so that a kill comes between, before and after them.
NUMBERED = (f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo line $i; "
            "[ $((i % 25)) = 0 ] && sleep 0.1; done; exit 3")
EXPECTED = "".join(f"line {i}\n" for i in range(1, LINES + 1))


@pytest.fixture(scope="module")
def slow_registry(tmp_path_factory):
    """A registry behind a proxy that can make a pull last."""
    directory = tmp_path_factory.mktemp("registry")
    image = ociimage.busybox(cmd=["sh"])
    ociimage.write_layout(str(directory / "layout"), {"latest": image})
    with Registry(directory / "registry") as registry:
        registry.push(str(directory / "layout"), "latest", "busybox:latest")
        with FaultProxy(registry.host) as proxy:
            yield proxy


def numbered(image, **more):
    return definition(image, NUMBERED, stopTimeout=5, **more)


def check(lab, task_id, user_stopped=False):
    """Everything of a task's output is there once; or, where it was stopped, a beginning of it."""
    done = lab.wait(task_id)
    output = lab.fgd.output_of(task_id).decode()
    if user_stopped and done["stopCode"] == "UserInitiated":
        assert EXPECTED.startswith(output), output[-200:]
    else:
        assert done["stopCode"] == "EssentialContainerExited", done["stoppedReason"]
        assert done["containers"][0]["exitCode"] == 3
        assert output == EXPECTED, f"{len(output)} of {len(EXPECTED)} bytes: {output[-200:]!r}"
    assert done["fgrun"]["usage"]["open"] is False


def crash(lab):
    lab.fgd.kill()
    lab.fgd.start()


@pytest.mark.parametrize("phase", ["accepted", "imageReady", "vmReady", "unpacked", "started", "firstOutput"])
def test_fgd_killed_after_each_phase(lab, busybox, phase):
    ids = [lab.detach(numbered(busybox)) for _ in range(2)]

    def reached():
        names = {p["name"] for p in lab.fgd.get(ids[0])["fgrun"]["phases"]}
        return phase in names

    wait_for(reached, phase)
    crash(lab)
    for task_id in ids:
        check(lab, task_id)
    lab.settle()


def test_fgd_killed_while_it_pulls(slow_registry):
    with lab_module.lab() as lab:
        image = f"{slow_registry.host}/busybox:latest"
        gate = threading.Event()
        slow_registry.fault(Slow(piece=100_000, gate=gate), path="/blobs/", times=2)
        task_id = lab.detach(numbered(image))
        wait_for(lambda: slow_registry.asked("/blobs/"), "the pull begins")
        crash(lab)
        gate.set()
        check(lab, task_id)


@pytest.mark.parametrize("seed", range(6))
def test_fgd_killed_at_random(lab, busybox, seed):
    """Three tasks, one of them being stopped, and two kills in a row."""
    rng = random.Random(seed)
    ids = []
    for _ in range(3):
        ids.append(lab.detach(numbered(busybox)))
        time.sleep(rng.uniform(0, 0.3))
    time.sleep(rng.uniform(0, 2.5))
    lab.fgd.call("POST", f"/v1/tasks/{ids[2]}/stop", {})
    time.sleep(rng.uniform(0, 0.4))
    crash(lab)
    time.sleep(rng.uniform(0, 0.8))
    crash(lab)
    for task_id in ids:
        check(lab, task_id, user_stopped=task_id == ids[2])
    lab.settle()


def test_output_of_the_time_without_fgd(lab, task):
    task_id = lab.detach(task("echo before; sleep 0.5; echo while; exit 4"))
    wait_for(lambda: lab.fgd.output_of(task_id) == b"before\n", "output")
    lab.fgd.kill()
    time.sleep(1.5)
    lab.fgd.start()
    assert lab.wait(task_id)["containers"][0]["exitCode"] == 4
    assert lab.fgd.output_of(task_id) == b"before\nwhile\n"


@pytest.mark.parametrize("adopted", [False, True])
def test_qemu_killed(lab, task, adopted):
    """Its task stops with a clear reason, soon; its neighbour does not notice."""
    ids = [lab.detach(task(f"echo up; sleep {seconds}; echo end")) for seconds in (300, 5)]
    for task_id in ids:
        lab.wait(task_id, "RUNNING")
    wait_for(lambda: lab.fgd.output_of(ids[0]), "output")
    if adopted:
        crash(lab)
    before = time.monotonic()
    os.kill(lab.qemu(ids[0]), signal.SIGKILL)
    done = lab.wait(ids[0])
    taken = time.monotonic() - before
    figure(f"kill -9 of {'an adopted' if adopted else 'a'} QEMU to STOPPED: {taken:.2f} s")
    assert taken < 30  # and not when it would have ended
    assert "microVM ended unexpectedly" in done["stoppedReason"], done["stoppedReason"]
    assert "exitCode" not in done["containers"][0]
    assert lab.fgd.output_of(ids[0]) == b"up\n"
    assert lab.wait(ids[1])["containers"][0]["exitCode"] == 0
    assert lab.fgd.output_of(ids[1]) == b"up\nend\n"


def test_qemu_killed_while_it_boots(lab, task):
    task_id = lab.detach(task("true"))
    pid = wait_for(lambda: os.path.exists(f"{lab.directory}/state/libvirt/run/qemu/fgrun-{task_id}.pid")
                   and lab.qemu(task_id), "QEMU")
    os.kill(pid, signal.SIGKILL)
    done = lab.wait(task_id)
    assert done["stopCode"] == "TaskFailedToStart"
    assert "microVM ended" in done["stoppedReason"] or "start QEMU" in done["stoppedReason"]


def test_qemu_killed_while_fgd_is_away(lab, task):
    task_id = lab.detach(task("echo up; sleep 60"))
    wait_for(lambda: lab.fgd.output_of(task_id), "output")
    qemu = lab.qemu(task_id)
    lab.fgd.kill()
    os.kill(qemu, signal.SIGKILL)
    lab.fgd.start()
    done = lab.wait(task_id)
    assert "while fgd was not running" in done["stoppedReason"]
    lab.settle()


def fill(path):
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(65536)):
            pass


@pytest.mark.parametrize("restart", [False, True])
def test_full_disk(busybox, restart):
    """A task that writes while the host's disk is full waits, and goes on where it was."""
    with lab_module.lab(start=False) as lab:
        state, writes = f"{lab.directory}/state", 60
        os.mkdir(state)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m,mode=711", "fgrun-test", state], check=True)
        lab.mounted.append(state)
        lab.fgd.start()
        task_id = lab.detach(definition(
            busybox, f"i=0; while [ $i -lt {writes} ]; do i=$((i+1)); head -c 20000 /dev/urandom > /f$i; sync; "
            "echo $i; sleep 0.05; done; sync; cat /f* | wc -c"))
        wait_for(lambda: lab.fgd.output_of(task_id), "output", 60)
        fill(f"{state}/filler")
        wait_for(lambda: any("paused" in text for text in lab.fgd.call("GET", "/v1/info")["warnings"]), "paused", 60)
        health = lab.fgd.request("GET", "/healthz")
        assert health.status == 503 and f"the disk of {state} is full" in health.read().decode()
        assert lab.fgd.get(task_id)["lastStatus"] == "RUNNING"
        if restart:
            lab.fgd.kill()
        os.unlink(f"{state}/filler")
        before = time.monotonic()
        if restart:
            lab.fgd.start()  # which needs some room itself
            assert lab.fgd.output().count("its VM is paused") == 2
        wait_for(lambda: not any("paused" in text for text in lab.fgd.call("GET", "/v1/info")["warnings"]), "on", 60)
        figure(f"room on the disk to a VM that is resumed: {time.monotonic() - before:.2f} s")
        done = lab.wait(task_id)
        assert done["containers"][0]["exitCode"] == 0, done
        lines = lab.fgd.output_of(task_id).decode().split()
        assert lines == [*map(str, range(1, writes + 1)), str(writes * 20000)]
        assert lab.fgd.request("GET", "/healthz").status == 200


def test_attached_user_sees_the_end_of_a_killed_vm(lab, task):
    attached = lab.popen("run", lab.file(task("echo up; sleep 60")))
    assert attached.stdout.readline() == "up\n"
    os.kill(lab.qemu(lab.latest()["fgrun"]["id"]), signal.SIGKILL)
    _, errors = attached.communicate(timeout=20)
    assert attached.returncode == 125 and "microVM ended unexpectedly" in errors
