# SPDX-License-Identifier: Apache-2.0
"""What a test run must not leave on the machine: processes, mounts, TAPs, cgroups, files.

usage: leftovers.py snapshot > FILE
       leftovers.py compare FILE
"""

import contextlib
import glob
import json
import os
import subprocess
import sys

PROGRAMS = ("fgd", "fgrun", "fg-fake-guest", "fg-archive", "fg-prepare", "mkfs.erofs", "qemu-system", "docker-registr", "libvirtd",
            "virtlogd", "pasta", "passt", "dnsmasq")


def processes():
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path, encoding="utf-8") as comm:
                name = comm.read().strip()
            with open(os.path.dirname(path) + "/stat", encoding="utf-8") as stat:
                state = stat.read().rpartition(")")[2].split()[0]
        except OSError:
            continue
        # A zombie is its reaper's business: PID 1 of this machine, not the suite's.
        if name.startswith(PROGRAMS) and state != "Z":
            found.append(f"{name} (pid {path.split('/')[2]})")
    return found


def lines(path, wanted):
    with open(path, encoding="utf-8") as file:
        return [line.strip() for line in file if wanted(line)]


def cgroups():
    return [path for path in glob.glob("/sys/fs/cgroup/**/*fgrun*", recursive=True) if os.path.isdir(path)]


def tables():
    """nftables, where its tool is installed."""
    with contextlib.suppress(FileNotFoundError):
        done = subprocess.run(["nft", "list", "tables"], stdout=subprocess.PIPE, check=False, text=True)
        return sorted(done.stdout.splitlines())
    return []


def snapshot():
    return {
        "process": processes(),
        "mount": [line.split()[1] for line in lines("/proc/self/mounts", lambda line: True)],
        "network device": sorted(os.listdir("/sys/class/net")),
        "network namespace": sorted(glob.glob("/run/netns/*")),
        "nftables table": tables(),
        "loop device": [dev for dev in glob.glob("/sys/block/loop*/loop/backing_file")],
        "cgroup": cgroups(),
        "file": sorted(glob.glob("/tmp/fgrun-*") + glob.glob("/tmp/pytest-of-*/**/fgd.sock", recursive=True)
                       + glob.glob("/run/fgrun*/*") + glob.glob("/dev/shm/fgrun*")),
    }


def main():
    now = snapshot()
    if sys.argv[1] == "snapshot":
        json.dump(now, sys.stdout)
        return 0
    with open(sys.argv[2], encoding="utf-8") as file:
        before = json.load(file)
    left = [(kind, what) for kind, found in now.items() for what in found if what not in before[kind]]
    for kind, what in left:
        print(f"left behind: {kind} {what}")
    if not left:
        print("nothing")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
