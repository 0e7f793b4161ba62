# SPDX-License-Identifier: Apache-2.0
"""Software as it is used: nginx and curl in two tasks, an application of two tiers in one."""

import contextlib
import json
import urllib.request

import pytest

import debian
import lab as lab_module
from lab import ROOT, definition, wait_for

ANYWHERE = [{"ipProtocol": "-1", "ipRanges": [{"cidrIp": "0.0.0.0/0"}], "ipv6Ranges": [{"cidrIpv6": "::/0"}]}]
WEB = {"groupId": "sg-0000aaaa", "groupName": "web", "ipPermissionsEgress": ANYWHERE, "ipPermissions": [
    {"ipProtocol": "tcp", "fromPort": 80, "toPort": 80, "userIdGroupPairs": [{"groupId": "sg-0000bbbb"}]}]}
CLIENT = {"groupId": "sg-0000bbbb", "groupName": "client", "ipPermissionsEgress": ANYWHERE}
SECONDS = 90  # for a service to answer, in a guest without KVM


@pytest.fixture(scope="module")
def image():
    return f"oci:{debian.services()}:latest"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    path = tmp_path_factory.mktemp("services") / "network.json"
    path.write_text(json.dumps({"securityGroups": [WEB, CLIENT]}))
    with lab_module.lab(network="vpc", network_config=path) as it:
        yield it


@pytest.fixture(scope="module")
def tasks(lab, image):
    """nginx and the example, which start side by side."""
    nginx = definition(image, ["nginx", "-g", "daemon off;"], family="web", portMappings=[{"containerPort": 80}])
    text = (ROOT / "examples" / "two-tier.json").read_text(encoding="utf-8")
    tiers = json.loads(text.replace("oci:../build/demo/services", image))
    return (lab.fgd.run(nginx, networkConfiguration=groups("web"), publish=[{"hostPort": 8090, "containerPort": 80}]),
            lab.fgd.run(tiers, publish=[{"hostPort": 8091, "containerPort": 8000}]))


def groups(*names):
    return {"awsvpcConfiguration": {"subnets": ["default"], "securityGroups": list(names)}}


def get(url):
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()
    return None


def curl(lab, image, script, **members):
    task = lab.fgd.stopped(lab.fgd.run(definition(image, script), **members))
    return lab.fgd.output_of(task["fgrun"]["id"]).decode()


def test_nginx(lab, image, tasks):
    server = lab.fgd.get(tasks[0]["fgrun"]["id"], wait="RUNNING")
    page = wait_for(lambda: get("http://127.0.0.1:8090/"), "nginx, published", SECONDS)
    assert "Welcome to nginx!" in page
    ip6 = server["containers"][0]["networkInterfaces"][0]["ipv6Address"]
    script = (f"for url in http://web.fgrun.internal/ 'http://[{ip6}]/'; do curl -sS -o /dev/null --max-time 20 "
              "-w '%{http_code} %{size_download} %{remote_ip}\\n' \"$url\"; done; true")
    seen = curl(lab, image, script, networkConfiguration=groups("client")).splitlines()
    # By its name curl takes either family.
    assert [line.split()[:2] for line in seen] == [["200", str(len(page))]] * 2 and seen[1].endswith(ip6), seen
    # The default group may send everything, but nobody lets it in.
    refused = curl(lab, image, script.replace("20", "5", 1)).splitlines()
    assert [line.split()[:2] for line in refused] == [["000", "0"]] * 2, refused


def test_two_tiers(lab, tasks):
    task_id = tasks[1]["fgrun"]["id"]
    # The web tier starts when the database is HEALTHY, and answers with what that has written.
    assert wait_for(lambda: get("http://127.0.0.1:8091/"), "the application", SECONDS) == "visit 1\n"
    assert get("http://127.0.0.1:8091/again") == "visit 2\n"
    task = lab.fgd.get(task_id)
    containers = {c["name"]: c for c in task["containers"]}
    assert containers["database"]["healthStatus"] == "HEALTHY" and containers["web"]["lastStatus"] == "RUNNING"
    assert "ready to accept connections" in lab.fgd.output_of(task_id, "stderr", "database").decode()
