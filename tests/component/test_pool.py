# SPDX-License-Identifier: Apache-2.0
"""Warm guests: taken over by tasks of their size, replaced, given up, never left behind."""

import functools
import glob
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

import awsapi
import faultproxy
import fgd as fgd_harness
import ociimage
import registry
from conftest import HYPERVISOR, PROGRAM, ROOT


@pytest.fixture
def fgd(start):
    with start(warm_memory_mib="4096") as daemon:
        yield daemon


def wait_for(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)
    return value


def ready(fgd, memory=512):
    sizes = fgd.call("GET", "/v1/info")["pool"]
    return next((size["ready"] for size in sizes if size["memoryMiB"] == memory), 0)


def way(task):
    return task["fgrun"]["start"]["way"]


def warmed(fgd, task):
    """A first task makes the daemon keep a guest of its size."""
    assert way(fgd.stopped(fgd.run(task("print first")))) == "cold"
    wait_for(lambda: ready(fgd), "a guest waits")


def vms(fgd):
    return sorted(name for name in os.listdir(f"{fgd.directory}/run") if len(name) == 32)


def nothing_left(fgd):
    return vms(fgd) == [] and os.listdir(f"{fgd.directory}/state/tasks") == []


def test_the_next_task_is_warm(fgd, task):
    warmed(fgd, task)
    guest = vms(fgd)
    done = fgd.stopped(fgd.run(task("print second", ";", "exit 4")))
    assert way(done) == "warm" and "image" in done["fgrun"]["start"]["reason"]
    assert [done["fgrun"]["id"]] == guest  # the task has the id of the guest it took
    assert done["containers"][0]["exitCode"] == 4
    assert fgd.output_of(done["fgrun"]["id"]) == b"second\n"
    wait_for(lambda: ready(fgd), "another guest waits")


def test_another_size_starts_cold(fgd, task):
    warmed(fgd, task)
    done = fgd.stopped(fgd.run({**task("print x"), "memory": "1024"}))
    assert way(done) == "cold" and "this size" in done["fgrun"]["start"]["reason"]
    done = fgd.stopped(fgd.run({**task("print x"), "ephemeralStorage": {"sizeInGiB": 30}}))
    assert way(done) == "cold" and "ephemeral storage" in done["fgrun"]["start"]["reason"]


def test_more_tasks_than_guests(fgd, task):
    warmed(fgd, task)
    ecs = functools.partial(awsapi.Aws(fgd).call, "ecs")
    ecs("RegisterTaskDefinition", **task("print x", ";", "wait"))
    started = ecs("RunTask", taskDefinition="test", count=4,  # at once: no other guest comes to wait meanwhile
                  networkConfiguration={"awsvpcConfiguration": {"subnets": ["default"]}})["tasks"]
    ids = [one["taskArn"].rpartition("/")[2] for one in started]
    assert sorted(way(fgd.get(task_id, wait="RUNNING")) for task_id in ids) == ["cold"] * 3 + ["warm"]
    for task_id in ids:
        wait_for(lambda task_id=task_id: fgd.output_of(task_id), "output")
        assert fgd.output_of(task_id) == b"x\n"
        fgd.call("POST", f"/v1/tasks/{task_id}/stop", {})


def test_the_last_guest_starts_its_task_alone(start, task):
    """What would be made in its place waits, for a bounded time, also where something else asks for it."""
    with start(warm_memory_mib="700") as fgd:  # for one
        warmed(fgd, task)
        other = fgd.run(task("print x", ";", "wait"))["fgrun"]["id"]
        wait_for(lambda: fgd.output_of(other), "its start is over")
        wait_for(lambda: ready(fgd), "the only guest waits")
        before = vms(fgd)
        silent = fgd.run(task("wait"))
        began = time.monotonic()
        assert way(silent) == "warm"
        fgd.call("POST", f"/v1/tasks/{other}/stop", {})  # its end asks for guests
        wait_for(lambda: set(vms(fgd)) - set(before), "another one is made all the same")
        assert time.monotonic() - began >= 0.2
        fgd.call("POST", f"/v1/tasks/{silent['fgrun']['id']}/stop", {})


