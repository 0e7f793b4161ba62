# SPDX-License-Identifier: Apache-2.0
"""fgrun, and a fake fgd for it."""

import json
import os
import pathlib
import re
import select
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import fakefgd  # noqa: E402

FGRUN = os.environ["FGRUN"]
FAKE = pathlib.Path(fakefgd.__file__)


def definition(family, *containers):
    containers = containers or ({"name": "app", "image": "busybox"},)
    return {"family": family, "containerDefinitions": list(containers)}


class Cli:
    def __init__(self, tmp, host):
        self.tmp = tmp
        self.env = {"PATH": os.environ["PATH"], "LSAN_OPTIONS": os.environ.get("LSAN_OPTIONS", ""),
                    "HOME": str(tmp), "TERM": "xterm",
                    "FGRUN_STATE_DIR": f"{tmp}/state", "FGRUN_CACHE_DIR": f"{tmp}/cache",
                    "FGRUN_RUN_DIR": f"{tmp}/run"}
        if host:
            self.env["FGRUN_HOST"] = host

    def file(self, family, *containers):
        path = self.tmp / f"{family}.json"
        path.write_text(json.dumps(definition(family, *containers)))
        return str(path)

    def start(self, *args, **kwargs):
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen([FGRUN, *args], env=self.env, **kwargs)

    def __call__(self, *args, stdin=b"", status=0):
        done = subprocess.run([FGRUN, *args], env=self.env, input=stdin, timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.returncode == status, (args, done)
        return done


@pytest.fixture
def fgd(tmp_path):
    fake = fakefgd.FakeFgd(str(tmp_path / "s"))
    fake.start()
    yield fake
    fake.close()


@pytest.fixture
def cli(tmp_path, fgd):
    return Cli(tmp_path, f"unix://{fgd.path}")


@pytest.fixture
def task_id(cli):
    done = cli("run", "--detach", cli.file("hello"))
    task = done.stdout.decode().splitlines()[-1]
    assert re.fullmatch("[0-9a-f]{32}", task)
    return task


def read_until(fd, wanted, seconds=15):
    """Bytes of @fd up to and with @wanted; fails when they do not come."""
    got = b""
    while wanted not in got:
        assert select.select([fd], [], [], seconds)[0], got
        try:
            chunk = os.read(fd, 4096)
        except OSError:  # EIO: the other end of a terminal is closed
            chunk = b""
        assert chunk, got
        got += chunk
    return got
