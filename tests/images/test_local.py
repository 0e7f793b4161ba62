# SPDX-License-Identifier: Apache-2.0
"""Images that lie in files of this host: OCI layouts and archives, good and hostile ones."""
import io
import json
import os
import subprocess
import tarfile

import ociimage
from pulling import TIMEOUT, TOOL, finish, parts, pulled, refused, tool
from registry import CLEAN_ENV


def test_layout(layout, images, store):
    assert pulled(store, "pull", f"oci:{layout}:a")["manifest"] == images["a"].digest
    assert pulled(store, "pull", f"oci:{layout}:multi")["manifest"] == images["a"].digest
    error = refused(store, "pull", f"oci:{layout}:none")
    assert error["code"] == "NOT_FOUND" and "multi" in error["error"]
    assert refused(store, "pull", f"oci:{layout}")["code"] == "CONFLICT"


def test_damaged_layout(images, store, tmp_path):
    root = ociimage.write_layout(str(tmp_path / "oci"), {"a": images["a"]})
    blob = os.path.join(root, "blobs/sha256", ociimage.digest(images["big"].data)[7:])
    with open(blob, "r+b") as f:
        f.write(b"x")
    assert "wrong content" in refused(store, "pull", f"oci:{root}")["error"]
    os.unlink(blob)
    os.symlink("/etc/passwd", blob)
    error = refused(store, "pull", f"oci:{root}")["error"]
    assert "symbolic links" in error
    os.unlink(blob)
    os.mkfifo(blob)
    assert "not a regular file" in refused(store, "pull", f"oci:{root}")["error"]
    assert tool(store, "list") == []


def save(layout, tag, path, name):
    subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", f"oci:{layout}:{tag}",
                    f"docker-archive:{path}:{name}"], check=True, timeout=TIMEOUT)


def test_archive(store, tmp_path):
    layer = ociimage.Layer({"f": os.urandom(100_000)})
    layout = ociimage.write_layout(str(tmp_path / "oci"), {
        "t": ociimage.Image([layer, layer], cmd=["/x"])})
    save(layout, "t", tmp_path / "a.tar", "app:1")
    assert pulled(store, "pull", f"docker-archive:{tmp_path}/a.tar")["layers"] == 2
    pulled(store, "pull", f"docker-archive:{tmp_path}/a.tar:app:1")
    assert "app:2" in refused(store, "pull", f"docker-archive:{tmp_path}/a.tar:app:2")["error"]
    assert parts(store) == []


def test_archive_without_room(store, tmp_path):
    os.mkdir(store)
    layout = ociimage.write_layout(str(tmp_path / "oci"), {
        "t": ociimage.Image([ociimage.Layer({"f": os.urandom(1 << 20)})])})
    save(layout, "t", tmp_path / "a.tar", "app:1")
    script = 'mount -t tmpfs -o size=512k none "$1" && exec "$2" "$1" pull "$3"'
    result = finish(subprocess.Popen(
        ["unshare", "--mount", "sh", "-ec", script, "-", store, TOOL,
         f"docker-archive:{tmp_path}/a.tar"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=CLEAN_ENV))[0][0]
    assert (result["code"], "No space left" in result["error"]) == ("CAPACITY", True)


def test_hostile_archives(store, tmp_path):
    def write(members):
        with tarfile.open(tmp_path / "bad.tar", "w") as t:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                if isinstance(data, str):
                    info.type, info.linkname = tarfile.SYMTYPE, data
                    t.addfile(info)
                else:
                    info.size = len(data)
                    t.addfile(info, io.BytesIO(data))
        return refused(store, "pull", f"docker-archive:{tmp_path}/bad.tar")["error"]

    def manifest(config, *layers):
        return json.dumps([{"Config": config, "RepoTags": None, "Layers": layers}]).encode()

    assert "no manifest.json" in write({"x": b"y"})
    assert "not a path" in write({"manifest.json": manifest("../../etc/passwd")})
    assert "missing" in write({"manifest.json": manifest("/etc/passwd")})
    assert "missing" in write({"manifest.json": manifest("c.json"), "c.json": "/etc/passwd"})
    assert "not a path" in write({"manifest.json": manifest("a"), "a": "b", "b": "a"})
    assert "JSON" in write({"manifest.json": b"{"})
    assert "layers" in write({"manifest.json": manifest("c", *(["l"] * 200))})
    (tmp_path / "bad.tar").write_bytes(os.urandom(10_000))
    assert "not a readable tar" in refused(store, "pull",
                                           f"docker-archive:{tmp_path}/bad.tar")["error"]
    assert parts(store) == []
