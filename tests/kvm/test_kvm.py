# SPDX-License-Identifier: Apache-2.0
"""KVM, the systemd unit and `make install`, in a machine that has all three."""

import os
import pathlib
import re

import outer
import pytest

BUILD = pathlib.Path(os.environ["FGRUN_BUILD"])
INSTALLED = """
    bin/fgrun sbin/fgd libexec/fgrun/fg-archive libexec/fgrun/fg-prepare lib/fgrun/vmlinux lib/fgrun/initramfs.cpio
    lib/systemd/system/fgd.service lib/sysusers.d/fgrun.conf
    share/man/man1/fgrun.1 share/man/man5/fgd.conf.5 share/man/man8/fgd.8
    share/bash-completion/completions/fgrun share/zsh/site-functions/_fgrun
    share/fish/vendor_completions.d/fgrun.fish
    share/doc/fgrun/LICENSE share/doc/fgrun/api.md share/doc/fgrun/examples/hello.json
""".split()


@pytest.fixture(scope="module")
def build():
    """Its own, since installing under another prefix builds that prefix in."""
    return BUILD.parent / (BUILD.name + "-usr")


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("outer")


@pytest.fixture(scope="module")
def disk(directory, build):
    path = directory / "disk"
    outer.make_disk(build, path)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def steps(directory, disk):
    """One life of the machine, a power cut at its end, and another one."""
    with outer.Outer(directory, disk, 1) as machine:
        machine.wait("running")
        machine.cut_power()
    with outer.Outer(directory, disk, 2) as again:
        again.wait(None)
    return {**machine.results, **again.results}


def guest_kernel(text):
    return re.search(r"^\d+\.\d+\.\d+\S*", text, re.MULTILINE).group()


@pytest.mark.parametrize("prefix", ["/usr/local", "/usr"])
def test_install(build, tmp_path, prefix):
    outer.make_install(build, tmp_path, prefix)
    root = tmp_path / prefix[1:]
    assert [f for f in INSTALLED if not (root / f).is_file()] == []
    assert [p.name for p in tmp_path.iterdir()] == ["usr"]
    unit = (root / "lib/systemd/system/fgd.service").read_text(encoding="ascii")
    assert f"ExecStart={prefix}/sbin/fgd\n" in unit
    assert f"{prefix}/lib/fgrun/vmlinux".encode() in (root / "sbin/fgd").read_bytes()


def test_service_starts(steps):
    service = steps["service"]
    assert (service["ActiveState"], service["SubState"], service["Type"]) == ("active", "running", "notify")
    assert service["NRestarts"] == "0"


def test_kvm_is_chosen(steps):
    hypervisor = steps["info"]["hypervisor"]
    assert hypervisor["accelerator"] == "kvm", hypervisor
    assert "probe guest ended in time" in hypervisor["acceleratorReason"]


def test_task_runs_in_kvm(steps):
    run = steps["run"]
    assert run["status"] == 7, run
    assert guest_kernel(run["out"]) != steps["service"]["host"]
    assert run["qemus"] == []


def test_task_outlives_restart_and_crash(steps):
    adoption = steps["adoption"]
    restarted, killed = adoption["restarted"], adoption["killed"]
    assert len(adoption["before"]) == 1
    assert restarted["qemus"] == killed["qemus"] == adoption["before"]
    assert len({adoption["main"], restarted["MainPID"], killed["MainPID"]}) == 3
    assert restarted["state"] == killed["state"] == "RUNNING"
    assert adoption["task"]["containers"][0]["exitCode"] == 5
    assert adoption["task"]["fgrun"]["accelerator"] == "kvm"
    assert adoption["logs"].splitlines() == [f"line {n}" for n in range(1, 31)]
    assert adoption["after"] == []


def test_stop_is_clean(steps):
    stop = steps["stop"]
    assert (stop["ActiveState"], stop["Result"], stop["ExecMainStatus"]) == ("inactive", "success", "0")
    assert (stop["qemus"], stop["processes"], stop["failed"]) == ([], [], "")


def test_ordinary_user(steps):
    user = steps["user"]
    assert user["status"] == 3, user
    assert user["out"].splitlines() == ["0", guest_kernel(steps["run"]["out"])]
    assert '"accelerator": "kvm"' in user["info"]["out"], user


def test_power_cut(steps):
    recovered = steps["recovered"]
    cut = [t for t in recovered["tasks"] if t["fgrun"]["id"] in steps["running"]["ids"]]
    assert [t["lastStatus"] for t in cut] == ["STOPPED", "STOPPED"]
    assert all("ended while fgd was not running" in t["stoppedReason"] for t in cut)
    assert all(t["createdAt"] <= t["startedAt"] <= t["executionStoppedAt"] <= t["stoppedAt"] for t in cut)
    assert (recovered["qemus"], recovered["scratch"], sorted(recovered["run_dir"])) == ([], [], ["fgd.sock", "vpc"])
    assert steps["again"]["status"] == 9, steps["again"]


def test_ledger_after_power_cut(steps):
    before, after = steps["running"]["usage"], steps["recovered"]["usage"]
    assert after["total"]["tasks"] == before["total"]["tasks"]
    assert [g for g in after["groups"] if g["open"]] == []
    assert after["total"]["costPico"] == sum(g["costPico"] for g in after["groups"])
    assert after["total"]["costPico"] >= before["total"]["costPico"]


def test_containers_are_limited_by_cgroup_v2(steps):
    """By systemd's own scopes, which end with them and are nobody's to lose when fgd starts again."""
    seen = steps["containers"]
    assert seen["limits"] == {"cpu.max": "25000 100000\n", "memory.max": f"{512 << 20}\n", "pids.max": "30000\n"}
    assert seen["share"] < 0.3, seen
    assert seen["adopted"] == "RUNNING" and seen["stopped"]["stopCode"] == "UserInitiated", seen
    assert seen["task_greedy"]["status"] == seen["container_greedy"]["status"] == 137, seen
    assert (seen["groups"], seen["left"]) == ([], []) and ".scope" not in seen["units"], seen


def test_guests_are_restored(steps):
    restored = steps["restored"]
    assert [start["way"] for start in restored["started"]] == ["restored"] * 2, restored
    assert [run["status"] for run in restored["runs"]] == [6, 6], restored
    assert len({run["out"] for run in restored["runs"]}) == 2
