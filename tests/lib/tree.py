# SPDX-License-Identifier: Apache-2.0
"""A tree with every kind of file an image may hold, and what there is to compare of two trees."""
import hashlib
import os
import subprocess

FIELDS = "%P|%y|%m|%U|%G|%T@|%l|%n"


def build(tree):
    """The layout of a merged /usr, part of this machine's own files, and the odd kinds."""
    for path in ("usr/bin", "usr/share", "dev", "tmp", "var/empty"):
        os.makedirs(os.path.join(tree, path))
    os.symlink("usr/bin", os.path.join(tree, "bin"))
    subprocess.run(["cp", "-a", "/usr/share/doc/libc6", os.path.join(tree, "usr/share")],
                   check=False, stderr=subprocess.DEVNULL)
    for i in range(300):
        path = os.path.join(tree, "usr/bin", f"tool-{i}-" + "x" * (i % 200))
        with open(path, "wb") as f:
            f.write(hashlib.sha256(bytes([i % 256])).digest() * (i * 7 % 2000))
        os.chown(path, i % 5 * 1000, i % 7)
        os.chmod(path, (0o755, 0o4755, 0o2755, 0o600, 0o444)[i % 5])
        os.utime(path, ns=(0, 10**18 + i * 123456789))
        if i % 10 == 0:
            os.link(path, path[:-1] + "-link")
    for name in (b"caf\xc3\xa9-\xe6\x97\xa5-" + b"n" * 120, b"not-utf8-\xe9\xff", b"new\nline"):
        os.symlink(name, os.path.join(tree.encode(), name))
    with open(os.path.join(tree, "sparse"), "wb") as f:
        f.seek(5 << 20)
        f.write(b"end of a hole")
        f.truncate(9 << 20)
    os.mkfifo(os.path.join(tree, "dev/fifo"))
    os.mknod(os.path.join(tree, "dev/null"), 0o20666, os.makedev(1, 3))
    os.chmod(os.path.join(tree, "tmp"), 0o1777)
    os.chmod(os.path.join(tree, "var/empty"), 0o555)
    os.setxattr(os.path.join(tree, "sparse"), "user.note", b"\0=\n")


def listing(root):
    """One line per file, with a digest of its content; sizes of directories are the disk's own."""
    out = subprocess.run(["find", root, "-printf", FIELDS + "\\0"], check=True, capture_output=True)
    lines = []
    for line in out.stdout.split(b"\0")[:-1]:
        fields = line.split(b"|")
        path = os.path.join(root.encode(), fields[0])
        if fields[1] == b"f":
            with open(path, "rb") as f:
                fields.append(hashlib.sha256(f.read()).hexdigest().encode())
        lines.append(b"|".join(fields) + repr(
            [(name, os.getxattr(path, name, follow_symlinks=False))
             for name in sorted(os.listxattr(path, follow_symlinks=False))]).encode())
    return sorted(lines)
