# SPDX-License-Identifier: Apache-2.0
"""The engine's side of a task's network: a real VPC, VMs that are processes."""

import json
import os
import subprocess

import pytest

import awsapi
import fgd as harness


@pytest.fixture
def vpc(start):
    with start(network="vpc") as daemon:
        yield daemon


def details(task):
    assert len(task["attachments"]) == 1
    return {d["name"]: d["value"] for d in task["attachments"][0]["details"]}


def interfaces(fgd):
    return fgd.call("GET", "/v1/network")["networkInterfaces"]


def test_a_task_has_an_interface(vpc, task):
    info = vpc.call("GET", "/v1/info")["network"]
    assert info["mode"] == "vpc" and info["vpc"].startswith("vpc-")
    it = vpc.get(vpc.run(task("wait"))["fgrun"]["id"], wait="RUNNING")
    d = details(it)
    assert d["privateIPv4Address"] == "172.31.0.4" and d["privateDnsName"] == "ip-172-31-0-4.fgrun.internal"
    assert d["subnetId"].startswith("subnet-") and d["networkInterfaceId"].startswith("eni-")
    attachment = it["attachments"][0]
    assert (attachment["type"], attachment["status"]) == ("ElasticNetworkInterface", "ATTACHED")
    assert it["containers"][0]["networkInterfaces"][0]["attachmentId"] == attachment["id"]
    seen = interfaces(vpc)
    assert [i["task"] for i in seen] == [it["fgrun"]["id"]] and seen[0]["macAddress"] == d["macAddress"]
    vpc.call("POST", f"/v1/tasks/{it['fgrun']['id']}/stop", {})
    it = vpc.stopped(it)
    assert it["attachments"][0]["status"] == "DELETED" and details(it) == d
    assert interfaces(vpc) == []


def test_port_conflicts_are_refused_before_anything_starts(vpc, task):
    first = vpc.run(task("wait"), publish=[{"hostPort": 8080, "containerPort": 80}])
    assert first["fgrun"]["publish"] == [{"hostAddress": "::", "hostPort": 8080, "containerPort": 80,
                                          "protocol": "tcp"}]
    for publish in ([{"hostPort": 8080, "containerPort": 1}],
                    [{"hostPort": 8080, "containerPort": 1, "hostAddress": "127.0.0.1"}]):
        with pytest.raises(harness.Failure) as refused:
            vpc.run(task("wait"), publish=publish)
        assert refused.value.status == 409 and first["fgrun"]["id"] in str(refused.value)
    assert len(vpc.call("GET", "/v1/tasks")["tasks"]) == 1
    vpc.call("POST", f"/v1/tasks/{first['fgrun']['id']}/stop", {})
    vpc.stopped(first)
    vpc.run(task("wait"), publish=[{"hostPort": 8080, "containerPort": 80}])


def test_an_address_of_nobody_is_the_users_mistake(vpc, task):
    with pytest.raises(harness.Failure, match="the host has no such address") as refused:
        vpc.run(task("wait"), publish=[{"hostPort": 8080, "containerPort": 80, "hostAddress": "192.0.2.77"}])
    assert refused.value.status == 400


def test_a_definition_has_a_rate(vpc, task):
    definition = task("wait", fgrun={"networkBytesPerSecond": 65536})
    for request in ({}, {"networkBytesPerSecond": 32768}):
        vpc.get(vpc.run(definition, **request)["fgrun"]["id"], wait="RUNNING")
    assert sorted(i["bytesPerSecond"] for i in interfaces(vpc)) == [32768, 65536]


