#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real images: a minimal Debian, the same with Python in a second layer, and one of services.

    layout = debian.layout()       # an OCI layout with the tags "base" and "python"
    layout = debian.services()     # with the tag "latest": nginx, curl, PostgreSQL, Python, a small application

    tests/lib/debian.py DIRECTORY  # the services, as an OCI layout at DIRECTORY

mmdebstrap makes them from the apt sources of this machine. That takes a minute, so they are kept in
the cache; a changed recipe makes new ones.
"""

import concurrent.futures
import fcntl
import filecmp
import glob
import hashlib
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile

import ociimage

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "fgrun" / "debian"
SECONDS = 400
VERSION = 1  # of what is done with the trees

LEFT_OUT = ["/usr/share/doc", "/usr/share/info", "/usr/share/locale", "/usr/share/man"]
PACKAGES = {"base": [], "python": ["locales", "python3"]}
LOCALE = "de_DE"  # compiled here, because that takes a guest under TCG half a minute
HOOKS = ["chroot \"$1\" groupadd -g 2000 crew",
         "chroot \"$1\" useradd -m -u 1000 -s /bin/bash -G crew app",
         f"[ ! -e \"$1/usr/share/i18n\" ] || chroot \"$1\" localedef -i {LOCALE} -f UTF-8 {LOCALE}.UTF-8"]
# The package makes PostgreSQL's cluster "main". Nobody but the task itself reaches its loopback. A query that
# wants LLVM, which is as large as half of the rest, is not made here.
SERVICES = ["curl", "nginx-light", "postgresql", "python3-psycopg2"]
SERVICES_HOOKS = ["cd \"$1\"/usr/lib && rm -r */libLLVM* postgresql/*/lib/bitcode",
                  "cd \"$1\"/etc/postgresql/*/main && echo host all all localhost trust >pg_hba.conf"]
APPLICATION = pathlib.Path(__file__).resolve().parents[2] / "examples" / "two-tier.py"
ENVIRONMENT = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]


def sources():
    """The files in which this machine names its Debian mirrors."""
    found = glob.glob("/etc/apt/sources.list.d/*.sources") + glob.glob("/etc/apt/sources.list.d/*.list")
    return [path for path in ["/etc/apt/sources.list", *found] if os.path.exists(path) and os.path.getsize(path)]


def suite():
    for line in pathlib.Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2]
    raise RuntimeError("/etc/os-release does not name a Debian release")


def command(packages, hooks=None):
    return ["mmdebstrap", "--quiet", "--variant=minbase", "--format=directory",
            "--aptopt=Acquire::Languages \"none\"",
            *[f"--dpkgopt=path-exclude={path}/*" for path in LEFT_OUT],
            *[f"--customize-hook={hook}" for hook in hooks or HOOKS],
            *(["--include=" + ",".join(packages)] if packages else [])]


def strap(argv, tree):
    subprocess.run([*argv, suite(), tree, *sources()], check=True, stdin=subprocess.DEVNULL, timeout=SECONDS)


def same(a, b):
    """Are these two files of two trees the same, but for their age?"""
    x, y = os.lstat(a), os.lstat(b)
    if (x.st_mode, x.st_uid, x.st_gid, x.st_rdev) != (y.st_mode, y.st_uid, y.st_gid, y.st_rdev):
        return False
    if stat.S_ISLNK(x.st_mode):
        return os.readlink(a) == os.readlink(b)
    return not stat.S_ISREG(x.st_mode) or filecmp.cmp(a, b, shallow=False)


def added(below, tree):
    """What @tree has and @below has not, or has otherwise: the names of a second layer."""
    for base, directories, files in os.walk(tree):
        for name in sorted(directories + files):
            path = os.path.relpath(os.path.join(base, name), tree)
            if not os.path.lexists(os.path.join(below, path)) or not same(os.path.join(below, path),
                                                                         os.path.join(tree, path)):
                yield path


def make(directory):
    trees = {tag: directory / tag for tag in PACKAGES}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = [pool.submit(strap, command(PACKAGES[tag]), tree) for tag, tree in trees.items()]
        for run in runs:
            run.result()
    base = ociimage.Layer.from_directory(trees["base"])
    python = ociimage.Layer.from_directory(trees["python"], "zstd", list(added(trees["base"], trees["python"])))
    ociimage.write_layout(directory / "layout", {
        "base": ociimage.Image([base], cmd=["bash"], env=ENVIRONMENT),
        "python": ociimage.Image([base, python], entrypoint=["python3"], user="app", workdir="/home/app",
                                 env=[*ENVIRONMENT, "LANG=C.UTF-8"])})


def cached(recipe, fill):
    """The layout that @fill leaves in a directory it is given, made once for a recipe."""
    out = CACHE / hashlib.sha256(repr([VERSION, suite(), *recipe]).encode()).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            unfinished = pathlib.Path(tempfile.mkdtemp(dir=CACHE, prefix="new."))
            try:
                fill(unfinished)
                os.rename(unfinished / "layout", out)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return str(out)


def layout():
    return cached([[command(packages) for packages in PACKAGES.values()]], make)


def services():
    argv, application = command(SERVICES, SERVICES_HOOKS), APPLICATION.read_bytes()

    def fill(directory):
        strap(argv, directory / "tree")
        layers = [ociimage.Layer.from_directory(directory / "tree", "zstd"),
                  ociimage.Layer({"srv/two-tier.py": ociimage.File(application)})]
        ociimage.write_layout(directory / "layout", {"latest": ociimage.Image(layers, cmd=["bash"],
                                                                              env=[*ENVIRONMENT, "LANG=C.UTF-8"])})

    return cached([argv, application], fill)


if __name__ == "__main__":
    shutil.copytree(services(), sys.argv[1], dirs_exist_ok=True)
