#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real tree, unpacked by us and by tar: both must give the same. Usage: UNPACK-LAYERS"""
import gzip
import hashlib
import os
import subprocess
import sys
import tempfile

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


def main():
    if os.geteuid() != 0:
        return 77  # owners and device nodes are root's to make
    with tempfile.TemporaryDirectory(dir="/var/tmp") as top:
        tree, ours, theirs = (os.path.join(top, name) for name in ("tree", "ours", "theirs"))
        for path in (tree, ours, theirs):
            os.mkdir(path)
        build(tree)
        for form in ("pax", "gnu"):
            tar = os.path.join(top, form + ".tar.gz")
            xattrs = ["--xattrs", "--xattrs-include=*"] if form == "pax" else []
            subprocess.run(["tar", "-C", tree, "--numeric-owner", "-S", "--format=" + form, *xattrs,
                            "-czf", tar, "."], check=True)
            with gzip.open(tar) as f:
                diff_id = "sha256:" + hashlib.sha256(f.read()).hexdigest()
            for path in (ours, theirs):
                subprocess.run(["rm", "-rf", path], check=True)
                os.mkdir(path)
            subprocess.run([sys.argv[1], ours, tar, diff_id], check=True)
            subprocess.run(["tar", "-C", theirs, "--numeric-owner", "-p", *xattrs, "-xzf", tar],
                           check=True)
            a, b = listing(ours), listing(theirs)
            if len(b) < 300 or a != b:
                print(f"{form}: {len(a)} and {len(b)} files; they differ in:")
                print(*sorted(set(a) ^ set(b))[:20], sep="\n")
                return 1
            if os.stat(os.path.join(ours, "sparse")).st_blocks > 1000:
                print(f"{form}: the hole was filled")
                return 1
            print(f"{form}: {len(a)} files are the same")
    return 0


sys.exit(main())
