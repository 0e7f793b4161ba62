# SPDX-License-Identifier: Apache-2.0
"""End to end: the real fgrun and fgd, real guests (under TCG where KVM cannot run them)."""

import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import lab as lab_module  # noqa: E402
from lab import BUILD, ROOT, definition  # noqa: E402
import ownnet  # noqa: E402

ownnet.enter()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A test that fails shows what its fgd said, and what became of its tasks."""
    report = (yield).get_result()
    lab = item.funcargs.get("lab") if hasattr(item, "funcargs") else None
    if report.failed and lab and lab.fgd.log:
        report.sections.append(("fgd.log", lab.fgd.output()[-8000:]))
        report.sections.append(("fgrun ps --all", lab.fgrun("ps", "--all", check=False).stdout))


@pytest.fixture(scope="session", autouse=True)
def kernel():
    if not (BUILD / "guest-init" / "vmlinux").exists():
        subprocess.run([ROOT / "scripts" / "link-kernel.sh", BUILD], check=True)


@pytest.fixture(scope="session")
def layout():
    """busybox, as the demonstration makes it: an OCI layout."""
    out = BUILD / "demo" / "hello"
    if not (out / "index.json").exists():
        subprocess.run([ROOT / "scripts" / "demo-image.sh", out], check=True)
    return str(out)


@pytest.fixture(scope="session")
def busybox(layout):
    return f"oci:{layout}:latest"


@pytest.fixture(scope="module")
def lab():
    """One fgd for the tests of a module."""
    with lab_module.lab() as it:
        yield it


@pytest.fixture
def task(busybox):
    """A task definition of one busybox container."""
    return lambda command, **more: definition(busybox, command, **more)
