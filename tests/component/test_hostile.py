# SPDX-License-Identifier: Apache-2.0
"""Guests that do not keep to the protocol, or lie: fgd ends them, stays itself, and bills right."""

import json
import time

import pytest

import hostileguest
from fgd import Failure


@pytest.fixture
def hostile(start, tmp_path):
    """An fgd whose guests run a scenario."""
    def make(scenario, **settings):
        tmp_path.chmod(0o755)
        hostileguest.program(tmp_path / "guest", scenario)
        return start(hypervisor=f"fake:{tmp_path}/guest", **settings)
    return make


@pytest.mark.parametrize("scenario", [
    "g.sync(); g.event('task.stopped')",
    "g.sync(); g.event('container.started', container='app'); g.stay()",
    "g.hello(); g.say('hello', version=1); g.stay()",
    "g.hello(task='0' * 32); g.stay()",
    "g.sync(); g.say('hello', version=2 ** 62); g.stay()",
    "g.sync(); g.say('hello', version='1' * 200000); g.stay()",
    "g.sync(); g.frame(CONTROL, b'[1]'); g.stay()",
    "g.sync(); g.frame(CONTROL, b'[' * 200000); g.stay()",
    "g.sync(); g.frame(OUTPUT, b'8 bytes..'); g.stay()",
    "g.begin(); g.frame(OUTPUT, b'8 bytes..', stream=65535); g.stay()",
    "g.begin(); g.frame(OUTPUT, b'8 bytes..', offset=2 ** 64 - 1); g.stay()",
    "g.begin(); g.frame(OUTPUT, b'8 bytes..', offset=5); g.stay()",
    "g.begin(); g.frame(OUTPUT, b'short'); g.stay()",
    "g.begin(); g.say('event', seq=-1, at=0, event='x'); g.stay()",
    "g.begin(); g.say('event', seq=2, at=0, event='container.started', container='app'); g.stay()",
    "g.begin(); g.event('container.started', container='other'); g.stay()",
    "g.begin(); g.event('container.started'); g.stay()",
    "g.begin(); g.event('nonsense'); g.stay()",
    "g.begin()\nfor _ in range(1500): g.event('image.begin', container='app')\ng.stay()",
    "g.begin(); g.say('blob.read', id=0, digest='sha256:' + '0' * 64, offset=0, length=1); g.stay()",
    "g.begin(); g.say('blob.read', id=1, digest='../../x', offset=0, length=1); g.stay()",
    "g.begin(); g.say('blob.read', id=1, digest='sha256:' + '0' * 64, offset=2 ** 63 - 1, length=2 ** 63 - 1); g.stay()",
    "g.begin()\nwhile True: g.say('blob.read', id=1, digest='sha256:' + '0' * 64, offset=0, length=1)",
])
def test_breach_ends_the_task(hostile, task, scenario):
    with hostile(scenario) as fgd:
        done = fgd.stopped(fgd.run(task("exit 0")))
        assert done["stopCode"] in ("TaskFailedToStart", "TerminationNotice"), done
        assert "ResourceInitializationError" in done["stoppedReason"], done
        assert fgd.call("GET", "/v1/info")["capacity"]["memoryMiBUsed"] == 0


def test_texts_of_a_guest_are_cut_between_characters(hostile, task):
    """A text in a stored task that is no UTF-8 would make the task list and the next start fail."""
    scenario = ("g.begin(); g.event('container.failed', container='app', error='x', message='a' * 1023 + chr(233) * 9)\n"
                "g.event('task.stopping', reason='TaskFailedToStart', message='b' * 1022 + chr(0x1f600))\ng.stay()")
    with hostile(scenario) as fgd:
        task_id = fgd.run(task("exit 0"))["fgrun"]["id"]
        stopping = fgd.get(task_id, wait="STOPPING")
        assert stopping["containers"][0]["reason"].startswith("x: aaa")
        fgd.kill()
        fgd.start()
        assert len(fgd.call("GET", "/v1/tasks")["tasks"]) == 1


def test_clock_of_a_guest_is_not_believed(hostile, task):
    scenario = ("g.begin(); g.event('image.done', container='app', at=-5)\n"
                "g.event('container.started', container='app', at=1)\n"
                "g.frame(OUTPUT, (1).to_bytes(8, 'little') + b'early')\n"
                "g.event('container.exited', container='app', exitCode=2 ** 62 + 3, at=2 ** 63 - 1)\n"
                "g.event('task.stopping', reason='EssentialContainerExited', at=2 ** 62)\n"
                "g.event('task.stopped', at=0)\ng.stay()")
    with hostile(scenario) as fgd:
        done = fgd.stopped(fgd.run(task("exit 0")))
        assert done["containers"][0]["exitCode"] == 3
        stamps = [done[name] for name in ("createdAt", "startedAt", "stoppingAt", "executionStoppedAt", "stoppedAt")]
        assert all(stamps[0] <= stamp <= stamps[-1] for stamp in stamps), done
        assert all(phase["atNs"] >= done["fgrun"]["phases"][0]["atNs"] for phase in done["fgrun"]["phases"]), done["fgrun"]
        assert done["fgrun"]["usage"]["seconds"] == 60


def test_guest_that_forgot_its_task_gets_no_second_one(hostile, task):
    """A guest that booted again would run its containers twice."""
    scenario = ("g.begin(); g.event('container.started', container='app')\n"
                "try: g.stay()\nexcept SystemExit: pass\ng.begin(); g.stay()")
    with hostile(scenario) as fgd:
        task_id = fgd.run(task("exit 0"))["fgrun"]["id"]
        fgd.get(task_id, wait="RUNNING")
        fgd.kill()
        fgd.start()
        assert "started anew" in fgd.get(task_id, wait="STOPPED")["stoppedReason"]


def test_stop_again_and_again_does_not_prolong(hostile, task):
    scenario = "g.begin(); g.event('container.started', container='app'); g.stay()"
    with hostile(scenario) as fgd:
        definition = task("exit 0")
        definition["containerDefinitions"][0]["stopTimeout"] = 2
        task_id = fgd.run(definition)["fgrun"]["id"]
        fgd.get(task_id, wait="RUNNING")
        begun = time.monotonic()
        while fgd.get(task_id)["lastStatus"] != "STOPPED" and time.monotonic() - begun < 60:
            fgd.call("POST", f"/v1/tasks/{task_id}/stop", {"reason": "now"})
            time.sleep(0.2)
        assert fgd.get(task_id)["lastStatus"] == "STOPPED"
        assert time.monotonic() - begun < 40


def test_reason_has_a_limit(fgd, task):
    task_id = fgd.run(task("wait"))["fgrun"]["id"]
    for reason in ("x" * 1025, 5):
        with pytest.raises(Failure) as failure:
            fgd.call("POST", f"/v1/tasks/{task_id}/stop", {"reason": reason})
        assert failure.value.status == 400
    stopped = fgd.call("POST", f"/v1/tasks/{task_id}/stop", {"reason": "x" * 1024})["task"]
    assert len(stopped["stoppedReason"]) == 1024 and json.dumps(stopped)
