# SPDX-License-Identifier: Apache-2.0
"""An ordinary user's fgd: the same tasks on a network of their own, which pasta leads out of."""

import contextlib
import os
import subprocess
import urllib.request

import pytest

import lab as lab_module
from lab import definition, wait_for
import netlab
import ownnet

USER = 54322


@pytest.fixture
def outside():
    """Another machine, which is this one's way to everything."""
    fd = ownnet.new()
    netlab.ip(fd, "link set lo up")
    subprocess.run(["ip", "link", "add", "out0", "type", "veth", "peer", "name", "in0", "netns",
                    f"/proc/{os.getpid()}/fd/{fd}"], check=True)
    for words in (f"addr add {netlab.HOST}/24 dev out0", "link set out0 up", f"route add default via {netlab.OUTSIDE}"):
        subprocess.run(["ip", *words.split()], check=True)
    netlab.ip(fd, f"addr add {netlab.OUTSIDE}/24 dev in0\nlink set in0 up")
    yield fd
    subprocess.run(["ip", "link", "delete", "out0"], check=True)
    os.close(fd)


@pytest.fixture
def lab(outside):
    with lab_module.lab(user=USER, network="vpc") as it:
        yield it


SERVE = "mkdir /www; echo here > /www/index.html; exec httpd -f -p 80 -h /www"


def get(url):
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()
    return None


def test_a_user_has_a_network(lab, outside):
    image = f"oci:{lab.directory}/build/demo/hello:latest"
    server = netlab.Server(outside, netlab.OUTSIDE, 80)
    assert "outwards through pasta" in lab.fgrun("info").stdout
    web = lab.detach(definition(image, SERVE, family="web"), "-p", "8080:80")
    lab.wait(web, "RUNNING")
    wait_for(lambda: get("http://127.0.0.1:8080/") == "here\n", "a published port", 60)
    lab.fgd.kill()
    lab.fgd.start()  # the guest's network goes on, and the next guest is in the same one
    assert get("http://127.0.0.1:8080/") == "here\n"
    asked = lab.run(definition(image, f"""timeout 20 nc -w 5 {netlab.OUTSIDE} 80; echo
        printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 20 nc -w 5 172.31.0.4 80
        timeout 20 nslookup web.fgrun.internal""")).stdout
    assert asked.startswith(f"{netlab.HOST}\n") and "\nhere\n" in asked and "Address: 172.31.0.4\n" in asked, asked
    assert lab.fgd.get(web)["lastStatus"] == "RUNNING" and web[:12] in lab.fgrun("network").stdout
    refused = lab.run(definition(image, SERVE), "--detach", "-p", "8081:53/udp")
    assert refused.returncode != 0 and "8081/udp: an fgd without root" in refused.stderr, refused.stderr
    server.close()