def test_a_definition_publishes(vpc, task):
    """Unless who runs it says otherwise; and what RunTask starts."""
    defined = {"hostAddress": "127.0.0.1", "hostPort": 8080, "containerPort": 80}
    definition = task("wait", fgrun={"publish": [defined]})
    first = vpc.run(definition)
    assert first["fgrun"]["publish"] == [{**defined, "protocol": "tcp"}]
    own = vpc.run(definition, publish=[{"hostPort": 8081, "containerPort": 80}])
    assert [p["hostPort"] for p in own["fgrun"]["publish"]] == [8081]
    other = vpc.run(definition, overrides={"fgrun": {"publish": [{"hostPort": 8082, "containerPort": 81}]}})
    assert [(p["hostPort"], p["containerPort"]) for p in other["fgrun"]["publish"]] == [(8082, 81)]
    with pytest.raises(harness.Failure) as refused:
        vpc.run(definition, networkConfiguration={"awsvpcConfiguration": {"subnets": ["default"]}})
    assert refused.value.status == 409 and first["fgrun"]["id"] in str(refused.value)
    with pytest.raises(harness.Failure) as refused:
        vpc.run(task("wait", fgrun={"publish": [{"hostPort": 1}]}))
    assert "$.fgrun.publish[0].containerPort: is required" in str(refused.value.body)
    aws = awsapi.Aws(vpc)  # not checked against its model, which has no member fgrun
    aws.target(f"{awsapi.TARGETS['ecs']}.RegisterTaskDefinition",
               {**definition, "fgrun": {"publish": [{"hostPort": 8083, "containerPort": 80}]}})
    answer = aws.call("ecs", "RunTask", taskDefinition="test",
                      networkConfiguration={"awsvpcConfiguration": {"subnets": ["default"]}})
    ran = answer["tasks"][0]["taskArn"].rsplit("/", 1)[1]
    assert [p["hostPort"] for p in vpc.get(ran)["fgrun"]["publish"]] == [8083]
    vpc.kill()
    vpc.start()
    seen = {i["task"]: i["publish"] for i in interfaces(vpc)}
    assert seen[first["fgrun"]["id"]][0]["hostAddress"] == "127.0.0.1"


def test_bad_requests_say_all_that_is_wrong(vpc, task):
    with pytest.raises(harness.Failure) as refused:
        vpc.run(task("wait"), networkConfiguration={"awsvpcConfiguration": {"subnets": [], "securitygroups": []}},
                publish=[{"hostPort": 0, "containerPort": 80, "hostAddress": "fe80::1"},
                         {"hostPort": 53, "containerPort": 53, "hostAddress": "::1", "protocol": "udp"}])
    paths = {e["path"]: e["message"] for e in refused.value.body["errors"]}
    assert paths["$.networkConfiguration.awsvpcConfiguration.subnets"] == "subnets can not be empty."
    assert "securityGroups" in paths["$.networkConfiguration.awsvpcConfiguration.securitygroups"]
    assert "$.publish[0].hostPort" in paths and "without a zone" in paths["$.publish[0].hostAddress"]
    assert "IPv4 addresses only" in paths["$.publish[1].hostAddress"]
    with pytest.raises(harness.Failure) as refused:
        vpc.run(task("wait"), networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}})
    assert refused.value.status == 400 and "'subnet-1' does not exist" in str(refused.value)


def test_defaults_have_a_name(vpc, task):
    it = vpc.run(task("wait"), networkConfiguration={"awsvpcConfiguration": {
        "subnets": ["default"], "securityGroups": ["default"], "assignPublicIp": "ENABLED"}})
    it = vpc.get(it["fgrun"]["id"], wait="RUNNING")
    config = vpc.call("GET", "/v1/network")
    assert details(it)["subnetId"] == config["subnets"][0]["subnetId"]
    assert interfaces(vpc)[0]["groups"] == [config["securityGroups"][0]["groupId"]]
    assert config["subnets"][0]["availableIpAddressCount"] == 4096 - 5 - 1


def test_it_survives_fgd(vpc, task):
    it = vpc.run(task("wait"), publish=[{"hostPort": 8081, "containerPort": 80}])
    it = vpc.get(it["fgrun"]["id"], wait="RUNNING")
    before = interfaces(vpc)
    vpc.kill()
    vpc.start()
    assert interfaces(vpc) == before
    assert details(vpc.get(it["fgrun"]["id"])) == details(it)
    with pytest.raises(harness.Failure) as refused:
        vpc.run(task("wait"), publish=[{"hostPort": 8081, "containerPort": 80}])
    assert refused.value.status == 409


def test_killed_in_the_middle(vpc, task):
    """Wherever fgd dies, the tasks end and nothing of their network is left."""
    for n in range(6):
        ids = [vpc.run(task("exit 0"), publish=[{"hostPort": 9000 + i, "containerPort": 80}])["fgrun"]["id"]
               for i in range(2)]
        vpc.kill()
        vpc.start()
        for task_id in ids:
            vpc.get(task_id, wait="STOPPED")
    assert interfaces(vpc) == []


def test_without_a_network(start, task):
    with start(network="none") as fgd:
        it = fgd.run(task("exit 0"))
        assert it["attachments"] == []
        assert fgd.call("GET", "/v1/info")["network"] == {"mode": "none",
                                                           "reason": "network = none in its configuration"}
        with pytest.raises(harness.Failure) as refused:
            fgd.run(task("exit 0"), publish=[{"hostPort": 8080, "containerPort": 80}])
        assert refused.value.status == 403 and "network = none" in str(refused.value)


