# SPDX-License-Identifier: Apache-2.0
"""What who was let in may do, how often, and what is written down of it."""

import functools
import json
import os
import time

import boto3
import botocore.config
import botocore.exceptions
import pytest

import awsapi
from fgd import Failure, UnixConnection
from signed import create, operation, send, signed, signer


def test_policies(tcp, task):
    key = create(tcp, name="reader", policy={"allow": ["ecs:List*", "ecs:Describe*", "logs:*"], "deny": ["ecs:ListClusters"]})
    assert signed(tcp, key, "GET", "/v1/tasks")[0] == 200
    status, answer = signed(tcp, key, "POST", "/v1/tasks", json.dumps(task("exit 0")).encode())
    assert (status, answer["__type"]) == (403, "AccessDeniedException")
    assert answer["message"] == (
        "User: arn:aws:iam::000000000000:user/reader is not authorized to perform: ecs:RunTask on resource: "
        "arn:aws:ecs:local-1:000000000000:cluster/* because no identity-based policy allows the ecs:RunTask action")
    assert signed(tcp, key, "GET", "/v1/info")[0] == 403
    assert signed(tcp, key, "GET", "/healthz")[0] == 403
    elsewhere = create(tcp, name="dev", policy={"allow": ["*"], "clusters": ["dev-*"]})
    status, answer = signed(tcp, elsewhere, "GET", "/v1/tasks")
    assert status == 403 and "in this cluster" in answer["message"]
    assert tcp.call("GET", "/v1/tasks")["tasks"] == []


def test_policies_hold_for_the_apis_of_aws(tcp):
    key = create(tcp, name="x", policy={"allow": ["*"], "deny": ["ecs:ListTasks", "sts:*"]})
    status, answer = operation(tcp, key, "ListTasks")
    assert (status, answer["__type"]) == (400, "AccessDeniedException")
    assert "with an explicit deny in an identity-based policy" in answer["message"]


def test_who_one_is_needs_no_permission(tcp):
    key = create(tcp, name="x", policy={"allow": ["logs:*"], "deny": ["sts:*"]})
    ask = b"Action=GetCallerIdentity&Version=2011-06-15"
    status, answer = signed(tcp, key, "POST", "/", ask, service="sts")
    assert status == 200 and "<Arn>arn:aws:iam::000000000000:user/x</Arn>" in answer
    assert signed(tcp, key, "POST", "/", ask, service="ecs")[0] == 403
    for method in ("GET", "POST"):
        uri = signer(key, service="sts").presign(method, f"/?{ask.decode()}", [("Host", "x")])
        status, answer = send(tcp, method, uri, [("Host", "x")])
        assert status == 200 and f"<UserId>{key.accessKeyId}</UserId>" in answer
        assert send(tcp, method, uri.replace("Caller", "caller"), [("Host", "x")])[0] == 403


def test_a_limited_key_lists_its_clusters_only(tcp):
    for name in ("dev-a", "dev-b", "dev-c", "prod-a", "zone"):
        assert operation(tcp, every := create(tcp), "CreateCluster", json.dumps({"clusterName": name}).encode())[0] == 200
    key = create(tcp, policy={"allow": ["*"], "clusters": ["dev-*", "zone"]})

    def names(who, **members):
        status, answer = operation(tcp, who, "ListClusters", json.dumps(members).encode())
        assert status == 200
        return [arn.rpartition("/")[2] for arn in answer["clusterArns"]], answer.get("nextToken")
    assert names(key) == (["dev-a", "dev-b", "dev-c", "zone"], None)
    pages, token = names(key, maxResults=3)
    assert pages == ["dev-a", "dev-b", "dev-c"]
    assert names(key, maxResults=1, nextToken=token) == (["zone"], None)
    assert names(create(tcp, policy={"allow": ["*"], "clusters": ["none"]}), maxResults=1) == ([], None)
    assert {"prod-a", "default"} < set(names(every)[0])


