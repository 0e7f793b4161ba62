# SPDX-License-Identifier: Apache-2.0
"""The init in a real guest: what containers see, what the host is told, what faults do."""
import hashlib
import os
import pathlib
import random
import re
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import guest as guests  # noqa: E402

FLOOD = bytes((i * 7 + i // 256) % 256 for i in range(3 << 20))


def settings(text):
    """name=value lines as a dictionary; later ones in a list keep their order by suffix."""
    return dict(line.split("=", 1) for line in text.decode().splitlines() if "=" in line)


def test_rehearsal_leaves_nothing(runner):
    """A guest that has rehearsed is as one that has just booted, only quicker."""
    look = runner.sh("app", "mount | sort; ls /dev /sys/fs/cgroup; hostname; cat /proc/self/cgroup; df -k / | tail -1 | "
                            "awk '{print $3 < 4000}'")
    guest, codes = runner.run(look)
    fresh = guest.stdout()
    with runner.guest() as guest:
        guest.connect()
        assert "error" not in guest.rehearse()
        assert "error" not in guest.rehearse()  # it may be asked again
        begin = time.monotonic()
        guest.start([look])
        guest.wait("container.started")
        print(f"figure: task to started, rehearsed: {(time.monotonic() - begin) * 1000:.0f} ms")
        assert guest.finish() == codes == {"app": 0}
        assert guest.stdout() == fresh
        assert guest.stderr() == b""


def test_a_disk_that_does_not_come(runner):
    """The image on it is unpacked."""
    app = runner.sh("app", "echo here")
    app["image"]["disk"] = "missing"
    with runner.guest() as guest:
        guest.connect()
        guest.start([app])
        guest.wait("image.begin")
        guest.control({"type": "disks.lost"})
        assert guest.finish() == {"app": 0} and guest.stdout() == b"here\n"
    assert [e["event"] for e in guest.events] == [
        "image.begin", "image.done", "container.started", "container.exited", "task.stopping", "task.stopped"]


def test_output_and_exit(runner):
    before = time.time_ns()
    guest, codes = runner.run(
        runner.sh("app", "echo out; echo err >&2; echo more; uname -r; hostname; cat /etc/hostname;"
                         "grep -c guest /etc/hosts; date +%s; cat /proc/uptime >&2; exit 7"))
    out = guest.stdout().decode().splitlines()
    assert codes == {"app": 7}
    assert out[:2] == ["out", "more"] and guest.stderr().startswith(b"err\n")
    assert out[2] == guest.hello["kernel"] and out[2] != os.uname().release
    assert out[3:6] == ["guest", "guest", "1"]
    assert abs(int(out[6]) - before // 10**9) < 30
    assert [e["event"] for e in guest.events] == [
        "image.begin", "image.done", "container.started", "container.exited", "task.stopping",
        "task.stopped"]
    assert [e["seq"] for e in guest.events] == [1, 2, 3, 4, 5, 6]
    at = [e["at"] for e in guest.events]
    assert at == sorted(at) and before - 10**9 < at[0] < time.time_ns() + 10**9
    for _, stamp in guest.times[0]:
        assert at[1] <= stamp <= at[5]
    assert guest.named("task.stopping")[0]["reason"] == "EssentialContainerExited"


def test_ends(runner):
    """Exit codes, signals, running out of memory, programs that cannot be executed."""
    guest, codes = runner.run(
        runner.sh("zero", "true", essential=False),
        runner.sh("segv", "sh -c 'kill -SEGV $$'; exit $?", essential=False),
        runner.sh("kill", "kill -KILL $$; sleep 60", essential=False, stopTimeout=1,
                  linuxParameters={"initProcessEnabled": True}),
        runner.container("oom", "probe", "memory", memory=32, essential=False),
        runner.container("oom-child", "sh", "-c", "probe memory; echo survived", memory=32,
                         essential=False),
        runner.sh("directory", "pwd", workingDirectory="/made/for/me", essential=False),
        timeout=90)
    assert codes == {"zero": 0, "segv": 139, "kill": 137, "oom": 137, "oom-child": 137, "directory": 0}
    killed = {e["container"] for e in guest.named("container.exited") if e["oomKilled"]}
    assert killed == {"oom", "oom-child"}
    assert "OutOfMemory" in guest.named("container.exited", "oom")[0]["reason"]
    assert guest.named("container.exited", "oom")[0]["signal"] == 9
    assert guest.stdout(4) == b"" and guest.stdout(5) == b"/made/for/me\n"
    assert guest.events[-1]["event"] == "task.stopped" and not guest.named("task.stopping")


def test_cannot_start(runner):
    small_init = {"initProcessEnabled": True}
    guest, codes = runner.run(
        runner.container("absent", "no-such-program", essential=False),
        runner.container("absent-path", "/no/such", essential=False),
        runner.container("directory", "ignored", essential=False, entryPoint=["/tmp"]),
        runner.container("denied", "data", essential=False),
        runner.container("format", "garbage", essential=False),
        runner.container("format-init", "garbage", essential=False, linuxParameters=small_init),
        runner.container("nobody", "true", user="nobody-here", essential=False),
        runner.container("cap", "true", essential=False,
                         linuxParameters={"capabilities": {"add": ["FLY"]}}),
        runner.container("proc", "true", essential=False,
                         mountPoints=[{"sourceVolume": "v", "containerPath": "/tmp/../proc/sys"}]),
        runner.container("root", "true", essential=False,
                         mountPoints=[{"sourceVolume": "v", "containerPath": "/tmp/.."}]),
        volumes=["v"])
    assert codes == {} and not guest.named("container.started")
    failed = {e["container"]: (e["error"], e["message"]) for e in guest.named("container.failed")}
    assert len(failed) == 10
    create = {name for name, (error, _) in failed.items() if error == "CannotCreateContainerError"}
    start = {name for name, (error, _) in failed.items() if error == "CannotStartContainerError"}
    assert create == {"proc", "root"} and len(start) == 8
    assert failed["absent"][1] == 'exec: "no-such-program": executable file not found in $PATH'
    assert failed["absent-path"][1] == 'exec: "/no/such": stat /no/such: no such file or directory'
    assert failed["directory"][1] == 'exec: "/tmp": is a directory'
    assert failed["denied"][1] == 'exec: "data": permission denied'
    assert failed["format"][1] == failed["format-init"][1] == "exec garbage: exec format error"
    assert "nobody-here" in failed["nobody"][1] and "FLY" in failed["cap"][1]


def test_users_and_environment(runner, images):
    image = images.add_busybox({
        "Env": ["A=image", "B=image", "PATH=/bin"], "User": "app", "WorkingDir": "/tmp",
        "Entrypoint": ["sh", "-c"], "Cmd": ["echo $A $B $C $HOME $PATH $PWD; id"]})
    of_image = {"name": "image", "essential": False, "image": {"reference": "x", "manifest": image}}
    guest, codes = runner.run(
        of_image,
        dict(of_image, name="set", environment=[{"name": "B", "value": "task"},
                                                {"name": "C", "value": "task"}]),
        dict(of_image, name="entry", entryPoint=["env"]),
        runner.sh("name", "id; echo $HOME", user="app", essential=False),
        runner.sh("uid", "id", user="1234", essential=False),
        runner.sh("both", "id", user="app:extra", essential=False),
        runner.sh("numbers", "id; echo > /dev/stdout; echo > /dev/stderr", user="5:6", essential=False),
        runner.sh("default", "env", essential=False))
    assert set(codes.values()) == {0} and len(codes) == 8
    lines = [guest.stdout(i).decode().splitlines() for i in range(8)]
    assert lines[0] == ["image image /home/app /bin /tmp", "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)"]
    assert lines[1][0] == "image task task /home/app /bin /tmp"
    assert "A=image" in lines[2] and len(lines[2]) == 5, "the image's command is dropped"
    assert lines[3][0] == "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)"
    assert lines[3][1] == "/home/app"
    assert lines[4][0] == "uid=1234 gid=0(root) groups=0(root)"
    assert lines[5][0] == "uid=1000(app) gid=2000(extra) groups=2000(extra)"
    assert lines[6][0] == "uid=5 gid=6 groups=6"
    assert {"HOSTNAME=guest", "HOME=/root",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"} <= set(lines[7])
    assert guest.named("container.started", "name")[0]["uid"] == 1000


def test_confinement(runner):
    status = "grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status | tr -d '\\t' | tr : ="
    guest, codes = runner.run(
        runner.sh("default", status, essential=False),
        runner.sh("user", status, user="app", essential=False),
        runner.sh("changed", status, essential=False, linuxParameters={
            "capabilities": {"add": ["SYS_PTRACE"], "drop": ["CHOWN", "MKNOD"]}}),
        runner.sh("none", status, essential=False, linuxParameters={"capabilities": {"drop": ["ALL"]}}),
        runner.container("syscalls", "probe", "syscalls", essential=False),
        runner.container("devices", "probe", "devices", essential=False,
                         mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}],
                         linuxParameters={"tmpfs": [{"containerPath": "/t", "size": 1,
                                                     "mountOptions": ["dev", "rw"]}]}),
        runner.sh("masks", "wc -c < /proc/keys; wc -c < /proc/timer_list; ls /sys/firmware | wc -l;"
                           "echo 1 > /proc/sys/kernel/panic;"
                           "mkdir /sys/fs/cgroup/x; cat /proc/self/cgroup; ls /proc | grep -c '^[0-9]';"
                           "ls /run; ls /proc/self/fd", essential=False),
        runner.sh("readonly", "touch /x; touch /tmp/y; echo z > /dev/shm/z && echo shm; touch /v/w && echo v;"
                              "for f in hosts hostname resolv.conf; do echo x >> /etc/$f; done",
                  readonlyRootFilesystem=True, essential=False, workingDirectory="/made/though/read-only",
                  mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}]),
        runner.sh("texts", "for f in hosts hostname resolv.conf; do echo x >> /etc/$f && tail -n 1 /etc/$f; done",
                  essential=False),
        volumes=["v"])
    default = settings(guest.stdout(0))
    assert default == {"CapInh": "0" * 16, "CapPrm": "00000000a80425fb", "CapEff": "00000000a80425fb",
                       "CapBnd": "00000000a80425fb", "CapAmb": "0" * 16, "NoNewPrivs": "0", "Seccomp": "2"}
    user = settings(guest.stdout(1))
    assert user["CapEff"] == user["CapPrm"] == "0" * 16 and user["CapBnd"] == default["CapBnd"]
    changed = int(default["CapEff"], 16) & ~(1 << 0) & ~(1 << 27) | 1 << 19
    assert int(settings(guest.stdout(2))["CapEff"], 16) == changed
    assert int(settings(guest.stdout(3))["CapBnd"], 16) == 0
    assert settings(guest.stdout(4)) == {
        "keyctl": "EPERM", "add_key": "EPERM", "mount": "EPERM", "unshare": "EPERM", "clone": "EPERM",
        "clone3": "ENOSYS", "vsock": "EPERM", "inet": "ok", "bpf": "EPERM", "perf_event_open": "EPERM",
        "io_uring_setup": "EPERM", "personality": "ok", "no_randomize": "EPERM", "chroot": "ok"}
    assert guest.stdout(5).decode().split() == ["mknod=ok", "open=EACCES"] * 5 + ["null=ok", "urandom=ok"]
    masks = guest.stdout(6).decode().split("\n")
    assert masks[:4] == ["0", "0", "0", "0::/"]
    assert int(masks[4]) < 6, "processes of others are visible"
    assert guest.stdout(6).decode().split()[-4:] == ["0", "1", "2", "3"], "a descriptor leaked"
    assert guest.stderr(6).decode().count("Read-only file system") == 2
    assert guest.stdout(7) == b"shm\nv\n" and guest.stderr(7).decode().count("Read-only") == 5
    assert guest.stdout(8) == b"x\nx\nx\n" and guest.stderr(8) == b""


