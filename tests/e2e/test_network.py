# SPDX-License-Identifier: Apache-2.0
"""Tasks on a network: real guests that reach each other, and a port on the host."""

import contextlib
import json
import urllib.request

import pytest

import lab as lab_module
from lab import wait_for

WEB = {"groupId": "sg-0000aaaa", "groupName": "web", "ipPermissions": [
    {"ipProtocol": "tcp", "fromPort": 80, "toPort": 80, "userIdGroupPairs": [{"groupId": "sg-0000bbbb"}]}],
    "ipPermissionsEgress": [{"ipProtocol": "-1", "ipRanges": [{"cidrIp": "0.0.0.0/0"}],
                             "ipv6Ranges": [{"cidrIpv6": "::/0"}]}]}
CLIENT = {"groupId": "sg-0000bbbb", "groupName": "client", "ipPermissionsEgress": WEB["ipPermissionsEgress"]}
SERVE = "mkdir /www; echo hello from $(hostname) > /www/index.html; exec httpd -f -p 80 -h /www"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "network.json"
    path.write_text(json.dumps({"securityGroups": [WEB, CLIENT]}))
    with lab_module.lab(network="vpc", network_config=path) as it:
        yield it


def groups(*names):
    return {"awsvpcConfiguration": {"subnets": ["default"], "securityGroups": list(names)}}


def address(task, name="privateIPv4Address"):
    return {d["name"]: d["value"] for d in task["attachments"][0]["details"]}[name]


def get(url):
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()
    return None


def output(lab, definition, **members):
    task = lab.fgd.run(definition, **members)
    lab.fgd.stopped(task)
    return lab.fgd.output_of(task["fgrun"]["id"]).decode()


def test_two_tasks_talk_when_their_groups_allow_it(lab, task):
    server = lab.fgd.run(task(SERVE, family="web"), networkConfiguration=groups("web"),
                         publish=[{"hostPort": 8080, "containerPort": 80}])
    server = lab.fgd.get(server["fgrun"]["id"], wait="RUNNING")
    ip, ip6, name = address(server), address(server, "ipv6Address"), address(server, "privateDnsName")
    page = f"hello from {name}\n"
    # On the host by its loopback. httpd needs a moment after RUNNING.
    wait_for(lambda: get("http://127.0.0.1:8080/") == page, "a published port", 60)
    # Debian's static busybox cannot look up a service or a host with glibc: nc and nslookup need not.
    ask = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 20 nc -w 5 {} 80"
    allowed = output(lab, task(f"{ask.format(ip)}; {ask.format(ip6)}; timeout 20 nslookup web.fgrun.internal; "
                               f"timeout 20 nslookup {server['fgrun']['id']}.fgrun.internal"),
                     networkConfiguration=groups("client"))
    assert allowed.count(page) == 2 and allowed.count(f"Address: {ip}\n") == 2 and allowed.count(ip6) >= 2, allowed
    refused = output(lab, task(f"{ask.format(ip)} || echo refused; cat /etc/resolv.conf"))
    assert page not in refused and "nameserver 169.254.169.253" in refused, refused
    lab.fgd.call("POST", f"/v1/tasks/{server['fgrun']['id']}/stop", {})
    lab.fgd.stopped(server)
    assert get("http://127.0.0.1:8080/") is None
    assert lab.fgd.call("GET", "/v1/network")["networkInterfaces"] == []


def test_a_network_outlives_fgd(lab, task):
    server = lab.fgd.run(task(SERVE, family="web"), publish=[{"hostPort": 8081, "containerPort": 80}])
    lab.fgd.get(server["fgrun"]["id"], wait="RUNNING")
    wait_for(lambda: get("http://127.0.0.1:8081/"), "a published port", 60)
    lab.fgd.kill()
    assert get("http://127.0.0.1:8081/")  # nobody is needed for it
    lab.fgd.start()
    assert get("http://127.0.0.1:8081/")
    lab.fgd.call("POST", f"/v1/tasks/{server['fgrun']['id']}/stop", {})
    lab.fgd.stopped(server)
    assert get("http://127.0.0.1:8081/") is None


def test_fgrun_publishes(lab, task):
    task_id = lab.detach(task(SERVE, family="web"), "-p", "127.0.0.1:8082:80", "-p", "[::1]:8083-8084:80-81")
    lab.wait(task_id, "RUNNING")
    wait_for(lambda: get("http://127.0.0.1:8082/"), "a published port", 60)
    assert get("http://[::1]:8083/") == get("http://127.0.0.1:8082/")
    assert get("http://127.0.0.1:8083/") is None
    shown = lab.fgrun("network").stdout
    assert "127.0.0.1:8082->80/tcp" in shown and "[::1]:8084->81/tcp" in shown and task_id[:12] in shown
    refused = lab.run(task(SERVE), "--detach", "-p", "8082:80")
    assert refused.returncode == 73 and "in use" in refused.stderr
    lab.fgrun("stop", "--wait", task_id)
