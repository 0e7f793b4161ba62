# SPDX-License-Identifier: Apache-2.0
"""The same for an ordinary user: a user namespace, and pasta leads out of it."""

import contextlib
import os
import shutil
import signal
import time

import pytest

import netlab
from netlab import HOST, OUTSIDE, Server, ask, resolve
from conftest import CONFIG

USER = 54321
PASTA_END = "169.254.1.1"


def as_user(user=USER):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


def processes():
    """Of the user, by their programs; zombies have none."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            with open(f"/proc/{pid}/status", encoding="utf-8") as status:
                uid = int(status.read().split("\nUid:")[1].split()[0])
            words = file.read()
            if uid == USER and words:
                found[int(pid)] = words.split(b"\0")[0].decode()
    return found


class UserLab(netlab.Lab):
    """What it mounts is not seen outside of it: the VPC is found through its process."""

    def __init__(self, tool):
        super().__init__(tool, CONFIG)
        for path in (self.directory, f"{self.directory}/state", f"{self.directory}/run"):
            os.chown(path, USER, USER)
        netlab.ip(self.host, f"route add default via {OUTSIDE}")
        self.net.tool = shutil.copy(tool, self.directory)  # where the user can read it

    @property
    def vpc(self):
        return os.open(f"/proc/{self.net.process.pid}/root{self.directory}/run/vpc/net", os.O_RDONLY)

    def close(self):
        super().close()
        for pid in processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def lab(tool):
    it = UserLab(tool)
    try:
        yield it
        it.net.stop()
        assert it.left_over() == [] and processes() == {}
    finally:
        it.close()


def test_tasks_have_a_network(lab):
    info = lab.net.start(as_user())
    assert info["usable"] and "pasta" in info["reason"] and info["resolver"] == "dnsmasq", info
    a, b = lab.guest(), lab.guest()
    servers = [Server(lab.outside, OUTSIDE, 80), Server(b.ns, b.ipv4, 80), Server(b.ns, b.ipv6, 80)]
    datagrams, everywhere = Server(lab.outside, OUTSIDE, 53, udp=True), Server(lab.host, "0.0.0.0", 9000)
    assert ask(a.ns, OUTSIDE, 80) == HOST and ask(a.ns, OUTSIDE, 53, udp=True) == HOST
    assert ask(a.ns, b.ipv4, 80) == a.ipv4 and ask(a.ns, b.ipv6, 80) == a.ipv6
    assert resolve(b.ns, a.a["name"]) == [a.ipv4]
    # The host's own services stay the host's.
    assert ask(lab.outside, HOST, 9000) == OUTSIDE
    for address in (HOST, PASTA_END, "127.0.0.1"):
        assert ask(a.ns, address, 9000, timeout=0.5) is None, address
    assert everywhere.asked == 1
    for server in (*servers, datagrams, everywhere):
        server.close()
    for g in (a, b):
        lab.leave(g)


def test_tasks_outlive_it(lab):
    assert lab.net.start(as_user())["usable"]
    a, b = lab.guest(), lab.guest()
    there, outside = Server(b.ns, b.ipv4, 80), Server(lab.outside, OUTSIDE, 80)
    before = processes()
    lab.net.kill()
    del before[lab.net.process.pid]
    assert ask(a.ns, b.ipv4, 80) == a.ipv4 and ask(a.ns, OUTSIDE, 80) == HOST
    assert lab.net.start(as_user())["usable"]
    after = processes()
    del after[lab.net.process.pid]
    assert before == after and sorted(after.values())[-1] == "pasta"  # taken up, not started again
    assert sorted(lab.net.do("list")["tasks"], key=lambda t: t["task"]) == [a.a, b.a]
    c = lab.guest()  # and goes on in the same VPC
    assert ask(c.ns, b.ipv4, 80) == c.ipv4 and ask(c.ns, OUTSIDE, 80) == HOST
    for g in (a, b, c):
        lab.leave(g)
    there.close()
    outside.close()


def test_killed_without_tasks(lab):
    """Nothing is in its namespace but dnsmasq; pasta and dnsmasq do not become more."""
    for _ in range(3):
        assert lab.net.start(as_user())["usable"]
        assert len(processes()) == 3
        lab.net.kill()
    for pid, name in processes().items():
        if name == "dnsmasq":  # now nobody keeps the namespace
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while len(processes()) > 1:
        assert time.monotonic() < deadline
    assert lab.net.start(as_user())["usable"]
    assert len(processes()) == 3
    a, server = lab.guest(), Server(lab.outside, OUTSIDE, 80)
    assert ask(a.ns, OUTSIDE, 80) == HOST
    lab.leave(a)
    server.close()


def test_a_resolver_on_the_hosts_loopback(lab):
    with open(f"{lab.directory}/resolv.conf", "w", encoding="ascii") as file:
        file.write("nameserver 127.0.0.1\n")
    assert netlab.run(lab.host, "sh", "-c", f"""dnsmasq --conf-file=/dev/null --no-resolv --no-hosts \\
        --pid-file={lab.directory}/up.pid --listen-address=127.0.0.1 --bind-interfaces \\
        --address=/example.org/192.0.2.7 --user=nobody --log-facility=/dev/null""").returncode == 0
    with open(f"{lab.directory}/up.pid", encoding="ascii") as file:
        pid = int(file.read())
    try:
        info = lab.net.start(["unshare", "-m", "sh", "-c",
                              f"mount --bind {lab.directory}/resolv.conf /etc/resolv.conf && exec \"$@\"", "sh",
                              *as_user()])
        assert info["usable"], info
        a = lab.guest()
        assert resolve(a.ns, "www.example.org") == ["192.0.2.7"]
        lab.leave(a)
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("prefix, what", [
    ([*as_user(), "env", "PATH=/nowhere"], "package passt"),
    (as_user(65534), "run fgd as another user"),
])
def test_what_is_missing_is_named(lab, prefix, what):
    for path in (f"{lab.directory}/state", f"{lab.directory}/run"):
        os.chmod(path, 0o777)
    info = lab.net.start(prefix)
    assert not info["usable"] and what in info["reason"], info
    refused = lab.net.do("attach", lab.new_task())
    assert refused["code"] == "DENIED" and what in refused["error"]


def test_published_ports_are_refused(lab):
    assert lab.net.start(as_user())["usable"]
    refused = lab.net.do("attach", lab.new_task(), "port=8080:80")
    assert refused["code"] == "DENIED" and "publish" in refused["error"]
