# SPDX-License-Identifier: Apache-2.0
"""Component tests: a real fgd, with VMs that are processes (tests/fake-guest)."""

import functools
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

import awsapi  # noqa: E402
import fgd as fgd_harness  # noqa: E402
import ownnet  # noqa: E402
import signed  # noqa: E402

ownnet.enter()

BUILD = pathlib.Path(os.environ["FGRUN_BUILD"])
PROGRAM = str(BUILD / "api" / "fgd")
HYPERVISOR = f"fake:{BUILD}/tests/fake-guest/fg-fake-guest"


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """An OCI layout that needs no registry."""
    out = tmp_path_factory.mktemp("image") / "layout"
    subprocess.run([sys.executable, ROOT / "scripts" / "mkimage.py", out, "--text", "/etc/passwd:644:root:x:0:0::/:/bin/sh",
                    "--cmd=print", "--cmd=image default"], check=True)
    return f"oci:{out}:latest"


@pytest.fixture
def start():
    """A context manager that runs an fgd with the fake hypervisor."""
    return lambda hypervisor=HYPERVISOR, **settings: fgd_harness.running(PROGRAM, hypervisor, **settings)


@pytest.fixture
def fgd(start):
    with start() as daemon:
        yield daemon


@pytest.fixture
def tcp(start):
    """An fgd with a TCP port too."""
    with start() as daemon:
        daemon.stop()
        daemon.port = signed.free_port()
        daemon.settings["listen"] = f"unix:{daemon.directory}/run/fgd.sock,tcp:127.0.0.1:{daemon.port}"
        daemon.start()
        yield daemon


@pytest.fixture
def task(image):
    """A task definition whose one container runs a script of the fake guest."""
    def make(*command, name="app", **members):
        container = {"name": name, "image": image, "command": list(command), **members.pop("container", {})}
        return {"family": "test", "cpu": "256", "memory": "512", "containerDefinitions": [container], **members}
    return make


@pytest.fixture
def logs(fgd):
    """Calls an operation of CloudWatch Logs."""
    return functools.partial(awsapi.Aws(fgd).call, "logs")


@pytest.fixture
def stream(logs):
    """The stream s of the group g, which takes what is put."""
    logs("CreateLogGroup", logGroupName="g")
    logs("CreateLogStream", logGroupName="g", logStreamName="s")
    return "s"
