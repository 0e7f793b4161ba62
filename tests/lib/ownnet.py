# SPDX-License-Identifier: Apache-2.0
"""Network namespaces for tests: what they do to the network never happens in the machine's own."""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), what)


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        flags = struct.unpack("16sh", fcntl.ioctl(s, SIOCGIFFLAGS, struct.pack("16sh14x", b"lo", 0))[:18])[1]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def enter():
    """The whole test process moves into a namespace of its own, which goes with it."""
    if os.geteuid() == 0:
        check(libc.unshare(CLONE_NEWNET), "unshare")
        loopback_up()


@contextlib.contextmanager
def inside(fd):
    """The calling thread is in another namespace for a while: sockets made there stay there."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    check(libc.setns(fd, CLONE_NEWNET), "setns")
    try:
        yield
    finally:
        check(libc.setns(back, CLONE_NEWNET), "setns")
        os.close(back)


def new():
    """A descriptor of a new namespace, which lives while it is open or somebody is in it."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    check(libc.unshare(CLONE_NEWNET), "unshare")
    loopback_up()
    fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    check(libc.setns(back, CLONE_NEWNET), "setns")
    os.close(back)
    return fd
