# SPDX-License-Identifier: Apache-2.0
"""Tasks as ordinary containers of the host: real ones, beside VMs that are played."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

import fgd as fgd_harness
from conftest import BUILD, ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("runc"), reason="needs root and runc")

IDLE = "trap exit TERM; echo up; sleep 1000 & wait"
SPLIT = os.path.exists("/sys/fs/cgroup/cgroup.controllers")  # cgroup v2 alone


@pytest.fixture(scope="session")
def busybox():
    out = BUILD / "demo" / "hello"
    if not (out / "index.json").exists():
        subprocess.run([ROOT / "scripts" / "demo-image.sh", out], check=True)
    return f"oci:{out}:latest"


@pytest.fixture(scope="module")
def module_fgd():
    import conftest
    with fgd_harness.running(conftest.PROGRAM, conftest.HYPERVISOR, isolation="container") as daemon:
        yield daemon


@pytest.fixture
def pod(busybox):
    def make(script, **more):
        container = {"name": "app", "image": busybox, "command": ["sh", "-c", script], **more.pop("container", {})}
        return {"family": "pod", "cpu": "256", "memory": "512", "containerDefinitions": [container],
                "fgrun": {"isolation": "container"}, **more}
    return make


def wait_for(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)
    return value


def pid_of(fgd, task):
    return int(pathlib.Path(f"{fgd.directory}/run/pods/{task}/pid").read_text(encoding="ascii"))


def traces(fgd, task):
    """What is left of a task on the host, by its id and by the files of its daemon."""
    found = [str(p) for p in pathlib.Path("/sys/fs/cgroup").rglob(f"fgrun-{task}") if p.is_dir()]
    found += [f"{fgd.directory}/run/pods/{d}" for d in (task, f"runc/{task}")
              if os.path.exists(f"{fgd.directory}/run/pods/{d}")]
    found += [p.name for p in pathlib.Path("/sys/block").glob("loop*/loop/backing_file") if fgd.directory in p.read_text()]
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        found += [line for line in mounts if task in line]
    return found


def test_it_is_a_container_of_the_host(module_fgd, pod):
    fgd = module_fgd
    done = fgd.stopped(fgd.run(pod("cat /proc/sys/kernel/random/boot_id; echo err >&2; exit 7")))
    assert done["containers"][0].get("exitCode") == 7, str(done.get("stoppedReason")) + str(done["containers"])
    assert done["fgrun"]["isolation"] == "container" and done["fgrun"]["accelerator"] == "none"
    boot_id = pathlib.Path("/proc/sys/kernel/random/boot_id").read_bytes()
    assert fgd.output_of(done["fgrun"]["id"]) == boot_id
    assert traces(fgd, done["fgrun"]["id"]) == []


def test_the_flag(module_fgd, pod, tmp_path):
    """It wins over the definition's word, and fgrun's exit status is the container's."""
    definition = {**pod("echo here; exit 6"), "fgrun": {"isolation": "microvm"}}
    (tmp_path / "task.json").write_text(json.dumps(definition), encoding="ascii")
    done = subprocess.run([BUILD / "cli" / "fgrun", f"--host=unix:{module_fgd.socket}", "run", "--isolation=container",
                           tmp_path / "task.json"], stdout=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (6, b"here\n")


def test_limits_of_the_task(module_fgd, pod):
    """Its memory is the task's, not the host's; and its part of a CPU."""
    fgd = module_fgd
    task = fgd.run(pod(IDLE, cpu="512", memory="1024"))["fgrun"]["id"]
    fgd.get(task, wait="RUNNING")
    if SPLIT:
        group = pathlib.Path(f"/sys/fs/cgroup/fgrun-{task}")
        assert (group / "memory.max").read_text() == f"{1 << 30}\n" and (group / "cpu.max").read_text() == "50000 100000\n"
    else:
        cgroups = pathlib.Path("/sys/fs/cgroup")
        memory = next(p for p in (cgroups / "memory").rglob(f"fgrun-{task}/memory.limit_in_bytes"))
        quota = next(p for p in (cgroups / "cpu").rglob(f"fgrun-{task}/cpu.cfs_quota_us"))
        assert memory.read_text() == f"{1 << 30}\n" and quota.read_text() == "50000\n"
    fgd.call("POST", f"/v1/tasks/{task}/stop", {})
    assert fgd.get(task, wait="STOPPED")["stopCode"] == "UserInitiated"
    assert traces(fgd, task) == []


def test_too_much_memory(module_fgd, pod):
    done = module_fgd.stopped(module_fgd.run(pod("exec tail /dev/zero")))
    assert done["containers"][0]["exitCode"] == 137, done["stoppedReason"]


def test_what_is_confined(module_fgd, pod):
    """No device nodes of the host, none of its processes, no disk of its own underneath."""
    fgd = module_fgd
    done = fgd.stopped(fgd.run(pod("mknod /tmp/x b 7 0 && cat /tmp/x; ls /dev; ps | wc -l; grep -c loop /proc/mounts; "
                                   "grep CapEff /proc/self/status")))
    lines = fgd.output_of(done["fgrun"]["id"]).decode().split("\n")
    assert not any(name.startswith(("loop", "sd", "vd", "mem")) for name in lines), lines
    assert int(lines[-2].split()[1], 16) & (1 << 27 | 1 << 21) == 0  # CAP_MKNOD, CAP_SYS_ADMIN
    assert done["containers"][0]["exitCode"] == 0


def test_stop_is_term_then_kill(module_fgd, pod):
    fgd = module_fgd
    polite = fgd.run(pod("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 1 & wait; done"))["fgrun"]["id"]
    stubborn = fgd.run(pod("trap '' TERM; echo up; while :; do sleep 1; done", container={"stopTimeout": 2}))["fgrun"]["id"]
    for task in (polite, stubborn):
        wait_for(lambda: fgd.output_of(task) == b"up\n", "its output")
        fgd.call("POST", f"/v1/tasks/{task}/stop", {})
    assert fgd.get(polite, wait="STOPPED")["containers"][0]["exitCode"] == 3
    assert fgd.output_of(polite) == b"up\nbye\n"
    assert fgd.get(stubborn, wait="STOPPED")["containers"][0]["exitCode"] == 137


def test_two_containers_and_a_health_check(module_fgd, pod, busybox):
    fgd = module_fgd
    task = pod(IDLE, container={"healthCheck": {"command": ["CMD-SHELL", "test -e /proc/1"], "interval": 5}})
    task["containerDefinitions"].append({
        "name": "after", "image": busybox, "command": ["sh", "-c", "echo healthy; exit 5"],
        "dependsOn": [{"containerName": "app", "condition": "HEALTHY"}]})
    done = fgd.stopped(fgd.run(task))
    assert {c["name"]: c["exitCode"] for c in done["containers"]}["after"] == 5
    assert fgd.output_of(done["fgrun"]["id"], container="after") == b"healthy\n"


def test_the_prepared_image_is_its_root(module_fgd, pod):
    """Once prepared, the image is mounted and not unpacked."""
    fgd = module_fgd

    def way():
        done = fgd.stopped(fgd.run(pod("exit 0")))
        assert done["containers"][0]["exitCode"] == 0, done["stoppedReason"]
        return done["fgrun"]["images"][0]["pull"]
    wait_for(lambda: way() == "prepared", "a prepared image")


def test_refused_where_it_is_off(fgd, pod):
    with pytest.raises(fgd_harness.Failure, match="fgrun.isolation: 'container' is refused.*isolation = container"):
        fgd.run(pod("exit 0"))
    assert fgd.call("GET", "/v1/tasks")["tasks"] == []


def test_refused_fields_by_name(module_fgd, pod):
    container = {"portMappings": [{"containerPort": 80}], "systemControls": [{"namespace": "net.core.somaxconn", "value": "9"}],
                 "linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"]}}, **({} if SPLIT else {"cpu": 10, "memory": 64})}
    with pytest.raises(fgd_harness.Failure) as failure:
        module_fgd.run(pod("exit 0", container=container), publish=[{"hostPort": 8080, "containerPort": 80}])
    names = ["publish", "portMappings", "systemControls", "capabilities.add", *([] if SPLIT else ["cpu", "memory"])]
    assert all(name in str(failure.value) for name in names), failure.value