def test_a_burst_stops_at_the_memory(start, task):
    with start(warm_memory_mib="1400") as fgd:  # for two
        for one in [fgd.run(task("print x")) for _ in range(5)]:
            fgd.stopped(one)
        size = wait_for(lambda: next((s for s in fgd.call("GET", "/v1/info")["pool"] if s["ready"] == 2), None), "two wait")
        assert size["wanted"] == 5 and size["booting"] == 0


def kill_vm(fgd, guest):
    os.kill(int(open(f"{fgd.directory}/run/{guest}/pid", encoding="ascii").read()), signal.SIGKILL)


def test_a_guest_that_dies_is_replaced(fgd, task):
    """At once, and not when the daemon next looks around, which it does every 5 seconds."""
    warmed(fgd, task)
    began = time.monotonic()
    for _ in range(4):
        guest = vms(fgd)[0]
        kill_vm(fgd, guest)
        wait_for(lambda guest=guest: guest not in vms(fgd) and ready(fgd), "another one waits")
    assert time.monotonic() - began < 10
    assert fgd.stopped(fgd.run(task("print ok")))["fgrun"]["start"]["way"] == "warm"


def test_tasks_come_before_guests(start, task):
    """A task that needs the memory of guests gets it."""
    with start() as fgd:
        capacity = fgd.call("GET", "/v1/info")["capacity"]["memoryMiB"]
    with start(memory_reserve_mib=512 + capacity - 1500, warm_memory_mib=4096) as fgd:
        warmed(fgd, task)
        waiting = vms(fgd)
        big = fgd.run({**task("wait"), "memory": "1024"})  # both do not fit
        fgd.get(big["fgrun"]["id"], wait="RUNNING")
        wait_for(lambda: not set(waiting) & set(vms(fgd)), "the guest makes way")
        fgd.call("POST", f"/v1/tasks/{big['fgrun']['id']}/stop", {})
        fgd.stopped(big)


def test_left_in_peace(fgd, task):
    """A daemon that leaves takes its guests with it."""
    warmed(fgd, task)
    assert fgd.stop() == 0
    assert nothing_left(fgd)


def test_killed_with_a_full_pool(fgd, task):
    warmed(fgd, task)
    waiting = vms(fgd)
    running = fgd.get(fgd.run(task("print on", ";", "wait"))["fgrun"]["id"], wait="RUNNING")["fgrun"]["id"]
    assert running in waiting
    wait_for(lambda: ready(fgd), "a guest waits")
    fgd.kill()
    fgd.start()
    wait_for(lambda: vms(fgd) == [running], "the guest nobody claims is removed")
    assert fgd.get(running)["lastStatus"] == "RUNNING"
    fgd.call("POST", f"/v1/tasks/{running}/stop", {})
    fgd.get(running, wait="STOPPED")


@pytest.mark.parametrize("seed", range(6))
def test_killed_while_a_task_takes_one(fgd, task, seed):
    warmed(fgd, task)
    accepted = fgd.run(task("lines 50", ";", "exit 3"))["fgrun"]["id"]
    time.sleep(seed * 0.004)  # the moment is what is tested
    fgd.kill()
    fgd.start()
    done = fgd.get(accepted, wait="STOPPED")
    if done["stopCode"] == "EssentialContainerExited":
        assert done["containers"][0]["exitCode"] == 3
        assert fgd.output_of(accepted) == "".join(f"line {i}\n" for i in range(1, 51)).encode()
    else:
        assert "while fgd was not running" in done["stoppedReason"], done["stoppedReason"]
    # It may keep a new guest; of the task nothing is left.
    wait_for(lambda: accepted not in vms(fgd) + os.listdir(f"{fgd.directory}/state/tasks"), "clean")


def test_claims_and_stops_race(fgd, task):
    warmed(fgd, task)
    for i in range(15):
        task_id = fgd.run(task("wait"))["fgrun"]["id"]
        if i % 3:
            time.sleep(i * 0.003)
        fgd.call("POST", f"/v1/tasks/{task_id}/stop", {})
        assert fgd.get(task_id, wait="STOPPED")["stopCode"] == "UserInitiated"
        if i % 4 == 0:
            wait_for(lambda: ready(fgd), "a guest waits")
    assert fgd.call("GET", "/v1/tasks?status=ACTIVE")["tasks"] == []
    assert fgd.stop() == 0
    assert nothing_left(fgd)


