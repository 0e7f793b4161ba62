# SPDX-License-Identifier: Apache-2.0
"""What a container may set of its kernel, namespaces and terminal, in a real guest."""

LOOP = "while :; do sleep 0.1; done"


def control(name, value):
    return {"namespace": name, "value": value}


def test_system_controls(runner):
    """Each in its namespace: IPC of the container, network of the task, the rest of the kernel."""
    show = "cat /proc/sys/kernel/shmmni /proc/sys/fs/mqueue/msg_max /proc/sys/net/core/somaxconn /proc/sys/vm/max_map_count"
    guest, codes = runner.run(
        runner.sh("set", show, essential=False, systemControls=[
            control("kernel.shmmni", "1234"), control("fs.mqueue.msg_max", "77"), control("net.core.somaxconn", "555"),
            control("vm/max_map_count", "262144"), control("net.ipv4.conf.lo.forwarding", "1"),
            control("kernel.sem", "250 32000 100 129")]),
        runner.sh("other", show + "; cat /proc/sys/net/ipv4/conf/lo/forwarding; echo 1 > /proc/sys/vm/max_map_count",
                  essential=False, dependsOn=[{"containerName": "set", "condition": "START"}]))
    assert guest.stdout(0).split() == [b"1234", b"77", b"555", b"262144"]
    assert guest.stdout(1).split() == [b"4096", b"10", b"555", b"262144", b"1"]
    assert b"Read-only" in guest.stderr(1)


def test_system_controls_that_the_kernel_refuses(runner):
    names = {"absent": control("kernel.no_such_thing", "1"), "bad": control("kernel.shmmni", "many"),
             "directory": control("net.core", "1"), "readonly": control("kernel.osrelease", "x"),
             "outside": control("kernel/../../self/comm", "x")}
    guest, codes = runner.run(*[runner.sh(name, "echo never", essential=False, systemControls=[it])
                                for name, it in names.items()])
    assert codes == {}
    failed = {e["container"]: e for e in guest.named("container.failed")}
    assert {e["error"] for e in failed.values()} == {"ResourceInitializationError"} and len(failed) == len(names)
    for name, it in names.items():
        assert f'system control "{it["namespace"]}"' in failed[name]["message"], failed[name]
    assert '= "many"' in failed["bad"]["message"]


def test_shared_memory_size(runner):
    size = "df -k /dev/shm | tail -1 | awk '{print $2}'; grep -c 'shm.*nosuid,nodev,noexec' /proc/mounts"
    guest, codes = runner.run(
        runner.sh("large", size, essential=False, linuxParameters={"sharedMemorySize": 128}),
        runner.sh("default", size, essential=False))
    assert guest.stdout(0).split() == [b"131072", b"1"] and guest.stdout(1).split() == [b"65536", b"1"]


