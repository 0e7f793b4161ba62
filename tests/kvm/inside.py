# SPDX-License-Identifier: Apache-2.0
"""Runs as a service in the outer machine; writes one line of JSON for each step to the host."""

import json
import os
import pathlib
import signal
import subprocess
import time

HERE = "/opt/fgrun-test"
REPORT = "/dev/ttyS1"
LIMIT = 150  # more than fgd gives a guest: its own report of a hang has the console


def run(*command, timeout=LIMIT):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    return {"status": done.returncode, "out": done.stdout, "err": done.stderr}


def must(*command, **options):
    done = run(*command, **options)
    if done["status"] != 0:
        raise RuntimeError(f"{command}: {done}")
    return done["out"]


def report(step, **result):
    line = json.dumps({"step": step, "uptime": time.monotonic(), **result})
    with open(REPORT, "w", encoding="ascii") as port:
        port.write(line + "\n")
    print(line)


def unit(*names):
    text = must("systemctl", "show", "fgd", "-p", ",".join(names))
    return dict(line.split("=", 1) for line in text.splitlines())


def task_file(name, script, **more):
    path = f"/run/{name}.json"
    container = {"name": "app", "image": f"oci:{HERE}/image:latest", "command": ["sh", "-c", script]}
    with open(path, "w", encoding="ascii") as file:
        json.dump({"family": name, "cpu": "256", "memory": "512", "containerDefinitions": [container], **more}, file)
    os.chmod(path, 0o644)
    return path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


