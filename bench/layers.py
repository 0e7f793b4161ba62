#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What one EROFS per layer would give, and cost, in the place of one per image.

Three images with one base of this host's files and a small layer above each, made both ways; as
root, with loop devices and overlays of the host: disk, time to unpack and to make them, time to
attach and mount, time to look at every file, page cache after every file of the base was read.
With BUILD in its guests: three containers that start from one disk, and from three. All that is
compared is run in turn.

usage: bench/layers.py [BUILD] [--runs N]
"""

import argparse
import contextlib
import ctypes
import errno
import fcntl
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BASE = ["/usr/lib/python3.11", "/usr/share/perl", "/usr/lib/x86_64-linux-gnu/perl"]
IMAGES = 3
LAYERS = [2, 5, 10]
LOOP_SET_FD, LOOP_CLR_FD, LOOP_CTL_GET_FREE = 0x4C00, 0x4C01, 0x4C82
MS_RDONLY, MNT_DETACH = 1, 2
libc = ctypes.CDLL(None, use_errno=True)


def run(*words):
    subprocess.run(list(map(str, words)), check=True)


def timed(function):
    begin = time.monotonic()
    function()
    return (time.monotonic() - begin) * 1000


def mount(source, target, kind, flags, options=""):
    if libc.mount(str(source).encode(), str(target).encode(), kind.encode(), flags, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), f"mount {target}")


def attach(control, file):
    while True:
        loop = open(f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}", "rb")
        try:
            with open(file, "rb") as backing:
                fcntl.ioctl(loop, LOOP_SET_FD, backing.fileno())
            return loop
        except OSError as error:  # somebody else took it
            loop.close()
            if error.errno != errno.EBUSY:
                raise


@contextlib.contextmanager
def overlay(work, files):
    """A root of these EROFS files, the first one on top; yields it and the time that it took."""
    undo = contextlib.ExitStack()
    lowers = []
    begin = time.monotonic()
    with undo, open("/dev/loop-control", "rb") as control:
        for n, file in enumerate(files):
            loop = undo.enter_context(attach(control, file))
            undo.callback(fcntl.ioctl, loop, LOOP_CLR_FD)
            lowers.append(work / f"lower{n}")
            lowers[-1].mkdir(exist_ok=True)
            mount(loop.name, lowers[-1], "erofs", MS_RDONLY)
            undo.callback(libc.umount2, str(lowers[-1]).encode(), MNT_DETACH)
        for name in ("root", "scratch"):
            (work / name).mkdir(exist_ok=True)
        mount("tmpfs", work / "scratch", "tmpfs", 0)
        undo.callback(libc.umount2, str(work / "scratch").encode(), MNT_DETACH)
        for name in ("upper", "work"):
            (work / "scratch" / name).mkdir()
        mount("overlay", work / "root", "overlay", 0, f"lowerdir={':'.join(map(str, lowers))},"
              f"upperdir={work}/scratch/upper,workdir={work}/scratch/work")
        undo.callback(libc.umount2, str(work / "root").encode(), MNT_DETACH)
        yield work / "root", (time.monotonic() - begin) * 1000


def files_of(root):
    return [os.path.join(path, name) for path, _, names in os.walk(root) for name in names]


def read_all(root):
    for path in files_of(root):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                while file.read(1 << 20):
                    pass


def cached_mib(files):
    told = subprocess.run(["fincore", "--bytes", "--noheadings", "--output", "RES", *map(str, files)],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    return sum(map(int, told.split())) / 2**20


def disk_mib(files):
    return sum(os.stat(file).st_blocks * 512 for file in files) / 2**20


def write_layers(work):
    """Archives: the base, and small layers with files of their own and one of the base's changed."""
    run("tar", "-czf", work / "base.tar.gz", "--exclude=__pycache__", "--absolute-names", "--transform=s,^/,,", *BASE)
    for n in range(max(IMAGES, *LAYERS)):
        top = work / f"top{n}"
        (top / "usr/lib/python3.11").mkdir(parents=True)
        (top / f"app{n}").mkdir()
        (top / "usr/lib/python3.11/os.py").write_text(f"# changed {n}\n", encoding="ascii")
        for i in range(4):
            (top / f"app{n}" / str(i)).write_bytes(os.urandom(256 << 10))
        run("tar", "-czf", work / f"top{n}.tar.gz", "-C", top, ".")


def make(work, result, archives):
    """Unpacked one over the other, then made into one EROFS, as fg-prepare does."""
    with tempfile.TemporaryDirectory(dir=work) as tree:
        for archive in archives:
            run("tar", "-xzf", archive, "-C", tree)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(result)
        run("mkfs.erofs", "--quiet", "-d0", result, tree)
    return result


def median(samples):
    return f"{statistics.median(samples):.1f} ms ({min(samples):.1f} to {max(samples):.1f})"


