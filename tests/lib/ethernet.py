# SPDX-License-Identifier: Apache-2.0
"""The other end of a guest's network card: one router, made of frames on a datagram socket.

It answers ARP, neighbour solicitations and pings for every address that is not the guest's own, and
keeps what it has seen. Nothing leaves it.
"""
import pathlib
import socket
import struct

ROUTER_MAC = bytes.fromhex("02005e0053fe")
ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
ICMP, ICMPV6 = 1, 58


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", ~total & 0xFFFF)


def with_checksum(message, pseudo=b""):
    """An ICMP message whose checksum is in bytes 2 and 3."""
    message = message[:2] + b"\0\0" + message[4:]
    return message[:2] + checksum(pseudo + message) + message[4:]


class Ethernet:
    def __init__(self, directory):
        directory = pathlib.Path(directory)
        self.guest_path, self.path = str(directory / "nic-guest"), str(directory / "nic-host")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(self.path)
        self.pings = []      # (from, to, MAC it was sent to)
        self.asked = []      # addresses that ARP or a solicitation asked for
        self.frames = []     # (EtherType, source MAC), all that came
        self.handlers = {ARP: self.arp, IPV4: self.ipv4, IPV6: self.ipv6}

    def netdev(self, name):
        """QEMU's option for it."""
        return (f"dgram,id={name},local.type=unix,local.path={self.guest_path},"
                f"remote.type=unix,remote.path={self.path}")

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()

    def ready(self):
        while True:
            try:
                frame = self.socket.recv(65536)
            except BlockingIOError:
                return
            kind = struct.unpack_from(">H", frame, 12)[0]
            self.frames.append((kind, frame[6:12]))
            if kind in self.handlers:
                self.handlers[kind](frame)

    def send(self, to, kind, payload):
        self.socket.sendto(to + ROUTER_MAC + struct.pack(">H", kind) + payload, self.guest_path)

    def arp(self, frame):
        operation, sender_mac, sender, _, target = struct.unpack_from(">6xH6s4s6s4s", frame, 14)
        if operation == 1 and sender != target:
            self.asked.append(socket.inet_ntop(socket.AF_INET, target))
            self.send(sender_mac, ARP, struct.pack(">HHBBH6s4s6s4s", 1, IPV4, 6, 4, 2, ROUTER_MAC,
                                                   target, sender_mac, sender))

    def ipv4(self, frame):
        header, source, target = frame[14:34], frame[26:30], frame[30:34]
        if frame[23] != ICMP or frame[34] != 8:
            return
        self.pings.append((socket.inet_ntop(socket.AF_INET, source),
                           socket.inet_ntop(socket.AF_INET, target), frame[:6]))
        header = header[:10] + b"\0\0" + target + source
        header = header[:10] + checksum(header) + header[12:]
        self.send(frame[6:12], IPV4, header + with_checksum(b"\0" + frame[35:]))

    def ipv6(self, frame):
        source, target, message = frame[22:38], frame[38:54], frame[54:]
        if frame[20] != ICMPV6:
            return
        if message[0] == 135 and source != bytes(16):
            target = message[8:24]
            self.asked.append(socket.inet_ntop(socket.AF_INET6, target))
            answer = b"\x88\0\0\0" + b"\xe0\0\0\0" + target + b"\x02\x01" + ROUTER_MAC
        elif message[0] == 128:
            self.pings.append((socket.inet_ntop(socket.AF_INET6, source),
                               socket.inet_ntop(socket.AF_INET6, target), frame[:6]))
            answer = b"\x81" + message[1:]
        else:
            return
        pseudo = target + source + struct.pack(">IxxxB", len(answer), ICMPV6)
        header = struct.pack(">IHBB", 6 << 28, len(answer), ICMPV6, 255) + target + source
        self.send(frame[6:12], IPV6, header + with_checksum(answer, pseudo))