def processes(name):
    """Pids, by the first 15 bytes of the name; sorted."""
    found = []
    for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text(encoding="utf-8").startswith(name):
                found.append(int(comm.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return sorted(found)


def qemus():
    return processes("qemu-system")


def tasks(*args):
    return json.loads(must("fgrun", "ps", "--json", *args))["tasks"]


def task(task_id):
    return next(t for t in tasks("--all") if t["fgrun"]["id"] == task_id)


def wait_until(what, done):
    deadline = time.monotonic() + LIMIT
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited in vain until {what}")
        time.sleep(0.2)


def detached(name, script):
    """Emulated SVM has been seen to lose a booting guest: fgd then ends it and says so; try once more."""
    for _ in range(2):
        task_id = must("fgrun", "run", "--detach", task_file(name, script)).strip()
        wait_until(f"{name} runs", lambda: task(task_id)["lastStatus"] in ("RUNNING", "STOPPED"))
        if task(task_id)["lastStatus"] == "RUNNING":
            return task_id
        report("hang", task=task(task_id))
    raise RuntimeError(f"{name} never ran")


def attached(*command):
    done = run(*command)
    if "did not answer within" in done["err"]:
        report("hang", **done)
        done = run(*command)
    return done


def service():
    must("systemctl", "start", "fgd")
    report("service", host=os.uname().release, **unit("ActiveState", "SubState", "Type", "NRestarts"))
    report("info", **json.loads(must("fgrun", "info", "--json")))


def first_task():
    began = time.monotonic()
    done = attached("fgrun", "run", "--phases", task_file("first", "uname -r; exit 7"))
    report("run", seconds=time.monotonic() - began, qemus=qemus(), **done)


def adoption():
    """A task that outlives a restart and a crash of fgd, without a gap in its output."""
    task_id = detached("long", "for i in $(seq 30); do echo line $i; sleep 1; done; exit 5")
    before, main = qemus(), unit("MainPID")["MainPID"]
    must("systemctl", "restart", "fgd")
    restarted = {"qemus": qemus(), "state": task(task_id)["lastStatus"], **unit("MainPID", "ActiveState")}
    os.kill(int(restarted["MainPID"]), signal.SIGKILL)
    wait_until("systemd restarts fgd", lambda: unit("ActiveState", "NRestarts") ==
               {"ActiveState": "active", "NRestarts": "1"})
    killed = {"qemus": qemus(), "state": task(task_id)["lastStatus"], **unit("MainPID", "NRestarts")}
    wait_until("the task ends", lambda: task(task_id)["lastStatus"] == "STOPPED")
    report("adoption", before=before, main=main, restarted=restarted, killed=killed,
           logs=must("fgrun", "logs", task_id), task=task(task_id), after=qemus())


def stop():
    must("systemctl", "stop", "fgd")
    report("stop", qemus=qemus(), failed=must("systemctl", "--failed", "--no-legend", "--plain"),
           processes=processes("fgd"), run_dir=os.listdir("/run/fgrun"),
           **unit("ActiveState", "Result", "ExecMainStatus"))


def ordinary_user():
    """Without a service fgrun finds and starts the installed fgd by itself."""
    path = task_file("user", "id -u; uname -r; exit 3")
    caller = ("runuser", "-u", "caller", "--", "env", "HOME=/var/lib/caller", "fgrun")
    done = attached(*caller, "run", path)
    report("user", info=run(*caller, "info", "--json"), **done)
    for pid in processes("fgd"):
        os.kill(pid, signal.SIGTERM)
    wait_until("that fgd leaves", lambda: not processes("fgd"))


def before_power_cut():
    must("systemctl", "start", "fgd")
    ids = [detached(f"cut{n}", "echo up; sleep 1000") for n in range(2)]
    usage = json.loads(must("fgrun", "usage", "--json"))
    # The states have been committed; the machine may now lose whatever else it holds in memory.
    report("running", ids=ids, usage=usage)
    time.sleep(LIMIT)


def after_power_cut():
    must("systemctl", "start", "fgd")
    wait_until("no task is active", lambda: not tasks())
    state = pathlib.Path("/var/lib/fgrun/tasks")
    report("recovered", tasks=tasks("--all"), qemus=qemus(), usage=json.loads(must("fgrun", "usage", "--json")),
           scratch=os.listdir(state) if state.exists() else [], run_dir=os.listdir("/run/fgrun"))
    report("again", **attached("fgrun", "run", task_file("again", "exit 9")))


def pod_groups():
    return sorted(str(path) for path in pathlib.Path("/sys/fs/cgroup").rglob("fgrun-*") if path.suffix != ".service")


def usage_of(group):
    """Microseconds of CPU, and how often it had to wait for its next part."""
    stat = dict(line.split() for line in (group / "cpu.stat").read_text(encoding="ascii").splitlines())
    return int(stat["usage_usec"]), int(stat["nr_throttled"])


def containers():
    """Tasks as containers of this host, which has cgroup v2 alone; what limits them, and who owns their cgroups."""
    write(pathlib.Path("/etc/systemd/system/fgd.service.d/containers.conf"),
          "[Service]\nDeviceAllow=/dev/loop-control rw\nDeviceAllow=block-loop rwm\nProtectHostname=no\n")
    write(pathlib.Path("/etc/fgrun/fgd.conf"), "warm_memory_mib = 0\nisolation = container\n")
    must("systemctl", "daemon-reload")
    must("systemctl", "restart", "fgd")
    pod = {"fgrun": {"isolation": "container"}}
    task_id = must("fgrun", "run", "--detach", task_file("busy", "trap exit TERM; while :; do :; done", **pod)).strip()
    wait_until("it runs", lambda: task(task_id)["lastStatus"] != "PENDING")
    group = pathlib.Path(f"/sys/fs/cgroup/fgrun.slice/fgrun-{task_id}.scope")
    begin, (used, _) = time.monotonic(), usage_of(group)
    wait_until("its part is used up", lambda: usage_of(group)[1] >= 20)
    share = (usage_of(group)[0] - used) / (time.monotonic() - begin) / 1e6
    limits = {name: (group / name).read_text(encoding="ascii") for name in ("cpu.max", "memory.max", "pids.max")}
    must("systemctl", "restart", "fgd")  # its cgroup takes processes, though pods have limits
    adopted = task(task_id)["lastStatus"]
    must("fgrun", "stop", "--wait", task_id)
    small = {"name": "small", "image": f"oci:{HERE}/image:latest", "memory": 64, "command": ["tail", "/dev/zero"]}
    report("containers", groups=pod_groups(), units=must("systemctl", "list-units", "--all", "--plain", "fgrun-*.scope"),
           share=share, limits=limits, adopted=adopted, stopped=task(task_id),
           task_greedy=run("fgrun", "run", task_file("greedy", "exec tail /dev/zero", **pod)),
           container_greedy=run("fgrun", "run", task_file("small", "", containerDefinitions=[small], **pod)),
           left=pod_groups())


def restored():
    """The guest that was to wait for the next task has become a template; others are made of it."""
    pathlib.Path("/etc/fgrun/fgd.conf").write_text("warm_memory_mib = 1024\n", encoding="ascii")
    must("systemctl", "restart", "fgd")
    attached("fgrun", "run", task_file("first", "true"))

    def templates():
        return json.loads(must("fgrun", "info", "--json"))["templates"]

    wait_until("a template is ready", lambda: templates()["ready"] or templates().get("dropped"))
    path = task_file("restored", "cat /proc/sys/kernel/random/boot_id; exit 6", fgrun={"start": "restored"})
    done = [attached("fgrun", "run", path) for _ in range(2)]
    started = [t["fgrun"]["start"] for t in tasks("--all") if t["fgrun"]["family"] == "restored"]
    report("restored", runs=done, started=started, templates=templates())
    must("systemctl", "poweroff", "--no-block")


PARTS = {
    "1": [service, first_task, adoption, stop, ordinary_user, before_power_cut],
    "2": [after_power_cut, containers, restored],
}


def main():
    part = next(w for w in pathlib.Path("/proc/cmdline").read_text(encoding="ascii").split()
                if w.startswith("fgrun.test=")).split("=")[1]
    for step in PARTS[part]:
        try:
            step()
        except Exception as error:  # the host must hear of everything
            report("failed", where=step.__name__, error=str(error)[-3000:], qemus=qemus(),
                   tasks=run("fgrun", "ps", "--all", "--json")["out"][:6000],
                   journal=run("journalctl", "-u", "fgd", "-n", "60", "--no-pager", "-o", "cat")["out"][-4000:])
            run("systemctl", "poweroff", "--no-block")
            return


main()