def test_limits_and_tmpfs(runner):
    guest, codes = runner.run(
        runner.container("default", "probe", "limits", essential=False),
        runner.container("set", "probe", "limits", essential=False, ulimits=[
            {"name": "nofile", "softLimit": 100, "hardLimit": 200},
            {"name": "core", "softLimit": 0, "hardLimit": 0}]),
        runner.sh("tmpfs", "grep ' /t ' /proc/mounts; df -k /t | tail -1 | awk '{print $2}'; df -k /dev/shm | tail -1 | awk '{print $2}'",
                  essential=False, linuxParameters={"tmpfs": [
                      {"containerPath": "/t", "size": 3, "mountOptions": ["exec", "mode=700"]}]}),
        runner.sh("cgroup", "cd /sys/fs/cgroup; cat memory.max memory.low cpu.weight memory.oom.group",
                  essential=False, memory=64, memoryReservation=16, cpu=512),
        runner.sh("scratch", "cat /proc/fs/ext4/*/options", essential=False),
        runner.container("share", "probe", "spin", essential=False, dependsOn=[
            {"containerName": n, "condition": "COMPLETE"}
            for n in ("default", "set", "tmpfs", "cgroup", "scratch")]),
        cpuUnits=256)
    assert settings(guest.stdout(0))["nofile"] == "65535:65535"
    assert settings(guest.stdout(1)) == {"nofile": "100:200", "core": "0:0"}
    mounted, size, shm = guest.stdout(2).decode().splitlines()
    options = mounted.split()[3].split(",")
    assert {"rw", "nosuid", "nodev", "mode=700"} <= set(options) and "noexec" not in options
    assert (size, shm) == ("3072", "65536")
    assert guest.stdout(3).decode().split() == [str(64 << 20), str(16 << 20), "20", "1"]
    options = guest.stdout(4).decode().split()
    assert "rw" in options and not [o for o in options if o.startswith("init_itable")]
    assert 15 < int(settings(guest.stdout(5))["share"]) < 45, "256 units are a quarter of a processor"


