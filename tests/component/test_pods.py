# SPDX-License-Identifier: Apache-2.0
"""Tasks as ordinary containers of the host: real ones, beside VMs that are played."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

import fgd as fgd_harness
import ownnet
from conftest import BUILD, ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("runc"), reason="needs root and runc")

WEB = {"groupId": "sg-0000aaaa", "groupName": "web", "ipPermissions": [
    {"ipProtocol": "tcp", "fromPort": 80, "toPort": 80, "userIdGroupPairs": [{"groupId": "sg-0000bbbb"}]},
    {"ipProtocol": "udp", "fromPort": 9, "toPort": 9, "userIdGroupPairs": [{"groupId": "sg-0000bbbb"}]}]}
CLIENT = {"groupId": "sg-0000bbbb", "groupName": "client", "ipPermissionsEgress": [
    {"ipProtocol": "-1", "ipRanges": [{"cidrIp": "0.0.0.0/0"}], "ipv6Ranges": [{"cidrIpv6": "::/0"}]}]}
SERVE = "trap exit TERM; mkdir /www; hostname > /www/index.html; httpd -p 80 -h /www; echo up; sleep 1000 & wait"
IDLE = "trap exit TERM; echo up; sleep 1000 & wait"
SPLIT = os.path.exists("/sys/fs/cgroup/cgroup.controllers")  # cgroup v2 alone


@pytest.fixture(scope="session")
def busybox():
    out = BUILD / "demo" / "hello"
    if not (out / "index.json").exists():
        subprocess.run([ROOT / "scripts" / "demo-image.sh", out], check=True)
    return f"oci:{out}:latest"


@pytest.fixture(scope="module")
def module_fgd(tmp_path_factory):
    import conftest
    path = tmp_path_factory.mktemp("network") / "network.json"
    path.write_text(json.dumps({"securityGroups": [WEB, CLIENT]}), encoding="ascii")
    with fgd_harness.running(conftest.PROGRAM, conftest.HYPERVISOR, isolation="container", network="vpc",
                             network_config=path) as daemon:
        yield daemon


@pytest.fixture
def pod(busybox):
    def make(script, **more):
        container = {"name": "app", "image": busybox, "command": ["sh", "-c", script], "stopTimeout": 2,
                     **more.pop("container", {})}
        return {"family": "pod", "cpu": "256", "memory": "512", "containerDefinitions": [container],
                "fgrun": {"isolation": "container"}, **more}
    return make


def wait_for(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)
    return value


def pid_of(fgd, task):
    return int(pathlib.Path(f"{fgd.directory}/run/pods/{task}/pid").read_text(encoding="ascii"))


def pairs(fgd):
    """The devices in the VPC that lead to containers."""
    with ownnet.inside(os.open(f"{fgd.directory}/run/vpc/net", os.O_RDONLY)):
        listed = subprocess.run(["ip", "-br", "link", "show", "type", "veth"], check=True, stdout=subprocess.PIPE).stdout
    return [line for line in listed.decode().splitlines() if line.startswith("tap")]


def stop(fgd, task):
    fgd.call("POST", f"/v1/tasks/{task}/stop", {})
    return fgd.get(task, wait="STOPPED")


def traces(fgd, task):
    """What is left of a task on the host, by its id and by the files of its daemon."""
    found = [path for path, _, _ in os.walk("/sys/fs/cgroup") if path.endswith(f"fgrun-{task}")]
    found += [f"{fgd.directory}/run/pods/{d}" for d in (task, f"runc/{task}")
              if os.path.exists(f"{fgd.directory}/run/pods/{d}")]
    for path in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):  # another's, which goes meanwhile
            found += [path.parts[3]] if fgd.directory in path.read_text() else []
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        found += [line for line in mounts if task in line]
    return found


def test_it_is_a_container_of_the_host(module_fgd, pod):
    fgd = module_fgd
    done = fgd.stopped(fgd.run(pod("cat /proc/sys/kernel/random/boot_id; echo err >&2; exit 7")))
    assert done["containers"][0].get("exitCode") == 7, str(done.get("stoppedReason")) + str(done["containers"])
    assert done["fgrun"]["isolation"] == "container" and done["fgrun"]["accelerator"] == "none"
    boot_id = pathlib.Path("/proc/sys/kernel/random/boot_id").read_bytes()
    assert fgd.output_of(done["fgrun"]["id"]) == boot_id
    assert traces(fgd, done["fgrun"]["id"]) == []


def test_the_flag(module_fgd, pod, tmp_path):
    """It wins over the definition's word, and fgrun's exit status is the container's."""
    definition = {**pod("echo here; exit 6"), "fgrun": {"isolation": "microvm"}}
    (tmp_path / "task.json").write_text(json.dumps(definition), encoding="ascii")
    done = subprocess.run([BUILD / "cli" / "fgrun", f"--host=unix:{module_fgd.socket}", "run", "--isolation=container",
                           tmp_path / "task.json"], stdout=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (6, b"here\n")


def test_limits_of_the_task(module_fgd, pod):
    """Its memory is the task's, not the host's; and its part of a CPU."""
    fgd = module_fgd
    task = fgd.run(pod(IDLE, cpu="512", memory="1024"))["fgrun"]["id"]
    fgd.get(task, wait="RUNNING")
    if SPLIT:
        group = pathlib.Path(f"/sys/fs/cgroup/fgrun-{task}")
        assert (group / "memory.max").read_text() == f"{1 << 30}\n" and (group / "cpu.max").read_text() == "50000 100000\n"
    else:
        cgroups = pathlib.Path("/sys/fs/cgroup")
        memory = next(p for p in (cgroups / "memory").rglob(f"fgrun-{task}/memory.limit_in_bytes"))
        quota = next(p for p in (cgroups / "cpu").rglob(f"fgrun-{task}/cpu.cfs_quota_us"))
        assert memory.read_text() == f"{1 << 30}\n" and quota.read_text() == "50000\n"
    fgd.call("POST", f"/v1/tasks/{task}/stop", {})
    assert fgd.get(task, wait="STOPPED")["stopCode"] == "UserInitiated"
    assert traces(fgd, task) == []


def test_what_is_confined(module_fgd, pod):
    """No device nodes of the host, none of its processes, no disk of its own underneath."""
    fgd = module_fgd
    done = fgd.stopped(fgd.run(pod("mknod /tmp/x b 7 0 && cat /tmp/x; ls /dev; ps | wc -l; grep -c loop /proc/mounts; "
                                   "grep CapEff /proc/self/status",
                               container={"linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"]}}})))
    lines = fgd.output_of(done["fgrun"]["id"]).decode().split("\n")
    assert not any(name.startswith(("loop", "sd", "vd", "mem")) for name in lines), lines
    assert int(lines[-2].split()[1], 16) & (1 << 27 | 1 << 21 | 1 << 19) == 1 << 19  # MKNOD, SYS_ADMIN; SYS_PTRACE
    assert done["containers"][0]["exitCode"] == 0