def test_switched_off(start, task):
    with start(warm_memory_mib="0") as fgd:
        for _ in range(2):
            done = fgd.stopped(fgd.run(task("print x")))
            assert way(done) == "cold" and "switched off" in done["fgrun"]["start"]["reason"]
        assert nothing_left(fgd)


# ---- with an image mounted ----

def with_image(fgd, image):
    """What is known of the guests that wait with this image."""
    return next((entry for entry in fgd.call("GET", "/v1/warm")["warm"] if entry["images"] == [image]), None)


def keep(fgd, task, image, **more):
    """A first task brings the image into the store; then guests are kept with it."""
    assert way(fgd.stopped(fgd.run(task("print first")))) == "cold"
    fgd.call("POST", "/v1/warm", {"image": image, **more})
    wait_for(lambda: with_image(fgd, image)["ready"] == more.get("count", 1), "guests with the image wait")


def test_kept_with_its_image(fgd, task, image):
    keep(fgd, task, image, count=2)
    assert with_image(fgd, image) in fgd.call("GET", "/v1/info")["pool"]
    guests = vms(fgd)
    done = fgd.stopped(fgd.run(task("print second", ";", "exit 4")))
    assert done["fgrun"]["start"] == {"way": "warm-image"} and done["fgrun"]["id"] in guests
    assert done["fgrun"]["images"][0]["pull"] == "prepared"
    assert done["containers"][0]["exitCode"] == 4 and fgd.output_of(done["fgrun"]["id"]) == b"second\n"
    wait_for(lambda: with_image(fgd, image)["ready"] == 2, "a guest is used once, and replaced")

    wait_for(lambda: ready(fgd), "plain ones wait as well")
    strict = fgd.stopped(fgd.run(task("print x", fgrun={"imagePull": "guest"})))
    assert way(strict) == "warm" and "does not prepare" in strict["fgrun"]["start"]["reason"]
    assert strict["fgrun"]["images"][0]["pull"] == "guest" and strict["fgrun"]["imagePull"] == "guest"
    other = fgd.stopped(fgd.run({**task("print x"), "memory": "1024"}))
    assert way(other) == "cold"

    assert fgd.call("DELETE", f"/v1/warm?image={image}")["warm"] == []
    wait_for(lambda: not set(guests) & set(vms(fgd)), "they end")
    with pytest.raises(Exception, match="404"):
        fgd.call("DELETE", f"/v1/warm?image={image}")


def test_image_that_is_removed_ends_its_guests(fgd, task, image):
    keep(fgd, task, image)
    wait_for(lambda: ready(fgd), "a plain one waits")
    fgd.call("POST", "/v1/prune", {"images": True})
    assert with_image(fgd, image)["reason"] == "its image is not in the store"
    wait_for(lambda: len(vms(fgd)) <= 1, "only the plain one is left")
    assert way(fgd.stopped(fgd.run(task("print again")))) == "warm"
    wait_for(lambda: with_image(fgd, image)["ready"] == 1, "the image is back, and a guest with it")
    assert fgd.stop() == 0 and nothing_left(fgd)


def test_wishes_outlive_the_daemon(fgd, task, image):
    keep(fgd, task, image, count=2)
    fgd.call("POST", "/v1/warm", {"image": image, "memory": "1024"})
    fgd.call("POST", "/v1/warm", {"image": image, "memory": "2048"})
    fgd.call("DELETE", f"/v1/warm?image={image}&memory=2048")
    before = {(entry["memoryMiB"], entry["wanted"], entry["kept"]) for entry in fgd.call("GET", "/v1/warm")["warm"]}
    guests = set(vms(fgd))
    fgd.kill()
    fgd.start()
    entries = wait_for(lambda: fgd.call("GET", "/v1/warm")["warm"], "the wishes")
    assert {(e["memoryMiB"], e["wanted"], e["kept"]) for e in entries} == before == {(512, 2, True), (1024, 1, True)}
    wait_for(lambda: sorted(e["ready"] for e in fgd.call("GET", "/v1/warm")["warm"]) == [1, 2], "new guests")
    wait_for(lambda: not guests & set(vms(fgd)), "nobody claims those of the former daemon")
    done = fgd.stopped(fgd.run(task("print again")))
    assert done["fgrun"]["start"] == {"way": "warm-image"}

    for memory in (512, 1024):
        fgd.call("DELETE", f"/v1/warm?image={image}&memory={memory}")
    assert fgd.stop() == 0 and nothing_left(fgd)
    fgd.start()
    assert fgd.call("GET", "/v1/warm")["warm"] == []


