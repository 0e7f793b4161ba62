# SPDX-License-Identifier: Apache-2.0
"""The same for an ordinary user: a user namespace, and pasta leads out of it."""

import concurrent.futures
import contextlib
import os
import shutil
import signal
import socket
import threading
import time

import pytest

import netlab
from netlab import HOST, OUTSIDE, Server, ask, resolve
from conftest import CONFIG, WEB

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


def test_an_attacker(lab):
    """Of an ordinary user's tasks one reaches neither the host's loopback nor one whose group it is not in."""
    assert lab.net.start(as_user())["usable"]
    attacker, friend = lab.guest(f"group={WEB}"), lab.guest()
    victim = lab.guest("port=8080:80", "port=127.0.0.1:8081:80")
    servers = [Server(lab.host, "127.0.0.1", 9000), Server(lab.host, "::1", 9000), Server(lab.host, "127.0.0.1", 53),
               Server(victim.ns, victim.ipv4, 80), Server(victim.ns, victim.ipv6, 80)]
    assert ask(friend.ns, victim.ipv4, 80) == friend.ipv4 and ask(friend.ns, victim.ipv6, 80) == friend.ipv6
    asked = sum(server.asked for server in servers)
    with netlab.ownnet.inside(attacker.ns), open("/proc/sys/net/ipv4/conf/eth0/route_localnet", "w",
                                                 encoding="ascii") as file:
        file.write("1")
    netlab.ip(attacker.ns, f"route add 127.0.0.1/32 via {attacker.a['gateway4']}")
    tries = [(address, port) for address in ("127.0.0.1", "::1", HOST, PASTA_END, "169.254.1.2",
                                             attacker.a["gateway4"], attacker.a["gateway6"], "169.254.169.253")
             for port in (9000, 8080, 8081)] + [(victim.ipv4, 80), (victim.ipv6, 80)]

    def attack():
        with concurrent.futures.ThreadPoolExecutor(len(tries)) as pool:
            return [t for t, got in zip(tries, pool.map(lambda t: ask(attacker.ns, *t, timeout=1), tries)) if got]
    assert attack() == []
    # As the friend, whom the victim would let in.
    netlab.ip(attacker.ns, f"""
        addr flush dev eth0
        addr add {friend.ipv4}/{friend.a['bits4']} dev eth0
        addr add {friend.ipv6}/{friend.a['bits6']} dev eth0 nodad
        route add default via {attacker.a['gateway4']}
        -6 route replace default via {attacker.a['gateway6']}""")
    assert attack() == []
    assert sum(server.asked for server in servers) == asked
    assert ask(friend.ns, victim.ipv4, 80) == friend.ipv4  # it still has its place
    for server in servers:
        server.close()
    for g in (attacker, friend, victim):
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


def test_pasta_killed(lab):
    """Tasks have a way out again without anybody's help."""
    assert lab.net.start(as_user())["usable"]
    a, outside = lab.guest(), Server(lab.outside, OUTSIDE, 80)
    assert ask(a.ns, OUTSIDE, 80) == HOST
    os.kill(next(pid for pid, name in processes().items() if name == "pasta"), signal.SIGKILL)
    netlab.until(lambda: "pasta, the way out of the VPC, is there again" in lab.net.said(), 30)
    assert ask(a.ns, OUTSIDE, 80) == HOST
    assert list(processes().values()).count("pasta") == 1
    outside.close()
    lab.leave(a)


def test_killed_without_tasks(lab):
    """Nothing is in its namespace but dnsmasq; pasta and dnsmasq do not become more."""
    for _ in range(3):
        assert lab.net.start(as_user())["usable"]
        assert len(processes()) == 3
        lab.net.kill()
    for pid, name in processes().items():
        if name == "dnsmasq":  # now nobody keeps the namespace
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
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


def exchange(ns, address, port, data):
    """Send all of it, then the end; what came back, to its end."""
    with netlab.ownnet.inside(ns):
        s = socket.create_connection((address, port), timeout=20)
    with s:
        sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
        sender.start()
        got = b"".join(iter(lambda: s.recv(65536), b""))
        sender.join(20)
    return got


def echo(ns, address, port):
    """Answers with what it was sent, when it has seen its end: in both directions at once."""
    with netlab.ownnet.inside(ns):
        listener = socket.create_server((address, port))

    def serve(peer):
        with contextlib.suppress(OSError), peer:
            for data in iter(lambda: peer.recv(65536), b""):
                peer.sendall(data)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener


