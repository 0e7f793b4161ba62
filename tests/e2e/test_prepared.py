# SPDX-License-Identifier: Apache-2.0
"""Prepared images: a container notices nothing of whether its image was a disk or unpacked by its guest."""

import os
import pathlib
import time

import pytest

import lab as lab_module
import ociimage
from lab import definition, wait_for

# What a container can see of its image: owners, modes, links, capabilities, content, that it can write.
LOOK = ("find /data /bin/busybox -exec stat -c '%n %u:%g %a %h %F' {} + | sort; cat /data/plain; wc -c </bin/busybox; "
        "/data/setuid id -u; echo more >>/data/plain && cat /data/plain; rm /data/sub/file; ls -A /data/sub; "
        "mkdir /data/sub/new && mv /data/sub /data/moved && ls -A /data/moved")


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    busybox = pathlib.Path("/bin/busybox").read_bytes()
    base = ociimage.busybox()
    layers = [*base.layers, ociimage.Layer({
        "data": ociimage.Dir(0o777), "data/plain": ociimage.File(b"plain\n", 0o666, 7, 8),
        "data/sub": ociimage.Dir(0o777), "data/sub/file": b"1", "data/hidden": b"2",
        "data/link": ociimage.Link("plain"), "data/hard": ociimage.Hardlink("data/plain"),
        "data/setuid": ociimage.File(busybox, 0o4755)}),
        ociimage.Layer({"data/.wh.hidden": b"", "etc/passwd": b"root:x:0:0::/:/bin/sh\nu:x:5:5::/:/bin/sh\n"})]
    directory = tmp_path_factory.mktemp("image")
    ociimage.write_layout(str(directory), {"latest": ociimage.Image(layers, env=["PATH=/bin"]),
                                           "large": ociimage.Image([*layers, ociimage.Layer(
                                               {"large": os.urandom(12 << 20)}, "none")], env=["PATH=/bin"])})
    return f"oci:{directory}"


def run(lab, image, command, **more):
    done = lab.wait(lab.detach(definition(image, command, user="u", **more)))
    assert done["containers"][0]["exitCode"] == 0, done["stoppedReason"]
    return done["fgrun"]["images"][0]["pull"], lab.fgd.output_of(done["fgrun"]["id"]).decode()


def prepared(lab, reference):
    return next((i["prepared"] for i in lab.fgd.call("GET", "/v1/images")["images"] if i["reference"] == reference),
                False)


def test_the_same_container_either_way(image):
    with lab_module.lab() as lab:
        reference = f"{image}:latest"
        way, first = run(lab, reference, LOOK, fgrun={"imagePull": "guest"})
        assert way == "guest" and "/data/setuid 0:0 4755" in first, first
        way, second = run(lab, reference, LOOK)
        assert (way, second) == ("prepared", first)
        blobs = pathlib.Path(lab.fgd.settings["cache-dir"], "images/blobs/sha256")
        disk = next(path for path in blobs.iterdir() if path.stat().st_mode & 0o777 == 0o440)
        changed = disk.stat().st_ctime_ns
        # and a third time: nobody wrote into what all share
        assert run(lab, reference, LOOK) == ("prepared", first)
        assert disk.stat().st_ctime_ns == changed  # it need not be read again
        with open(disk, "r+b") as file:
            file.write(bytes(4096))
        assert run(lab, reference, LOOK) == ("prepared", first)
        assert not disk.exists()  # another was made


def test_a_large_image_is_prepared_first(image):
    with lab_module.lab() as lab:
        assert run(lab, f"{image}:large", "stat -c %s /large") == ("prepared", f"{12 << 20}\n")


def test_strict(image):
    """The host opens no layer."""
    with lab_module.lab(image_pull="guest") as lab:
        assert run(lab, f"{image}:large", "echo ok")[0] == "guest"
        assert not prepared(lab, f"{image}:large")


