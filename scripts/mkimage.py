#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Make an OCI image layout with one gzip layer. The same input gives the same bytes.

usage: mkimage.py OUT [--root DIR] [--file SRC:DEST[:MODE]]... [--text DEST:MODE:TEXT]...
                      [--dir PATH[:MODE]]... [--symlink PATH:TARGET]...
                      [--cmd ARG]... [--entrypoint ARG]... [--env NAME=VALUE]...
                      [--user USER] [--workdir DIR] [--tag TAG]
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import stat
import sys
import tarfile

EPOCH = "1970-01-01T00:00:00Z"


class Layer:
    """A tar whose entries are collected first, so that they can be sorted by path."""

    def __init__(self):
        self.entries = {}

    def add(self, path, kind, mode, data=b"", target=""):
        path = os.path.normpath("/" + path).lstrip("/")
        if not path:
            return
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.add(parent, tarfile.DIRTYPE, 0o755)
        info = tarfile.TarInfo(path + ("/" if kind == tarfile.DIRTYPE else ""))
        info.type, info.mode, info.linkname, info.size = kind, mode, target, len(data)
        self.entries[path] = (info, data)

    def add_tree(self, root):
        for base, dirs, files in os.walk(root):
            for name in dirs + files:
                full = os.path.join(base, name)
                path, st = os.path.relpath(full, root), os.lstat(full)
                mode = stat.S_IMODE(st.st_mode)
                if stat.S_ISLNK(st.st_mode):
                    self.add(path, tarfile.SYMTYPE, 0o777, target=os.readlink(full))
                elif stat.S_ISDIR(st.st_mode):
                    self.add(path, tarfile.DIRTYPE, mode)
                elif stat.S_ISREG(st.st_mode):
                    self.add(path, tarfile.REGTYPE, mode, read(full))
                else:
                    sys.exit(f"mkimage: {full}: neither file, directory nor symbolic link")

    def tar(self):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path in sorted(self.entries):
                info, data = self.entries[path]
                tar.addfile(info, io.BytesIO(data))
        return out.getvalue()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def put_blob(out, data, media_type):
    name = digest(data)
    with open(os.path.join(out, "blobs", "sha256", name.split(":")[1]), "wb") as f:
        f.write(data)
    return {"mediaType": media_type, "digest": name, "size": len(data)}


def to_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def write_image(out, layer, config, tag):
    os.makedirs(os.path.join(out, "blobs", "sha256"), exist_ok=True)
    tar = layer.tar()
    vendor = "application/vnd.oci.image."
    blob = put_blob(out, gzip.compress(tar, 9, mtime=0), vendor + "layer.v1.tar+gzip")
    image = {"architecture": "amd64", "os": "linux", "created": EPOCH, "config": config,
             "rootfs": {"type": "layers", "diff_ids": [digest(tar)]},
             "history": [{"created": EPOCH, "created_by": "scripts/mkimage.py"}]}
    manifest = {"schemaVersion": 2, "mediaType": vendor + "manifest.v1+json",
                "config": put_blob(out, to_json(image), vendor + "config.v1+json"),
                "layers": [blob]}
    ref = put_blob(out, to_json(manifest), vendor + "manifest.v1+json")
    ref["annotations"] = {"org.opencontainers.image.ref.name": tag}
    ref["platform"] = {"architecture": "amd64", "os": "linux"}
    index = {"schemaVersion": 2, "mediaType": vendor + "index.v1+json", "manifests": [ref]}
    with open(os.path.join(out, "index.json"), "wb") as f:
        f.write(to_json(index))
    with open(os.path.join(out, "oci-layout"), "wb") as f:
        f.write(to_json({"imageLayoutVersion": "1.0.0"}))


def split(text, parts):
    fields = text.split(":", parts - 1)
    return fields + [None] * (parts - len(fields))


def build_layer(args):
    layer = Layer()
    if args.root:
        layer.add_tree(args.root)
    for text in args.dir:
        path, mode = split(text, 2)
        layer.add(path, tarfile.DIRTYPE, int(mode or "755", 8))
    for text in args.file:
        src, dest, mode = split(text, 3)
        layer.add(dest, tarfile.REGTYPE,
                  int(mode, 8) if mode else stat.S_IMODE(os.stat(src).st_mode), read(src))
    for text in args.text:
        dest, mode, body = split(text, 3)
        layer.add(dest, tarfile.REGTYPE, int(mode, 8), body.encode())
    for text in args.symlink:
        path, target = split(text, 2)
        layer.add(path, tarfile.SYMTYPE, 0o777, target=target)
    return layer


def main():
    parser = argparse.ArgumentParser(description="Make an OCI image layout with one layer.")
    parser.add_argument("out")
    parser.add_argument("--root")
    for name in ("file", "text", "dir", "symlink", "cmd", "entrypoint", "env"):
        parser.add_argument("--" + name, action="append", default=[])
    parser.add_argument("--user")
    parser.add_argument("--workdir")
    parser.add_argument("--tag", default="latest")
    args = parser.parse_args()

    config = {"Env": args.env, "Cmd": args.cmd, "Entrypoint": args.entrypoint,
              "User": args.user, "WorkingDir": args.workdir}
    write_image(args.out, build_layer(args), {k: v for k, v in config.items() if v}, args.tag)


if __name__ == "__main__":
    main()