def test_a_start_is_not_slowed_by_the_quota(runner):
    """One millisecond of CPU in a hundred: what makes a container needs dozens of those."""
    guest, codes = runner.run(runner.container("app", "probe", "limits"), cpuUnits=11)
    begin, end = (guest.named(event)[0]["at"] for event in ("image.done", "container.started"))
    assert codes == {"app": 0} and end - begin < 10**9, "a start of its own time"


def test_volumes(runner, images):
    image = images.add_busybox(
        {"Volumes": {"/own": {}, "/data": {}}},
        {"data": (None, {"uid": 1000, "gid": 1000, "mode": 0o750}), "data/sub": None,
         "data/sub/file": (b"image", {"uid": 1000, "mode": 0o4711}), "data/link": "sub/file",
         "own": None, "own/x": b"own", "evil": "/proc"})
    point = {"sourceVolume": "v", "containerPath": "/data"}
    def of(name, script, **more):
        return dict({"name": name, "image": {"reference": "x", "manifest": image}, "essential": False,
                     "entryPoint": ["sh", "-c", script]}, **more)
    after = [{"containerName": "first", "condition": "SUCCESS"}]
    guest, codes = runner.run(
        of("first", "cat /data/link; stat -c '%u %g %a' /data /data/sub/file; echo new > /data/new; echo changed > /own/x",
           mountPoints=[point]),
        of("second", "cat /data/new /own/x", mountPoints=[point], dependsOn=after),
        of("read", "cat /data/new; echo no > /data/new", dependsOn=after,
           mountPoints=[dict(point, readOnly=True)]),
        of("rootro", "echo w > /own/w && cat /own/x /own/w; touch /z", readonlyRootFilesystem=True),
        of("other", "ls -A /mnt/deep/er; cat /mnt/deep/er/new", dependsOn=after,
           mountPoints=[{"sourceVolume": "v", "containerPath": "/mnt/deep/er"},
                        {"sourceVolume": "w", "containerPath": "/mnt"}]),
        of("evil", "echo never", mountPoints=[{"sourceVolume": "none", "containerPath": "/x"}]),
        of("link", "echo never", mountPoints=[{"sourceVolume": "w", "containerPath": "/evil"}]),
        volumes=["v", "w"])
    assert guest.stdout(0) == b"image1000 1000 750\n1000 0 4711\n"
    assert guest.stdout(1) == b"new\nown"
    assert guest.stdout(2) == b"new\n" and b"Read-only" in guest.stderr(2)
    assert guest.stdout(3) == b"ownw\n" and b"Read-only" in guest.stderr(3)
    assert guest.stdout(4).split() == [b"link", b"new", b"sub", b"new"]
    assert guest.named("container.failed", "evil")[0]["error"] == "CannotCreateContainerError"
    assert "/proc" in guest.named("container.failed", "link")[0]["message"]
    assert len(guest.named("image.done")) == 7


