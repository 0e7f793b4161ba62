# SPDX-License-Identifier: Apache-2.0
"""The guest's end of the protocol for fgd's fake hypervisor, for guests that do not keep to it."""

import json
import os
import socket
import struct
import time

TRAILER = struct.pack("<I", 0x4E525546)
SYNC, CONTROL, BLOB, OUTPUT = 1, 2, 3, 4


def program(path, scenario):
    """An executable for --hypervisor=fake:PATH whose guests run @scenario with a Guest named g."""
    source = f"{path}.py"
    with open(source, "w", encoding="utf-8") as file:
        file.write(f"import sys\nsys.path.insert(0, {os.path.dirname(__file__)!r})\n"
                   "from hostileguest import *\n"
                   f"g = Guest(sys.argv[0])\n{scenario}\n")
    with open(path, "w", encoding="utf-8") as file:
        # The hypervisor knows its guest by the channel as first argument: python's script, for a moment.
        file.write(f'#!/bin/sh\ncp {source} "$1" && PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$1" "$2"\n')
    os.chmod(path, 0o755)


class Guest:
    def __init__(self, channel):
        os.unlink(channel)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(channel)
        self.listener.listen(1)
        with open(os.path.join(os.path.dirname(channel), "pid"), "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
        os.write(1, b"listening\n")
        os.close(1)
        self.buffer = b""
        self.seq = 0

    def frame(self, kind, payload, stream=0, offset=0, flags=0):
        self.host.sendall(struct.pack("<IBBHQ", len(payload), kind, flags, stream, offset) + payload + TRAILER)

    def take(self, n):
        while len(self.buffer) < n:
            try:
                chunk = self.host.recv(65536)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                raise SystemExit  # fgd has left
            self.buffer += chunk
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def hear(self, kind=None):
        """The next message of a type, or of any."""
        while True:
            length, frame, _, _, _ = struct.unpack("<IBBHQ", self.take(16))
            payload = self.take(length + 4)[:-4]
            if frame == SYNC:
                return payload
            message = json.loads(payload) if frame == CONTROL else payload
            if kind in (None, message["type"]):
                return message

    def sync(self):
        self.host = self.listener.accept()[0]
        self.buffer = b""
        while (first := self.take(1)) == b"\0":
            pass
        self.buffer = first + self.buffer
        self.frame(SYNC, self.hear())

    def hello(self, **members):
        self.sync()
        self.say("hello", version=1, init="x", kernel="x", uptimeNs=1, **members)

    def say(self, kind, **members):
        self.frame(CONTROL, json.dumps({"type": kind, **members}).encode())

    def event(self, event, at=None, **members):
        self.seq += 1
        self.say("event", seq=self.seq, at=time.time_ns() if at is None else at, event=event, **members)

    def begin(self):
        """As a good guest does, up to the task."""
        self.hello()
        return self.hear("task")

    def stay(self):
        while True:
            self.take(1)
