#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Make an image archive whose only file is /probe: an OCI layout that `docker load` takes as well.

The same program gives the same bytes. usage: image.py OUT PROBE
"""
import hashlib
import io
import json
import pathlib
import sys
import tarfile

NAME = "fgrun-bench:latest"
VENDOR = "application/vnd.oci.image."
FOLDERS = (("dev", 0o755), ("etc", 0o755), ("proc", 0o755), ("sys", 0o755), ("tmp", 0o1777))


def tar(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, mode, data in entries:
            info = tarfile.TarInfo(name)
            info.mode = mode
            if data is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data or b""))
    return out.getvalue()


def text(value):
    return json.dumps(value, sort_keys=True).encode()


def blob(data, kind):
    return {"mediaType": VENDOR + kind, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}


def path(descriptor):
    return "blobs/" + descriptor["digest"].replace(":", "/")


def main():
    out, probe = map(pathlib.Path, sys.argv[1:])
    layer_data = tar([*((name, mode, None) for name, mode in FOLDERS), ("probe", 0o755, probe.read_bytes())])
    layer = blob(layer_data, "layer.v1.tar")
    config_data = text({
        "architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:00Z",
        "config": {"Cmd": ["/probe", "start"], "Env": ["PATH=/"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}})
    config = blob(config_data, "config.v1+json")
    manifest_data = text({"schemaVersion": 2, "mediaType": VENDOR + "manifest.v1+json", "config": config, "layers": [layer]})
    manifest = blob(manifest_data, "manifest.v1+json")
    index = {"schemaVersion": 2, "mediaType": VENDOR + "index.v1+json", "manifests": [
        {**manifest, "annotations": {"org.opencontainers.image.ref.name": NAME.split(":")[0]},
         "platform": {"architecture": "amd64", "os": "linux"}}]}
    docker = [{"Config": path(config), "RepoTags": [NAME], "Layers": [path(layer)]}]
    out.write_bytes(tar([
        ("blobs", 0o755, None), ("blobs/sha256", 0o755, None), (path(layer), 0o644, layer_data),
        (path(config), 0o644, config_data), (path(manifest), 0o644, manifest_data), ("index.json", 0o644, text(index)),
        ("manifest.json", 0o644, text(docker)), ("oci-layout", 0o644, text({"imageLayoutVersion": "1.0.0"}))]))


if __name__ == "__main__":
    main()
