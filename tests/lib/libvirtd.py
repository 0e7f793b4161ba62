#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs libvirtd and virtlogd, without systemd, until its stdin ends; prints a line when they serve.

They use libvirt's default paths, so the caller gives them a mount namespace. QEMUs are orphans, and
libvirt waits for a dead one until somebody reaps it, as PID 1 does elsewhere.
"""
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
SOCKET = "/run/libvirt/libvirt-sock"
CONFIG = 'listen_tls = 0\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n'
WAIT_SECONDS = 30


def start(program, directory):
    config = f"{directory}/{program}.conf"
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG if program == "libvirtd" else "")
    with open(f"{directory}/{program}.log", "w", encoding="utf-8") as log:
        return subprocess.Popen([f"/usr/sbin/{program}", "-f", config, "-p", f"{directory}/{program}.pid"],
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def main(directory):
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Python asks only about children it knows; the others are reaped as they end.
    daemons = [start("virtlogd", directory), start("libvirtd", directory)]
    deadline = time.monotonic() + WAIT_SECONDS
    while not os.path.exists(SOCKET) and time.monotonic() < deadline:
        time.sleep(0.02)
    print("serving", flush=True)
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG):
            pass
    for daemon in reversed(daemons):
        os.kill(daemon.pid, signal.SIGTERM)
        os.waitpid(daemon.pid, 0)


if __name__ == "__main__":
    main(sys.argv[1])
