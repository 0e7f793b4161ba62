# SPDX-License-Identifier: Apache-2.0
"""A machine with KVM: a Debian whose processor QEMU emulates together with AMD's SVM.

Guests in it run on a real /dev/kvm, slowly. systemd is its init, fgrun comes from `make install`.
"""

import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

from guest import tsc_khz  # noqa: E402

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "fgrun" / "outer"
BASE_SECONDS = 480
BOOT_SECONDS = 600
DISK_MIB = 3072
SUITE = "bookworm"

# What fgrun needs at run time, and a system around it. No libvirt-daemon-system: the user of its
# QEMU has to come from our own sysusers.d.
PACKAGES = """
    busybox-static dbus e2fsprogs kmod libarchive13 libcurl4 libinih1 libjson-c5 libmicrohttpd12
    libmnl0 libnftables1 libseccomp2 libsmartcols1 libsqlite3-0 libsystemd0 libvirt-daemon libvirt-daemon-driver-qemu
    libvirt0 linux-image-cloud-amd64 python3 qemu-system-x86 qemu-utils seabios systemd
    systemd-sysv udev
""".split()
BOOTSTRAP = ["mmdebstrap", "--quiet", "--variant=minbase", "--format=directory",
             "--aptopt=Acquire::Languages \"none\"", "--dpkgopt=path-exclude=/usr/share/doc/*",
             "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/man/*",
             "--include=" + ",".join(PACKAGES)]

UNIT = """
[Unit]
Description=Tests of fgrun as a service
After=fgd.service multi-user.target
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -B /opt/fgrun-test/inside.py
StandardOutput=journal+console
StandardError=journal+console
Environment=HOME=/root PYTHONUNBUFFERED=1
"""


def base():
    """The Debian without fgrun: a directory in the cache, made when it is not there."""
    key = hashlib.sha256("\n".join([SUITE] + BOOTSTRAP).encode()).hexdigest()[:16]
    directory = CACHE / key
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            unfinished = tempfile.mkdtemp(dir=CACHE, prefix="new.")
            try:
                subprocess.run(BOOTSTRAP + [SUITE, unfinished], check=True, timeout=BASE_SECONDS)
                os.rename(unfinished, directory)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return directory


def make_install(build, destdir, prefix):
    subprocess.run(["make", "--no-print-directory", "-C", ROOT, "install", f"BUILD={build}",
                    f"DESTDIR={destdir}", f"PREFIX={prefix}"], check=True, stdout=subprocess.DEVNULL)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def enable(root, unit):
    """What systemctl enable would do."""
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    (wants / unit.name).symlink_to("/" + str(unit.relative_to(root)))


def make_disk(build, disk):
    """The base with fgrun installed and enabled, the test and an image to run."""
    debian = base()
    # Hard links: files are only added, so those of the cache stay as they are.
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="stage.") as parent:
        stage = pathlib.Path(parent) / "root"
        subprocess.run(["cp", "-al", debian, stage], check=True)
        make_install(build, stage, "/usr")
        test = stage / "opt/fgrun-test"
        test.mkdir(parents=True)
        subprocess.run([ROOT / "scripts/demo-image.sh", test / "image"], check=True)
        shutil.copy(pathlib.Path(__file__).parent / "inside.py", test)
        shutil.copy(shutil.which("runc"), stage / "usr/sbin/runc")  # needs nothing that is not there
        write(stage / "etc/sysusers.d/fgrun-test.conf", "u caller - \"\" /var/lib/caller\nm caller kvm\n")
        # Every QEMU is a task's: what is left of one can be seen.
        write(stage / "etc/fgrun/fgd.conf", "warm_memory_mib = 0\n")
        write(stage / "etc/tmpfiles.d/fgrun-test.conf", "d /var/lib/caller 0711 caller caller\n")
        write(stage / "etc/systemd/system/fgrun-test.service", UNIT)
        enable(stage, stage / "etc/systemd/system/fgrun-test.service")
        enable(stage, stage / "usr/lib/systemd/system/fgd.service")
        with open(disk, "wb") as file:
            file.truncate(DISK_MIB << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", stage, disk], check=True)


class Outer:
    """One boot of the machine; what the test inside reports, by step."""

    def __init__(self, directory, disk, part):
        self.results = {}
        self.report = pathlib.Path(directory) / f"report-{part}"
        self.console = pathlib.Path(directory) / f"console-{part}"
        self.report.write_bytes(b"")
        boot = base() / "boot"
        with open(self.console, "wb") as console:
            self.process = subprocess.Popen(
                ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,+svm",
                 "-smp", "2", "-m", "3072", "-nodefaults", "-no-user-config", "-display", "none",
                 "-no-reboot", "-kernel", next(boot.glob("vmlinuz-*")),
                 "-initrd", next(boot.glob("initrd.img-*")), "-append",
                 "root=/dev/vda rw console=ttyS0 panic=-1 quiet systemd.show_status=0 systemd.firstboot=off "
                 f"tsc_early_khz={tsc_khz()} tsc=reliable no_timer_check fgrun.test={part}",
                 "-serial", "stdio", "-serial", f"file:{self.report}",
                 "-drive", f"if=virtio,format=raw,file={disk}", "-device", "virtio-rng-pci"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut_power()

    def cut_power(self):
        self.process.kill()
        self.process.wait()

    def wait(self, step):
        """Until the test inside has reported @step; None: until the machine is off."""
        deadline = time.monotonic() + BOOT_SECONDS
        while True:
            off = self.process.poll() is not None
            for line in self.report.read_text(encoding="utf-8").split("\n")[:-1]:
                result = json.loads(line)
                self.results[result.pop("step")] = result
            if step in self.results or (step is None and off):
                return
            if "failed" in self.results or off or time.monotonic() > deadline:
                raise AssertionError(f"no {step or 'end'} in time; reported: {self.results}\n{self.tail()}")
            time.sleep(0.1)

    def tail(self):
        return self.console.read_text(encoding="utf-8", errors="replace")[-6000:]