def test_one_image_two_containers(runner):
    """Copy-on-write roots of one assembly; the image is read once."""
    with runner.guest() as guest:
        guest.connect()
        guest.start([runner.sh(n, f"echo {n} > /mine; sleep 1; cat /mine; ls / | grep -c mine; ip addr | grep -c 'lo:'; "
                                  "grep -c UP /proc/net/if_inet6 || ip link show lo | grep -c UP", essential=False)
                     for n in ("a", "b")])
        assert guest.finish() == {"a": 0, "b": 0}
        assert guest.stdout(0).startswith(b"a\n1\n") and guest.stdout(1).startswith(b"b\n1\n")
        assert guest.reads == len(set(guest.asked)), "something was read twice"


def test_depends(runner):
    def on(name, condition):
        return [{"containerName": name, "condition": condition}]
    guest, codes = runner.run(
        runner.sh("app", "echo app", dependsOn=on("complete", "COMPLETE") + on("server", "START")),
        runner.sh("complete", "sleep 0.3; exit 5", essential=False, dependsOn=on("success", "SUCCESS")),
        runner.sh("success", "sleep 0.3", essential=False),
        runner.sh("server", "trap 'exit 9' TERM; while :; do sleep 0.1; done", essential=False, stopTimeout=10))
    assert codes == {"app": 0, "complete": 5, "success": 0, "server": 9}
    order = [(e["event"], e.get("container")) for e in guest.events]
    def at(event, name):
        return order.index(("container." + event, name))
    assert at("exited", "success") < at("started", "complete") < at("exited", "complete") < at("started", "app")
    assert at("started", "server") < at("started", "app")


