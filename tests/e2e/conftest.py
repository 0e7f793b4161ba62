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
