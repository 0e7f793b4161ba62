#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes an initramfs with one program, /init.

usage: mkinitramfs.py [--max BYTES] OUT INIT [DEST=FILE ...]

The archive (cpio, newc) is the same bytes for the same inputs: no times, owners or inode numbers
of the host. DEST=FILE adds further files, with the mode they have here. An archive that is larger
than --max is refused: every byte of it is memory that no task can use.
"""
import os
import pathlib
import stat
import sys

DIRECTORIES = ("dev", "proc", "run", "sys", "tmp")
# The kernel opens /dev/console for init before init can mount a devtmpfs.
DEVICES = (("dev/console", 0o600, 5, 1), ("dev/null", 0o666, 1, 3))


class Archive:
    def __init__(self, out):
        self.out = out
        self.inode = 0

    def add(self, name, mode, data=b"", device=(0, 0)):
        self.inode += 1
        path = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (self.inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % f for f in fields)
        self.write(header + path)
        self.write(data)

    def write(self, data):
        self.out.write(data + b"\0" * (-len(data) % 4))


def build(out, init, extra):
    archive = Archive(out)
    parents = {str(p) for dest, _ in extra for p in pathlib.PurePath(dest).parents} - {"."}
    for name in sorted(parents.union(DIRECTORIES)):
        archive.add(name, stat.S_IFDIR | 0o755)
    for name, mode, major, minor in DEVICES:
        archive.add(name, stat.S_IFCHR | mode, device=(major, minor))
    for dest, source in [("init", init)] + sorted(extra):
        with open(source, "rb") as file:
            mode = 0o755 if dest == "init" else stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            archive.add(dest, stat.S_IFREG | mode, file.read())
    archive.add("TRAILER!!!", 0)


def main(argv):
    limit = None
    if argv[1:2] == ["--max"]:
        limit, argv = int(argv[2]), argv[:1] + argv[3:]
    if len(argv) < 3:
        sys.exit(__doc__)
    out, init, extra = argv[1], argv[2], [tuple(a.split("=", 1)) for a in argv[3:]]
    if any(len(e) != 2 for e in extra):
        sys.exit(__doc__)
    temporary = out + ".tmp"
    with open(temporary, "wb") as file:
        build(file, init, extra)
    size = os.path.getsize(temporary)
    if limit and size > limit:
        sys.exit(f"{out}: {size} bytes, allowed are {limit}")
    os.replace(temporary, out)


if __name__ == "__main__":
    main(sys.argv)
