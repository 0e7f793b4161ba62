# SPDX-License-Identifier: Apache-2.0
"""Secrets and environment files in real guests: in their container, and nowhere else."""

import hashlib
import os
import pathlib

import lab as lab_module

VALUE = 'hush "e2e" \\ 7f31-nobody-may-see-this'
SCRIPT = """
    trap 'exit 0' TERM
    printf %s "$SECRET" | sha256sum
    echo "$FILE, $BOTH"
    while :; do sleep 1 & wait; done
"""


def data_of(path):
    """What was written to a file; disks are sparse."""
    data, end = b"", 0
    with open(path, "rb") as file:
        while True:
            try:
                begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:
                return data
            end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            data += os.pread(file.fileno(), end - begin, begin)


def definition(image, arn):
    app = {"name": "app", "image": image, "command": ["sh", "-c", SCRIPT],
           "environment": [{"name": "BOTH", "value": "of the definition"}],
           "secrets": [{"name": "SECRET", "valueFrom": arn}],
           "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/a.env"}]}
    other = {"name": "other", "image": image, "essential": False, "command": ["env"]}
    return {"family": "secret", "cpu": "256", "memory": "512", "containerDefinitions": [app, other]}


def test_a_secret_reaches_its_container_only(busybox, tmp_path):
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    (bucket / "a.env").write_text("FILE=of the file\nBOTH=of the file\n")
    with lab_module.lab(s3_root=str(tmp_path)) as lab:
        arn = lab.fgd.call("POST", "/v1/secrets", {"name": "e2e", "value": VALUE})["ARN"]
        task_id = lab.detach(definition(busybox, arn))
        lab_module.wait_for(lambda: b"of the file," in lab.fgd.output_of(task_id, container="app"), "output", 120)
        digest, files = lab.fgd.output_of(task_id, container="app").decode().splitlines()
        assert digest.split()[0] == hashlib.sha256(VALUE.encode()).hexdigest()
        assert files == "of the file, of the definition"
        # While the task runs its scratch disk and its sockets are there too.
        for directory, _, names in os.walk(lab.directory):
            for path in (os.path.join(directory, name) for name in names):
                if os.path.isfile(path):
                    assert b"nobody-may-see-this" not in data_of(path), path
        for text in (pathlib.Path(f"/proc/{lab.qemu(task_id)}/cmdline").read_bytes(),
                     lab.fgd.output_of(task_id, container="other"), lab.fgrun("inspect", "--json", task_id).stdout.encode()):
            assert b"nobody-may-see-this" not in text
        assert b"SECRET" not in lab.fgd.output_of(task_id, container="other")
        lab.fgrun("stop", "--wait", task_id)
