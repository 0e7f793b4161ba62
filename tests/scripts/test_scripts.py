#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/mkimage.py makes valid images, the same every time; scripts/packages.sh installs no more
than what is missing. Usage: test_scripts.py SOURCE-DIRECTORY"""
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import unittest

TOP = sys.argv.pop(1)


class Image(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.addCleanup(self.tmp.cleanup)

    def make(self, name, *args):
        out = os.path.join(self.tmp.name, name)
        subprocess.run([f"{TOP}/scripts/mkimage.py", out, *args], check=True)
        return out

    def blob(self, out, ref):
        with open(os.path.join(out, "blobs/sha256", ref["digest"].split(":")[1]), "rb") as f:
            data = f.read()
        self.assertEqual("sha256:" + hashlib.sha256(data).hexdigest(), ref["digest"])
        self.assertEqual(len(data), ref["size"])
        return data

    def load(self, out):
        with open(os.path.join(out, "index.json"), encoding="utf-8") as f:
            index = json.load(f)
        manifest = json.loads(self.blob(out, index["manifests"][0]))
        config = json.loads(self.blob(out, manifest["config"]))
        tar = gzip.decompress(self.blob(out, manifest["layers"][0]))
        self.assertEqual(config["rootfs"]["diff_ids"],
                         ["sha256:" + hashlib.sha256(tar).hexdigest()])
        return index, config, tarfile.open(fileobj=io.BytesIO(tar))

    def test_contents(self):
        root = os.path.join(self.tmp.name, "root")
        os.makedirs(root + "/sub")
        os.symlink("sub", root + "/link")
        with open(root + "/sub/file", "w", encoding="utf-8") as f:
            f.write("in a tree")
        out = self.make("a", "--root", root, "--file", f"{root}/sub/file:/usr/bin/tool:4755",
                        "--text", "/etc/passwd:600:root:x:0:0\n", "--dir", "/tmp:1777",
                        "--symlink", "/bin/sh:tool", "--cmd=a", "--cmd=-b", "--env", "X=1",
                        "--user", "7:8", "--workdir", "/tmp", "--tag", "v1")
        index, config, tar = self.load(out)
        self.assertEqual(config["config"], {"Cmd": ["a", "-b"], "Env": ["X=1"], "User": "7:8",
                                            "WorkingDir": "/tmp"})
        self.assertEqual(index["manifests"][0]["annotations"],
                         {"org.opencontainers.image.ref.name": "v1"})
        self.assertEqual(tar.getnames(), ["bin", "bin/sh", "etc", "etc/passwd", "link", "sub",
                                          "sub/file", "tmp", "usr", "usr/bin", "usr/bin/tool"])
        self.assertEqual(tar.getmember("usr/bin/tool").mode, 0o4755)
        self.assertEqual(tar.getmember("tmp").mode, 0o1777)
        self.assertEqual(tar.getmember("bin/sh").linkname, "tool")
        self.assertEqual(tar.extractfile("etc/passwd").read(), b"root:x:0:0\n")
        self.assertTrue(all(m.mtime == 0 and m.uid == 0 and m.gid == 0 for m in tar))

    def test_same_input_same_bytes(self):
        images = [self.make(name, "--dir", "/x", "--text", "/f:644:t") for name in "ab"]
        with open(images[0] + "/index.json", "rb") as a, open(images[1] + "/index.json", "rb") as b:
            self.assertEqual(a.read(), b.read())


class Packages(unittest.TestCase):
    """With a dpkg-query that knows two packages and an apt-get that writes down its calls."""

    LIST = "# comment\n[one]\nhave-a\nneed-b # why\n\n[two]\nhave-a\nhave-c\n[empty]\n"
    TOOLS = {
        "dpkg-query": 'case "$4" in have-*) echo "installed ";; *) exit 1;; esac',
        "id": "echo ${FAKE_UID:-0}",
        "apt-get": 'echo "$@" >>"$CALLS"\n'
                   'case "$*" in *update*) : >"$CALLS.fresh";; *) [ -e "$CALLS.fresh" ];; esac',
    }

    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.addCleanup(self.tmp.cleanup)
        base = self.tmp.name
        os.makedirs(base + "/scripts")
        os.makedirs(base + "/bin")
        with open(base + "/packages.txt", "w", encoding="utf-8") as f:
            f.write(self.LIST)
        os.symlink(TOP + "/scripts/packages.sh", base + "/scripts/packages.sh")
        for name, body in self.TOOLS.items():
            with open(f"{base}/bin/{name}", "w", encoding="utf-8") as f:
                f.write("#!/bin/sh\n" + body + "\n")
            os.chmod(f"{base}/bin/{name}", 0o755)

    def run_script(self, *sections, fresh=False, uid=0):
        calls = self.tmp.name + "/calls"
        open(calls, "w", encoding="utf-8").close()
        if fresh:
            open(calls + ".fresh", "w", encoding="utf-8").close()
        env = {"PATH": self.tmp.name + "/bin:/usr/bin:/bin", "CALLS": calls, "FAKE_UID": str(uid)}
        run = subprocess.run([self.tmp.name + "/scripts/packages.sh", *sections], env=env,
                             capture_output=True, text=True)
        with open(calls, encoding="utf-8") as f:
            return run.returncode, run.stdout + run.stderr, f.read().splitlines()

    def test_nothing_missing(self):
        self.assertEqual(self.run_script("two", "empty"),
                         (0, "packages: nothing missing (two empty)\n", []))

    def test_installs_what_is_missing(self):
        status, _, calls = self.run_script("one", "two", fresh=True)
        self.assertEqual(status, 0)
        self.assertEqual(len(calls), 2)  # one of them a simulation
        self.assertTrue(calls[1].endswith("install need-b"))

    def test_empty_lists(self):
        status, _, calls = self.run_script("one")
        self.assertEqual(status, 0)
        self.assertEqual([c for c in calls if "update" in c], ["-q update"])
        self.assertTrue(calls[-1].endswith("install need-b"))

    def test_not_root(self):
        status, text, calls = self.run_script("one", uid=1000)
        self.assertEqual((status, calls), (1, []))
        self.assertIn("run as root:  apt-get install need-b", text)

    def test_unknown_section(self):
        status, text, calls = self.run_script("three")
        self.assertEqual((status, calls), (1, []))
        self.assertIn("no section [three]", text)


unittest.main()