def drop_caches():
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")


def on_the_host(work, runs):
    write_layers(work)
    base = work / "base.tar.gz"
    tops = [work / f"top{n}.tar.gz" for n in range(max(IMAGES, *LAYERS))]
    whole = [work / f"image{n}.erofs" for n in range(IMAGES)]
    parts = [work / "base.erofs", *(work / f"top{n}.erofs" for n in range(len(tops)))]
    spent = {"image": [], "layer": []}
    for _ in range(3):
        spent["image"].append(timed(lambda: [make(work, whole[n], [base, tops[n]]) for n in range(IMAGES)]))
        spent["layer"].append(timed(lambda: [make(work, parts[n], [([base] + tops)[n]]) for n in range(IMAGES + 1)]))
    for n in range(IMAGES + 1, len(parts)):
        make(work, parts[n], [tops[n - 1]])
    own = parts[:IMAGES + 1]
    print(f"base of {disk_mib(parts[:1]):.0f} MiB, {IMAGES} images with {disk_mib(parts[1:2]):.1f} MiB of their own")
    print(f"disk: per image {disk_mib(whole):.0f} MiB, per layer {disk_mib(own):.0f} MiB")
    print(f"made, all: per image {median(spent['image'])}, per layer {median(spent['layer'])}")

    ways = {"image": whole[:1], **{f"{n} layers": [*reversed(parts[1:n]), parts[0]] for n in LAYERS}}
    took, looked = {way: [] for way in ways}, {way: [] for way in ways}
    for _ in range(runs):
        for way, files in ways.items():
            with overlay(work, files) as (root, ms):
                took[way].append(ms)
                looked[way].append(timed(lambda root=root: [os.lstat(path) for path in files_of(root)]))
    for way in ways:
        print(f"{way}: attached and mounted {median(took[way])}, every file looked at {median(looked[way])}")

    for way, stacks in (("image", [[file] for file in whole]), ("layer", [[part, parts[0]] for part in parts[1:4]])):
        drop_caches()
        for files in stacks:
            with overlay(work, files) as (root, _):
                read_all(root)
        print(f"page cache after all have been read: per {way} "
              f"{cached_mib({file for files in stacks for file in files}):.0f} MiB")


def in_guests(work, build, runs):
    os.environ["FGRUN_BUILD"] = str(pathlib.Path(build).resolve())
    sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "lib")]
    import lab as lab_module  # pylint: disable=import-outside-toplevel
    import ociimage  # pylint: disable=import-outside-toplevel

    samples = {1: [], IMAGES: []}
    layout = work / "layout"
    busybox = ociimage.busybox().layers
    images = [ociimage.Image([*busybox, ociimage.Layer({f"own{n}": b"x"})], env=["PATH=/bin"]) for n in range(IMAGES)]
    rounds = 2 * (runs + 2)  # new names each time, or guests would wait with the images mounted
    names = {f"{disks}.{n}.{i}": images[n % disks] for disks in samples for n in range(IMAGES) for i in range(rounds)}
    ociimage.write_layout(str(layout), names)
    os.chmod(work, 0o755)
    with lab_module.lab(warm_memory_mib=1024) as lab:
        for i in range(rounds):
            disks = 1 if i % 2 else IMAGES
            task = {"family": "layers", "cpu": "256", "memory": "512", "fgrun": {"start": "warm"},
                    "containerDefinitions": [{"name": f"c{n}", "image": f"oci:{layout}:{disks}.{n}.{i}",
                                              "command": ["true"], "essential": n == 0} for n in range(IMAGES)]}
            done = lab.wait(lab.detach(task))
            lab_module.wait_for(lambda: any(size["ready"] for size in lab.fgd.call("GET", "/v1/info")["pool"])
                                and all(image["prepared"] for image in lab.fgd.call("GET", "/v1/images")["images"]),
                                "a guest that waits", 120)
            if i > 3 and done["fgrun"]["start"]["way"] == "warm":
                samples[disks] += [p["sinceAcceptMs"] for p in done["fgrun"]["phases"] if p["name"] == "unpacked"]
    for disks, list_ in samples.items():
        print(f"warm guest, {disks} disks attached and mounted {median(list_)} after the task was accepted")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", nargs="?", help="measure in guests of this build")
    parser.add_argument("--runs", type=int, default=20)
    args = parser.parse_args()
    libc.unshare(0x00020000)  # CLONE_NEWNS: no mount is left
    libc.mount(None, b"/", None, 0x44000, None)  # MS_REC | MS_PRIVATE
    with tempfile.TemporaryDirectory(prefix="fgrun-layers-") as directory:
        if args.build:
            in_guests(pathlib.Path(directory), args.build, args.runs)
        else:
            on_the_host(pathlib.Path(directory), args.runs)


if __name__ == "__main__":
    main()