def test_stop_is_term_then_kill(module_fgd, pod):
    fgd = module_fgd
    polite = fgd.run(pod("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 1 & wait; done"))["fgrun"]["id"]
    stubborn = fgd.run(pod("trap '' TERM; echo up; while :; do sleep 1; done"))["fgrun"]["id"]
    for task in (polite, stubborn):
        wait_for(lambda: fgd.output_of(task) == b"up\n", "its output")
        fgd.call("POST", f"/v1/tasks/{task}/stop", {})
    assert fgd.get(polite, wait="STOPPED")["containers"][0]["exitCode"] == 3
    assert fgd.output_of(polite) == b"up\nbye\n"
    assert fgd.get(stubborn, wait="STOPPED")["containers"][0]["exitCode"] == 137


def test_a_health_check_and_too_much_memory(module_fgd, pod, busybox):
    """At once, for the time that both take."""
    fgd = module_fgd
    greedy = fgd.run(pod("exec tail /dev/zero"))
    task = pod(IDLE, container={"healthCheck": {"command": ["CMD-SHELL", "test -e /proc/1"], "interval": 5}})
    task["containerDefinitions"].append({
        "name": "after", "image": busybox, "command": ["sh", "-c", "echo healthy; exit 5"],
        "dependsOn": [{"containerName": "app", "condition": "HEALTHY"}]})
    done = fgd.stopped(fgd.run(task))
    assert {c["name"]: c["exitCode"] for c in done["containers"]}["after"] == 5
    assert fgd.output_of(done["fgrun"]["id"], container="after") == b"healthy\n"
    greedy = fgd.stopped(greedy)
    assert greedy["containers"][0]["exitCode"] == 137, greedy["stoppedReason"]