def test_its_first_process_is_killed(module_fgd, pod):
    fgd = module_fgd
    task = fgd.run(pod(IDLE))["fgrun"]["id"]
    wait_for(lambda: fgd.output_of(task) == b"up\n", "its output")
    os.kill(pid_of(fgd, task), signal.SIGKILL)
    assert "ended" in fgd.get(task, wait="STOPPED")["stoppedReason"]
    assert traces(fgd, task) == []


def test_fgd_is_killed(start, pod):
    """A task goes on and is taken up again; what no task claims goes."""
    with start(isolation="container") as fgd:
        task = fgd.run(pod("echo up; read x < /proc/sys/kernel/random/uuid; sleep 1; echo on; exit 4"))["fgrun"]["id"]
        wait_for(lambda: fgd.output_of(task) == b"up\n", "its output")
        fgd.kill()
        fgd.start()
        done = fgd.get(task, wait="STOPPED")
        assert done["containers"][0]["exitCode"] == 4 and fgd.output_of(task) == b"up\non\n", done["stoppedReason"]
        assert traces(fgd, task) == []
        orphan = fgd.run(pod(IDLE))["fgrun"]["id"]
        wait_for(lambda: fgd.output_of(orphan) == b"up\n", "its output")
        fgd.kill()
        for suffix in ("", "-wal", "-shm"):
            pathlib.Path(f"{fgd.directory}/state/fgd.db{suffix}").unlink(missing_ok=True)
        fgd.start()
        wait_for(lambda: traces(fgd, orphan) == [], "the orphan's end")


def test_the_runtime_lost_its_notes(start, pod):
    with start(isolation="container") as fgd:
        task = fgd.run(pod(IDLE))["fgrun"]["id"]
        wait_for(lambda: fgd.output_of(task) == b"up\n", "its output")
        shutil.rmtree(f"{fgd.directory}/run/pods/runc/{task}")
        os.kill(pid_of(fgd, task), signal.SIGKILL)
        fgd.get(task, wait="STOPPED")
        assert traces(fgd, task) == []


def test_fgd_is_killed_while_it_starts_one(start, pod):
    with start(isolation="container") as fgd:
        for _ in range(5):
            task = fgd.run(pod(IDLE))["fgrun"]["id"]
            wait_for(lambda: os.path.exists(f"{fgd.directory}/run/pods/{task}"), "its directory")
            fgd.kill()
            fgd.start()
            fgd.call("POST", f"/v1/tasks/{task}/stop", {})
            fgd.get(task, wait="STOPPED")
            assert traces(fgd, task) == []