def test_configured_subnets_and_groups(start, task, tmp_path):
    path = tmp_path / "network.json"
    path.write_text(json.dumps({
        "subnets": [{"subnetId": "subnet-0a1b2c3d", "cidrBlock": "10.20.0.0/24", "ipv6CidrBlock": "fd00:20::/64"}],
        "securityGroups": [{"groupId": "sg-0000aaaa", "groupName": "web", "ipPermissions": [
            {"ipProtocol": "tcp", "fromPort": 80, "toPort": 80, "ipRanges": [{"cidrIp": "0.0.0.0/0"}]},
            {"ipProtocol": "6", "fromPort": 443, "toPort": 443, "ipRanges": [{"cidrIp": "0.0.0.0/0"}]},
            {"ipProtocol": "058", "fromPort": 1, "toPort": 4, "ipv6Ranges": [{"cidrIpv6": "::/0"}]},
            {"ipProtocol": "47", "ipRanges": [{"cidrIp": "10.0.0.0/8"}]}]}]}))
    with start(network="vpc", network_config=path) as fgd:
        it = fgd.run(task("wait"), networkConfiguration={"awsvpcConfiguration": {
            "subnets": ["subnet-0a1b2c3d"], "securityGroups": ["web"]}})
        it = fgd.get(it["fgrun"]["id"], wait="RUNNING")
        assert details(it)["privateIPv4Address"] == "10.20.0.4" and details(it)["ipv6Address"] == "fd00:20::4"
        assert interfaces(fgd)[0]["groups"] == ["sg-0000aaaa"]
        rules = next(g for g in fgd.call("GET", "/v1/network")["securityGroups"] if g["groupName"] == "web")["rules"]
        assert [(rule["ipProtocol"], rule["fromPort"], rule["toPort"]) for rule in rules if not rule["isEgress"]][:3] == [
            ("tcp", 80, 80), ("tcp", 443, 443), ("icmpv6", 1, 4)]


def test_every_error_of_the_file_is_told(tmp_path):
    from conftest import HYPERVISOR, PROGRAM
    path = tmp_path / "network.json"
    path.write_text(json.dumps({
        "subnets": [{"subnetId": "subnet-0a1b2c3d", "cidrBlock": "10.0.0.0/20"},
                    {"subnetId": "subnet-x", "cidrBlock": "10.0.1.0/24"}, {"subnetId": "subnet-0a1b2c3e"}],
        "securityGroups": [{"groupId": "sg-0000aaaa", "groupName": "web", "ipPermissions": [
            {"ipProtocol": "tcp", "fromPort": 90, "toPort": 80, "userIdGroupPairs": [{"groupId": "sg-00000000"}]},
            {"ipProtocol": "carrier", "fromPort": 1}, {"ipProtocol": "17", "ipRanges": [{"cidrIp": "10.0.0.0/8"}]},
            {"ipProtocol": "1", "fromPort": 256, "toPort": -1, "ipv6Ranges": [{"cidrIpv6": "::/0"}]},
            {"ipProtocol": "58", "fromPort": 1, "toPort": 256, "ipRanges": [{"cidrIp": "10.0.0.0/8"}]}]}]}))
    done = subprocess.run([PROGRAM, f"--state-dir={tmp_path}/s", f"--cache-dir={tmp_path}/c", f"--run-dir={tmp_path}/r",
                           f"--hypervisor={HYPERVISOR}", f"--network-config={path}"], capture_output=True, text=True,
                          timeout=60, check=False, env={**os.environ})
    assert done.returncode == 64
    for what in ("$.subnets[1].subnetId: 'subnet-x' is not an id", "$.subnets[1].cidrBlock: 10.0.1.0/24 overlaps",
                 "$.subnets[2].cidrBlock: is required", "ipPermissions[0].toPort: is below fromPort",
                 "userIdGroupPairs[0].groupId: there is no group sg-00000000", "'carrier' is not a protocol",
                 "ipPermissions[2].toPort: udp needs fromPort and toPort", "ipPermissions[3].fromPort: is no type of icmp",
                 "ipPermissions[3].ipv6Ranges: IPv6 has icmpv6, not icmp", "ipPermissions[4].toPort: is no code of icmpv6",
                 "ipPermissions[4].ipRanges: IPv4 has no icmpv6"):
        assert what in done.stderr, done.stderr