def test_two_containers_and_a_volume(image):
    ways = []
    with lab_module.lab() as lab:
        for side in (None, "guest"):
            reference = f"{image}:large"
            task = definition(reference, "echo from app >/v/app; sleep 0.2; cat /v/*", user="0",
                              mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}],
                              dependsOn=[{"containerName": "side", "condition": "SUCCESS"}])
            task["volumes"] = [{"name": "v"}]
            task["containerDefinitions"].append({
                "name": "side", "image": f"{image}:latest", "essential": False, "fgrun": {"imagePull": side},
                "command": ["sh", "-c", "echo from side >/v/side"],
                "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]})
            done = lab.wait(lab.detach(task))
            assert lab.fgd.output_of(done["fgrun"]["id"]) == b"from app\nfrom side\n", done["stoppedReason"]
            ways.append([i["pull"] for i in done["fgrun"]["images"]])
        assert ways == [["prepared", "prepared"], ["prepared", "guest"]]


def test_warm_guest_gets_the_disk_while_it_runs(image):
    """The same container again, and nothing of the time before: clock and randomness are the task's own."""
    fresh = "date +%s; head -c 8 /dev/urandom | od -An -tx1; cat /proc/sys/kernel/random/uuid; "
    with lab_module.lab(warm_memory_mib=1024) as lab:
        reference = f"{image}:latest"

        def waiting():
            return any(size["ready"] for size in lab.fgd.call("GET", "/v1/info")["pool"])

        way, first = run(lab, reference, LOOK)
        wait_for(lambda: prepared(lab, reference) and waiting(), "a guest and the image", 120)
        done = lab.wait(lab.detach(definition(reference, LOOK, user="u")))
        assert done["fgrun"]["start"]["way"] == "warm"
        assert done["fgrun"]["images"][0]["pull"] == "prepared"
        assert lab.fgd.output_of(done["fgrun"]["id"]).decode() == first
        seen = []
        for _ in range(3):
            wait_for(waiting, "a guest", 120)
            begin = time.time()
            done = lab.wait(lab.detach(definition(reference, fresh)))
            assert done["fgrun"]["start"]["way"].startswith("warm")
            stamp, *rest = lab.fgd.output_of(done["fgrun"]["id"]).decode().split("\n")
            assert begin - 2 <= int(stamp) <= time.time() + 2
            seen += rest[:2]
        assert len(set(seen)) == len(seen) == 6, seen


# How long its first process has been there, in hundredths of a second; and what is told to it late.
TOLD = ("read a < /proc/uptime; set -- $(cat /proc/1/stat); n=${19}; shift 21; "
        "echo $(($(echo ${a%% *} | tr -d .) - $1)); echo $n; "
        "hostname; cat /etc/hostname; grep -c $(hostname) /etc/hosts; pwd; ulimit -n; cat /sys/fs/cgroup/memory.max; "
        "echo $A; id -u; touch /made 2>/dev/null; echo $?; ls /v 2>&1; df -m /dev/shm | tail -1 | awk '{print $2}'; "
        "for i in 1 2; do sleep 1; done & wait; echo end >&2")
LATE = {"user": "0", "workingDirectory": "/made/here", "environment": [{"name": "A", "value": "b"}], "memory": 64,
        "ulimits": [{"name": "nofile", "softLimit": 99, "hardLimit": 100}]}
EARLY = {"readonlyRootFilesystem": True, "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}],
         "linuxParameters": {"sharedMemorySize": 32}}


def stands_by(lab, reference, waiting):
    """The first process of the container waits with the guest, where nothing that shaped its root is other."""
    for early in ({}, EARLY):
        wait_for(waiting, "a guest with the image", 120)
        time.sleep(1)  # what is seen of it
        more = {"task": {"volumes": [{"name": "v"}]}} if early else {}
        done = lab.wait(lab.detach(definition(reference, TOLD, **LATE, **early, **more)))
        assert done["fgrun"]["start"] == {"way": "warm-image"}, done["stoppedReason"]
        age, *told = lab.fgd.output_of(done["fgrun"]["id"]).decode().splitlines()
        assert (int(age) < 100) if early else (int(age) >= 100), (age, early)
        host = told[1]
        assert told == ["0", host, host, "1", "/made/here", "99", str(64 << 20), "b", "0",
                        *(["1", "32"] if early else ["0", "ls: /v: No such file or directory", "64"])], told
        assert lab.fgd.output_of(done["fgrun"]["id"], "stderr") == b"end\n"


def test_warm_guest_with_the_image_mounted(image):
    """The same container once more, with nothing left to attach or mount; in a guest of its own each time."""
    with lab_module.lab(warm_memory_mib=1024) as lab:
        reference = f"{image}:latest"
        _, first = run(lab, reference, LOOK)
        lab.fgrun("warm", reference)

        def waiting():
            return lab.fgd.call("GET", "/v1/warm")["warm"][0]["ready"]

        boots = set()
        for command in (LOOK, "cat /proc/sys/kernel/random/boot_id; head -c 8 /dev/urandom | od -An -tx1; "
                        "echo x >/data/plain", "cat /proc/sys/kernel/random/boot_id; head -c 8 /dev/urandom | od -An "
                        "-tx1; cat /data/plain"):
            wait_for(waiting, "a guest with the image", 120)
            done = lab.wait(lab.detach(definition(reference, command, user="u")))
            assert done["fgrun"]["start"] == {"way": "warm-image"}, done["stoppedReason"]
            assert done["fgrun"]["images"][0]["pull"] == "prepared"
            output = lab.fgd.output_of(done["fgrun"]["id"]).decode()
            boots.update(output.split("\n")[:2])
            assert command != LOOK or output == first
        assert len(boots) == 6 and output.endswith("plain\n"), output
        stands_by(lab, reference, waiting)
        assert "1 vCPU, 512 MiB" in lab.fgrun("warm").stdout
        lab.fgrun("warm", reference, "--off")
        assert "ready" not in lab.fgrun("warm").stdout


def test_fgd_killed_while_a_warm_guest_is_taken(image):
    with lab_module.lab(warm_memory_mib=1024) as lab:
        reference = f"{image}:latest"
        run(lab, reference, "true")
        for delay in (0.0, 0.02, 0.05, 0.1, 0.3):
            wait_for(lambda: prepared(lab, reference)
                     and any(size["ready"] for size in lab.fgd.call("GET", "/v1/info")["pool"] or []),
                     "a guest and the image", 120)
            task_id = lab.detach(definition(reference, "cat /data/plain; exit 3"))
            time.sleep(delay)  # the moment is what is tested
            lab.fgd.kill()
            lab.fgd.start()
            done = lab.wait(task_id)
            assert done["containers"][0].get("exitCode") == 3, done["stoppedReason"]
            assert lab.fgd.output_of(task_id) == b"plain\n"
            run(lab, reference, "true")  # the new daemon has seen no task of this size yet


def test_tag_that_moved(image, tmp_path):
    """The VM boots with the disk of what the tag meant; the container gets what it means now."""
    ociimage.write_layout(str(tmp_path), {"latest": ociimage.busybox()})
    reference = f"oci:{tmp_path}:latest"
    with lab_module.lab() as lab:
        done = lab.wait(lab.detach(definition(reference, "ls /new 2>&1 | wc -l")))
        wait_for(lambda: prepared(lab, reference), "prepared", 60)
        changed = ociimage.busybox()
        changed = ociimage.Image([*changed.layers, ociimage.Layer({"new": b"x"})], env=["PATH=/bin"])
        ociimage.write_layout(str(tmp_path), {"latest": changed})
        done = lab.wait(lab.detach(definition(reference, "cat /new")))
        assert done["containers"][0]["exitCode"] == 0
        assert done["fgrun"]["images"][0]["pull"] == "guest"
        assert lab.fgd.output_of(done["fgrun"]["id"]) == b"x"
