#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random layers, unpacked by us into one directory and stacked by the kernel's overlay: whiteouts,
opaque directories and replaced kinds must come out the same. Usage: UNPACK-LAYERS [CASES]"""
import hashlib
import io
import os
import random
import subprocess
import sys
import tarfile
import tempfile

TYPES = {"dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}


def random_layer(rand):
    """{path: (kind, value)} where every parent is a directory of the same layer."""
    layer = {}

    def put(path, kind, value):
        parents = [path[:i] for i, c in enumerate(path) if c == "/"]
        if any(layer.get(p, ("dir",))[0] != "dir" for p in parents):
            return
        if layer.get(path, ("",))[0] == "dir" or any(p.startswith(path + "/") for p in layer):
            return
        for parent in parents:
            layer.setdefault(parent, ("dir", rand.choice([0o755, 0o700, 0o555])))
        layer[path] = (kind, value)

    for _ in range(rand.randint(1, 9)):
        path = "/".join(rand.choice("abc") for _ in range(rand.randint(1, 3)))
        kind = rand.choice(["file", "file", "link", "dir", "opaque", "whiteout"])
        if kind in ("dir", "opaque"):
            put(path, "dir", rand.choice([0o755, 0o700]))
            if kind == "opaque" and layer.get(path, ("",))[0] == "dir":
                layer[path + "/.wh..wh..opq"] = ("opaque", None)
        else:
            put(path, kind, str(rand.random()))
    return layer


def write_tar(layer, path, rand):
    """Directories before what is in them, anything else in any order."""
    items = list(layer.items())
    rand.shuffle(items)
    items.sort(key=lambda item: item[0].count("/") if item[1][0] == "dir" else 99)
    with tarfile.open(path, "w") as tar:
        for name, (kind, value) in items:
            if kind == "whiteout":
                name = os.path.join(os.path.dirname(name), ".wh." + os.path.basename(name))
            info = tarfile.TarInfo(name)
            info.type = TYPES.get(kind, tarfile.REGTYPE)
            info.mode = value if kind == "dir" else 0o644
            info.linkname = value if kind == "link" else ""
            data = value.encode() if kind == "file" else b""
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    with open(path, "rb") as f:
        return "sha256:" + hashlib.sha256(f.read()).hexdigest()


def write_lower(layer, top):
    """The same layer as overlay has it: whiteouts are devices, opaque is an attribute."""
    os.mkdir(top)
    for name, (kind, value) in sorted(layer.items(), key=lambda item: item[0].count("/")):
        path = os.path.join(top, name)
        if kind == "dir":
            os.mkdir(path)
            os.chmod(path, value)
        elif kind == "link":
            os.symlink(value, path)
        elif kind == "whiteout":
            os.mknod(path, 0o020000, 0)
        elif kind == "opaque":
            os.setxattr(os.path.dirname(path), "trusted.overlay.opaque", b"y")
        else:
            with open(path, "w") as f:
                f.write(value)


def listing(root):
    found = {}
    for top, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(top, name)
            if not os.path.lexists(path):
                continue  # overlay lists a whiteout that stands in one layer only, and has no file
            if os.path.islink(path):
                value = os.readlink(path)
            elif os.path.isdir(path):
                value = oct(os.stat(path).st_mode)
            else:
                with open(path) as f:
                    value = f.read()
            found[os.path.relpath(path, root)] = value
    return found


def compare(program, seed, top):
    """None when overlay cannot be mounted here, else whether both are the same."""
    rand = random.Random(seed)
    ours, theirs = os.path.join(top, "ours"), os.path.join(top, "theirs")
    os.mkdir(ours)
    os.mkdir(theirs)
    layers = [random_layer(rand) for _ in range(rand.randint(2, 4))]
    args, lowers = [], []
    for i, layer in enumerate(layers):
        tar, lower = os.path.join(top, f"{i}.tar"), os.path.join(top, f"lower{i}")
        args += [tar, write_tar(layer, tar, rand)]
        write_lower(layer, lower)
        lowers.insert(0, lower)
    subprocess.run([program, ours, *args], check=True)
    if subprocess.run(["mount", "-t", "overlay", "overlay", "-o", "ro,lowerdir=" + ":".join(lowers),
                       theirs], check=False).returncode != 0:
        return None
    try:
        want = listing(theirs)
    finally:
        subprocess.run(["umount", theirs], check=True)
    got = listing(ours)
    if got != want:
        print(f"seed {seed}:", *layers, f"overlay: {want}", f"ours: {got}", sep="\n")
    return got == want


def main():
    cases = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    if os.geteuid() != 0:
        return 77  # only root may mount
    for seed in range(cases):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as top:
            same = compare(sys.argv[1], seed, top)
        if same is None:
            return 77
        if not same:
            return 1
    print(f"{cases} cases are the same")
    return 0


sys.exit(main())