def test_the_prepared_image_is_its_root(module_fgd, pod):
    """Once prepared, the image is mounted and not unpacked."""
    fgd = module_fgd

    def way():
        done = fgd.stopped(fgd.run(pod("exit 0")))
        assert done["containers"][0]["exitCode"] == 0, done["stoppedReason"]
        return done["fgrun"]["images"][0]["pull"]
    wait_for(lambda: way() == "prepared", "a prepared image")


def test_system_controls_of_its_namespaces(module_fgd, pod):
    names = ["net.core.somaxconn", "kernel/shmmni", "fs.mqueue.msg_max"]
    paths = ["/proc/sys/" + name.replace(".", "/") for name in names]
    host = [pathlib.Path(path).read_text() for path in paths]
    done = module_fgd.stopped(module_fgd.run(pod(f"cat {' '.join(paths)}", container={
        "systemControls": [{"namespace": name, "value": "77"} for name in names]})))
    assert module_fgd.output_of(done["fgrun"]["id"]) == b"77\n" * 3, done["stoppedReason"]
    assert [pathlib.Path(path).read_text() for path in paths] == host and "77\n" not in host


def member(group):
    return {"awsvpcConfiguration": {"subnets": ["default"], "securityGroups": [group]}}


def address(task, name="privateIPv4Address"):
    return {d["name"]: d["value"] for d in task["attachments"][0]["details"]}[name]


def get(port):
    """What the published port says, or None."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            s.settimeout(5)
            return b"".join(iter(lambda: s.recv(4096), b"")).decode().rpartition("\r\n\r\n")[2] or None
    except OSError:
        return None


@pytest.fixture
def server(module_fgd, pod):
    """It and its port of the host."""
    definition = pod(SERVE, family="web", container={"portMappings": [{"containerPort": 80}]})
    task = module_fgd.run(definition, networkConfiguration=member("web"), publish=[{"hostPort": 8080, "containerPort": 80}])
    wait_for(lambda: module_fgd.output_of(task["fgrun"]["id"]), "its output")
    task = module_fgd.get(task["fgrun"]["id"], wait="RUNNING")
    yield task
    if module_fgd.get(task["fgrun"]["id"])["lastStatus"] != "STOPPED":
        stop(module_fgd, task["fgrun"]["id"])


def test_it_is_in_the_vpc(module_fgd, pod, server):
    """With the groups, the names, the published port and the IPv6 that a VM has."""
    fgd = module_fgd
    page = address(server, "privateDnsName") + "\n"
    assert get(8080) == page
    ask = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 9 nc -w 2 {} 80"
    script = (f"{ask.format(address(server))}; {ask.format(address(server, 'ipv6Address'))}; "
              "nslookup web.fgrun.internal; grep nameserver /etc/resolv.conf; "
              "wget -qO- $ECS_CONTAINER_METADATA_URI_V4 | grep -o 'IPv4Addresses.*' | cut -d, -f1")
    client = fgd.stopped(fgd.run(pod(script), networkConfiguration=member("client")))
    said = fgd.output_of(client["fgrun"]["id"]).decode()
    assert said.count(page) == 2 and said.count(f"Address: {address(server)}\n") == 1, said
    assert "nameserver 169.254.169.253" in said and f'"{address(client)}"' in said, said
    other = fgd.stopped(fgd.run(pod(ask.format(address(server)))))
    assert page not in fgd.output_of(other["fgrun"]["id"]).decode()
    stop(fgd, server["fgrun"]["id"])
    assert get(8080) is None
    assert fgd.call("GET", "/v1/network")["networkInterfaces"] == [] and pairs(fgd) == []


def test_it_speaks_as_nobody_else(module_fgd, pod, server):
    """Datagrams from its namespace, with its own address and with another's, to who may hear the other."""
    fgd = module_fgd
    tasks = [fgd.run(pod(IDLE), networkConfiguration=member("client"))["fgrun"]["id"] for _ in range(2)]
    sender, friend = [fgd.get(task, wait="RUNNING") for task in tasks]
    with ownnet.inside(os.open(f"/proc/{pid_of(fgd, server['fgrun']['id'])}/ns/net", os.O_RDONLY)):
        ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with ownnet.inside(os.open(f"/proc/{pid_of(fgd, tasks[0])}/ns/net", os.O_RDONLY)):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    ear.bind(("", 9))
    ear.settimeout(30)
    for source in (address(friend), "127.0.0.1", address(server), address(sender)):
        packet = struct.pack(">BBHHHBBH", 0x45, 0, 32, 1, 0, 64, 17, 0) + socket.inet_aton(source)
        raw.sendto(packet + socket.inet_aton(address(server)) + struct.pack(">HHHH", 9, 9, 12, 0) + b"here", (address(server), 9))
    assert ear.recvfrom(100) == (b"here", (address(sender), 9))  # and from no other
    ear.settimeout(0.5)
    with pytest.raises(TimeoutError):
        ear.recv(100)
    ear.close()
    raw.close()
    for task in tasks:
        stop(fgd, task)


