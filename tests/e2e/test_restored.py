# SPDX-License-Identifier: Apache-2.0
"""Guests that are made from the memory of one that waited: they are as new, each is another, and if not they boot."""
import pathlib
import time

import pytest

import lab as lab_module
import ociimage
from lab import definition, wait_for

CLONES = 4
IDENTITY = ("cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid; head -c 16 /dev/urandom | od -An -tx1 | "
            "tr -d ' '; hostname; cat /sys/class/net/eth1/address; ip -o -4 addr show dev eth1 | awk '{print $4}'; "
            "date +%s; cut -d. -f1 /proc/uptime; wget -q -O - $ECS_CONTAINER_METADATA_URI_V4/task | head -c 1")


@pytest.fixture(scope="module", name="image")
def fixture_image(tmp_path_factory):
    path = tmp_path_factory.mktemp("restored")
    path.chmod(0o755)
    ociimage.write_layout(str(path), {"latest": ociimage.busybox()})
    return f"oci:{path}:latest"


def templates(lab):
    return lab.fgd.call("GET", "/v1/info")["templates"]


def files(lab):
    return sorted(path.name for path in (pathlib.Path(lab.directory) / "cache/templates").iterdir())


def restored(image, command, **more):
    return definition(image, command, task={"fgrun": {"start": "restored"}, **more})


def ready_to_restore(lab, image, count=1):
    """A task has come, its image is prepared, and of a guest that was to wait for the next there is a template."""
    lab.wait(lab.detach(definition(image, "true")))
    wait_for(lambda: templates(lab)["ready"] >= count, "a template", 120)
    wait_for(lambda: any(i["reference"] == image and i["prepared"] for i in lab.fgd.call("GET", "/v1/images")["images"]),
             "the image", 60)


def start_of(done):
    return done["fgrun"]["start"]


def test_no_two_are_equal(image):
    with lab_module.lab(warm_memory_mib=1024, network="vpc") as lab:
        ready_to_restore(lab, image)
        seen = []
        for number in range(2):
            begin = time.time()
            ids = [lab.detach(restored(image, IDENTITY)) for _ in range(CLONES // 2)]
            for task_id in ids:
                done = lab.wait(task_id)
                assert start_of(done)["way"] == "restored", start_of(done)
                *unequal, stamp, uptime, brace = lab.fgd.output_of(task_id).decode().split()
                assert len(unequal) == 6 and brace == "{"
                assert begin - 2 <= int(stamp) <= time.time() + 2 and int(uptime) < 60
                seen += unequal
            if number == 0:  # also those that wait with the image mounted, and their clones
                lab.fgrun("warm", image)
                wait_for(lambda: templates(lab)["ready"] >= 2, "a template with the image", 120)
        assert len(set(seen)) == len(seen) == 6 * CLONES, seen


def test_templates_outlive_the_daemon_and_damage_is_noticed(image):
    with lab_module.lab(warm_memory_mib=1024) as lab:
        ready_to_restore(lab, image)
        lab.fgd.stop()
        lab.fgd.start()
        done = lab.wait(lab.detach(restored(image, "echo one")))
        assert start_of(done)["way"] == "restored", (start_of(done), templates(lab), files(lab))
        # A state that is none: QEMU gives up, the task does not.
        (name,) = files(lab)
        template = pathlib.Path(lab.directory) / "cache/templates" / name
        (template / "state").write_bytes(b"not a state")
        stats = [(template / file).stat() for file in ("ram", "state", "scratch.img")]
        (template / "seal").write_text("".join(f"{s.st_ino} {s.st_ctime_ns // 10**9}.{s.st_ctime_ns % 10**9:09}\n"
                                               for s in stats))
        done = lab.wait(lab.detach(restored(image, "echo two")))
        assert lab.fgd.output_of(done["fgrun"]["id"]) == b"two\n"
        assert start_of(done)["way"] == "cold" and "restoring a guest failed" in start_of(done)["reason"]
        assert templates(lab)["dropped"]
        wait_for(lambda: files(lab) == [], "the template to go", 30)


def test_a_changed_memory_is_not_used(image):
    with lab_module.lab(warm_memory_mib=1024) as lab:
        ready_to_restore(lab, image)
        (name,) = files(lab)
        with open(pathlib.Path(lab.directory) / "cache/templates" / name / "ram", "r+b") as ram:
            ram.write(b"\0")
        done = lab.wait(lab.detach(restored(image, "true")))
        assert start_of(done)["way"] == "cold" and done["containers"][0]["exitCode"] == 0
        assert "written to" in templates(lab)["dropped"]


def test_what_is_the_tasks_own_fault_is_not_the_templates(image):
    with lab_module.lab(warm_memory_mib=1024) as lab:
        ready_to_restore(lab, image)
        task = restored(image, "true")
        task["containerDefinitions"][0]["secrets"] = [{"name": "SECRET", "valueFrom": "there-is-none"}]
        done = lab.wait(lab.detach(task))
        assert done["stopCode"] == "TaskFailedToStart" and "there-is-none" in done["stoppedReason"], done
        assert start_of(done)["way"] == "restored" and "dropped" not in templates(lab)


def test_killed_while_one_is_made(image):
    with lab_module.lab(warm_memory_mib=1024) as lab:
        lab.wait(lab.detach(definition(image, "true")))
        for _ in range(3):
            wait_for(lambda: any(name.endswith(".new") for name in files(lab)) or templates(lab)["ready"],
                     "a template in the making", 120)
            lab.fgd.kill()
            lab.fgd.start()
            assert not [name for name in files(lab) if name.endswith(".new")]
            lab.wait(lab.detach(definition(image, "true")))
        lab.settle()


def test_only_if_wanted(image):
    with lab_module.lab(warm_memory_mib=1024, templates=0) as lab:
        lab.wait(lab.detach(definition(image, "true")))
        wait_for(lambda: any(size["ready"] for size in lab.fgd.call("GET", "/v1/info")["pool"]), "a guest", 120)
        assert templates(lab) == {"ready": 0, "max": 0} and files(lab) == []
        task = definition(image, "true", task={"fgrun": {"start": "restored"}})
        done = lab.wait(lab.detach(task))
        assert start_of(done) == {"way": "cold", "reason": "fgrun.start of the task says so"}
