#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nginx in a task, in a container of runc and natively, asked by wrk from another network namespace.

All three are the same files of the same image, with one worker. The task's port is published by
fgd; the container has a pair of devices and one rule that translates addresses, as Docker does it;
natively nginx listens on the host. Each is measured in turn, A B C A B C, so that a drift of the
machine hits all alike. "The host" is a namespace of this program, and goes with it. Needs root.
Prints medians; with --json FILE also every sample.

usage: bench/network.py BUILD [--runs N] [--seconds N] [--json FILE]
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

import debian  # noqa: E402
import fgd as fgd_harness  # noqa: E402
import netlab  # noqa: E402
import ownnet  # noqa: E402

PACKAGES = {"wrk": "wrk", "runc": "runc", "nft": "nftables", "ip": "iproute2", "mmdebstrap": "mmdebstrap",
            "zstd": "zstd", "dnsmasq": "dnsmasq-base", "qemu-system-x86_64": "qemu-system-x86"}
HOST, OUTSIDE, BRIDGE, CONTAINER = "10.99.0.1", "10.99.0.2", "10.98.0.1", "10.98.0.2"
PORTS = {"task": 8080, "container": 8081, "native": 80}
SERVE = ["sh", "-c", "sed -i 's/worker_processes auto/worker_processes 1/; s/access_log .*/access_log off;/' "
         "/etc/nginx/nginx.conf; head -c 1048576 /dev/zero >/var/www/html/large; exec nginx -g 'daemon off; error_log stderr notice;'"]
READY = b"start worker process"  # says nginx when it listens
# What is asked: path, connections.
LOADS = {"latency": ("", 1), "requests": ("", 16), "bytes": ("large", 4)}
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID"]


def missing():
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return sorted(package for program, package in PACKAGES.items() if not shutil.which(program, path=path))


def unpack(layout, root):
    """The image's files, without a container engine."""
    def blob(descriptor):
        return pathlib.Path(layout) / "blobs" / descriptor["digest"].replace(":", "/")

    index = json.loads((pathlib.Path(layout) / "index.json").read_bytes())
    root.mkdir()
    for layer in json.loads(blob(index["manifests"][0]).read_bytes())["layers"]:
        subprocess.run(["tar", "-xf", blob(layer), "-C", root], check=True)


@contextlib.contextmanager
def process(*argv):
    running = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield running.stderr
    finally:
        running.terminate()
        running.communicate(timeout=30)


def wire(client, inside):
    """Two pairs: to who asks, and to the container, whose port is published by one rule."""
    host = os.open("/proc/self/ns/net", os.O_RDONLY)
    for ns, device, ours, theirs in ((client, "client", HOST, OUTSIDE), (inside, "container", BRIDGE, CONTAINER)):
        netlab.ip(host, f"""
            link add {device} type veth peer name eth0 netns /proc/{os.getpid()}/fd/{ns}
            addr add {ours}/24 dev {device}
            link set {device} up""")
        netlab.ip(ns, f"""
            addr add {theirs}/24 dev eth0
            link set eth0 up
            route add default via {ours}""")
    os.close(host)
    rules = (f"table ip bench {{\n chain in {{\n type nat hook prerouting priority -100;\n"
             f" iifname client tcp dport {PORTS['container']} dnat to {CONTAINER}:80\n }}\n}}\n")
    subprocess.run(["nft", "-f", "-"], input=rules, check=True, text=True)