def test_its_network_outlives_fgd(module_fgd, server):
    """Killed while it runs, and taken up; nothing is left after it, though another fgd made it."""
    fgd = module_fgd
    page = get(8080)
    fgd.kill()
    assert page and get(8080) == page  # nobody is needed for it
    fgd.start()
    assert get(8080) == page and len(pairs(fgd)) == 1
    stop(fgd, server["fgrun"]["id"])
    assert get(8080) is None and traces(fgd, server["fgrun"]["id"]) == []
    assert fgd.call("GET", "/v1/network")["networkInterfaces"] == [] and pairs(fgd) == []


def test_refused_where_it_is_off(fgd, pod):
    with pytest.raises(fgd_harness.Failure, match="fgrun.isolation: 'container' is refused.*isolation = container"):
        fgd.run(pod("exit 0"))
    assert fgd.call("GET", "/v1/tasks")["tasks"] == []


def test_refused_fields_by_name(module_fgd, pod):
    container = {"systemControls": [{"namespace": name, "value": "9"} for name in ("net.core.somaxconn", "kernel.panic")],
                 **({} if SPLIT else {"cpu": 10, "memory": 64})}
    with pytest.raises(fgd_harness.Failure) as failure:
        module_fgd.run(pod("exit 0", container=container))
    names = ["systemControls of the whole kernel", *([] if SPLIT else ["cpu", "memory"])]
    assert all(name in str(failure.value) for name in names), failure.value


def test_its_first_process_is_killed(module_fgd, pod):
    fgd = module_fgd
    task = fgd.run(pod(IDLE))["fgrun"]["id"]
    wait_for(lambda: fgd.output_of(task) == b"up\n", "its output")
    os.kill(pid_of(fgd, task), signal.SIGKILL)
    assert "ended" in fgd.get(task, wait="STOPPED")["stoppedReason"]
    assert traces(fgd, task) == []


