# SPDX-License-Identifier: Apache-2.0
"""Hostile guests: each one bounded in what it sends. What must not get through is looked for."""

import concurrent.futures
import contextlib
import os
import select
import socket
import struct
import time

import pytest

from conftest import WEB
import netlab
from netlab import HOST, OUTSIDE, Server, ask, ownnet

SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
BROADCAST = b"\xff" * 6


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def v4(text):
    return socket.inet_pton(socket.AF_INET, text)


def v6(text):
    return socket.inet_pton(socket.AF_INET6, text)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def ethernet(to, source, kind, payload):
    return to + source + struct.pack(">H", kind) + payload


def arp(op, sender_mac, sender, target_mac, target):
    return struct.pack(">HHBBH", 1, 0x0800, 6, 4, op) + sender_mac + v4(sender) + target_mac + v4(target)


def udp4(source, to, port, data=b"attack", source_port=4000):
    udp = struct.pack(">HHHH", source_port, port, 8 + len(data), 0) + data
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + v4(source) + v4(to)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + udp


def ip6(source, to, protocol, payload, hops=64):
    return struct.pack(">IHBB", 6 << 28, len(payload), protocol, hops) + v6(source) + v6(to) + payload


def icmp6(source, to, body):
    pseudo = v6(source) + v6(to) + struct.pack(">II", len(body), 58)
    return ip6(source, to, 58, body[:2] + struct.pack(">H", checksum(pseudo + body)) + body[4:], hops=255)


