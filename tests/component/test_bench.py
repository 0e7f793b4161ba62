# SPDX-License-Identifier: Apache-2.0
"""fgrun bench, with VMs that are processes and container engines that sleep for a known time."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import jsonschema
import pytest

from conftest import BUILD, HYPERVISOR, PROGRAM, ROOT

SLEEP_MS = 80
WORKING = {"microvm-warm-image", "microvm-warm", "microvm-cold", "docker"}
PROBE = BUILD / "bench" / "probe" / "probe"
KNOWN_PORT = pathlib.Path(__file__).with_name("known_port.py")
HOLD = pathlib.Path(__file__).with_name("hold.py")
HELD_MIB, PYTHON_MIB = 48, 24  # of an instance of that docker, and what the interpreter may take
DOCKER = f"""#!/bin/sh
echo "$*" >>$HOME/docker.log
case $1 in
ps) echo left-behind ;;
rm) case $3 in pid-*) kill ${{3#pid-}} ;; idle-*) kill $(cat "$HOME/$3") ;; esac ;;
version) echo 1.2.3 ;;
image) case $3 in *known*) ;; *) exit 1 ;; esac ;;
run)
    case $*:$# in
    *wait:*) exec /usr/bin/python3 {HOLD} idle-$$ ;;
    *noise-*) echo 0123456789abcdef ;;
    *serve-8080:*)
        port=${{*#*127.0.0.1:}}
        /usr/bin/python3 {KNOWN_PORT} ${{port%%:*}} >/dev/null 2>&1 </dev/null &
        echo pid-$! ;;
    *victim:*) echo '{{"p50Ms":3,"p99Ms":4}}' ;;
    *efficiency:*) echo '{{"integerPerSecond":5,"memoryMBPerSecond":5,"memoryRandomPerSecond":5,"syscallsPerSecond":5,"diskWriteMBPerSecond":5,"diskReadMBPerSecond":5}}' ;;
    *isolation:*) exec {PROBE} isolation ;;
    *) sleep 0.0{SLEEP_MS}; echo "{{\\"realtimeNs\\":$(date +%s%N)}}"; sleep 0.02 ;;
    esac ;;