def test_published_ports(lab):
    assert lab.net.start(as_user())["usable"]
    a, b = lab.guest("port=8080:80", "port=127.0.0.1:8081:81"), lab.guest()
    servers = [Server(a.ns, a.ipv4, 80), Server(a.ns, a.ipv4, 81)]
    assert ask(lab.outside, HOST, 8080) == ask(lab.host, "127.0.0.1", 8080) == a.a["gateway4"]
    assert ask(lab.host, "127.0.0.1", 8081) and ask(lab.outside, HOST, 8081, timeout=0.5) is None
    assert ask(lab.host, "::1", 8080) == a.a["gateway4"] and ask(lab.host, "::1", 8081) is None
    assert ask(b.ns, a.ipv4, 81) == b.ipv4 and ask(b.ns, HOST, 8080, timeout=0.5) is None
    refused = lab.net.do("attach", lab.new_task(), "port=8080:1")
    assert refused["code"] == "CONFLICT" and a.a["task"] in refused["error"]
    refused = lab.net.do("attach", lab.new_task(), "port=8082:53/udp")
    assert refused["code"] == "DENIED" and "8082/udp" in refused["error"]
    with netlab.ownnet.inside(lab.host):
        other = socket.create_server(("127.0.0.1", 8083))
    refused = lab.net.do("attach", lab.new_task(), "port=8083:80")
    assert refused["code"] == "CONFLICT" and "another program" in refused["error"]
    refused = lab.net.do("attach", lab.new_task(), "port=80:80")
    assert "port 80/tcp" in refused["error"]  # the kernel's rule for users
    # Taken up again with its task, and given back with it.
    lab.net.kill()
    assert ask(lab.outside, HOST, 8080, timeout=0.5) is None
    thief = Server(lab.host, "127.0.0.1", 8081)
    assert lab.net.start(as_user())["usable"]
    assert ask(lab.outside, HOST, 8080) == a.a["gateway4"]
    assert "port 127.0.0.1:8081/tcp is not held any more" in lab.net.said()
    lab.net.kill()
    thief.close()
    assert lab.net.start(as_user())["usable"]
    assert ask(lab.outside, HOST, 8080) and ask(lab.host, "127.0.0.1", 8081)
    for server in (*servers, other):
        server.close()
    assert ask(lab.outside, HOST, 8080) is None  # refused inside, refused outside
    for g in (a, b):
        lab.leave(g)
    assert ask(lab.outside, HOST, 8080) is None


def descriptors(lab):
    return len(os.listdir(f"/proc/{lab.net.process.pid}/fd"))


def test_published_ports_carry_everything(lab):
    assert lab.net.start(["prlimit", "--nofile=256", *as_user()])["usable"]
    a = lab.guest("port=8080:80")
    listener = echo(a.ns, a.ipv4, 80)
    data = os.urandom(1 << 20)
    assert exchange(lab.outside, HOST, 8080, data) == data
    # Many that say nothing and one that never reads keep the others from nothing, and are let go.
    with netlab.ownnet.inside(lab.outside):
        silent = [socket.create_connection((HOST, 8080), timeout=20) for _ in range(20)]
    deaf = silent.pop()
    deaf.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            deaf.send(b"x" * 65536)
    assert exchange(lab.outside, HOST, 8080, b"hello") == b"hello"
    for s in (*silent, deaf):
        s.close()
    # Their number is bounded, far below the limit of descriptors; those beyond it wait.
    with netlab.ownnet.inside(lab.outside):
        silent = [socket.create_connection((HOST, 8080), timeout=20) for _ in range(100)]
    deadline = time.monotonic() + 60
    while descriptors(lab) < 80:
        assert time.monotonic() < deadline
    late = threading.Thread(target=lambda: found.append(exchange(lab.outside, HOST, 8080, b"late")))
    found = []
    late.start()
    late.join(0.5)
    assert found == [] and descriptors(lab) < 128
    for s in silent:
        s.close()
    late.join(20)
    assert found == [b"late"]
    more = [exchange(lab.outside, HOST, 8080, b"again") for _ in range(200)]
    assert more == [b"again"] * 200
    listener.close()
    lab.leave(a)
