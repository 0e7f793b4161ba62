# SPDX-License-Identifier: Apache-2.0
"""What a container is and is not allowed, as seen from inside and from outside."""

import os
import pathlib
import time

import pytest

import lab as lab_module
from lab import figure, mergeable, status_of, wait_for

DOCKER_CAPABILITIES = "00000000a80425fb"
MASKED = ["/proc/keys", "/proc/timer_list"]
ULIMITS = [{"name": "nofile", "softLimit": 1000, "hardLimit": 2000}, {"name": "core", "softLimit": 0, "hardLimit": 0}]


def facts(text):
    """The output of a script that prints NAME=VALUE lines."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


@pytest.fixture(scope="module")
def inside(lab, busybox):
    """Facts that an ordinary container sees."""
    script = """
    s() { echo "$1=$(sed -n "s/^$1:[[:space:]]*//p" /proc/self/status)"; }
    s CapEff; s CapBnd; s CapInh; s Seccomp; s Uid
    for f in /proc/keys /proc/timer_list; do echo "$f=$(wc -c < $f)"; done
    echo "firmware=$(ls /sys/firmware 2>&1 | wc -w)"
    echo x 2>/dev/null > /proc/sys/kernel/hostname; echo "sysctl=$?"
    echo x 2>/dev/null > /proc/sysrq-trigger; echo "sysrq=$?"
    mount -t tmpfs none /tmp 2>/dev/null; echo "mount=$?"
    unshare -U true 2>/dev/null; echo "userns=$?"
    dmesg >/dev/null 2>&1; echo "dmesg=$?"
    mknod /tmp/vda b 254 0 && head -c1 /tmp/vda >/dev/null 2>&1; echo "disk=$?"
    echo "processes=$(ls -d /proc/[0-9]* | wc -l)"
    echo "pid=$$"
    echo "up=$(ip -o link show up | wc -l) $(ip -o link show up | cut -d: -f2)"
    echo "routes=$(ip route | grep -vc '^169[.]254[.]')"  # but for the metadata endpoint's
    wget -T 2 -q -O - http://192.0.2.1/ 2>/dev/null; echo "internet=$?"
    echo "secrets=$(cat /proc/cmdline /proc/1/environ 2>/dev/null | grep -ci token)"
    echo "root=$(touch /written && echo writable)"
    echo "cores=$(ulimit -c)"
    echo "host=$(cat /etc/hostname) $(hostname)"
    """
    return facts(lab.run({"family": "facts", "cpu": "256", "memory": "512", "containerDefinitions": [
        {"name": "app", "image": busybox, "command": ["sh", "-c", script]}]}, "--quiet", check=True).stdout)


def test_capabilities_are_dockers(inside):
    assert inside["CapEff"] == inside["CapBnd"] == DOCKER_CAPABILITIES
    assert inside["CapInh"] == "0000000000000000"


def test_seccomp_filters(inside):
    assert inside["Seccomp"] == "2"
    assert inside["mount"] != "0" and inside["userns"] != "0" and inside["dmesg"] != "0"


def test_masked_and_read_only_paths(inside):
    assert [inside[path] for path in MASKED] == ["0", "0"] and inside["firmware"] == "0"
    assert inside["sysctl"] != "0" and inside["sysrq"] != "0"


def test_scratch_disk_is_out_of_reach(inside):
    assert inside["disk"] != "0"


def test_own_processes_only(inside):
    assert inside["pid"] == "1" and int(inside["processes"]) <= 4


def test_network_is_loopback(inside):
    assert inside["up"].endswith(" lo") and inside["routes"] == "0" and inside["internet"] != "0"


def test_nothing_secret_and_the_defaults(inside):
    assert inside["secrets"] == "0" and inside["root"] == "writable"
    assert len(set(inside["host"].split())) == 1


def test_what_the_task_definition_restricts(lab, task):
    script = """
    grep -E '^(Uid|Gid|Groups|CapEff)' /proc/self/status | tr '\\t' ' '
    echo "nofile=$(ulimit -Sn)/$(ulimit -Hn)"
    touch /x 2>&1; touch /scratch/x && echo "tmpfs writable"
    cp /bin/busybox /scratch/busybox; /scratch/busybox true 2>/dev/null || echo "tmpfs noexec"
    pwd
    """
    done = lab.run(task(script, user="app", readonlyRootFilesystem=True, ulimits=ULIMITS, workingDirectory="/home/app",
                        linuxParameters={"tmpfs": [{"containerPath": "/scratch", "size": 8,
                                                    "mountOptions": ["noexec", "mode=1777"]}]}), "--quiet")
    lines = done.stdout.splitlines()
    assert "Uid: 1000 1000 1000 1000" in lines and "Gid: 1000 1000 1000 1000" in lines
    assert "CapEff: 0000000000000000" in lines
    assert "nofile=1000/2000" in lines and "/home/app" in lines
    assert "touch: /x: Read-only file system" in lines
    assert "tmpfs writable" in lines and "tmpfs noexec" in lines


@pytest.mark.parametrize("user, ids", [
    ("1000:65534", "uid=1000(app) gid=65534(nogroup)"), ("nobody", "uid=65534(nobody) gid=65534(nogroup)"),
    ("app:nogroup", "uid=1000(app) gid=65534(nogroup)"), ("4242", "uid=4242 gid=0(root)")])
def test_user(lab, task, user, ids):
    assert lab.run(task("id", user=user), "--quiet", check=True).stdout.startswith(ids)


def test_unknown_user(lab, task):
    done = lab.run(task("id", user="stranger"))
    assert done.returncode == 125 and "stranger" in done.stderr


def test_capabilities_added_and_dropped(lab, task):
    done = lab.run(task("grep CapEff /proc/self/status; chown 1 /tmp || echo refused",
                        linuxParameters={"capabilities": {"drop": ["ALL"], "add": ["SYS_PTRACE"]}}), "--quiet")
    assert done.stdout.splitlines()[0].split() == ["CapEff:", f"{1 << 19:016x}"]
    assert "refused" in done.stdout


def test_qemu_from_outside(lab, task):
    task_id = lab.detach(task("sleep 60", stopTimeout=2))
    lab.wait(task_id, "RUNNING")
    qemu = lab.qemu(task_id)
    if os.geteuid() == 0:
        assert "0" not in status_of(qemu, "Uid") + status_of(qemu, "Gid")
        assert status_of(qemu, "Groups") == [] or "0" not in status_of(qemu, "Groups")
    assert status_of(qemu, "CapEff") == ["0000000000000000"]
    assert status_of(qemu, "Seccomp") == ["2"]
    assert mergeable(qemu) == []
    assert oct(os.stat(lab.fgd.socket).st_mode & 0o777) == "0o600"
    # Its files: nothing that others may read or write.
    scratch = pathlib.Path(lab.directory) / "state" / "tasks" / task_id / "scratch.img"
    assert scratch.stat().st_mode & 0o077 == 0 and scratch.stat().st_uid == int(status_of(qemu, "Uid")[0])
    open_to_others = [str(path) for kind in ("state/fgd.db*", "cache/images/*", "state/logs")
                      for path in pathlib.Path(lab.directory).glob(kind)
                      if path.is_file() and path.stat().st_mode & 0o077]
    assert open_to_others == []
    assert not any("tun" in os.readlink(link) for link in pathlib.Path(f"/proc/{qemu}/fd").iterdir())
    lab.fgrun("stop", "--wait", task_id)
    assert not os.path.exists(f"/proc/{qemu}") and not scratch.exists()


def quota_of(pid):
    """(quota, period) of the nearest cgroup above a process that has one, version 1 or 2; else None."""
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
        groups = [line.strip().split(":", 2) for line in file]
    for _, controllers, path in groups:
        top = pathlib.Path("/sys/fs/cgroup/cpu" if "cpu" in controllers.split(",") else "/sys/fs/cgroup")
        if controllers and "cpu" not in controllers.split(","):
            continue
        place = top / path.lstrip("/")
        while place != top:
            if (place / "cpu.max").exists() and not (place / "cpu.max").read_text().startswith("max"):
                return tuple(int(n) for n in (place / "cpu.max").read_text().split())
            if (place / "cpu.cfs_quota_us").exists() and int((place / "cpu.cfs_quota_us").read_text()) > 0:
                return tuple(int((place / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
            place = place.parent
    return None


def spin(lab, task, cpu):
    """A task that computes; what limits its QEMU, and how much of a CPU that used in a while."""
    memory = {"256": "512", "1024": "2048"}[cpu]
    task_id = lab.detach({**task("echo up; while :; do :; done", stopTimeout=2), "cpu": cpu, "memory": memory})
    wait_for(lambda: lab.fgd.output_of(task_id), "output")
    qemu = lab.qemu(task_id)
    if cpu == "256" and lab.fgd.settings.get("cpu-limit") != "guest":
        wait_for(lambda: quota_of(qemu), "a limit")
    begin, used = time.monotonic(), cpu_seconds(qemu)
    time.sleep(2)
    share = (cpu_seconds(qemu) - used) / (time.monotonic() - begin)
    quota = quota_of(qemu)
    lab.fgrun("stop", "--wait", task_id)
    figure(f"{cpu} CPU units: {share:.2f} of a CPU, limit {quota}")
    return quota, share


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's libvirt makes cgroups")
def test_part_of_a_cpu(lab, task):
    """The process gets the task's part and a tenth for itself, whatever its guest does."""
    quota, share = spin(lab, task, "256")
    assert quota == (35000, 100000) and share < 0.40
    assert spin(lab, task, "1024")[0] is None
    with lab_module.lab(cpu_limit="guest") as other:
        assert spin(other, task, "256")[0] is None