def open_pair(lab, a):
    """The other end of a pair, past all that the kernel there would do."""
    ns = netlab.open_netns(lab, a)
    netlab.run(ns, "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
    netlab.ip(ns, "link set eth0 up arp off")
    with ownnet.inside(ns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        s.bind(("eth0", 3))  # all protocols
        s.setblocking(False)
        os.close(ns)
        return s.detach()


class Attacker:
    """A TAP without a kernel behind it."""

    def __init__(self, lab, *words):
        self.a = lab.attach(*words)
        vpc = lab.vpc
        self.fd = open_pair(lab, self.a) if self.a["pair"] else netlab.open_tap(vpc, self.a["tap"])
        os.close(vpc)
        self.router = mac(lab.vpc_run("sh", "-c", "ip -o link show br0 | sed 's/.*ether //; s/ .*//'").strip())
        self.mac = mac(self.a["mac"])
        self.ipv4, self.ipv6 = self.a["ipv4"], self.a["ipv6"]

    def send(self, kind, payload, source=None, to=None):
        os.write(self.fd, ethernet(to or self.router, source or self.mac, kind, payload))

    def received(self, seconds=0.3):
        frames, deadline = [], time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and select.select([self.fd], [], [], left)[0]:
            frames.append(os.read(self.fd, 65536))
        return frames

    def close(self):
        os.close(self.fd)


@pytest.fixture(params=["tap", "pair"])
def attacker(lab, request):
    it = Attacker(lab, request.param)
    yield it
    it.close()


@pytest.fixture
def sink(lab):
    """Who must not hear anything, in the group of the attacker, and what it did hear."""
    victim = lab.guest()
    with ownnet.inside(victim.ns):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((victim.ipv4, 9))

    def heard(first=0.5):
        """From whom; they may be late where somebody is expected."""
        found = []
        s.settimeout(first)
        try:
            while True:
                found.append(s.recvfrom(2000)[1][0])
                s.settimeout(0.5)
        except TimeoutError:
            return found

    victim.heard = heard
    yield victim
    s.close()


def test_the_honest_frame_arrives(attacker, sink):
    """Or the other tests would show nothing."""
    attacker.send(0x0800, udp4(attacker.ipv4, sink.ipv4, 9))
    assert sink.heard(30) == [attacker.ipv4]


def test_spoofed_mac(attacker, sink):
    for source in (mac(sink.a["mac"]), attacker.router, b"\x02\0\0\0\0\x99", BROADCAST):
        attacker.send(0x0800, udp4(attacker.ipv4, sink.ipv4, 9), source=source)
    assert sink.heard() == []


def test_spoofed_address(lab, attacker, sink):
    third = lab.attach()["ipv4"]
    for source in (third, attacker.a["gateway4"], OUTSIDE, HOST, "127.0.0.1", "0.0.0.0", "169.254.169.253",
                   "255.255.255.255", sink.ipv4):
        attacker.send(0x0800, udp4(source, sink.ipv4, 9))
    assert sink.heard() == []


def test_spoofed_ipv6(lab, attacker, sink):
    with ownnet.inside(sink.ns):
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.bind((sink.ipv6, 9))
    s.settimeout(0.5)
    third = lab.attach()["ipv6"]

    def datagram(source):
        udp = struct.pack(">HHHH", 4000, 9, 8, 0)
        pseudo = v6(source) + v6(sink.ipv6) + struct.pack(">II", 8, 17)
        return ip6(source, sink.ipv6, 17, udp[:6] + struct.pack(">H", checksum(pseudo + udp)))

    for source in (third, attacker.a["gateway6"], "::1", "fe80::1", "2001:db8::1"):
        attacker.send(0x86dd, datagram(source))
    attacker.send(0x86dd, datagram(attacker.ipv6))
    assert s.recvfrom(2000)[1][0] == attacker.ipv6  # the honest one, and no other
    with pytest.raises(TimeoutError):
        s.recv(2000)
    s.close()


def test_arp_lies_change_nothing(lab, attacker, sink):
    other = lab.guest()
    server = Server(sink.ns, sink.ipv4, 80)
    for target in (sink.ipv4, attacker.a["gateway4"]):
        for to in (BROADCAST, attacker.router, mac(other.a["mac"])):
            attacker.send(0x0806, arp(2, attacker.mac, target, BROADCAST, target), to=to)
            attacker.send(0x0806, arp(1, attacker.mac, target, b"\0" * 6, other.ipv4), to=to)
    assert ask(other.ns, sink.ipv4, 80) == other.ipv4
    table = lab.vpc_run("ip", "neigh")
    assert f"{sink.ipv4} dev br0 lladdr {sink.a['mac']} PERMANENT" in table
    neighbours = netlab.run(other.ns, "ip", "neigh").stdout
    assert attacker.a["mac"] not in neighbours
    server.close()


def test_neighbour_lies_change_nothing(lab, attacker, sink):
    other = lab.guest()
    server = Server(sink.ns, sink.ipv6, 80)
    for target in (sink.ipv6, attacker.a["gateway6"]):
        advert = struct.pack(">BBHI", 136, 0, 0, 0x60000000) + v6(target) + b"\x02\x01" + attacker.mac
        for to in (attacker.a["gateway6"], other.ipv6, "ff02::1"):
            attacker.send(0x86dd, icmp6(attacker.ipv6, to, advert))
    assert ask(other.ns, sink.ipv6, 80) == other.ipv6
    assert f"{sink.ipv6} dev br0 lladdr {sink.a['mac']} PERMANENT" in lab.vpc_run("ip", "-6", "neigh")
    assert attacker.a["mac"] not in netlab.run(other.ns, "ip", "-6", "neigh").stdout
    server.close()


def test_nobody_plays_the_router(lab, attacker, sink):
    """Router advertisements, redirects and DHCP answers reach neither a task nor the router."""
    advert = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
    prefix = struct.pack(">BBBBIII", 3, 4, 64, 0xc0, 86400, 14400, 0) + v6("2001:db8:bad::")
    link_local = "fe80::" + ":".join(f"{x:x}" for x in (
        (attacker.mac[0] ^ 2) << 8 | attacker.mac[1], attacker.mac[2] << 8 | 0xff, 0xfe00 | attacker.mac[3],
        attacker.mac[4] << 8 | attacker.mac[5]))
    attacker.send(0x86dd, icmp6(link_local, "ff02::1", advert + prefix), to=mac("33:33:00:00:00:01"))
    attacker.send(0x86dd, icmp6(link_local, sink.ipv6, advert + prefix))
    attacker.send(0x0800, udp4(attacker.ipv4, "255.255.255.255", 68, source_port=67), to=BROADCAST)
    redirect = struct.pack(">BBHI", 5, 1, 0, 0)[:4] + v4(attacker.ipv4) + udp4(sink.ipv4, OUTSIDE, 9)
    attacker.send(0x0800, udp4(attacker.ipv4, attacker.a["gateway4"], 9)[:20] + redirect)
    assert "2001:db8" not in netlab.run(sink.ns, "ip", "-6", "addr").stdout + lab.vpc_run("ip", "-6", "route")
    assert sink.heard() == []


def test_broadcasts_reach_no_neighbour(attacker, lab):
    other = Attacker(lab)
    for _ in range(20):
        attacker.send(0x0800, udp4(attacker.ipv4, "255.255.255.255", 9), to=BROADCAST)
        attacker.send(0x0806, arp(1, attacker.mac, attacker.ipv4, b"\0" * 6, other.ipv4), to=BROADCAST)
        attacker.send(0x88b5, b"neither IP nor ARP", to=other.mac)
        attacker.send(0x0800, udp4(attacker.ipv4, other.ipv4, 9), to=other.mac)  # past the router
    seen = [frame for frame in other.received() if frame[6:12] == attacker.mac]
    assert seen == []
    other.close()


def test_strange_frames_change_nothing(lab, attacker, sink):
    """To the bridge's own addresses, within a VLAN, from the loopback, in fragments that lie about what they are of."""
    before = lab.vpc_run("ip", "neigh").splitlines()
    for last in range(16):
        to = mac(f"01:80:c2:00:00:{last:02x}")
        attacker.send(0x0806, arp(1, attacker.mac, f"172.31.7.{last + 1}", b"\0" * 6, attacker.a["gateway4"]), to=to)
        attacker.send(0x0806, arp(2, attacker.mac, f"172.31.8.{last + 1}", mac(sink.a["mac"]), sink.ipv4), to=to)
        attacker.send(0x0800, udp4(attacker.ipv4, sink.ipv4, 9), to=to)
    spoofed = udp4(sink.a["gateway4"], sink.ipv4, 9)
    for payload in (udp4(attacker.ipv4, sink.ipv4, 9), spoofed):
        attacker.send(0x8100, struct.pack(">HH", 1, 0x0800) + payload)
        attacker.send(0x88a8, struct.pack(">HHHH", 1, 0x8100, 1, 0x0800) + payload)
    attacker.send(0x0800, udp4("127.0.0.1", sink.ipv4, 9))
    attacker.send(0x0800, udp4("127.0.0.1", attacker.a["gateway4"], 53))
    for offset in (0x2000, 0x0003):  # more to come; the rest of what never came
        head = spoofed[:6] + struct.pack(">H", offset) + spoofed[8:10] + b"\0\0" + spoofed[12:20]
        attacker.send(0x0800, head[:10] + struct.pack(">H", checksum(head)) + head[12:] + spoofed[20:])
    assert sink.heard() == []
    after = lab.vpc_run("ip", "neigh").splitlines()
    assert [line for line in after if "172.31.7." in line or "172.31.8." in line] == [] and len(after) <= len(before) + 1


def neighbours(lab):
    return lab.vpc_run("ip", "neigh").splitlines() + lab.vpc_run("ip", "-6", "neigh").splitlines()


def test_a_scan_of_the_subnet_fills_no_table_of_neighbours(lab, attacker):
    """All network namespaces share the room in it, the host's too; a /64 has more addresses than any table."""
    before, other = neighbours(lab), lab.guest()
    network = attacker.ipv6.rsplit("::", 1)[0]
    for i in range(1500):
        target = f"{network}::bad:{i + 1:x}"
        solicit = struct.pack(">BBHI", 135, 0, 0, 0) + v6(target) + b"\x01\x01" + attacker.mac
        attacker.send(0x86dd, icmp6(attacker.ipv6, target, struct.pack(">BBHHH", 128, 0, 0, 1, i)))
        attacker.send(0x86dd, icmp6(attacker.ipv6, attacker.a["gateway6"], solicit))
        attacker.send(0x86dd, icmp6(target, attacker.a["gateway6"], solicit))  # as if it were there
        attacker.send(0x0800, udp4(attacker.ipv4, f"172.31.{8 + i // 250}.{i % 250 + 1}", 9))
    after = neighbours(lab)
    assert len(after) <= len(before) + 4, after  # the other task's, for good
    assert other.ping(other.a["gateway6"]) and other.ping(other.a["gateway4"])


def fragments(source, to, port):
    """UDP whose port is seen only when it is whole again."""
    whole = udp4(source, to, port, data=b"attack" * 4)
    for offset, more, part in ((0, True, whole[20:28]), (1, False, whole[28:])):
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(part), 7, more << 13 | offset, 64, 17, 0) + v4(source) + v4(to)
        yield head[:10] + struct.pack(">H", checksum(head)) + head[12:] + part


def test_fragments_are_what_they_make_together(lab, sink):
    stranger = Attacker(lab, f"group={WEB}")
    friend = Attacker(lab)
    for it in (stranger, friend):
        for part in fragments(it.ipv4, sink.ipv4, 9):
            it.send(0x0800, part)
    assert sink.heard(30) == [friend.ipv4]
    stranger.close()
    friend.close()


def test_floods_of_arp_and_broadcasts_are_cut(lab, attacker):
    for _ in range(3000):
        attacker.send(0x0806, arp(1, attacker.mac, attacker.ipv4, b"\0" * 6, attacker.a["gateway4"]), to=BROADCAST)
    answers = [frame for frame in attacker.received(1) if frame[12:14] == b"\x08\x06"]
    assert 1 <= len(answers) <= 400, len(answers)  # a hundred at once and fifty a second
    other = lab.guest()
    assert other.ping(other.a["gateway4"])  # nobody else feels it


def test_a_flood_of_connections_is_cut(lab, attacker):
    sent = 12000  # one datagram from each port is a connection to be remembered
    for port in range(sent):
        attacker.send(0x0800, udp4(attacker.ipv4, OUTSIDE, 10000 + port % 50000, source_port=1024 + port % 60000))
    count = int(lab.vpc_run("cat", "/proc/sys/net/netfilter/nf_conntrack_count"))
    assert 1000 < count <= 8192 + 100, count
    other, server = lab.guest(), Server(lab.outside, OUTSIDE, 80)
    assert ask(other.ns, OUTSIDE, 80) == HOST
    server.close()


def test_a_flood_of_questions_is_cut(lab, attacker):
    before = int(lab.vpc_run("cat", "/proc/sys/net/netfilter/nf_conntrack_count"))
    for port in range(5000):
        attacker.send(0x0800, udp4(attacker.ipv4, "169.254.169.253", 53, question("x.fgrun.internal"),
                                   source_port=1024 + port))
    assert int(lab.vpc_run("cat", "/proc/sys/net/netfilter/nf_conntrack_count")) <= before + 10
    answers = [frame for frame in attacker.received(1) if frame[12:14] == b"\x08\0"]
    assert 1 <= len(answers) <= 2000, len(answers)
    other = lab.guest()
    assert netlab.resolve(other.ns, f"{other.a['task']}.fgrun.internal") is not None


def question(name):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def test_questions_without_an_answer_leave_room_for_others(lab):
    """The resolver waits for ten seconds for what the host's never says."""
    lab.net.stop()
    with open(f"{lab.directory}/resolv.conf", "w", encoding="ascii") as file:
        file.write(f"nameserver {OUTSIDE}\n")
    with ownnet.inside(lab.outside):
        upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    upstream.bind((OUTSIDE, 53))
    upstream.settimeout(1)
    assert lab.net.start(["unshare", "-m", "sh", "-c",
                          f"mount --bind {lab.directory}/resolv.conf /etc/resolv.conf && exec \"$@\"", "sh"])["usable"]
    attacker, other = Attacker(lab), lab.guest()
    for i in range(2000):
        attacker.send(0x0800, udp4(attacker.ipv4, "169.254.169.253", 53, question(f"x{i}.silent.test"),
                                   source_port=1024 + i))
    with ownnet.inside(other.ns):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    seen, frame = 0, b""
    for _ in range(5):  # as any program asks again
        s.sendto(question("www.example.org"), ("169.254.169.253", 53))
        with contextlib.suppress(TimeoutError):
            while b"\3www\7example" not in frame:  # it is passed on
                frame = upstream.recv(2000)
                seen += b"silent" in frame
            break
    assert b"\3www\7example" in frame
    assert seen <= 1500, seen  # dnsmasq repeats none by itself; 400 at once and 200 a second
    # At most four of its connections wait for an answer by TCP, of which there are twenty.
    with ownnet.inside(other.ns):
        many = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(8)]
    for one in many:
        one.settimeout(2)
    with concurrent.futures.ThreadPoolExecutor(len(many)) as pool:
        failures = [*pool.map(lambda one: one.connect_ex(("169.254.169.253", 53)), many)]
    assert failures.count(0) == 4, failures
    for one in (*many, s, upstream):
        one.close()
    attacker.close()


def test_scans_find_nothing(lab):
    """Every port of the host, of the router and of a neighbour in another group."""
    scanner, victim = lab.guest(), lab.guest(f"group={WEB}")
    servers = [Server(lab.host, "0.0.0.0", 22), Server(victim.ns, "0.0.0.0", 22), Server(victim.ns, "0.0.0.0", 80)]
    found = []
    for address in (HOST, scanner.a["gateway4"], victim.ipv4, "169.254.169.253"):
        for port in (22, 80, 443):
            if ask(scanner.ns, address, port, timeout=1) is not None:
                found.append((address, port))
    assert found == [(victim.ipv4, 80)]  # which its group allows
    assert [s.asked for s in servers] == [0, 0, 1]
    for s in servers:
        s.close()