def test_one_process_namespace(runner):
    """All see all; the end of a container ends all of its processes and nobody else's."""
    with runner.guest() as guest:
        guest.connect()
        guest.start([
            runner.sh("first", "sh -c 'exec sleep 1111' & setsid sleep 2222 & echo $$; " + LOOP,
                      essential=False, stopTimeout=1),
            runner.sh("second", "until ps | grep -q '[s]leep 2222'; do sleep 0.1; done; echo seen; cat /proc/1/comm;"
                                "grep -E '^(Uid|CapEff|CapBnd|Seccomp|NoNewPrivs):' /proc/1/status | tr -s '\\t' ' ';"
                                "ls /proc/1/root/ 2>&1 | wc -l; kill -9 1; (sleep 0.1 &); exit 4",
                      essential=False, linuxParameters={"capabilities": {"add": ["SYS_PTRACE"]}}),
            runner.sh("watcher", "until ps | grep -q '[s]leep 2222'; do sleep 0.1; done; echo here; trap 'exit 0' TERM; " + LOOP,
                      essential=False, healthCheck={"command": ["CMD-SHELL", "ps | grep -q '[s]leep 2222'"], "interval": 1})],
            pidMode="task")
        guest.wait("container.exited", "second")
        guest.step_until(lambda: b"here" in guest.stdout(2) and guest.named("container.health", "watcher"))
        assert int(guest.stdout(0).split()[0]) > 1
        assert guest.named("container.health", "watcher")[0]["status"] == "HEALTHY"
        guest.stop()
        codes = guest.finish()
    second = guest.stdout(1).decode().splitlines()
    assert second[:2] == ["seen", "fgrun-pause"]
    assert {line.split(":")[0]: line.split()[1] for line in second[2:7]} == {
        "Uid": "65534", "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}
    assert codes["second"] == 4 and codes["watcher"] == 0


def test_shared_processes_end_with_their_container(runner):
    guest, codes = runner.run(
        runner.sh("short", "setsid sleep 2222 & sh -c 'trap \"\" TERM; exec sleep 1111' &"
                           "until ps | grep -q '[s]leep 3333'; do sleep 0.1; done; exit 6", essential=False),
        runner.sh("watcher", "until ps | grep -q '[s]leep 2222'; do sleep 0.1; done; echo here; sleep $((3000 + 333)) &"
                             "while ps | grep -q '[s]leep [12]'; do sleep 0.1; done; echo gone; sleep 0.5; ps -o stat | grep -c Z",
                  dependsOn=[{"containerName": "short", "condition": "START"}]),
        pidMode="task")
    assert codes["short"] == 6 and guest.stdout(1) == b"here\ngone\n0\n"


def test_own_process_namespaces(runner):
    guest, codes = runner.run(
        runner.sh("a", "echo $$; exec sleep 2", essential=False),
        runner.sh("b", "sleep 1; ps | grep -c '[s]leep 2'; echo $$", essential=False))
    assert guest.stdout(0) == b"1\n" and guest.stdout(1) == b"0\n1\n"


def test_interactive(runner):
    """stdin stays open and empty; without `interactive` it is at its end."""
    guest, codes = runner.run(
        runner.sh("plain", "cat; echo end", essential=False),
        runner.sh("open", "readlink /proc/self/fd/0 | cut -c1-5; timeout 2 cat; echo $?", essential=False, interactive=True),
        runner.sh("user", "timeout 1 cat < /dev/stdin; echo $?", user="app", interactive=True, essential=False))
    assert guest.stdout(0) == b"end\n"
    assert guest.stdout(1) == b"pipe:\n143\n"
    assert guest.stdout(2) == b"143\n"


def test_pseudo_terminal(runner):
    """A terminal of the container's own; its output is stdout."""
    guest, codes = runner.run(
        runner.sh("app", "tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminal; echo err >&2; ls -l /dev/pts/0 | cut -c1-10;"
                         "echo $TERM; stty size; echo to-tty > /dev/tty; echo to-console > /dev/console; id -u; exit 3",
                  user="app", pseudoTerminal=True, environment=[{"name": "TERM", "value": "vt100"}], essential=False),
        runner.sh("silent", "timeout 1 cat; echo $?; echo $TERM; ls /dev/pts | wc -l", pseudoTerminal=True, interactive=True,
                  essential=False),
        runner.sh("reaped", "tty", pseudoTerminal=True, essential=False, linuxParameters={"initProcessEnabled": True}),
        runner.sh("absent", "x", pseudoTerminal=True, essential=False, entryPoint=["/no/such"]))
    assert codes == {"app": 3, "silent": 0, "reaped": 0}
    assert guest.stdout(0).decode().split("\r\n") == [
        "/dev/pts/0", "terminal", "err", "crw--w----", "vt100", "24 80", "to-tty", "to-console", "1000", ""]
    assert guest.stderr(0) == b""
    assert guest.stdout(1).decode().split() == ["Terminated", "143", "xterm", "2"]
    assert guest.stdout(2) == b"/dev/pts/0\r\n"
    assert guest.named("container.failed", "absent")[0]["error"] == "CannotStartContainerError"


def test_nothing_of_a_terminals_output_is_lost(runner):
    """Programs that write and end at once, and one that writes much, restarted."""
    guest, codes = runner.run(
        *[runner.container(f"c{i}", "echo", "word" * 500, pseudoTerminal=True, essential=False) for i in range(8)],
        runner.sh("again", "echo r >> /r; i=0; while [ $i -lt 3000 ]; do echo line; i=$((i+1)); done;"
                           "[ $(wc -l < /r) = 3 ] && exit 0; exit 1", pseudoTerminal=True,
                  restartPolicy={"enabled": True, "restartAttemptPeriod": 0, "ignoredExitCodes": [0]}))
    assert [guest.stdout(i) for i in range(8)] == [b"word" * 500 + b"\r\n"] * 8
    assert guest.stdout(8) == b"line\r\n" * 9000 and codes["again"] == 0


def test_volumes_from(runner, images):
    """Mount points and the image's volumes, read-only when asked for, through others, not over one's own."""
    image = images.add_busybox({"Volumes": {"/own": {}, "/kept": {}}},
                               {"own": None, "own/x": b"of the image\n", "kept": None})
    point = {"sourceVolume": "v", "containerPath": "/data"}
    guest, codes = runner.run(
        runner.sh("user", "cat /data/f /own/x; ls /kept; echo w > /data/w && echo written; echo w > /ro/w || echo ro",
                  volumesFrom=[{"sourceContainer": "source"}],
                  dependsOn=[{"containerName": "through", "condition": "COMPLETE"}]),  # its end is that of the task
        dict(runner.sh("source", "echo f > /data/f; echo changed > /own/x; echo k > /kept/k; trap 'exit 0' TERM; " + LOOP,
                       mountPoints=[point, {"sourceVolume": "r", "containerPath": "/ro", "readOnly": True}]),
             image={"reference": "x", "manifest": image}, essential=False),
        runner.sh("through", "sleep 1; cat /own/x; echo n > /own/n || echo read-only; cat /data/mine",
                  essential=False, volumesFrom=[{"sourceContainer": "between"}],
                  mountPoints=[{"sourceVolume": "m", "containerPath": "/data"}]),
        runner.sh("between", "sleep 30", stopTimeout=1, essential=False,
                  volumesFrom=[{"sourceContainer": "source", "readOnly": True}]),
        runner.sh("filler", "echo mine > /m/mine", essential=False,
                  mountPoints=[{"sourceVolume": "m", "containerPath": "/m"}]),
        volumes=["v", "r", "m"])
    assert codes["user"] == 0
    started = [e["container"] for e in guest.named("container.started")]
    assert started.index("source") < started.index("user") < len(started)
    assert started.index("source") < started.index("between")
    lines = guest.stdout(0).decode().splitlines()
    assert lines[-1] == "ro" and "written" in lines
    assert guest.stdout(2) == b"changed\nread-only\nmine\n"