def test_policies_name_secrets_as_iam_does(tcp):
    reader = create(tcp, policy={"allow": ["secretsmanager:Get*", "secretsmanager:List*"]})
    writer = create(tcp, policy={"allow": ["secretsmanager:CreateSecret", "secretsmanager:DeleteSecret"]})
    body = json.dumps({"name": "db", "value": "x"}).encode()
    status, answer = signed(tcp, reader, "POST", "/v1/secrets", body)
    assert status == 403 and "secretsmanager:CreateSecret on resource: * because" in answer["message"]
    assert signed(tcp, writer, "POST", "/v1/secrets", body)[0] == 201
    status, answer = signed(tcp, writer, "POST", "/v1/secrets", json.dumps({"name": "db", "value": "y", "replace": True}).encode())
    assert status == 403 and "secretsmanager:PutSecretValue" in answer["message"]
    assert signed(tcp, reader, "GET", "/v1/secrets/value?name=db")[1]["value"] == "x"
    assert signed(tcp, reader, "GET", "/v1/secrets")[1]["SecretList"][0]["Name"] == "db"
    assert signed(tcp, writer, "GET", "/v1/secrets/value?name=db")[0] == 403
    assert signed(tcp, reader, "DELETE", "/v1/secrets?name=db")[0] == 403
    assert signed(tcp, writer, "DELETE", "/v1/secrets?name=db&days=0")[0] == 200


def audit(fgd):
    with open(f"{fgd.directory}/state/audit/audit.log", encoding="ascii") as file:
        return [json.loads(line) for line in file]


def test_every_request_is_in_the_audit_log(tcp, task):
    key = create(tcp, name="alice", policy={"allow": ["ecs:*"]})
    body = json.dumps(task("print", "a secret in a body")).encode()
    assert signed(tcp, key, "POST", "/v1/tasks", body)[0] == 201
    assert signed(tcp, key, "GET", "/v1/info")[0] == 403
    send(tcp, "GET", "/v1/tasks?token=nonsense", [("Host", "x"), ("Authorization", "Bearer nonsense")])
    signed(tcp, key, "POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", service="sts")
    uri = signer(key).presign("GET", "/v1/tasks", [("Host", "x")])
    send(tcp, "GET", uri, [("Host", "x")])
    key.secretAccessKey = "x"
    signed(tcp, key, "GET", "/v1/\x80\"\\ \n".encode("unicode_escape").decode().replace(" ", "%20"))
    tcp.stop()
    with open(f"{tcp.directory}/state/audit/audit.log", encoding="ascii") as file:
        text = file.read()
    assert "a secret" not in text and "nonsense" not in text and "Signature=" not in text
    who = f"{key.accessKeyId}/alice"
    found = [(e["who"], e["peer"], e["method"], e["path"], e.get("action"), e["status"], e.get("error")) for e in audit(tcp)]
    assert found == [
        (f"uid:{os.getuid()}", "unix", "POST", "/v1/keys", None, 201, None),
        (who, "127.0.0.1", "POST", "/v1/tasks", "ecs:RunTask", 201, None),
        (who, "127.0.0.1", "GET", "/v1/info", "fgrun:GetInfo", 403, "AccessDeniedException"),
        ("?", "127.0.0.1", "GET", "/v1/tasks", None, 401, "MissingAuthenticationTokenException"),
        (who, "127.0.0.1", "POST", "/", "sts:GetCallerIdentity", 200, None),
        (who, "127.0.0.1", "GET", "/v1/tasks", "ecs:ListTasks", 200, None),
        (f"{key.accessKeyId}?", "127.0.0.1", "GET", '/v1/\\x80"\\\\%20\\n', None, 403, "InvalidSignatureException"),
    ]
    assert len({e["request"] for e in audit(tcp)}) == len(found)
    tcp.start()


def test_the_audit_log_names_task_definition_and_cluster(tcp):
    key = create(tcp)
    for members in ({"cluster": "blue"}, {}):
        operation(tcp, key, "RunTask", json.dumps({"taskDefinition": "web", **members}).encode())
    operation(tcp, key, "ListTasks", b'{"cluster": "blue"}')
    tcp.stop()
    assert [(e["action"], e.get("resource")) for e in audit(tcp)[1:]] == [
        ("ecs:RunTask", "web in cluster blue"), ("ecs:RunTask", "web in cluster default"), ("ecs:ListTasks", "blue")]
    tcp.start()


