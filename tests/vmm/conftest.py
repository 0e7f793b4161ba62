# SPDX-License-Identifier: Apache-2.0
"""Tasks in real guests, on other ground than the default one."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

BUILD = pathlib.Path(os.environ["FGRUN_BUILD"])


@pytest.fixture(scope="session")
def programs():
    """fgd and fgrun, beside their guest kernel, with an image for them."""
    subprocess.run([ROOT / "scripts/link-kernel.sh", BUILD], check=True)
    if not (BUILD / "demo/hello/index.json").exists():
        subprocess.run([ROOT / "scripts/demo-image.sh", BUILD / "demo/hello"], check=True)
    return BUILD


@pytest.fixture
def task():
    """A task definition of one shell command."""
    def make(command):
        container = {"name": "app", "image": f"oci:{BUILD}/demo/hello", "command": ["sh", "-c", command]}
        return {"family": "test", "cpu": "256", "memory": "512", "containerDefinitions": [container]}
    return make
