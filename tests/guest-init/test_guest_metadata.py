# SPDX-License-Identifier: Apache-2.0
"""The task metadata endpoint, asked from within containers of real guests."""
import datetime
import json
import os
import re

from test_guest import settings
from test_guest_network import HOSTNAME, MAC, NETWORK

TASK_ID = os.urandom(16).hex()
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")
FETCH = "wget -q -O - $ECS_CONTAINER_METADATA_URI_V4"


def seconds(text):
    return datetime.datetime.fromisoformat(text[:26]).timestamp()


def ids(count):
    return [f"{TASK_ID}-{i:010}" for i in range(count)]


def metadata(count):
    return {"cluster": "arn:aws:ecs:local-1:0:cluster/default", "taskArn": "arn:aws:ecs:local-1:0:task/1",
            "family": "web", "revision": "3", "region": "local-1", "availabilityZone": "local-1a",
            "launchType": "FARGATE", "pullStartedAt": 1700000000000000001, "tags": {"team": "a"},
            "ephemeralStorageMiB": 20480,
            "containers": [{"dockerId": i, "containerArn": "arn:" + i, "image": "busybox"} for i in ids(count)]}


def test_documents(runner):
    """Everything that one container learns about itself and its task, and its environment."""
    rest = [" ", "/task ", "/taskWithTags ", "/stats ", "/task/stats "]
    script = "; echo; ".join(FETCH + r for r in rest)
    with runner.guest(mac=MAC) as guest:
        guest.connect()
        guest.start([
            runner.sh("side", "while :; do sleep 1; done", essential=False, stopTimeout=0),
            runner.sh("app", f"ping -c 1 -W 20 172.31.0.1 >/dev/null; {script}; echo;"
                             "wget -q -O - $ECS_CONTAINER_METADATA_URI/task; echo; env >&2",
                      dependsOn=[{"containerName": "side", "condition": "START"}], memory=64, cpu=128)],
            network=NETWORK, hostname=HOSTNAME, id=TASK_ID, metadata=metadata(2))
        codes = guest.finish(120)
    assert codes["app"] == 0, guest.stderr(1)
    side, app = ids(2)
    own, task, tagged, stats, all_stats, old = map(json.loads, guest.stdout(1).decode().splitlines())
    assert own["DockerId"] == app and own["Name"] == "app" and own["KnownStatus"] == "RUNNING"
    assert own["Limits"] == {"CPU": 128, "Memory": 64} and own["ContainerARN"] == "arn:" + app
    assert TIME.match(own["CreatedAt"]) and own["CreatedAt"] <= own["StartedAt"]
    (network,) = own["Networks"]
    assert network["IPv4Addresses"] == ["172.31.0.10"] and network["MACAddress"] == MAC
    assert [c["Name"] for c in task["Containers"]] == ["side", "app"]
    assert task["KnownStatus"] == "RUNNING" and task["Limits"] == {"CPU": 1, "Memory": 256}
    assert task["PullStartedAt"] == "2023-11-14T22:13:20.000000001Z" < task["PullStoppedAt"]
    assert 0 < task["EphemeralStorageMetrics"]["Utilized"] < 512
    assert "TaskTags" not in task and tagged["TaskTags"] == {"team": "a"}
    assert stats["id"] == app and stats["memory_stats"]["limit"] == 64 << 20
    assert 0 < stats["memory_stats"]["usage"] < 64 << 20 and stats["pids_stats"]["current"] >= 2
    assert stats["networks"]["eth1"]["tx_packets"] >= 1 and stats["network_rate_stats"]["tx_bytes_per_sec"] > 0
    assert set(all_stats) == {side, app} and all_stats[side]["cpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert "MACAddress" not in old["Containers"][1]["Networks"][0]
    env = settings(guest.stderr(1))
    assert env["ECS_CONTAINER_METADATA_URI_V4"] == f"http://169.254.170.2/v4/{app}"
    assert env["ECS_CONTAINER_METADATA_URI"] == f"http://169.254.170.2/v3/{app}"
    assert env["ECS_AGENT_URI"] == f"http://169.254.170.2/api/{app}"
    assert env["AWS_EXECUTION_ENV"] == "AWS_ECS_FARGATE"
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "local-1"


def test_environment_of_the_user(runner):
    """The region may be the user's; where the endpoint is, is not."""
    guest, codes = runner.run(
        runner.sh("app", "env", environment=[
            {"name": "AWS_REGION", "value": "mine"},
            {"name": "ECS_CONTAINER_METADATA_URI_V4", "value": "http://elsewhere/"}]),
        id=TASK_ID, metadata=metadata(1))
    env = settings(guest.stdout())
    assert env["AWS_REGION"] == "mine" and env["AWS_DEFAULT_REGION"] == "local-1"
    assert env["ECS_CONTAINER_METADATA_URI_V4"] == f"http://169.254.170.2/v4/{ids(1)[0]}"


def test_stats_rise(runner):
    """A container that works is seen to: processor, memory, disk."""
    work = ("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done;"
            "dd if=/dev/zero of=/data bs=1M count=8 2>/dev/null; sync; cat /data > /dev/null")
    guest, codes = runner.run(
        runner.sh("app", f"sleep 1; {FETCH}/stats; echo; {work}; sleep 1; {FETCH}/stats; echo; {FETCH}/stats"),
        id=TASK_ID, metadata=metadata(1), timeout=120)
    assert codes == {"app": 0}, guest.stderr()
    before, after, again = map(json.loads, guest.stdout().decode().splitlines())

    def usage(stats, of="cpu_stats"):
        return stats[of]["cpu_usage"]["total_usage"]

    def written(stats):
        return sum(e["value"] for e in stats["blkio_stats"]["io_service_bytes_recursive"]
                   if e["op"] == "Write")
    assert usage(after) > usage(before) > 0
    assert usage(before, "precpu_stats") == 0 and usage(after, "precpu_stats") == usage(before)
    assert after["preread"] == before["read"] < after["read"]
    if seconds(again["read"]) - seconds(after["read"]) < 1:
        assert again["preread"] == before["read"], "differences of less than a second mean little"
    assert written(after) - written(before) >= 8 << 20
    assert after["memory_stats"]["stats"]["cache"] - before["memory_stats"]["stats"]["cache"] >= 4 << 20
    system = after["cpu_stats"]["system_cpu_usage"] - after["precpu_stats"]["system_cpu_usage"]
    assert 0 < usage(after) - usage(before) <= system
    assert "networks" not in after


def test_hostile_clients(runner):
    """No client ends the init or holds it up; port 80 of the task stays the task's."""
    script = """
        address=169.254.170.2; id=${ECS_CONTAINER_METADATA_URI_V4##*/}
        mkdir /www; echo own > /www/index.html; httpd -p 80 -h /www && wget -q -O - http://127.0.0.1/
        for i in $(seq 30); do sleep 20 | nc $address 80 & done
        head -c 100000 /dev/zero | nc $address 80 | head -n 1
        printf 'GET /v4/%s HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 5\\r\\n\\r\\nabcde' $id | nc $address 80 | head -n 1
        printf 'POST /v4/%s HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' $id | nc $address 80 | head -n 1
        wget -q -O - http://$address/v4/other || echo refused
        wget -q -O - $ECS_AGENT_URI/task-protection/v1/state || echo refused
        wget -q -O - $ECS_CONTAINER_METADATA_URI_V4 | grep -c RUNNING
        for i in $(seq 100); do wget -q -O /dev/null $ECS_CONTAINER_METADATA_URI_V4/task 2>/dev/null; done
        echo end
    """
    guest, codes = runner.run(runner.sh("app", script), id=TASK_ID, metadata=metadata(1), timeout=180)
    lines = [line.strip() for line in guest.stdout().decode().splitlines()]
    assert lines == ["own", "HTTP/1.1 431 Request Header Fields Too Large", "HTTP/1.1 413 Content Too Large",
                     "HTTP/1.1 405 Method Not Allowed", "refused", "refused", "1", "end"], guest.stderr()
    assert codes == {"app": 0} and guest.events[-1]["event"] == "task.stopped"


def test_health_and_restarts(runner):
    """A container sees its own health and how often it has been restarted."""
    script = (f"echo x >> /v/runs; [ $(wc -l < /v/runs) -ge 3 ] || exit 1;"
              f"until {FETCH} | grep -q '\"HEALTHY\"'; do sleep 1; done; {FETCH}")
    guest, codes = runner.run(
        runner.sh("app", script, mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}],
                  healthCheck={"command": ["CMD-SHELL", "echo fine"], "interval": 5, "timeout": 5, "retries": 1},
                  restartPolicy={"enabled": True, "restartAttemptPeriod": 0, "ignoredExitCodes": [0]}),
        volumes=["v"], id=TASK_ID, metadata=metadata(1), timeout=180)
    own = json.loads(guest.stdout().decode())
    assert codes == {"app": 0} and own["RestartCount"] == 2
    health = own["Health"]
    assert (health["status"], health["exitCode"], health["output"]) == ("HEALTHY", 0, "fine\n")
    assert TIME.match(health["statusSince"])