def test_a_short_arn_is_of_the_default_cluster(tcp):
    arn = "arn:aws:ecs:local-1:000000000000:task/0123"
    for cluster, name in (("blue", "AccessDeniedException"), ("default", "ResourceNotFoundException")):
        key = create(tcp, policy={"allow": ["*"], "clusters": [cluster]})
        _, answer = operation(tcp, key, "TagResource", json.dumps({"resourceArn": arn, "tags": [{"key": "a"}]}).encode())
        assert answer["__type"] == name, answer


def test_the_audit_log_is_capped(start):
    with start(audit_mib="1") as fgd:
        connection = UnixConnection(fgd.socket)
        path = "/v1/tasks/" + "x" * 500
        for _ in range(3000):
            connection.request("GET", path)
            connection.getresponse().read()
        fgd.stop()
        names = os.listdir(f"{fgd.directory}/state/audit")
        assert set(names) == {"audit.log", *(f"audit.log.{i}" for i in range(1, 8))}
        sizes = [os.stat(f"{fgd.directory}/state/audit/{name}").st_size for name in names]
        assert max(sizes) <= 1 << 17 and sum(sizes) <= 1 << 20
        fgd.start()


def test_a_token_of_another_cluster_tells_nothing_of_it(tcp, task):
    body = {"taskDefinition": "test", "clientToken": "t", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["default"]}}}
    ecs = functools.partial(awsapi.Aws(tcp).call, "ecs")
    ecs("RegisterTaskDefinition", **task("exit 0"))
    ecs("CreateCluster", clusterName="blue")
    arn = ecs("RunTask", **body)["tasks"][0]["taskArn"]
    for clusters, known in ((["*"], [arn]), (["blue"], [])):
        key = create(tcp, policy={"allow": ["ecs:RunTask"], "clusters": clusters})
        status, answer = operation(tcp, key, "RunTask", json.dumps({**body, "cluster": "blue"}).encode())
        assert (status, answer["__type"], answer["resourceIds"]) == (400, "ConflictException", known)


def test_sdks_wait_when_they_are_throttled(tcp, image):
    key = create(tcp)
    tcp.stop()
    tcp.settings |= {"launch-burst": "1", "launch-per-second": "10"}
    tcp.start()

    def client(attempts):
        return boto3.client("ecs", endpoint_url=f"http://127.0.0.1:{tcp.port}", region_name="local-1",
                            aws_access_key_id=key.accessKeyId, aws_secret_access_key=key.secretAccessKey,
                            config=botocore.config.Config(retries={"mode": "standard", "total_max_attempts": attempts}))
    client(1).register_task_definition(family="f", cpu="256", memory="512", containerDefinitions=[
        {"name": "app", "image": image, "command": ["exit 0"]}])

    def run(ecs, **members):
        answer = ecs.run_task(taskDefinition="f", **members, networkConfiguration={
            "awsvpcConfiguration": {"subnets": ["default"]}})
        return answer["ResponseMetadata"]["RetryAttempts"]
    for _ in range(3):  # what starts nothing costs nothing
        with pytest.raises(botocore.exceptions.ClientError, match="has no container 'b'"):
            run(client(1), overrides={"containerOverrides": [{"name": "b"}]})
    with pytest.raises(client(1).exceptions.ClientError, match="ThrottlingException.*Rate exceeded.") as failure:
        hasty = client(1)  # made once: that takes longer than the bucket needs to fill
        for _ in range(50):
            run(hasty)
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    patient = client(20)
    assert sum(run(patient) for _ in range(3)) > 0
    with pytest.raises(botocore.exceptions.ClientError, match="ThrottlingException.*2 at once never succeed: launch_burst is 1"):
        run(client(1), count=2)  # more than there can ever be


def test_throttling(start, task):
    with start(launch_burst="3", launch_per_second="1", run_burst="50", run_per_second="1") as fgd:
        body, answers = task("exit 0"), []
        for _ in range(20):
            try:
                fgd.run(body)
            except Failure as failure:
                answers.append((failure.status, failure.body["__type"], failure.body["message"]))
        assert answers and set(answers) == {(400, "ThrottlingException", "Rate exceeded.")}
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                assert fgd.run(body)  # the bucket fills again
                break
            except Failure:
                time.sleep(0.2)
        assert b"fgrun_throttled_total" in fgd.request("GET", "/metrics").read()
    with start(launch_per_second="0", run_per_second="0", launch_burst="1", run_burst="1") as fgd:
        for _ in range(20):
            fgd.run(task("exit 0"))
