# SPDX-License-Identifier: Apache-2.0
"""Build OCI image layouts for tests, from nothing but Python (and the zstd program).

    image = Image(layers=[Layer({"bin/sh": File(b"...", 0o755)})], entrypoint=["/bin/sh"])
    write_layout(dir, {"latest": image})             # one image per tag
    write_layout(dir, {"latest": [image, arm]})      # an index by platform

An entry of a layer is bytes, a File, Link, Hardlink, Dir, or any tarfile.TarInfo.
"""
import dataclasses
import gzip
import hashlib
import io
import json
import os
import pathlib
import stat
import subprocess
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
SUFFIX = {"none": "", "gzip": "+gzip", "zstd": "+zstd"}


@dataclasses.dataclass
class File:
    data: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclasses.dataclass
class Dir:
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclasses.dataclass
class Link:
    target: str


@dataclasses.dataclass
class Hardlink:
    target: str


def _add(tar, name, entry):
    if isinstance(entry, tarfile.TarInfo):
        tar.addfile(entry)
        return
    if isinstance(entry, bytes):
        entry = File(entry)
    info = tarfile.TarInfo(name)
    info.mtime = 1700000000
    data = None
    if isinstance(entry, File):
        info.size, info.mode = len(entry.data), entry.mode
        info.uid, info.gid = entry.uid, entry.gid
        data = io.BytesIO(entry.data)
    elif isinstance(entry, Dir):
        info.type, info.mode = tarfile.DIRTYPE, entry.mode
        info.uid, info.gid = entry.uid, entry.gid
    elif isinstance(entry, Link):
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.target, 0o777
    else:
        info.type, info.linkname = tarfile.LNKTYPE, entry.target
    tar.addfile(info, data)


def compress(data, how):
    if how == "gzip":
        return gzip.compress(data, 6, mtime=0)
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE,
                              check=True).stdout
    return data


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layer:
    """A layer's bytes: tar is what is unpacked, data what is stored."""

    def __init__(self, entries=None, compression="gzip", tar=None):
        if tar is None:
            buf = io.BytesIO()
            with tarfile.open(fileobj=buf, mode="w", format=tarfile.PAX_FORMAT) as t:
                for name, entry in (entries or {}).items():
                    _add(t, name, entry)
            tar = buf.getvalue()
        self.tar = tar
        self.data = compress(tar, compression)
        self.media_type = LAYER + SUFFIX[compression]

    @classmethod
    def from_directory(cls, root, compression="gzip", names=None):
        """A whole root filesystem, owners, modes and device nodes included; or these of its @names."""
        def fix(info):
            info.mtime = 1700000000
            info.uname = info.gname = ""
            return None if stat.S_ISSOCK(os.lstat(os.path.join(root, info.name)).st_mode) else info

        buf = io.BytesIO()
        with tarfile.open(fileobj=buf, mode="w", format=tarfile.PAX_FORMAT) as t:
            for name in sorted(os.listdir(root)) if names is None else names:
                t.add(os.path.join(root, name), arcname=name, recursive=names is None, filter=fix)
        return cls(compression=compression, tar=buf.getvalue())


    @classmethod
    def from_program(cls, path, compression="gzip"):
        """A program of this host, with the shared libraries that it needs."""
        listed = subprocess.run(["ldd", path], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        paths = [path, *(word for word in listed if word.startswith("/"))]
        return cls({name.lstrip("/"): File(pathlib.Path(name).read_bytes(), 0o755) for name in paths}, compression)


class Image:
    def __init__(self, layers, entrypoint=None, cmd=None, env=None, user=None, workdir=None,
                 stop_signal=None, volumes=None, labels=None, exposed_ports=None,
                 architecture="amd64", os="linux"):
        self.layers = layers
        run = {
            "Entrypoint": entrypoint, "Cmd": cmd, "Env": env, "User": user,
            "WorkingDir": workdir, "StopSignal": stop_signal, "Labels": labels,
            "Volumes": {v: {} for v in volumes} if volumes else None,
            "ExposedPorts": {p: {} for p in exposed_ports} if exposed_ports else None,
        }
        self.platform = {"os": os, "architecture": architecture}
        self.config = json.dumps({
            **self.platform,
            "created": "2023-11-14T22:13:20Z",
            "config": {k: v for k, v in run.items() if v is not None},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer.tar) for layer in layers]},
        }).encode()
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, self.config),
            "layers": [_descriptor(layer.media_type, layer.data) for layer in layers],
        }).encode()

    @property
    def digest(self):
        return digest(self.manifest)

    def blobs(self):
        return [self.config, self.manifest] + [layer.data for layer in self.layers]


def _descriptor(media_type, data, **more):
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}


def _put(root, data):
    path = os.path.join(root, "blobs", "sha256", digest(data)[7:])
    with open(path, "wb") as f:
        f.write(data)


def write_layout(root, tags):
    """Write {tag: Image or [Image, ...]} to the directory @root (created). A list is an index."""
    os.makedirs(os.path.join(root, "blobs", "sha256"), exist_ok=True)
    entries = []
    for tag, images in tags.items():
        annotations = {"org.opencontainers.image.ref.name": tag}
        for image in images if isinstance(images, list) else [images]:
            for data in image.blobs():
                _put(root, data)
        if isinstance(images, list):
            index = json.dumps({
                "schemaVersion": 2, "mediaType": INDEX,
                "manifests": [_descriptor(MANIFEST, i.manifest, platform=i.platform)
                              for i in images],
            }).encode()
            _put(root, index)
            entries.append(_descriptor(INDEX, index, annotations=annotations))
        else:
            entries.append(_descriptor(MANIFEST, images.manifest, annotations=annotations,
                                       platform=images.platform))
    with open(os.path.join(root, "oci-layout"), "w", encoding="ascii") as f:
        json.dump({"imageLayoutVersion": "1.0.0"}, f)
    with open(os.path.join(root, "index.json"), "w", encoding="ascii") as f:
        json.dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, f)
    return root


def busybox(compression="gzip", path="/bin/busybox", **config):
    """A small real image from Debian's busybox-static; needs an x86-64 Linux to run."""
    with open(path, "rb") as f:
        binary = f.read()
    applets = subprocess.run([path, "--list"], stdout=subprocess.PIPE, text=True,
                             check=True).stdout.split()
    entries = {"bin": Dir(), "etc": Dir(), "tmp": Dir(0o1777), "root": Dir(0o700),
               "bin/busybox": File(binary, 0o755),
               "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
               "etc/group": b"root:x:0:\nnogroup:x:65534:\n"}
    entries.update({"bin/" + a: Link("busybox") for a in applets if a != "busybox"})
    config.setdefault("cmd", ["/bin/sh"])
    config.setdefault("env", ["PATH=/bin"])
    return Image([Layer(entries, compression)], **config)