esac
"""
BROKEN = "#!/bin/sh\n[ $1 != --version ] || { echo broken 1; exit 0; }\necho no such luck >&2\nexit 125\n"


def prepare(tmp):
    """Programs that are found first, and the environment they are found with."""
    for name, text in (("docker", DOCKER), ("podman", BROKEN), ("runc", BROKEN),
                       ("fgd", f'#!/bin/sh\nexec {PROGRAM} "$@" --hypervisor={HYPERVISOR} --network=none\n')):
        (tmp / name).write_text(text, encoding="ascii")
        (tmp / name).chmod(0o755)
    return {"PATH": f"{tmp}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(tmp), "FGRUN_FGD": str(tmp / "fgd"), "TMPDIR": str(tmp)}


def left(tmp):
    """Directories, and processes that name them."""
    found = [path.name for path in tmp.glob("fgrun-bench-*")]
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"{tmp}/fgrun-bench-".encode() in path.read_bytes():
                found.append(path.read_bytes())
    return found


@pytest.fixture(name="bench", scope="module")
def _bench(tmp_path_factory):
    """Result, page and printed text of one quick run, and what docker was asked for."""
    tmp = tmp_path_factory.mktemp("bench")
    (tmp / "layout").mkdir()
    subprocess.run(["tar", "-xf", PROBE.with_suffix(".tar"), "-C", tmp / "layout"], check=True)
    (tmp / "known").symlink_to("layout")
    done = subprocess.run([BUILD / "cli" / "fgrun", "bench", "--quick", f"--image=oci:{tmp}/layout:fgrun-bench",
                           f"--image=oci:{tmp}/known:fgrun-bench", f"--json={tmp}/out.json", f"--html={tmp}/out.html"],
                          env=prepare(tmp), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 0, done
    assert not left(tmp)
    return (json.loads((tmp / "out.json").read_text("utf-8")), (tmp / "out.html").read_text("utf-8"), done.stdout,
            (tmp / "docker.log").read_text("utf-8"))


def test_an_interruption_leaves_nothing_and_keeps_what_was_measured(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("int")  # short: sockets are below it
    log = tmp_path / "docker.log"
    child = subprocess.Popen([BUILD / "cli" / "fgrun", "bench", f"--json={tmp_path}/out.json"], env=prepare(tmp_path),
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    end = time.monotonic() + 120
    while not log.exists() or log.read_text("utf-8").count("/probe start") < 5:
        assert time.monotonic() < end and child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    printed = child.communicate(timeout=120)[0]
    assert child.returncode == 130 and not left(tmp_path)
    result = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert result["settings"]["interrupted"] and 1 <= len(row(result, "docker")["samples_ms"]) < 20
    assert "docker" in printed
    lines = log.read_text("utf-8").splitlines()  # what docker still has of ours is asked for, and goes
    assert lines[-3].startswith("ps --all") and lines[-2:] == ["rm --force left-behind", "rmi --force fgrun-bench:latest"]


def row(result, name):
    return next(row for row in result["start"] if row["name"] == name)


def test_the_result_is_what_the_document_says(bench):
    schema = json.loads((pathlib.Path(ROOT) / "docs" / "benchmark.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(bench[0])
    assert WORKING == {row["name"] for row in bench[0]["start"]}
    for each in bench[0]["start"]:
        assert len(each["samples_ms"]) == bench[0]["settings"]["rounds"] == len(each["typed"]["samples_ms"])
        assert each["p50_ms"] in each["samples_ms"] and each["p99_ms"] == max(each["samples_ms"])


def test_a_peer_takes_the_time_that_it_sleeps(bench):
    docker = row(bench[0], "docker")
    for first, typed, whole in zip(docker["samples_ms"], docker["typed"]["samples_ms"], docker["whole"]["samples_ms"]):
        assert SLEEP_MS <= first <= typed <= whole and SLEEP_MS + 20 <= whole
    assert min(docker["samples_ms"]) < SLEEP_MS + 500  # a loaded machine


def test_a_microvm_s_clock_is_its_task_s(bench):
    for name in sorted(WORKING - {"docker"}):
        each = row(bench[0], name)
        phases = {phase["name"]: phase["samples_ms"] for phase in each["phases"]}
        assert phases["started"] == each["samples_ms"] and set(phases["accepted"]) == {0}
        assert all(a <= b for a, b in zip(each["samples_ms"], each["typed"]["samples_ms"]))


def test_rate_counts_what_it_waits_for(bench):
    rows = {(row["name"], row["concurrency"]): row for row in bench[0]["rate"]}
    assert set(rows) == {(name, n) for name in ("microvm-warm-image", "docker") for n in (1, 4)}
    for (name, concurrency), each in rows.items():
        assert each["starts"] > 0 and each["failed"] == 0
        assert each["perSecond"] == pytest.approx(each["starts"] / each["seconds"], rel=0.001, abs=0.001)  # both are rounded
        if name == "docker":
            assert each["perSecond"] <= concurrency * 1000 / (SLEEP_MS + 20) and "ways" not in each
        else:
            assert sum(each["ways"].values()) == each["starts"] and each["ways"]["warm-image"] > 0
    # Every start that docker saw is one of a round, the first one, or one that was counted here.
    settings, begun = bench[0]["settings"], sum(rows["docker", n]["starts"] for n in (1, 4))
    assert bench[3].count("/probe start\n") == 1 + settings["warmUp"] + settings["rounds"] + begun


def test_what_is_seen_inside(bench):
    rows = {row["name"]: row for row in bench[0]["isolation"]}
    assert rows["host"]["kernel"] == rows["docker"]["kernel"] == "host's"  # this docker isolates nothing
    assert rows["microvm-warm-image"]["kernel"] == "own"
    for list_ in ("namespaces", "procLeaks", "sysLeaks", "writable", "syscalls"):
        assert rows["docker"][list_] == rows["host"][list_]
    assert "REACHED" in bench[2] and "/proc/loadavg" in bench[1]
    assert rows["docker"]["processes"] > 1 and rows["host"]["bootId"] == rows["docker"]["bootId"]
    work = {row["name"]: row for row in bench[0]["efficiency"]}
    assert work["docker"]["integerPerSecond"] == 5 and work["host"]["syscallsPerSecond"] > 1000


def seen_behind(*command):
    return json.loads(subprocess.run([*command, PROBE, "isolation"], check=True, stdout=subprocess.PIPE, timeout=60).stdout)


def test_what_is_hidden_is_not_seen():
    """Each boundary that is put up takes away what it is there for, and nothing else."""
    keys = ("namespaces", "procLeaks", "sysLeaks", "writable", "syscalls")
    open_lists = {key: set(host[key]) for host in [seen_behind()] for key in keys}
    assert {"/proc/cmdline", "/proc/loadavg", "/proc/meminfo", "/proc/timer_list"} <= open_lists["procLeaks"]
    assert {"/sys/module", "/sys/kernel/notes"} <= open_lists["sysLeaks"] and "/proc/sys/kernel/core_pattern" in open_lists["writable"]
    assert {"mount", "pivot_root", "unshare", "splice", "waitid"} <= open_lists["syscalls"]
    hide = ("mount --bind /dev/null /proc/timer_list && mount -t tmpfs none /sys/module && mount --bind /etc/hostname /proc/meminfo && "
            "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec setpriv --bounding-set=-sys_admin ")
    hidden = seen_behind("unshare", "--mount", "--uts", "--ipc", "sh", "-c", hide + '"$@"', "sh")
    gone = {key: open_lists[key] - set(hidden[key]) for key in keys}
    assert gone["procLeaks"] - {"/proc/iomem"} == {"/proc/timer_list", "/proc/meminfo"}  # its addresses are for that capability
    assert gone["sysLeaks"] == {"/sys/module"}
    assert gone["writable"] == {path for path in open_lists["writable"] if path.startswith("/proc/sys/")}
    assert {"pivot_root", "fsopen", "move_mount"} <= gone["syscalls"] and "splice" not in gone["syscalls"]
    assert {"uts", "ipc"} <= set(hidden["namespaces"])
    assert hidden["parametersReadable"] == hidden["parametersWritable"] == 0


def test_parameters_and_cgroups_of_others_are_counted():
    """As they are found in a tree of our own: three cgroups beside ours, of which one may be written."""
    tree = ("set -e; mount -t tmpfs none /sys/fs/cgroup; cd /sys/fs/cgroup; touch cgroup.procs; "
            "for name in a b c; do mkdir $name; touch $name/cgroup.procs; mount --bind $name $name; done; mkdir none; "
            "mount -o remount,bind,ro a; mount -o remount,bind,ro b; "
            "mount -t tmpfs none /sys/module; cd /sys/module; mkdir -p x/parameters y/parameters z; "
            "touch x/parameters/one x/parameters/two y/parameters/three; chmod 444 x/parameters/*; chmod 200 y/parameters/three; ")
    ours = 'echo "0::$0" >/run/cgroup; mount --bind /run/cgroup /proc/$$/cgroup; exec "$@"'

    def counts(own):
        script = tree + f"mount -t tmpfs none /run; {ours}"
        said = seen_behind("unshare", "--mount", "sh", "-c", script, own)
        return [said[key] for key in ("cgroupsSeen", "cgroupsWritable", "parametersReadable", "parametersWritable")]

    assert counts("/") == [3, 1, 2, 1]
    assert counts("/c") == [2, 0, 2, 1]  # it does not count itself
    assert counts("/elsewhere") == [0, 0, 2, 1]  # what is mounted here begins with its own


def test_memory_is_what_an_instance_takes(bench):
    memory = {(row["name"], row["instances"]): row for row in bench[0]["memory"]}
    assert set(memory) == {(name, n) for name in ("docker", "microvm-warm-image") for n in (1, 3)}
    for n in (1, 3):
        each = memory["docker", n]
        assert HELD_MIB < each["pssMiB"] <= each["rssMiB"] < HELD_MIB + PYTHON_MIB
        assert each["inBudget"] == pytest.approx(4096 / each["pssMiB"], abs=1)
        assert memory["microvm-warm-image", n]["admitted"] == 4096 // 512 and "admitted" not in each  # a fake VM has no overhead


def test_what_a_port_carries_and_a_neighbour_does(bench):
    carried = {row["name"]: row for row in bench[0]["network"]}
    assert set(carried) == {"host", "docker"}  # and the reason of those whose fgd has no network is kept
    assert all(row[key] > 0 for row in carried.values() for key in ("roundTripUs", "fromMBPerSecond", "toMBPerSecond"))
    assert 5000 <= carried["docker"]["roundTripUs"] < 50000
    for key in ("fromMBPerSecond", "toMBPerSecond"):  # what has arrived, not what somebody holds on the way
        assert 0.5 < carried["docker"][key] <= 65.536 / 10, key
    noise = {(row["name"], row["neighbour"]): row for row in bench[0]["noise"]}
    assert set(noise) == {(name, what) for name in ("docker", "microvm-warm-image")
                          for what in ("none", "cpu", "fork", "memory", "disk", "conntrack")}
    assert noise["docker", "fork"]["p99_ms"] == 4 and noise["microvm-warm-image", "cpu"]["p50_ms"] == 1
    assert {row["timesAlone"] for row in noise.values()} == {1} and {row["alone"] for row in noise.values()} == {"steady"}
    assert noise["docker", "disk"]["rounds_ms"] == [4, 4, 4]


@pytest.mark.parametrize("what", ["cpu", "fork", "memory", "disk", "conntrack"])
def test_noise_goes_on_until_it_is_ended(what):
    with subprocess.Popen(["unshare", "--net", PROBE, f"noise-{what}"], stdout=subprocess.PIPE, process_group=0) as noise:
        assert noise.stdout.readline() == b'{"noise":true}\n'
        assert noise.poll() is None
        os.killpg(noise.pid, signal.SIGTERM)
        assert noise.wait(timeout=60) == 0


def pieces(pid):
    """Of work that a victim has done: it writes once for each."""
    return int(re.search(r"^syscw: (\d+)", pathlib.Path(f"/proc/{pid}/io").read_text("ascii"), re.M)[1])


@pytest.mark.parametrize("done", [1, 25])
def test_a_victim_says_how_late_it_was(done):
    """It is stopped for a known time, while some of its pieces of work are due; the first twenty do not count."""
    child = subprocess.Popen([PROBE, "victim"], stdout=subprocess.PIPE)
    end = time.monotonic() + 60
    while pieces(child.pid) < done:
        assert time.monotonic() < end and child.poll() is None
    child.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    child.send_signal(signal.SIGCONT)
    said = json.loads(child.communicate(timeout=60)[0])
    assert 0 < said["p50Ms"] < 100 and (200 <= said["p99Ms"]) == (done > 20)


def test_images_run_for_the_first_time(bench):
    rows = {(pathlib.Path(row["image"]).name, row["name"]): row for row in bench[0]["images"]}
    assert set(rows) == {("layout:fgrun-bench", "microvm"), ("layout:fgrun-bench", "docker"), ("known:fgrun-bench", "microvm")}
    for (_, name), each in rows.items():
        assert len(each["first"]["samples_ms"]) == 1 and len(each["later"]["samples_ms"]) == 2
        assert ("accepted" in each) == (name == "microvm") and 0 < each["sizeMB"] < 5
    reason = next(peer["reason"] for peer in bench[0]["peers"] if peer["name"] == "docker")
    assert "known" in reason and "is here already" in reason  # and is left alone


def test_targets_say_what_was_measured(bench):
    targets = {row["measure"]: row for row in bench[0]["targets"]}
    warm = targets["warm, prepared image / docker run"]
    assert warm["measured"] == pytest.approx(row(bench[0], "microvm-warm")["p50_ms"] / row(bench[0], "docker")["typed"]["p50_ms"], abs=0.001)
    assert warm["met"] == (warm["measured"] <= warm["target"] == 0.2)
    assert "measured" not in targets["restored, prepared image / docker run"]
    few = targets["warm start beside 50 tasks / beside none"]
    assert few["note"] == "beside 3 tasks only" and "met" not in few
    assert "TARGET" in bench[2] and "LOADED" in bench[2]


def test_who_does_not_work_is_named(bench):
    result, page, printed = bench[:3]
    reasons = {peer["name"]: peer.get("reason", "") for peer in result["peers"]}
    assert "status 125: no such luck" in reasons["podman"] and "no QEMU" in reasons["qemu-floor"]
    assert "podman: status 125" in printed and "no such luck" in page and "<svg" in page
    assert {peer["name"] for peer in result["peers"] if peer["works"]} == WORKING
