# SPDX-License-Identifier: Apache-2.0
"""hypervisor = qemu:///system: the tasks of an fgd run under a libvirtd of their host."""

import contextlib
import ctypes
import os
import pathlib
import subprocess
import sys

import fgd
import pytest

DAEMONS = pathlib.Path(__file__).resolve().parents[1] / "lib" / "libvirtd.py"
CLONE_NEWNS = 0x00020000


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """libvirt's default paths, but in a mount namespace: the host's files stay as they are."""
    directory = tmp_path_factory.mktemp("libvirt")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    commands = (["mount", "--make-rprivate", "/"], ["mount", "-t", "tmpfs", "tmpfs", directory])
    for command in commands:
        subprocess.run(command, check=True)
    for top in ("etc", "run", "var"):
        upper, work = directory / "upper" / top, directory / "work" / top
        upper.mkdir(parents=True)
        upper.chmod(0o755)
        work.mkdir(parents=True)
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir=/{top},upperdir={upper},workdir={work}", f"/{top}"], check=True)
    return directory


@contextlib.contextmanager
def serving(directory, *prefix):
    daemons = subprocess.Popen([*prefix, sys.executable, DAEMONS, directory], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    try:
        assert daemons.stdout.readline() == b"serving\n"
        yield
    finally:
        daemons.communicate(timeout=30)


@pytest.fixture
def libvirtd(files):
    with serving(files):
        yield


@pytest.fixture
def tunnel(files):
    """A URI that is not known to lead to this machine: a command carries the bytes."""
    script = files / "tunnel"

    def make():
        script.write_text("#!/bin/sh\nexec virt-ssh-helper qemu:///system\n", encoding="ascii")
        script.chmod(0o755)
        return f"qemu+ext:///system?command={script}"
    return make


def test_system_libvirt(libvirtd, programs, task):
    with fgd.running(str(programs / "api/fgd"), "qemu:///system") as daemon:
        assert daemon.call("GET", "/v1/info")["hypervisor"]["uri"] == "qemu:///system"
        stopped = daemon.stopped(daemon.run(task("uname -r; exit 7")))
        assert stopped["containers"][0]["exitCode"] == 7
        assert b"-fgrun" in daemon.output_of(stopped["fgrun"]["id"])
        # a long task is ended from outside, and its VM goes
        running = daemon.run(task("echo up; sleep 1000"))
        daemon.call("POST", f"/v1/tasks/{running['fgrun']['id']}/stop", {})
        assert daemon.stopped(running)["lastStatus"] == "STOPPED"


def test_tunnel_to_this_machine(libvirtd, tunnel, programs, task):
    with fgd.running(str(programs / "api/fgd"), tunnel()) as daemon:
        assert daemon.stopped(daemon.run(task("exit 7")))["containers"][0]["exitCode"] == 7


def test_other_machine(files, tunnel, programs):
    """Its disks would not be there, nor the sockets of its guests here."""
    elsewhere = ["unshare", "--uts", "sh", "-c", 'hostname elsewhere.test; exec "$@"', "sh"]
    with serving(files, *elsewhere), pytest.raises(RuntimeError) as failure:
        with fgd.running(str(programs / "api/fgd"), tunnel()):
            pass
    said = str(failure.value)
    assert f"runs on elsewhere.test, and this machine is {os.uname().nodename}" in said
    assert "allowed are embed, qemu:///system" in said


def test_other_hypervisor(programs):
    with pytest.raises(RuntimeError) as failure, fgd.running(str(programs / "api/fgd"), "test:///default"):
        pass
    assert "is TEST, not QEMU; allowed are" in str(failure.value)