def test_depends_never(runner):
    guest, codes = runner.run(
        runner.sh("app", "echo never", dependsOn=[{"containerName": "init", "condition": "SUCCESS"}]),
        runner.sh("init", "exit 3", essential=False),
        runner.sh("beside", "exec sleep 60", essential=False, stopTimeout=1))
    assert codes == {"init": 3, "beside": 137}
    stopping = guest.named("task.stopping")[0]
    assert stopping["reason"] == "TaskFailedToStart" and "init" in stopping["message"]
    assert not guest.named("container.started", "app") and guest.stdout(0) == b""


def test_stop(runner, images):
    """Stop signal, time-out, reverse order of dependencies, a small init."""
    image = images.add_busybox({"StopSignal": "SIGUSR1", "Entrypoint": ["sh", "-c"]})
    loop = "while :; do sleep 0.1; done"
    with runner.guest() as guest:
        guest.connect()
        guest.start([
            runner.sh("base", f"trap 'echo base; exit 0' TERM; echo up; {loop}", stopTimeout=60),
            {"name": "usr1", "image": {"reference": "x", "manifest": image}, "essential": False,
             "command": [f"trap 'echo usr1; exit 4' USR1; echo up; {loop}"],
             "dependsOn": [{"containerName": "base", "condition": "START"}]},
            runner.sh("deaf", f"trap '' TERM; echo up; {loop}", stopTimeout=2, essential=False,
                      dependsOn=[{"containerName": "base", "condition": "START"}]),
            runner.container("reaped", "sh", "-c", "sleep 0.1 & echo up; exec sleep 60", essential=False,
                             linuxParameters={"initProcessEnabled": True}),
            runner.sh("pid1", "echo $$; ls /proc | grep -c '^[0-9]'; echo up; exec sleep 60", essential=False,
                      linuxParameters={"initProcessEnabled": True}, user="app")])
        guest.step_until(lambda: all(b"up\n" in guest.stdout(i) for i in range(5)))
        began = time.monotonic()
        guest.stop("enough")
        guest.stop("again")
        codes = guest.finish()
    assert codes == {"base": 0, "usr1": 4, "deaf": 137, "reaped": 143, "pid1": 143}
    assert 1.9 < time.monotonic() - began < 20
    stopping = guest.named("task.stopping")
    assert len(stopping) == 1 and (stopping[0]["reason"], stopping[0]["message"]) == ("UserInitiated", "enough")
    exited = [e["container"] for e in guest.named("container.exited")]
    assert exited.index("base") > max(exited.index("usr1"), exited.index("deaf"))
    assert guest.stdout(1) == b"up\nusr1\n"
    assert guest.stdout(4).split()[0] != b"1"


