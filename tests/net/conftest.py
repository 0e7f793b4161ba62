# SPDX-License-Identifier: Apache-2.0
"""net/ alone, with namespaces for guests; nothing happens in the machine's own namespace."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import netlab  # noqa: E402
import ownnet  # noqa: E402

ownnet.enter()

WEB, DB, BOTH = "sg-000000000000000a1", "sg-000000000000000b2", "sg-000000000000000c3"
SMALL = "subnet-000000000000000f1"

# Two groups of which one may come to a port of the other, a third that may do nothing, and a subnet
# of 11 addresses beside the default one.
CONFIG = f"""
subnet subnet-0123456789abcdef0 172.31.0.0/20 fd42:42:42::/64
subnet {SMALL} 172.31.16.0/28
group sg-0123456789abcdef0 default
in -1 0 0 sg-0123456789abcdef0
out -1 0 0 0.0.0.0/0
out -1 0 0 ::/0
group {WEB} web
in tcp 80 80 0.0.0.0/0
out -1 0 0 0.0.0.0/0
out -1 0 0 ::/0
group {DB} db
in tcp 5432 5432 {WEB}
in udp 53 53 10.0.0.0/8
out tcp 443 443 10.99.0.0/24
group {BOTH} nothing
"""


@pytest.fixture(scope="session")
def tool():
    return os.environ["NET_TOOL"]


@pytest.fixture
def lab(tool):
    with netlab.lab(tool, CONFIG) as it:
        yield it
