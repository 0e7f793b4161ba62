# SPDX-License-Identifier: Apache-2.0
"""Prepared images: the same tree as guests unpack, made where nothing else can be reached."""
import contextlib
import glob
import gzip
import io
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import subprocess
import tarfile
import threading
import time

import pytest

import ociimage
import tree
from faultproxy import FaultProxy, Slow
from registry import CLEAN_ENV, Registry
from stamp import stamp

TOOL, PREPARE, UNPACK = (os.environ[name] for name in ("IMAGES_TOOL", "FG_PREPARE", "UNPACK_LAYERS"))
LIMITS_MEMORY = os.environ.get("SANITIZE", "none") == "none"  # a sanitizer's shadow memory would not fit
TIMEOUT = 120


def tool(store, *args, options=()):
    done = subprocess.run([TOOL, *options, str(store), *args], stdout=subprocess.PIPE, check=False, timeout=TIMEOUT)
    assert done.returncode in (0, 1)
    return json.loads(done.stdout)


def layout(directory, *layers):
    return "oci:" + ociimage.write_layout(str(directory), {"latest": ociimage.Image(list(layers))}) + ":latest"


def tar(*members):
    """A layer of (TarInfo fields, data), for what no honest tool would write."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for fields, data in members:
            info = tarfile.TarInfo()
            for name, value in fields.items():
                setattr(info, name, value)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return ociimage.Layer(tar=out.getvalue())


@contextlib.contextmanager
def mounted(image, directory):
    directory.mkdir()
    subprocess.run(["mount", "-t", "erofs", "-o", "loop,ro", image, str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def prepared(store, reference, **more):
    result = tool(store, "prepare", reference, **more)[0]
    assert "error" not in result, result
    return result["path"]


def refused(store, reference, **more):
    result = tool(store, "prepare", reference, **more)[0]
    assert "error" in result, result
    return result


def without_directory_times(root):
    """A directory that a later layer changes has the time of that change."""
    return [re.sub(rb"(\|d\|\d+\|\d+\|\d+\|)[0-9.]+", rb"\1", line) for line in tree.listing(str(root))]


def clean(store):
    """Nothing of a preparation is left but its result."""
    return not glob.glob(f"{store}/tmp/scratch*")


def test_same_tree_as_in_a_guest(tmp_path):
    source, ours = tmp_path / "source", tmp_path / "ours"
    for path in (source, ours):
        path.mkdir()
    tree.build(str(source))
    ping = source / "usr/bin/ping"
    ping.write_bytes(b"\x7fELF")
    os.setxattr(ping, "security.capability", b"\x01\x00\x00\x02\x00\x20\x00\x00" + bytes(12))
    base = ociimage.Layer.from_directory(str(source))
    change = tar(({"name": "usr/share/.wh..wh..opq"}, b""), ({"name": ".wh.sparse"}, b""),
                 ({"name": "far", "uid": 200_000_000, "gid": 70_000}, b"owner"))
    reference = layout(tmp_path / "image", base, change)
    files = []
    for i, layer in enumerate((base, change)):
        (tmp_path / f"layer{i}").write_bytes(layer.data)
        files += [str(tmp_path / f"layer{i}"), ociimage.digest(layer.tar)]
    subprocess.run([UNPACK, str(ours), *files], check=True)
    os.unlink(ours / "dev/null")  # a container's own /dev hides it: it is left out
    with mounted(prepared(tmp_path / "store", reference), tmp_path / "mnt") as root:
        a, b = without_directory_times(ours), without_directory_times(root / "rootfs")
        assert len(a) > 300 and a == b, sorted(set(a) ^ set(b))[:10]
        assert json.loads((root / "manifest.json").read_text())["layers"]
        assert json.loads((root / "config.json").read_text())["rootfs"]
    assert clean(tmp_path / "store")


def test_made_once_and_gone_with_the_image(tmp_path):
    store = tmp_path / "store"
    reference = layout(tmp_path / "image", ociimage.Layer({"etc/x": b"1"}))
    assert tool(store, "pull", reference)[0]["prepared"] is False
    path = prepared(store, reference)
    made = os.stat(path)
    assert prepared(store, reference) == path and os.stat(path).st_ino == made.st_ino
    assert tool(store, "list")[0]["prepared"] is True
    assert made.st_mode & 0o777 == 0o440
    tool(store, "remove", reference)
    assert not os.path.exists(path)


@contextlib.contextmanager
def index(store):
    with contextlib.closing(sqlite3.connect(store / "images.db")) as db, db:
        yield db


def kept_stamp(store):
    with index(store) as db:
        return db.execute("SELECT prepared_stamp FROM images").fetchone()[0]


def test_an_unchanged_one_is_not_read(tmp_path):
    """Whoever could change a file and what we know of its last change would fool us: so do we, to see it."""
    store = tmp_path / "store"
    reference = layout(tmp_path / "image", ociimage.Layer({"etc/x": b"1" * 100_000}))
    path = prepared(store, reference)
    assert kept_stamp(store) == stamp(path)
    with open(path, "r+b") as file:
        file.write(b"damage")
    with index(store) as db:
        db.execute("UPDATE images SET prepared_stamp = ?", [stamp(path)])
    assert prepared(store, reference) == path
    with open(path, "rb") as file:
        assert file.read(6) == b"damage"


def test_a_touched_one_is_read_once(tmp_path):
    store = tmp_path / "store"
    reference = layout(tmp_path / "image", ociimage.Layer({"etc/x": b"1" * 100_000}))
    path = prepared(store, reference)
    made = os.stat(path)
    for touch in (lambda: os.utime(path), lambda: os.chown(path, -1, 65534)):
        touch()
        assert kept_stamp(store) != stamp(path)
        assert prepared(store, reference) == path and os.stat(path).st_ino == made.st_ino
        assert kept_stamp(store) == stamp(path)
    assert os.stat(path).st_gid == made.st_gid  # or the first VM that gets it would be a change again


def test_one_of_a_version_without_stamps(tmp_path):
    store = tmp_path / "store"
    reference = layout(tmp_path / "image", ociimage.Layer({"etc/x": b"1" * 100_000}))
    path = prepared(store, reference)
    made = os.stat(path)
    with index(store) as db:
        db.execute("ALTER TABLE images DROP COLUMN prepared_stamp")
        db.execute("PRAGMA user_version = 2")
    assert prepared(store, reference) == path and os.stat(path).st_ino == made.st_ino
    assert kept_stamp(store) == stamp(path)


def test_one_of_another_version_is_made_anew(tmp_path):
    """Whether it is a result or the reason that there is none."""
    store = tmp_path / "store"
    good = layout(tmp_path / "image", ociimage.Layer({"etc/x": b"1" * 100_000}))
    bad = layout(tmp_path / "bad", tar(({"name": "x/disk", "type": tarfile.BLKTYPE, "devmajor": 8}, b"")))
    paths = [prepared(store, good)]
    refused(store, bad)
    with index(store) as db:
        (version,) = {row[0] for row in db.execute("SELECT prepared_version FROM images")}
        for other in (version - 1, version + 1):
            db.execute("UPDATE images SET prepared_version = ?", [other])
            db.execute("UPDATE images SET unprepared_why = 'of old' WHERE unprepared_why != ''")
            db.commit()
            assert not any(i["prepared"] or i.get("unpreparedWhy") for i in tool(store, "list"))
            paths.append(prepared(store, good))
            assert "device nodes" in refused(store, bad)["error"]
            assert {row[0] for row in db.execute("SELECT prepared_version FROM images")} == {version}
    assert len(set(paths)) == 3  # each has an id of its own
    tool(store, "remove", good)
    assert not any(map(os.path.exists, paths))


def test_a_damaged_one_is_made_anew(tmp_path):
    store = tmp_path / "store"
    reference = layout(tmp_path / "image", ociimage.Layer({"etc/x": b"1" * 100_000}))
    path = prepared(store, reference)
    before = open(path, "rb").read()
    with open(path, "r+b") as file:
        file.seek(9000)
        file.write(b"damage")
    again = prepared(store, reference)
    after = open(again, "rb").read()
    assert b"damage" not in after and len(after) == len(before)


@pytest.mark.parametrize("what, members, text", [
    ("device", [({"name": "x/disk", "type": tarfile.BLKTYPE, "devmajor": 8}, b"")], "device nodes"),
    ("escape", [({"name": "tmp", "type": tarfile.DIRTYPE}, b""), ({"name": "up", "type": tarfile.SYMTYPE,
                                                                     "linkname": "../../../../../../tmp"}, b""),
                ({"name": "up/fgrun-escaped"}, b"x")], None),
    ("owner", [({"name": "a", "uid": 2_000_000_000}, b"x")], "a"),
])
def test_hostile_layers(tmp_path, what, members, text):
    store = tmp_path / "store"
    reference = layout(tmp_path / "image", tar(*members))
    if text is None:  # confined: the link leads to the image's own /tmp
        with mounted(prepared(store, reference), tmp_path / "mnt") as root:
            assert (root / "rootfs/tmp/fgrun-escaped").read_bytes() == b"x"
    else:
        result = refused(store, reference)
        assert result["code"] == "INVALID" and text in result["error"]
        # it is not tried again, and the image itself is as good as before
        assert refused(store, reference)["error"].endswith(result["error"])
        assert tool(store, "list")[0]["unpreparedWhy"]
    assert not os.path.exists("/tmp/fgrun-escaped")
    assert clean(store)


CLIMBING = [
    [({"name": "../../../../../../../tmp/fgrun-escaped"}, b"x")], [({"name": "/tmp/fgrun-escaped"}, b"x")],
    [({"name": "a", "type": tarfile.SYMTYPE, "linkname": "/tmp"}, b""), ({"name": "a/fgrun-escaped"}, b"x")],
    [({"name": "a", "type": tarfile.LNKTYPE, "linkname": "/etc/passwd"}, b"")],
    [({"name": "a", "type": tarfile.SYMTYPE, "linkname": "/etc"}, b""), ({"name": "a/.wh.passwd"}, b"")],
    [({"name": "../.wh.work"}, b"")], [({"name": ".wh..."}, b"")], [({"name": "/".join("d" * 2000)}, b"x")],
    [({"name": "rootfs", "type": tarfile.SYMTYPE, "linkname": ".."}, b""), ({"name": "rootfs/image.erofs"}, b"x")]]


def test_the_hostile_corpus(tmp_path):
    """What attacks a guest's unpacking, against the sandbox: an image comes of it or none, and nothing else."""
    corpus = sorted((pathlib.Path(__file__).parents[1] / "fuzz/corpus/layer").iterdir())
    layers = [ociimage.Layer(tar=gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
              for data in (path.read_bytes() for path in corpus)] + [tar(*members) for members in CLIMBING]
    before, passwd = set(os.listdir("/tmp")), os.stat("/etc/passwd")
    ways = set()
    for n, layer in enumerate(layers):
        result = tool(tmp_path / "store", "prepare", layout(tmp_path / str(n), layer))[0]
        assert result.get("code", "INVALID") == "INVALID" and ("path" in result) != ("error" in result), (n, result)
        ways.add("path" in result)
        assert clean(tmp_path / "store")
    assert ways == {True, False}
    assert "fgrun-escaped" not in set(os.listdir("/tmp")) - before
    assert os.stat("/etc/passwd").st_nlink == passwd.st_nlink and os.stat("/etc/passwd").st_mtime_ns == passwd.st_mtime_ns


def test_a_bomb_ends_at_the_limit(tmp_path):
    reference = layout(tmp_path / "image", ociimage.Layer({f"zeros{i}": bytes(8 << 20) for i in range(8)}))
    result = refused(tmp_path / "store", reference, options=["--prepared-max", str(20 << 20)])
    assert result["code"] == "INVALID"
    assert clean(tmp_path / "store")


def endless(directory):
    """An image that takes minutes and hardly any room: one directory, again and again."""
    info = tarfile.TarInfo("x")
    info.type = tarfile.DIRTYPE
    layer = ociimage.Layer(tar=b"")  # its digest is wrong, but who will come to see that?
    layer.data = gzip.compress(info.tobuf() * 30_000, mtime=0) * 100
    return layout(directory, layer)


@pytest.mark.parametrize("option, code, text", [
    ("--prepare-cpu", "INVALID", "unpacking ended with signal 9"), ("--prepare-seconds", "TIMEOUT", "more than 1 s")])
def test_time_is_limited(tmp_path, option, code, text):
    store = tmp_path / "store"
    begin = time.monotonic()
    result = refused(store, endless(tmp_path / "image"), options=[option, "1"])
    assert result["code"] == code and text in result["error"]
    assert time.monotonic() - begin > 1 and clean(store)


def test_memory_is_limited(tmp_path):
    """The window of this layer is larger than what may be taken."""
    layer = ociimage.Layer(tar=b"")
    made = subprocess.run(["zstd", "-q", "-1", "--long=27", "-c"], check=True, stdout=subprocess.PIPE,
                          input=bytes(64 << 20)).stdout
    layer.data, layer.media_type = made, layer.media_type.replace("+gzip", "+zstd")
    reference = layout(tmp_path / "image", layer)
    few = refused(tmp_path / "few", reference, options=["--prepare-memory", str(64 << 20)])
    enough = refused(tmp_path / "enough", reference)  # now the content is what is wrong
    assert few["code"] == enough["code"] == "INVALID" and "diff_id" in enough["error"]
    assert ("not enough memory" in few["error"]) == LIMITS_MEMORY


def test_wrong_content_is_noticed(tmp_path):
    store = tmp_path / "store"
    layer = ociimage.Layer({"a": os.urandom(50_000)})
    reference = layout(tmp_path / "image", layer)
    tool(store, "pull", reference)
    blob = store / "blobs/sha256" / ociimage.digest(layer.data)[7:]
    with open(blob, "r+b") as file:
        file.seek(1000)
        file.write(b"changed")
    assert refused(store, reference, options=["--missing"])["code"] == "INVALID"


@contextlib.contextmanager
def pulling(directory, store):
    """An image of two layers, prepared as it comes from a registry that keeps the second one back."""
    layers = [ociimage.Layer({"first": b"1"}), ociimage.Layer({"second": os.urandom(1 << 20)}, "none")]
    source = ociimage.write_layout(str(directory / "layout"), {"a": ociimage.Image(layers)})
    gate = threading.Event()
    (directory / "registry").mkdir()
    with Registry(directory / "registry") as registry, FaultProxy(registry.host) as proxy:
        registry.push(source, "a", "test/x:a")
        proxy.fault(Slow(piece=1000, gate=gate), path=ociimage.digest(layers[1].data))
        with subprocess.Popen([TOOL, "--ahead", store, "prepare", f"{proxy.host}/test/x:a"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env={**CLEAN_ENV, "FG_PREPARE": PREPARE}) as process:
            yield process, gate, lambda: json.loads(process.communicate(timeout=TIMEOUT)[0])[0]


def test_what_cannot_be_prepared_is_not_begun_again_and_again(tmp_path):
    """Once as it comes, and once when it is there: to say so for good."""
    layers = [tar(({"name": "x/disk", "type": tarfile.BLKTYPE, "devmajor": 8}, b"")),
              *(ociimage.Layer({f"{n}": os.urandom(20_000)}, "none") for n in range(6))]
    runs, program = tmp_path / "runs", tmp_path / "fg-prepare"
    program.write_text(f"#!/bin/sh\necho >>{runs}\nexec {PREPARE} \"$@\"\n", encoding="ascii")
    program.chmod(0o755)
    source = ociimage.write_layout(str(tmp_path / "layout"), {"a": ociimage.Image(layers)})
    (tmp_path / "registry").mkdir()
    with Registry(tmp_path / "registry") as registry, FaultProxy(registry.host) as proxy:
        registry.push(source, "a", "test/x:a")
        for n, layer in enumerate(layers[1:]):  # progress is reported ten times a second
            gate = threading.Event()
            threading.Timer(0.15 * (n + 1), gate.set).start()
            proxy.fault(Slow(piece=1000, gate=gate), path=ociimage.digest(layer.data))
        done = subprocess.run([TOOL, "--ahead", tmp_path / "store", "prepare", f"{proxy.host}/test/x:a"], check=False,
                              stdout=subprocess.PIPE, env={**CLEAN_ENV, "FG_PREPARE": program}, timeout=TIMEOUT)
    assert "device nodes" in json.loads(done.stdout)[0]["error"]
    assert len(runs.read_text(encoding="ascii")) == 2 and clean(tmp_path / "store")


def first_is_unpacked(store):
    deadline = time.monotonic() + TIMEOUT
    while not glob.glob(f"{store}/tmp/scratch*/work/tree/rootfs/first"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def limits_of(program, ancestor):
    """Of what it runs in its sandbox, the youngest of all."""
    pids = [ancestor]
    while children := [int(pid) for path in pathlib.Path(f"/proc/{pids[-1]}/task").glob("*/children")
                       for pid in path.read_text(encoding="ascii").split()]:
        pids.append(children[-1])
    assert len(pids) == 4 and pathlib.Path(f"/proc/{pids[-1]}/comm").read_text(encoding="ascii").strip() == program
    text = pathlib.Path(f"/proc/{pids[-1]}/limits").read_text(encoding="ascii")
    return set(re.findall(r"^Max (.*?) {2,}(?:\S+) +(\d+) ", text, re.MULTILINE))


def test_unpacked_while_it_is_downloaded(tmp_path):
    store = tmp_path / "store"
    with pulling(tmp_path, store) as (process, gate, result):
        first_is_unpacked(store)
        limits = limits_of("fg-prepare", process.pid)
        gate.set()
        made = result()
    assert {("cpu time", "1800"), ("file size", str(1 << 30))} <= limits
    assert (("address space", str(2 << 30)) in limits) == LIMITS_MEMORY
    with mounted(made["path"], tmp_path / "mounted") as root:
        assert {path.name for path in (root / "rootfs").iterdir()} == {"first", "second"}
    assert clean(store) and tool(store, "list")[0]["prepared"]


def test_a_layer_that_does_not_come(tmp_path):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    work = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    done = subprocess.run([PREPARE, "sha256:" + "0" * 64, "1000000", str(1 << 31), "60"], stdin=theirs, stdout=work, stderr=subprocess.PIPE,
                          timeout=TIMEOUT, check=False)
    assert done.returncode == 2 and b"did not come" in done.stderr  # may go better another time


def test_ended_while_it_waits_for_a_layer(tmp_path):
    store = tmp_path / "store"
    with pulling(tmp_path, store) as (process, gate, result):
        first_is_unpacked(store)
        children = pathlib.Path(f"/proc/{process.pid}/task").glob("*/children")
        for pid in " ".join(path.read_text(encoding="ascii") for path in children).split():
            os.kill(int(pid), signal.SIGKILL)
        gate.set()
        assert "error" not in result()
    assert clean(store) and tool(store, "list")[0]["prepared"]


def test_killed_at_any_moment(tmp_path):
    """Whatever was under way is forgotten: the next life makes it, and nothing is left of the first."""
    reference = layout(tmp_path / "image", *[ociimage.Layer({f"d{i}/f{j}": os.urandom(20_000) for j in range(100)},
                                                            "none") for i in range(5)])
    for step in range(6):
        store = tmp_path / f"store{step}"
        process = subprocess.Popen([TOOL, str(store), "prepare", reference], stdout=subprocess.DEVNULL)
        time.sleep(0.03 + step * 0.05)  # the moment is the test's subject, not a wait for something
        process.send_signal(signal.SIGKILL)
        process.wait()
        with mounted(prepared(store, reference), tmp_path / f"mnt{step}") as root:
            assert len(os.listdir(root / "rootfs/d4")) == 100
        assert clean(store)


def test_children_die_with_their_parent(tmp_path):
    reference = layout(tmp_path / "image", *[ociimage.Layer({f"l{i}/{j}": os.urandom(1 << 20) for j in range(20)})
                                             for i in range(3)])
    process = subprocess.Popen([TOOL, str(tmp_path / "store"), "prepare", reference], stdout=subprocess.DEVNULL)

    def children():
        """By their begin: others on this machine may prepare images as well."""
        found, parents = {}, {}
        for path in glob.glob("/proc/[0-9]*"):
            with contextlib.suppress(OSError):
                name, _, rest = pathlib.Path(path, "stat").read_text(encoding="utf-8").rpartition(") ")
                state, parent, *_ = words = rest.split()
                parents[int(path[6:])] = int(parent)
                if name.endswith("(fg-prepare") and state != "Z":
                    found[int(path[6:])] = words[19]
        return found, parents

    def is_ours(pid, parents):
        while pid and pid != process.pid:
            pid = parents.get(pid, 0)
        return pid == process.pid

    def of_this():
        found, parents = children()
        return {pid: begin for pid, begin in found.items() if is_ours(pid, parents)}

    deadline = time.monotonic() + 60
    while not (ours := of_this()) and process.poll() is None:
        assert time.monotonic() < deadline
    assert ours
    process.kill()
    process.wait()
    while ours.items() & children()[0].items():
        assert time.monotonic() < deadline, "fg-prepare outlives its parent"


def test_as_an_ordinary_user(tmp_path):
    """Without root only files of one owner can be made; what has others is left to guests."""
    os.chmod(tmp_path, 0o777)
    for parent in tmp_path.parents[:-2]:
        os.chmod(parent, 0o755)
    one = layout(tmp_path / "one", ociimage.Layer({"etc/x": b"1"}))
    two = layout(tmp_path / "two", ociimage.Layer({"etc/x": ociimage.File(b"1", uid=5)}))

    def as_nobody(*args):
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", TOOL, *args],
                              stdout=subprocess.PIPE, check=False, timeout=TIMEOUT)
        return json.loads(done.stdout)[0]

    assert "path" in as_nobody(str(tmp_path / "store"), "prepare", one)
    assert as_nobody(str(tmp_path / "store"), "prepare", two)["code"] == "INVALID"
    assert clean(tmp_path / "store")
