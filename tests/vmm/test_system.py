# SPDX-License-Identifier: Apache-2.0
"""hypervisor = qemu:///system: the tasks of an fgd run under a libvirtd of their host."""

import ctypes
import pathlib
import subprocess
import sys

import fgd
import pytest

DAEMONS = pathlib.Path(__file__).resolve().parents[1] / "lib" / "libvirtd.py"
CLONE_NEWNS = 0x00020000


@pytest.fixture
def libvirtd(tmp_path):
    """On libvirt's default paths, but in a mount namespace: the host's files stay as they are."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    commands = (["mount", "--make-rprivate", "/"], ["mount", "-t", "tmpfs", "tmpfs", tmp_path])
    for command in commands:
        subprocess.run(command, check=True)
    for top in ("etc", "run", "var"):
        upper, work = tmp_path / "upper" / top, tmp_path / "work" / top
        upper.mkdir(parents=True)
        upper.chmod(0o755)
        work.mkdir(parents=True)
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir=/{top},upperdir={upper},workdir={work}", f"/{top}"], check=True)
    daemons = subprocess.Popen([sys.executable, DAEMONS, tmp_path], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    try:
        assert daemons.stdout.readline() == b"serving\n"
        yield
    finally:
        daemons.communicate(timeout=30)


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