@contextlib.contextmanager
def container(bundle, root, ns):
    """The same program as a container engine would start it."""
    bundle.mkdir()
    subprocess.run(["runc", "spec", "--bundle", bundle], check=True)
    config = json.loads((bundle / "config.json").read_bytes())
    config["root"] = {"path": str(root), "readonly": False}
    config["process"].update(terminal=False, args=SERVE, rlimits=[],
                             capabilities=dict.fromkeys(config["process"]["capabilities"], CAPABILITIES))
    for namespace in config["linux"]["namespaces"]:
        if namespace["type"] == "network":
            namespace["path"] = f"/proc/{os.getpid()}/fd/{ns}"
    (bundle / "config.json").write_text(json.dumps(config), encoding="ascii")
    runc, name = ["runc", "--root", bundle / "state"], f"fgrun-bench-{os.getpid()}"
    running = subprocess.Popen([*runc, "run", "--bundle", bundle, name], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield running.stderr
    finally:
        subprocess.run([*runc, "delete", "--force", name], check=False)
        running.communicate(timeout=30)


def task(fgd, layout):
    definition = {"family": "bench", "cpu": "1024", "memory": "2048", "containerDefinitions": [
        {"name": "web", "image": f"oci:{layout}:latest", "command": SERVE, "stopTimeout": 2}]}
    started = fgd.run(definition, publish=[{"hostPort": PORTS["task"], "containerPort": 80}])
    accelerator = fgd.get(started["fgrun"]["id"], wait="RUNNING")["fgrun"]["accelerator"]
    until_it_listens(fgd.request("GET", f"/v1/tasks/{started['fgrun']['id']}/logs?follow=1"))
    return accelerator


def until_it_listens(said):
    """Reads what nginx says, line by line."""
    lines = []
    for line in said:
        lines.append(line.decode(errors="replace"))
        if READY in line:
            return
    raise RuntimeError("nginx has ended: " + "".join(lines))


def measure(client, way, load, seconds):
    path, connections = LOADS[load]
    text = netlab.run(client, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s",
                      f"http://{HOST}:{PORTS[way]}/{path}", timeout=seconds + 60).stdout
    found = {name: re.search(rf"{name}%\s+([\d.]+)(\w+)", text) for name in ("50", "99")}
    total = re.search(r"(\d+) requests in ([\d.]+)s", text)
    if not total or total[1] == "0" or not all(found.values()) or "Non-2xx" in text:
        raise RuntimeError(text)
    return {"requestsPerSecond": int(total[1]) / float(total[2]),
            **{f"p{name}Ms": float(m[1]) * UNITS[m[2]] for name, m in found.items()}}


def report(samples, accelerator, runs, seconds):
    def median(way, load, name):
        return statistics.median(sample[name] for sample in samples[way][load])

    print(f"medians of {runs} runs of {seconds} s each, in turn; load average {os.getloadavg()[0]:.1f}; "
          f"{os.cpu_count()} CPUs; the task's VM runs with {accelerator}\n")
    print(f"{'':<11}{'1 connection: p50, p99 ms':>27}{'16: requests/s':>16}{'p50, p99 ms':>16}{'1 MiB, 4: MiB/s':>17}")
    for way in PORTS:
        one, many = ([median(way, load, name) for name in ("p50Ms", "p99Ms")] for load in ("latency", "requests"))
        print(f"{way:<11}{one[0]:>18.2f}{one[1]:>9.2f}{median(way, 'requests', 'requestsPerSecond'):>16.0f}"
              f"{many[0]:>8.2f}{many[1]:>8.2f}{median(way, 'bytes', 'requestsPerSecond'):>17.0f}")


def run(arguments, directory):
    layout, root = debian.services(), directory / "root"
    client, inside = ownnet.new(), ownnet.new()
    samples = {way: {load: [] for load in LOADS} for way in PORTS}
    unpack(layout, root)
    wire(client, inside)
    with fgd_harness.running(str((arguments.build / "api" / "fgd").resolve()), "embed", network="vpc") as fgd, \
            container(directory / "bundle", root, inside) as contained, process("chroot", root, *SERVE) as native:
        accelerator = task(fgd, layout)
        for said in (contained, native):
            until_it_listens(said)
        for _ in range(arguments.runs):
            for load in LOADS:
                for way in PORTS:
                    samples[way][load].append(measure(client, way, load, arguments.seconds))
    return samples, accelerator


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench/network.py: needs root, for network namespaces")
    if missing():
        sys.exit(f"bench/network.py: missing packages: {' '.join(missing())}")
    ownnet.enter()
    with tempfile.TemporaryDirectory(prefix="fgrun-bench-") as scratch:
        samples, accelerator = run(arguments, pathlib.Path(scratch))
    report(samples, accelerator, arguments.runs, arguments.seconds)
    if arguments.json:
        found = {"accelerator": accelerator, "seconds": arguments.seconds, "samples": samples}
        arguments.json.write_text(json.dumps(found), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
