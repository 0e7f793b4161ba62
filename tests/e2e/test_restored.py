# SPDX-License-Identifier: Apache-2.0
"""Guests that are made from the memory of one that waited: they are as new, each is another, and if not they boot."""
import os
import pathlib
import socket
import time

import pytest

import lab as lab_module
import ociimage
import ownnet
from lab import definition, mergeable, processes_naming, wait_for
from stamp import stamp

CLONES, WAITED = 8, 2  # and of those that waited for their task
TAPS_IN_STOCK = 8
# One NAME=VALUE per line; of no name may two clones have one value.
IDENTITY = """cd /proc/sys/kernel
for i in 1 2; do echo getrandom=$(probe random); done
echo urandom=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' ')
echo random=$(head -c 16 /dev/random | od -An -tx1 | tr -d ' ')
for i in 1 2; do echo uuid=$(cat random/uuid); done
echo boot-id=$(cat random/boot_id)
/usr/bin/ssh-keygen -q -t ed25519 -N '' -f /tmp/key && echo ssh-keygen=$(cut -d' ' -f2 /tmp/key.pub)
echo mktemp=$(mktemp -u)
echo stack=$(grep stack /proc/self/maps | cut -d' ' -f1)
echo host=$(hostname)
echo host-file=$(cat /etc/hostname)
cd /sys/class/net/eth1
echo mac=$(cat address)
echo link-local=$(ip -o -6 addr show dev eth1 scope link | awk '{print $4}')
echo address=$(ip -o -4 addr show dev eth1 | awk '{print $4}')
echo docker-id=$(wget -q -O - $ECS_CONTAINER_METADATA_URI_V4 | grep -o '"DockerId":"[^"]*"')
echo clock=$(date +%s) $(cut -d. -f1 /proc/uptime)
echo machine=$(cat /etc/machine-id /var/lib/dbus/machine-id /sys/class/dmi/id/product_uuid 2>/dev/null)
"""
DIFFERENT = {"getrandom", "urandom", "random", "uuid", "boot-id", "ssh-keygen", "mktemp", "stack", "host", "host-file", "mac",
             "link-local", "address", "docker-id"}


@pytest.fixture(scope="module", name="image")
def fixture_image(tmp_path_factory):
    path = tmp_path_factory.mktemp("restored")
    path.chmod(0o755)
    ociimage.write_layout(str(path), {"latest": ociimage.busybox(), "keygen": ociimage.Image(
        [*ociimage.busybox().layers, ociimage.Layer.from_program("/usr/bin/ssh-keygen"), ociimage.Layer({
            "bin/probe": ociimage.File((lab_module.BUILD / "tests/guest-init/probe").read_bytes(), 0o755)})],
        env=["PATH=/bin"])})
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


def values_of(lab, task_id, begin):
    """What a clone is known by, as (name, value); its clock is right, and it has no id of a machine."""
    values = [line.split("=", 1) for line in lab.fgd.output_of(task_id).decode().splitlines()]
    told = dict(values)
    clock, uptime = map(int, told.pop("clock").split())
    assert begin - 2 <= clock <= time.time() + 2 and uptime < 120
    assert told.pop("machine") == "" and set(told) == DIFFERENT and all(told.values()), told
    return [(name, value) for name, value in values if name in DIFFERENT]


def seen_of(lab, way, *tasks):
    """The same of tasks that run at once, and start this way."""
    begin = time.time()
    done = [lab.wait(task_id) for task_id in [lab.detach(task) for task in tasks]]
    assert {start_of(task)["way"] for task in done} == {way}, [start_of(task) for task in done]
    return [pair for task in done for pair in values_of(lab, task["fgrun"]["id"], begin)]


def qemus(lab):
    return [pid for pid, words in processes_naming(lab.directory).items() if "qemu-system" in words]


def taps(lab):
    vpc = os.open(f"{lab.directory}/run/vpc/net", os.O_RDONLY)
    with ownnet.inside(vpc):
        found = {name for _, name in socket.if_nameindex() if name.startswith("tap")}
    os.close(vpc)
    return found


def killed_while_all_wait(lab, image):
    """Of the guests before nothing is left, and as many wait again."""
    def full():
        pool = lab.fgd.call("GET", "/v1/info")["pool"]
        waiting = sum(size["ready"] for size in pool)
        return (any(size.get("kept") and size["ready"] >= 3 for size in pool) and not any(size["booting"] for size in pool)
                and waiting == len(qemus(lab)) == len(taps(lab)) - TAPS_IN_STOCK)

    lab.fgrun("warm", image, "--count", "3")
    wait_for(full, "guests", 60)
    before, killed = set(lab.left_over()), qemus(lab)
    lab.fgd.kill()
    assert qemus(lab) == killed and len(before) > 3 * len(killed)
    lab.fgd.start()
    wait_for(lambda: not before & set(lab.left_over()), "the guests nobody claims go", 60)
    wait_for(full, "guests", 60)
    assert not set(killed) & set(qemus(lab))
    seen_of(lab, "warm-image", definition(image, IDENTITY))


def test_no_two_are_equal(image):
    image = image.replace("latest", "keygen")
    with lab_module.lab(warm_memory_mib=3072, network="vpc") as lab:
        def waiting():
            return any(size["ready"] for size in lab.fgd.call("GET", "/v1/warm")["warm"])

        ready_to_restore(lab, image)
        clones = [restored(image, IDENTITY)] * (CLONES // 2)
        seen = seen_of(lab, "restored", *clones)
        lab.fgrun("warm", image)  # also those that wait with the image mounted, and their clones
        wait_for(lambda: templates(lab)["ready"] >= 2, "a template with the image", 120)
        for _ in range(WAITED):
            wait_for(waiting, "a guest", 120)
            pids = qemus(lab)
            assert pids and not any(mergeable(pid) for pid in pids)
            seen += seen_of(lab, "warm-image", definition(image, IDENTITY))
        seen += seen_of(lab, "restored", *clones)
        equal = {pair for pair in seen if seen.count(pair) > 1}
        assert not equal and len(seen) == (CLONES + WAITED) * (len(DIFFERENT) + 2), (equal, seen)
        killed_while_all_wait(lab, image)


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
        (template / "seal").write_text("".join(stamp(template / file) + "\n" for file in ("ram", "state", "scratch.img")))
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