@pytest.mark.parametrize("change, reason", [
    (None, "its image is not in the store"), ({"image-pull": "guest"}, "prepares no images"),
    ({"warm-memory-mib": "400"}, "warm_memory_mib"), ({"warm-memory-mib": "0"}, "warm_memory_mib")])
def test_wishes_that_cannot_be_met_any_more(fgd, task, image, change, reason):
    keep(fgd, task, image)
    if not change:
        fgd.call("POST", "/v1/prune", {"images": True})
    assert fgd.stop() == 0
    fgd.settings.update(change or {})
    fgd.start()
    assert with_image(fgd, image)["wanted"] == 1 and reason in with_image(fgd, image)["reason"]
    fgd.stopped(fgd.run(task("print on")))
    assert fgd.call("DELETE", f"/v1/warm?image={image}")["warm"] == []


def test_by_demand(fgd, task, image):
    for _ in range(3):
        fgd.stopped(fgd.run(task("print x")))
    wait_for(lambda: with_image(fgd, image) and with_image(fgd, image)["ready"], "a guest with the image waits")
    assert not with_image(fgd, image)["kept"]
    assert way(fgd.stopped(fgd.run(task("print x")))) == "warm-image"


def test_tag_that_moved(fgd, task, tmp_path):
    def write(text):
        subprocess.run([sys.executable, ROOT / "scripts" / "mkimage.py", tmp_path / "layout",
                        f"--cmd=print {text}"], check=True)
    write("old")
    image = f"oci:{tmp_path}/layout:latest"
    definition = task(container={"image": image})
    del definition["containerDefinitions"][0]["command"]
    fgd.stopped(fgd.run(definition))
    fgd.call("POST", "/v1/warm", {"image": image})
    wait_for(lambda: with_image(fgd, image)["ready"], "a guest with the image waits")
    write("new")
    done = fgd.stopped(fgd.run(definition))
    assert done["fgrun"]["start"] == {"way": "warm", "reason": "its image is another one by now"}
    assert done["fgrun"]["images"][0]["pull"] == "guest" and fgd.output_of(done["fgrun"]["id"]) == b"new\n"
    wait_for(lambda: with_image(fgd, image)["ready"], "a guest with what it means now")
    assert fgd.stopped(fgd.run(definition))["fgrun"]["start"] == {"way": "warm-image"}


@pytest.mark.parametrize("wish, status, says", [
    ({}, 400, "image"), ({"image": "x", "count": 0}, 400, "between 1 and"), ({"image": "x", "cpu": "7"}, 400, "256"),
    ({"image": "x", "memory": "4"}, 400, "512"), ({"image": "x", "cpu": "4096"}, 400, "memory is required"),
    ({"image": "x"}, 404, "pull it first"), ({"image": "A B"}, 400, "A B"),
    ({"image": "x", "count": 60}, 503, "warm_memory_mib"), ({"image": "x", "more": 1}, 400, "more")])
def test_wishes_that_are_refused(refusing, wish, status, says):
    with pytest.raises(fgd_harness.Failure, match=says) as failure:
        refusing.call("POST", "/v1/warm", wish)
    assert failure.value.status == status
    assert refusing.call("GET", "/v1/warm") == {"warm": []}


@pytest.fixture(scope="module")
def refusing():
    with fgd_harness.running(PROGRAM, HYPERVISOR, warm_memory_mib="4096") as daemon:
        yield daemon


@pytest.mark.parametrize("same", [False, True])
def test_one_container_that_is_strict(fgd, task, image, tmp_path, same):
    """The host prepares the images of the others; where they are the same, it prepares none."""
    subprocess.run([sys.executable, ROOT / "scripts" / "mkimage.py", tmp_path / "layout"], check=True)
    definition = task("print x", fgrun={"imagePull": "guest"},
                      container={"essential": False, "fgrun": {"imagePull": "prepared"}})
    definition["containerDefinitions"].append({
        "name": "strict", "image": image if same else f"oci:{tmp_path}/layout:latest", "command": ["print", "y"]})

    def prepared():
        return {i["reference"] for i in fgd.call("GET", "/v1/images")["images"] if i["prepared"]}

    for way in ("guest", "guest" if same else "prepared"):
        done = fgd.stopped(fgd.run(definition))
        assert [i["pull"] for i in done["fgrun"]["images"]] == [way, "guest"]
        assert same or wait_for(prepared, "the image is prepared") == {image}
    assert not same or prepared() == set()


