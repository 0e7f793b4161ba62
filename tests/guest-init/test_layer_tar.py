#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real tree, unpacked by us and by tar: both must give the same. Usage: UNPACK-LAYERS"""
import gzip
import hashlib
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))

from tree import build, listing  # noqa: E402


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
