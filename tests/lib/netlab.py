# SPDX-License-Identifier: Apache-2.0
"""A host, a world outside of it, and guests without VMs: all are network namespaces of the test.

A guest is a namespace whose device is wired to the TAP that net/ made for it, as QEMU would be; or,
with "pair", the namespace that net/ made, as runc would be in it. A raw guest is that TAP alone, for
frames that no kernel would send.
"""

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import ownnet

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
FORWARDING = "/proc/sys/net/ipv4/ip_forward"
HOST, OUTSIDE = "10.99.0.1", "10.99.0.2"


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def open_tap(ns, name):
    with ownnet.inside(ns):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def open_netns(lab, a):
    """Where the other end of its pair is."""
    return os.open(a["netns"].replace("self", str(lab.net.process.pid)), os.O_RDONLY)


def run(ns, *argv, check=True, timeout=30):
    with ownnet.inside(ns):
        return subprocess.run(argv, check=check, timeout=timeout, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def ip(ns, text):
    for line in text.strip().splitlines():
        run(ns, "ip", *line.split())


class Wire:
    """Carries frames between two descriptors until it is cut."""

    def __init__(self, a, b):
        self.fds = (a, b)
        self.stop, self.stopped = os.pipe()
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    def carry(self):
        a, b = self.fds
        while True:
            ready, _, _ = select.select([a, b, self.stop], [], [])
            if self.stop in ready:
                return
            for fd in ready:
                with contextlib.suppress(OSError):
                    os.write(b if fd == a else a, os.read(fd, 65536))

    def cut(self):
        os.close(self.stopped)
        self.thread.join(10)
        for fd in (*self.fds, self.stop):
            os.close(fd)


class Guest:
    """Configured as guest-init does it, by what the attachment says."""

    def __init__(self, lab, vpc, a):
        self.a = a
        self.ipv4, self.ipv6 = a["ipv4"], a["ipv6"]
        if a["pair"]:
            self.ns, self.wire = open_netns(lab, a), None
        else:
            self.ns = ownnet.new()
            self.wire = Wire(open_tap(vpc, a["tap"]), open_tap(self.ns, "eth0"))
            ip(self.ns, f"link set eth0 address {a['mac']}")
        ip(self.ns, f"""
            link set eth0 up
            addr add {a['ipv4']}/{a['bits4']} dev eth0
            route add default via {a['gateway4']}""")
        if self.ipv6:
            ip(self.ns, f"""
                addr add {a['ipv6']}/{a['bits6']} dev eth0 nodad
                -6 route add default via {a['gateway6']}""")

    def close(self):
        if self.wire:
            self.wire.cut()
        os.close(self.ns)

    def ping(self, address, check=False):
        return run(self.ns, "ping", "-n", "-c1", "-W2", address, check=check).returncode == 0


class Server:
    """Answers each connection, or datagram, with who asked: "<address> <port>"."""

    def __init__(self, ns, address, port, udp=False):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with ownnet.inside(ns):
            self.socket = socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        self.udp = udp
        if not udp:
            self.socket.listen(64)
        self.asked = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                if self.udp:
                    _, peer = self.socket.recvfrom(2048)
                    if peer is None:
                        return
                    self.asked += 1
                    self.socket.sendto(peer[0].encode(), peer)
                else:
                    connection, peer = self.socket.accept()
                    self.asked += 1
                    with connection:
                        connection.sendall(peer[0].encode())

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def ask(ns, address, port, udp=False, timeout=10):
    """Who the server says we are; None when nobody answers."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ownnet.inside(ns):
        s = socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    with s:
        s.settimeout(timeout)
        try:
            s.connect((address, port))
            if udp:
                s.send(b"?")
            return s.recv(100).decode() or None
        except OSError:
            return None


def resolve(ns, name, server="169.254.169.253", timeout=10):
    """The IPv4 addresses of a name, sorted; None when nobody answers."""
    question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0" + struct.pack(">HH", 1, 1)
    with ownnet.inside(ns):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        s.settimeout(timeout)
        s.sendto(struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + question, (server, 53))
        try:
            answer = s.recv(2000)
        except OSError:
            return None
    n, at, found = struct.unpack(">H", answer[6:8])[0], 12 + len(question), []
    for _ in range(n):
        found.append(socket.inet_ntoa(answer[at + 12:at + 16]))
        at += 16
    return sorted(found)


class Net:
    """net-tool, which is net/ alone, in the host's namespace."""

    def __init__(self, lab, tool):
        self.lab, self.tool = lab, tool
        self.process = None

    def start(self, prefix=()):
        config = [self.lab.config] if self.lab.config else []
        with ownnet.inside(self.lab.host), open(f"{self.lab.directory}/log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([*prefix, self.tool, f"{self.lab.directory}/state",
                                             f"{self.lab.directory}/run", *config], text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        return self.answer()

    def said(self):
        with open(f"{self.lab.directory}/log", encoding="utf-8") as log:
            return log.read()

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def send(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def do(self, *words):
        self.send(*words)
        return self.answer()

    def kill(self):
        self.process.kill()
        self.process.wait(30)
        self.process.stdin.close()
        self.process.stdout.close()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.stdin.close()
            assert self.process.wait(60) == 0
            self.process.stdout.close()


class Lab:
    def __init__(self, tool, config=None, suits=lambda state_dir: True):
        self.directory = tempfile.mkdtemp(prefix="fgrun-net-", dir="/tmp")
        while not suits(f"{self.directory}/state"):
            os.rmdir(self.directory)
            self.directory = tempfile.mkdtemp(prefix="fgrun-net-", dir="/tmp")
        os.chmod(self.directory, 0o755)
        for name in ("state", "run"):
            os.mkdir(f"{self.directory}/{name}", 0o755)
        self.config = None
        if config:
            self.config = f"{self.directory}/config"
            with open(self.config, "w", encoding="ascii") as file:
                file.write(config)
        self.host, self.outside = ownnet.new(), ownnet.new()
        # A new namespace has it as the machine has, where another program may have switched it on.
        with ownnet.inside(self.host), open(FORWARDING, "w", encoding="ascii") as file:
            file.write("0")
        ip(self.host, f"""
            link add out0 type veth peer name in0 netns /proc/{os.getpid()}/fd/{self.outside}
            addr add {HOST}/24 dev out0
            link set out0 up""")
        ip(self.outside, f"""
            addr add {OUTSIDE}/24 dev in0
            link set in0 up""")
        self.net = Net(self, tool)
        self.guests = []
        self.task = 0

    @property
    def vpc(self):
        path = f"{self.directory}/run/vpc/net"
        if not os.path.ismount(path):  # it is, where net-tool is, in a mount namespace of its own
            path = f"/proc/{resolvers(f'{self.directory}/run')[0]}/ns/net"
        return os.open(path, os.O_RDONLY)

    def new_task(self):
        self.task += 1
        return f"{self.task:032x}"

    def attach(self, *words):
        a = self.net.do("attach", self.new_task(), *words)
        assert "error" not in a, a
        return a

    def guest(self, *words):
        vpc = self.vpc
        g = Guest(self, vpc, self.attach(*words))
        os.close(vpc)
        self.guests.append(g)
        return g

    def leave(self, guest):
        guest.close()
        self.guests.remove(guest)
        assert self.net.do("detach", guest.a["task"]) == {}

    def vpc_run(self, *argv):
        vpc = self.vpc
        try:
            return run(vpc, *argv).stdout
        finally:
            os.close(vpc)

    def left_over(self):
        """What a VPC that is gone has left in the host's namespace, and on disk."""
        found = [line for line in run(self.host, "ip", "-br", "link").stdout.splitlines() if line.startswith("fgr")]
        found += run(self.host, "nft", "list", "tables").stdout.splitlines()
        found += [line for line in open("/proc/self/mounts", encoding="utf-8") if self.directory in line]
        found += os.listdir(f"{self.directory}/run")
        with ownnet.inside(self.host), open(FORWARDING, encoding="ascii") as file:
            if file.read() != "0\n":
                found.append("ip_forward")
        return found + resolvers(self.directory)

    def close(self):
        for g in self.guests:
            g.close()
        if self.net.process and self.net.process.poll() is None:
            self.net.stop()
        for pid in resolvers(self.directory):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        subprocess.run(["umount", "-l", f"{self.directory}/run/vpc/net"], check=False, stderr=subprocess.DEVNULL)
        os.close(self.host)
        os.close(self.outside)
        shutil.rmtree(self.directory, ignore_errors=True)


def resolvers(directory):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().decode(errors="replace")
            if words.startswith("dnsmasq") and directory in words:
                found.append(int(pid))
    return found


@contextlib.contextmanager
def lab(tool, config=None, **more):
    it = Lab(tool, config, **more)
    try:
        info = it.net.start()
        assert info["usable"], info
        yield it
        if it.net.process.poll() is None:
            for t in it.net.do("list")["tasks"]:
                for g in [g for g in it.guests if g.a["task"] == t["task"]]:
                    g.close()
                    it.guests.remove(g)
                assert it.net.do("detach", t["task"]) == {}
            it.net.stop()
        left = it.left_over()
        assert left == [], left
    finally:
        it.close()