@pytest.mark.parametrize("killed", [False, True])
def test_a_disk_that_does_not_come(fgd, task, killed):
    """The guest has its task by then, and unpacks the image; also when fgd was killed meanwhile."""
    warmed(fgd, task)
    wait_for(lambda: fgd.call("GET", "/v1/images")["images"][0]["prepared"], "the image is prepared")
    no_disks, slow_disks = (pathlib.Path(fgd.directory) / "run" / mark for mark in ("no-disks", "slow-disks"))
    no_disks.touch()
    os.mkfifo(slow_disks)
    running = fgd.run(task("print second", ";", "exit 4"))["fgrun"]["id"]
    wait_for(lambda: no_disks.stat().st_size, "the guest has its task, while its disk is on its way")
    if killed:
        fgd.kill()
        slow_disks.unlink()
        fgd.start()
    else:
        slow_disks.write_bytes(b"")
    done = fgd.stopped({"fgrun": {"id": running}})
    assert way(done) == "warm" and done["containers"][0]["exitCode"] == 4
    assert killed or done["fgrun"]["images"][0]["pull"] == "guest"
    assert fgd.output_of(running) == b"second\n"


@pytest.mark.parametrize("killed", [False, True])
def test_a_large_image_is_unpacked_while_it_comes_and_its_vm_boots(start, task, tmp_path, killed):
    layers = [ociimage.Layer({"first": os.urandom(8 << 20)}, "none"), ociimage.Layer({"second": os.urandom(9000)}, "none")]
    source = ociimage.write_layout(str(tmp_path / "layout"), {"a": ociimage.Image(layers)})
    gate = threading.Event()
    (tmp_path / "registry").mkdir()
    with registry.Registry(tmp_path / "registry") as store, faultproxy.FaultProxy(store.host) as proxy, \
            start(warm_memory_mib="0") as fgd:
        store.push(source, "a", "test/x:a")
        proxy.fault(faultproxy.Slow(piece=1000, gate=gate), path=ociimage.digest(layers[1].data))
        running = fgd.run(task("print x", container={"image": f"{proxy.host}/test/x:a"}))
        wait_for(lambda: glob.glob(f"{fgd.directory}/cache/images/tmp/scratch*/work/tree/rootfs/first"), "it is unpacked")
        wait_for(lambda: fgd.get(running["fgrun"]["id"])["lastStatus"] == "ACTIVATING", "its VM runs")
        if killed:  # the next one has the same VM, and no disk for it
            fgd.kill()
            fgd.start()
        gate.set()
        done = fgd.stopped(running)
        assert fgd.output_of(done["fgrun"]["id"]) == b"x\n" and done["containers"][0]["exitCode"] == 0
        assert killed or done["fgrun"]["images"][0]["pull"] == "prepared"


@pytest.mark.parametrize("way", ["prepared", "guest"])
def test_what_is_pulled_is_prepared(start, image, task, way):
    with start(warm_memory_mib="0", image_pull=way) as fgd:
        assert b'"image"' in fgd.request("POST", "/v1/images/pull", {"image": image}).read().splitlines()[-1]
        if way == "prepared":
            wait_for(lambda: fgd.call("GET", "/v1/images")["images"][0]["prepared"], "the image is prepared")
        done = fgd.stopped(fgd.run(task("print x")))
        assert done["fgrun"]["images"][0]["pull"] == way


def test_strict_configuration(start, task, image):
    with start(warm_memory_mib="4096", image_pull="guest") as fgd:
        for where in ({"fgrun": {"imagePull": "prepared"}}, {"container": {"fgrun": {"imagePull": "prepared"}}}):
            with pytest.raises(fgd_harness.Failure, match="'prepared' is refused for container app"):
                fgd.run(task("print x", **where))
        with pytest.raises(fgd_harness.Failure, match="prepares no images"):
            fgd.call("POST", "/v1/warm", {"image": image})
        done = fgd.stopped(fgd.run(task("print x", fgrun={"imagePull": "guest"})))
        assert done["containers"][0]["exitCode"] == 0