def test_stop_while_pulling(runner):
    with runner.guest() as guest:
        guest.connect()
        guest.answer = lambda request: None  # a registry that never answers
        guest.start([runner.sh("app", "echo never")])
        guest.wait("image.begin")
        guest.stop()
        assert guest.finish() == {}
    assert [e["event"] for e in guest.events] == ["image.begin", "task.stopping", "task.stopped"]


@pytest.mark.parametrize("how", ["flipped", "short", "missing", "config"])
def test_bad_image(runner, images, how):
    """What does not have its digest is not believed."""
    def fault(digest, offset, data):
        if how == "flipped" and len(data) > 100000:
            return data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]
        return data[:len(data) // 2] if how == "short" and len(data) > 100000 else data
    image = runner.image
    if how == "config":
        image = images.put(b'{"schemaVersion": 2, "config": [], "layers": "x"}')
    with runner.guest() as guest:
        guest.fault = fault
        guest.connect()
        guest.start([runner.sh("app", "echo never", image={
            "reference": "x", "manifest": "sha256:" + "0" * 64 if how == "missing" else image})])
        assert guest.finish() == {}
    failed = guest.named("container.failed")[0]
    assert failed["error"] == "CannotPullContainerError" and failed["message"]
    assert guest.named("task.stopping")[0]["reason"] == "TaskFailedToStart"


MAC = "02:00:5e:00:53:01"


def network(**change):
    return {"network": {"mac": MAC, "mtu": 1500, "addresses": ["172.31.0.10/20"], "gateways": ["172.31.0.1"],
                        "dnsServers": [], "dnsSearch": [], **change}}


# What makes a task another than all before it. Where one of them cannot be had, nothing of the task runs.
IDENTITY = {
    "random": ({"random": "xyz"}, "random: "), "clock": ({"now": 0}, "set the clock: "),
    "clock-range": ({"now": -1}, "set the clock: "), "mac": (network(mac="03:00:5e:00:53:01"), "network: mac: "),
    "address": (network(addresses=["172.31.0.10/33"]), "network: addresses[0]: "),
    "address-taken": (network(addresses=["172.31.0.10/20"] * 2), "network: address 172.31.0.10/20: "),
    "hostname": ({"hostname": "x" * 65}, "hostname: "), "no-hostname": ({"hostname": None}, "hostname: ")}
REFUSED = {**IDENTITY, "containers": ({"containers": []}, "0 containers"), "scratch": ({"scratch": "/dev/null"}, ""),
           "id": ({"id": "../../etc"}, "task without an id")}


@pytest.mark.parametrize("parked, what", [(False, what) for what in REFUSED] + [
    (True, what) for what in ("random", "clock", "mac", "address-taken", "hostname")])
def test_bad_task(runner, parked, what):
    change, text = REFUSED[what]
    with runner.guest(mac=MAC) as guest:
        guest.connect()
        if parked:
            assert "error" not in guest.rehearse()
        guest.start(**dict({"containers": [runner.sh("app", "echo never", essential=False)]}, **change))
        assert guest.finish() == {}
    assert guest.events[-1]["event"] == "task.stopped" and not guest.output.get(0)
    assert {event["event"] for event in guest.events} <= {"container.failed", "task.stopping", "task.stopped"}
    (stopping,) = guest.named("task.stopping")
    assert stopping["reason"] == "TaskFailedToStart"
    assert stopping["message"].startswith(f"ResourceInitializationError: {text}"), stopping


def test_hostile_image(runner, images):
    """Links where the guest mounts; a container's own /proc is what it sees, or it does not start."""
    proc = images.add_busybox(None, {"proc": "/tmp"})
    dev = images.add_busybox(None, {"dev": "/etc"})
    resolv = images.add_busybox(None, {"etc/resolv.conf": "../nowhere/x", "etc/hosts": "/proc/self/root/../../run/h"})
    guest, codes = runner.run(
        *[runner.sh(f"c{i}", "cat /etc/hosts | head -1", essential=False, image={"reference": "x", "manifest": m})
          for i, m in enumerate((proc, dev, resolv))])
    assert {e["container"] for e in guest.named("container.failed")} == {"c0", "c1"}
    assert codes["c2"] == 0 and b"localhost" in guest.stdout(2)


def test_flood_and_slow_host(runner):
    """Binary output of 3 MiB: the container waits for a host that does not acknowledge."""
    with runner.guest() as guest:
        guest.connect()
        guest.acknowledge = False
        guest.start([runner.container("flood", "probe", "flood", essential=False),
                     runner.sh("quiet", "sleep 0.5; echo not held up", essential=False)])
        guest.step_until(lambda: len(guest.stdout(0)) == 1 << 20)
        guest.step_until(lambda: guest.stdout(1))
        time.sleep(0.2)
        guest.step(0.1)
        assert len(guest.stdout(0)) == 1 << 20, "more than the ring was sent unacknowledged"
        assert not guest.named("container.exited", "flood")
        guest.acknowledge = True
        guest.control(dict(guest.position(), type="ack"))
        assert guest.finish() == {"flood": 0, "quiet": 0}
    assert guest.stdout(0) == FLOOD


@pytest.mark.parametrize("seed", range(4))
def test_reconnect(runner, seed):
    """The host goes away at random points, also within frames; nothing is lost or doubled."""
    chance = random.Random(seed)
    with runner.guest() as guest:
        def hook():
            if chance.random() < 0.1 and guest.disconnects < 25:
                guest.disconnects += 1
                guest.disconnect()
        guest.disconnects = 0
        guest.connect()
        guest.hook = hook
        guest.start([runner.container("flood", "probe", "flood", essential=False),
                     runner.sh("lines", "for i in $(seq 3000); do echo line $i; echo e $i >&2; done; exit 2",
                               essential=False)])
        deadline = time.monotonic() + 120
        while not guest.named("task.stopped"):
            assert time.monotonic() < deadline, guest.log()
            if not guest.socket:
                guest.hook = None
                guest.connect()
                guest.hook = hook
            guest.step(0.5)
            if guest.socket and chance.random() < 0.05:
                guest.disconnects += 1
                guest.disconnect()
        guest.hook = None
        if not guest.socket:
            guest.connect()
        codes = guest.finish()
    assert guest.disconnects > 3, "no fault happened"
    assert codes == {"flood": 0, "lines": 2}
    assert hashlib.sha256(guest.stdout(0)).digest() == hashlib.sha256(FLOOD).digest()
    assert guest.stdout(1) == b"".join(b"line %d\n" % i for i in range(1, 3001))
    assert guest.stderr(1) == b"".join(b"e %d\n" % i for i in range(1, 3001))


def test_noise(runner):
    """Bytes that are no frames, and frames that are no messages, do not end the guest."""
    with runner.guest() as guest:
        guest.connect()
        guest.start([runner.sh("app", "echo fine; while [ ! -e /stop ]; do sleep 0.1; done", stopTimeout=0)])
        guest.wait("container.started")
        for message in (b"", b"[]", b"{", b'{"type": 5}', b'{"type": "resume", "output": [5, {"stream": 99}]}',
                        b'{"type": "ack", "eventSeq": -5, "output": {}}', b'{"type": "blob.error", "id": 70000}',
                        b'{"type": "task", "id": "again"}'):
            guest.send(guests.CONTROL, message)
        guest.send(guests.BLOB, b"unasked", 0, 77, 5)
        guest.step_until(lambda: not guest.pending)
        guest.disconnect()
        guest.connect()
        guest.pending += random.Random(1).randbytes(1 << 20)
        guest.step_until(lambda: not guest.pending)
        guest.disconnect()
        guest.connect()
        guest.step_until(lambda: guest.stdout() == b"fine\n")
        guest.stop()
        assert guest.finish() == {"app": 137}
    assert guest.stdout() == b"fine\n" and re.search("channel:", guest.log())
