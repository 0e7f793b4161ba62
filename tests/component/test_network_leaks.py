# SPDX-License-Identifier: Apache-2.0
"""Tasks in a row on the network while fgd is killed: nothing is left, and nobody's rules have changed.

FG_TASKS says how many; the suite runs a few dozen. With FG_GUESTS=real they are VMs, which wait warm.
"""

import contextlib
import http.client
import os
import pathlib
import random
import socket
import subprocess
import threading

from conftest import BUILD, HYPERVISOR
from fgd import Failure

TASKS = int(os.environ.get("FG_TASKS", "48"))
REAL = os.environ.get("FG_GUESTS") == "real"
FORWARDING = pathlib.Path("/proc/sys/net/ipv4/ip_forward")
# As another program might have them; the test's namespace is its host.
OTHERS = """
table inet docker {
  set allowed { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.7 }; }
  chain forward { type filter hook forward priority 0; policy accept; ip saddr @allowed counter accept
  }
}
table ip nat {
  chain out {
    type nat hook postrouting priority 100;
    ip saddr 192.0.2.0/24 masquerade
  }
}
"""


def nft(*words, text=None):
    return subprocess.run(["nft", *words], input=text, check=True, stdout=subprocess.PIPE, text=True).stdout


def of_the_host(directory):
    """What a VPC may change on its host while it lives."""
    mounts = pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    dnsmasq = subprocess.run(["pgrep", "-f", f"dnsmasq.*{directory}"], check=False, stdout=subprocess.PIPE, text=True)
    return {"ruleset": nft("-s", "list", "ruleset"), "devices": socket.if_nameindex(),
            "forwarding": FORWARDING.read_text(encoding="ascii"),
            "mounts": [line for line in mounts if directory in line], "dnsmasq": dnsmasq.stdout}


def short(task):
    if not REAL:
        return task("print hello")
    return task("echo", "hello", container={"image": f"oci:{BUILD}/demo/hello:latest"})


def run_some(fgd, task, count, first):
    """Start @count short tasks, one after the other, as long as fgd is there; their ids."""
    accepted = []
    for i in range(count):
        # A warm VM takes only a task without ports.
        port = [] if REAL else [{"hostPort": 20000 + (first + i) % 1000, "containerPort": 80}]
        try:
            accepted.append(fgd.run(short(task), publish=port)["fgrun"]["id"])
        except (OSError, ValueError, http.client.HTTPException):
            break  # killed
        except Failure as failure:
            assert failure.status == 409, failure  # a port of one that has not gone yet
    return accepted


def test_killed_again_and_again(start, task):
    seed = int(os.environ.get("FG_SEED", "0")) or random.randrange(1 << 32)
    print(f"FG_SEED={seed}")
    dice = random.Random(seed)
    nft("-f", "-", text=OTHERS)
    FORWARDING.write_text("0", encoding="ascii")
    done = kills = 0
    try:
        more = {"hypervisor": "embed", "warm_memory_mib": "1024"} if REAL else {"hypervisor": HYPERVISOR}
        with start(network="vpc", **more) as fgd:
            fgd.stop()
            before = of_the_host(fgd.directory)
            fgd.start()
            while done < TASKS:
                killer = threading.Timer(dice.uniform(0, 8 if REAL else 0.4), fgd.kill)
                killer.start()
                accepted = run_some(fgd, task, min(4 if REAL else 16, TASKS - done), done)
                killer.join()
                kills += 1
                fgd.start()
                for task_id in accepted:
                    assert fgd.get(task_id, wait="STOPPED")["lastStatus"] == "STOPPED"
                done += len(accepted)
            assert fgd.call("GET", "/v1/network")["networkInterfaces"] == []
            assert fgd.stop() == 0
            assert of_the_host(fgd.directory) == before
            print(f"figure: {done} tasks, {kills} kills: nothing left")
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            nft("flush", "ruleset")
