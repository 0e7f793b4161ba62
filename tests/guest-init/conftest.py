# SPDX-License-Identifier: Apache-2.0
"""Real guests with the busybox image, for the tests of the init."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import guest as guests  # noqa: E402


@pytest.fixture(scope="session")
def images():
    return guests.Images()


@pytest.fixture(scope="session")
def busybox(images):
    probe = pathlib.Path(os.environ.get("FG_PROBE", guests.ROOT / "build/tests/guest-init/probe")).read_bytes()
    return images.add_busybox(more={"bin/probe": probe, "bin/data": (b"x", {"mode": 0o644}),
                                    "bin/garbage": b"\x7fELF garbage"})


class Runner:
    """Makes guests and containers of the busybox image."""

    def __init__(self, directory, images, image):
        self.directory, self.images, self.image = directory, images, image

    def container(self, name, *command, **members):
        members.setdefault("image", {"reference": "busybox", "manifest": self.image})
        return dict({"name": name, "command": list(command)}, **members)

    def sh(self, name, script, **members):
        return self.container(name, "sh", "-c", script, **members)

    def guest(self, **options):
        return guests.Guest(self.directory, self.images, **options)

    def run(self, *containers, timeout=60, memory=256, **task):
        """A whole life. Return: the guest, for its events and output, and the exit codes."""
        with self.guest(memory=memory) as guest:
            guest.connect()
            guest.start(containers, **task)
            return guest, guest.finish(timeout)


@pytest.fixture
def runner(tmp_path, images, busybox):
    return Runner(tmp_path, images, busybox)