def test_fgd_is_killed(start, pod):
    """A task goes on and is taken up again; what no task claims goes."""
    with start(isolation="container") as fgd:
        task = fgd.run(pod("echo up; read x < /proc/sys/kernel/random/uuid; sleep 1; echo on; exit 4"))["fgrun"]["id"]
        wait_for(lambda: fgd.output_of(task) == b"up\n", "its output")
        fgd.kill()
        fgd.start()
        done = fgd.get(task, wait="STOPPED")
        assert done["containers"][0]["exitCode"] == 4 and fgd.output_of(task) == b"up\non\n", done["stoppedReason"]
        assert traces(fgd, task) == []
        orphan = fgd.run(pod(IDLE))["fgrun"]["id"]
        wait_for(lambda: fgd.output_of(orphan) == b"up\n", "its output")
        fgd.kill()
        for suffix in ("", "-wal", "-shm"):
            pathlib.Path(f"{fgd.directory}/state/fgd.db{suffix}").unlink(missing_ok=True)
        fgd.start()
        wait_for(lambda: traces(fgd, orphan) == [], "the orphan's end")


@contextlib.contextmanager
def as_a_service():
    """What is started meanwhile is in a cgroup below the root, as systemd has its services."""
    top = pathlib.Path("/sys/fs/cgroup" if SPLIT else "/sys/fs/cgroup/unified")
    own = next(line for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    service = top / f"fgrun-test-{os.getpid()}"
    service.mkdir()
    (service / "cgroup.procs").write_text("0")
    try:
        yield service
    finally:
        (top / own[4:] / "cgroup.procs").write_text("0")
        wait_for(lambda: (service / "cgroup.procs").read_text() == "", "the end of all in it")
        service.rmdir()


def test_each_has_a_cgroup_of_its_own(pod):
    """Though fgd is a service, in whose cgroup runc leaves them where the controllers are cgroup v1's."""
    import conftest
    with as_a_service() as service, fgd_harness.running(conftest.PROGRAM, conftest.HYPERVISOR, isolation="container") as fgd:
        tasks = [fgd.run(pod(IDLE))["fgrun"]["id"] for _ in range(2)]
        for task in tasks:
            wait_for(lambda: fgd.output_of(task) == b"up\n", "its output")
            own = pathlib.Path(f"/proc/{pid_of(fgd, task)}/cgroup").read_text().splitlines()
            assert f"0::/fgrun-{task}/init" in own, own
        assert [path.name for path in service.iterdir() if path.is_dir()] == []
        for task in tasks:
            stop(fgd, task)
        assert [traces(fgd, task) for task in tasks] == [[], []]


def test_a_failed_test_leaves_none(start, pod):
    with pytest.raises(ZeroDivisionError), start(isolation="container") as fgd:
        task = fgd.run(pod(IDLE))["fgrun"]["id"]
        wait_for(lambda: fgd.output_of(task) == b"up\n", "its output")
        raise ZeroDivisionError
    wait_for(lambda: traces(fgd, task) == [], "its end")


def test_systemd_waits_for_fgd_and_not_for_them(start, pod, monkeypatch, tmp_path):
    """runc would pass the news on: it ends when its container says that it is ready, which this one never does."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, start(isolation="container") as fgd:
        systemd.bind(str(tmp_path / "notify"))
        done = fgd.get(fgd.run(pod("exit 3"))["fgrun"]["id"], wait="STOPPED")
        assert done["containers"][0]["exitCode"] == 3, done["stoppedReason"]


def test_the_runtime_lost_its_notes(start, pod):
    with start(isolation="container") as fgd:
        task = fgd.run(pod(IDLE))["fgrun"]["id"]
        wait_for(lambda: fgd.output_of(task) == b"up\n", "its output")
        shutil.rmtree(f"{fgd.directory}/run/pods/runc/{task}")
        os.kill(pid_of(fgd, task), signal.SIGKILL)
        fgd.get(task, wait="STOPPED")
        assert traces(fgd, task) == []


def test_fgd_is_killed_while_it_starts_one(start, pod):
    with start(isolation="container", network="vpc") as fgd:
        for _ in range(3):
            task = fgd.run(pod(IDLE))["fgrun"]["id"]
            wait_for(lambda: os.path.exists(f"{fgd.directory}/run/pods/{task}"), "its directory")
            fgd.kill()
            fgd.start()
            stop(fgd, task)
            assert traces(fgd, task) == [] and pairs(fgd) == []
