# SPDX-License-Identifier: Apache-2.0
"""An ordinary user: fgrun starts an fgd of its own, and QEMU runs as that user."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

UID = 42420
ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def place():
    """Where anybody may go, with a home directory of the user's."""
    with tempfile.TemporaryDirectory(prefix="fgrun-user-", dir="/tmp") as path:
        os.chmod(path, 0o755)
        place = pathlib.Path(path)
        for name in ("home", "run"):
            (place / name).mkdir(mode=0o700)
            os.chown(place / name, UID, UID)
        yield place


@pytest.fixture
def copies(place, programs):
    """The build tree may be in a directory that is root's alone."""
    for name in ("api/fgd", "cli/fgrun", "guest-init/vmlinux", "guest-init/initramfs.cpio"):
        (place / "build" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(programs / name, place / "build" / name)
    shutil.copytree(programs / "demo", place / "build/demo")
    (place / "examples").mkdir()
    shutil.copy(ROOT / "examples/hello.json", place / "examples")
    return place


def processes(uid):
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.stat(f"/proc/{entry}").st_uid == uid:
                    yield int(entry), pathlib.Path(f"/proc/{entry}/comm").read_text().strip()
            except (FileNotFoundError, ProcessLookupError):
                pass


def test_ordinary_user(copies):
    # nothing of /usr/sbin: that is how Debian's users have it
    run = subprocess.run(["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env", "-i",
                          f"HOME={copies}/home", f"XDG_RUNTIME_DIR={copies}/run", "PATH=/usr/bin:/bin",
                          copies / "build/cli/fgrun", copies / "examples/hello.json"],
                         cwd=copies, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, text=True)
    try:
        assert run.returncode == 0, run.stderr
        assert run.stdout.startswith("Hello from ") and "-fgrun" in run.stdout
        assert (copies / "home/.local/state/fgrun/fgd.db").exists()
        # the daemon it started, its network, and perhaps a guest that waits for the next task
        assert {name.partition(".")[0] for _, name in processes(UID)} <= {
            "fgd", "fgd-reaper", "dnsmasq", "passt", "pasta", "qemu-system-x86", "mke2fs"}
    finally:
        for pid, name in processes(UID):
            if name == "fgd":
                fgd = os.pidfd_open(pid)
                signal.pidfd_send_signal(fgd, signal.SIGTERM)
                assert wait(fgd)
                os.close(fgd)
        deadline = time.monotonic() + 30
        while list(processes(UID)):  # its reaper leaves after it
            assert time.monotonic() < deadline, list(processes(UID))
            time.sleep(0.05)


def wait(pidfd):
    """Until the process has ended, for half a minute at most."""
    import select
    return select.select([pidfd], [], [], 30)[0]
