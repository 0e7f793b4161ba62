#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How many requests of the ECS API fgd answers, on VMs that are processes, beside a static nginx.

DescribeTasks with fgd on the first CPU and the load on the second; durable RunTask by 32 clients on
both, of tasks whose image does not exist, as fast as answers come and 500 a second, with few and
with many stored tasks. Requests come over TCP and are signed, where fgd has access keys. What is not
durable yet is not answered; an error is a task that found no room, for each takes 512 MiB until it
has failed, and does not count. One line per round: answers, the wait for one, the CPU time of fgd
for one.

usage: FGRUN_BUILD=build bench/aws.py [--quick]
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

import awsapi  # noqa: E402
import fgd as fgd_harness  # noqa: E402

BUILD = pathlib.Path(os.environ.get("FGRUN_BUILD", ROOT / "build")).resolve()
HYPERVISOR = f"fake:{BUILD}/tests/fake-guest/fg-fake-guest"
NETWORK = {"awsvpcConfiguration": {"subnets": ["default"]}}
CPUS = sorted(os.sched_getaffinity(0))
KEY = {"PATH": "/usr/bin:/bin", "AWS_DEFAULT_REGION": "local-1"}  # and an access key of fgd's


def pin(pid, cpus):
    """All threads of a process, now and later."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread), set(cpus))


def cpu_seconds(pid):
    """What a process has used, and its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(name, pid, where, operation, body, connections, requests, rate=0):
    before = cpu_seconds(pid)
    r = subprocess.run(
        ["taskset", "-c", str(CPUS[-1]), BUILD / "bench" / "load", *where,
         f"--target={awsapi.TARGETS['ecs']}.{operation}", f"--body={json.dumps(body)}",
         f"--connections={connections}", f"--requests={requests}", f"--rate={rate}"],
        stdout=subprocess.PIPE, text=True, timeout=600, env=KEY)
    answer = json.loads(r.stdout)
    cpu = (cpu_seconds(pid) - before) / requests
    done = (requests - answer["errors"]) / answer["seconds"]
    print(f"{name:42} {done:8.0f}/s  p50 {answer['p50Ms']:7.2f} ms  p99 {answer['p99Ms']:7.2f} ms  "
          f"CPU {cpu * 1e6:5.0f} us  errors {answer['errors']}", flush=True)
    return answer


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def nginx(directory, text):
    """nginx, one process, that answers every POST with the same text."""
    port = free_port()
    config = pathlib.Path(directory) / "nginx.conf"
    config.write_text(f"""
        daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log stderr crit;
        events {{ worker_connections 512; }}
        http {{
          access_log off; keepalive_requests 100000000; client_body_temp_path {directory};
          server {{ listen 127.0.0.1:{port}; location / {{
            default_type application/x-amz-json-1.1; return 200 '{text}'; }} }}
        }}""", encoding="utf-8")
    process = subprocess.Popen(["taskset", "-c", str(CPUS[0]), "/usr/sbin/nginx", "-p", directory, "-c", config])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.05)
        yield port, int(pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()[0])
    finally:
        process.terminate()
        process.wait(30)


def multiply(fgd, count):
    """Copies a stopped task in the database of an fgd that does not run."""
    with sqlite3.connect(f"{fgd.directory}/state/fgd.db") as db:
        row = list(db.execute("SELECT * FROM tasks WHERE status = 'STOPPED' LIMIT 1").fetchone())
        names = [column[1] for column in db.execute("PRAGMA table_info(tasks)")]
        old, created = row[0], names.index("created_ns")

        def copies():
            for i in range(count):
                new = hashlib.md5(str(i).encode()).hexdigest()
                copy = [value.replace(old, new) if isinstance(value, str) else value for value in row]
                copy[created] -= i
                yield copy
        db.executemany(f"INSERT OR IGNORE INTO tasks VALUES ({','.join('?' * len(row))})", copies())
    db.close()


def unthrottled():
    """Settings that take limits away, of those that this fgd has."""
    text = subprocess.run([BUILD / "api" / "fgd", "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {name: "0" for name in ("launch-per-second", "run-per-second") if f"--{name}" in text}


def wait_until_idle(fgd):
    while fgd.call("GET", "/v1/tasks?status=ACTIVE")["tasks"]:
        time.sleep(0.2)


def start(fgd):
    fgd.start()
    pin(fgd.pid(), CPUS[:1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer requests, and few stored tasks only")
    quick = parser.parse_args().quick
    directory = tempfile.mkdtemp(prefix="fgrun-bench-", dir="/tmp")
    os.chmod(directory, 0o711)
    port = free_port()
    fgd = fgd_harness.Fgd(str(BUILD / "api" / "fgd"), directory, hypervisor=HYPERVISOR, settings={
        "vcpu-overcommit-percent": "10000", "memory-reserve-mib": "0", "log-level": "warn",
        "listen": f"unix:{directory}/run/fgd.sock,tcp:127.0.0.1:{port}", **unthrottled()})
    try:
        start(fgd)
        where = [f"--unix={fgd.socket}"]
        with contextlib.suppress(fgd_harness.Failure):
            key = fgd.call("POST", "/v1/keys", {})
            KEY.update(AWS_ACCESS_KEY_ID=key["accessKeyId"], AWS_SECRET_ACCESS_KEY=key["secretAccessKey"])
            where = [f"--port={port}"]
        ecs = awsapi.Aws(fgd)
        ecs.call("ecs", "RegisterTaskDefinition", family="bench", cpu="256", memory="512",
                 containerDefinitions=[{"name": "app", "image": "oci:/nowhere", "command": ["true"]}])
        run = {"taskDefinition": "bench", "networkConfiguration": NETWORK}
        arn = ecs.call("ecs", "RunTask", **run)["tasks"][0]["taskArn"]
        wait_until_idle(fgd)
        text = json.dumps(ecs.call("ecs", "DescribeTasks", tasks=[arn]))
        describes, runs = (2000, 200) if quick else (50000, 3000)
        for stored in (100,) if quick else (100, 100000):
            fgd.stop()
            multiply(fgd, stored)
            start(fgd)
            ecs.call("ecs", "DescribeTasks", tasks=[arn])
            load(f"DescribeTasks, 32 clients, {stored} stored", fgd.pid(), where, "DescribeTasks", {"tasks": [arn]}, 32, describes)
            load(f"ListTasks (100 of them), {stored} stored", fgd.pid(), where, "ListTasks", {"desiredStatus": "STOPPED"}, 32,
                 describes // 10)
            pin(fgd.pid(), CPUS)
            load(f"RunTask, 32 clients, {stored} stored", fgd.pid(), where, "RunTask", run, 32, runs)
            wait_until_idle(fgd)
            load(f"RunTask, 32 clients, 500/s, {stored} stored", fgd.pid(), where, "RunTask", run, 32, runs, 500)
            wait_until_idle(fgd)
            pin(fgd.pid(), CPUS[:1])
        if os.path.exists("/usr/sbin/nginx"):
            with nginx(directory, text) as (static, worker):
                load("nginx, the same DescribeTasks as a file", worker, [f"--port={static}"], "DescribeTasks", {"tasks": [arn]}, 32,
                     describes)
    finally:
        fgd.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
