# SPDX-License-Identifier: Apache-2.0
"""Who is let in over TCP: signatures, good and bad, and who makes them."""

import json
import os
import subprocess
import time
import types
import urllib.request

import botocore.config
import botocore.exceptions
import botocore.session
import pytest

import sigv4
from signed import TARGET, create, operation, send, signed, signer


def test_a_signed_request_is_served(tcp):
    key = create(tcp, name="alice")
    assert key.accessKeyId.startswith("AKIA") and len(key.accessKeyId) == 20 and len(key.secretAccessKey) == 40
    status, answer = signed(tcp, key, "GET", "/v1/info")
    assert status == 200 and answer["version"]
    assert signed(tcp, key, "GET", "/v1/tasks?status=ACTIVE", token="a session token")[0] == 200
    uri = signer(key).presign("GET", "/v1/tasks?status=ACTIVE", [("Host", "x")])
    assert send(tcp, "GET", uri, [("Host", "x")])[0] == 200


def test_unsigned_requests_are_refused_in_their_protocol(tcp):
    host = ("Host", "x")
    for body in (b"", b"x" * 60000):  # a client that is still sending reads why, too
        status, answer = send(tcp, "POST", "/v1/tasks", [host], body)
        assert (status, answer["__type"]) == (401, "MissingAuthenticationTokenException")
        status, answer = send(tcp, "POST", "/", [host, ("X-Amz-Target", f"{TARGET}.ListTasks")], body)
        assert (status, answer["__type"]) == (400, "MissingAuthenticationTokenException")
        status, answer = send(tcp, "POST", "/", [host], body)
        assert status == 403 and "<Code>MissingAuthenticationToken</Code>" in answer
    assert send(tcp, "GET", "/healthz", [host])[0] == 401
    assert send(tcp, "GET", "/nowhere", [host])[0] == 401


def test_blanks_in_signed_headers(tcp):
    key = create(tcp)
    for value in ("a", "a  ", " \t a", "a  b\tc \t", '"a  b"', ""):
        status, answer = signed(tcp, key, "GET", "/v1/info", headers=[("X-Amz-Meta-Note", value)])
        assert status == 200, (value, answer)


def test_forged_requests(tcp):
    key = create(tcp)
    good = signer(key).sign("GET", "/v1/info", [("Host", "x")])
    assert send(tcp, "GET", "/v1/info", good)[0] == 200
    status, answer = send(tcp, "GET", "/v1/tasks", good)
    assert (status, answer["__type"]) == (403, "InvalidSignatureException")
    assert answer["message"].startswith("The request signature we calculated does not match the signature you provided.")
    assert send(tcp, "GET", "/v1/info?x", good)[0] == 403
    assert send(tcp, "GET", "/v1/info", [("Host", "y"), *good[1:]])[0] == 403
    status, answer = signed(tcp, types.SimpleNamespace(accessKeyId="AKIAAAAAAAAAAAAAAAAA", secretAccessKey="x"),
                            "GET", "/v1/info")
    assert (status, answer["__type"]) == (403, "UnrecognizedClientException")
    assert answer["message"] == "The security token included in the request is invalid."
    truncated = [(n, v[:-1] if n == "Authorization" else v) for n, v in good]
    status, answer = send(tcp, "GET", "/v1/info", truncated)
    assert (status, answer["__type"]) == (400, "IncompleteSignatureException")
    key.secretAccessKey = key.secretAccessKey[::-1]
    assert signed(tcp, key, "GET", "/v1/info")[1]["__type"] == "InvalidSignatureException"


def test_a_header_that_counts_is_given_once(tcp):
    key = create(tcp)
    target = ("X-Amz-Target", f"{TARGET}.ListTasks")
    good = signer(key, service="ecs").sign("POST", "/", [("Host", "x"), target], b"{}")
    for name in ("Authorization", "X-Amz-Date", "Host", target[0]):
        twice = next(header for header in good if header[0].lower() == name.lower())
        for headers in ([*good, twice], [twice, *good], [(twice[0], "Bearer x"), *good], [*good, (twice[0].lower(), "")]):
            status, answer = send(tcp, "POST", "/", headers, b"{}")
            assert (status, answer["__type"]) == (400, "IncompleteSignatureException"), (name, answer)
            assert answer["message"] == f"The header '{name}' is given 2 times."
    assert send(tcp, "POST", "/", good, b"{}")[0] == 200
    two = [("Host", "x"), target, ("X-Amz-Security-Token", "a"), ("X-Amz-Security-Token", "b")]
    status, answer = send(tcp, "POST", "/", signer(key, service="ecs").sign("POST", "/", two, b"{}"), b"{}")
    assert (status, answer["message"]) == (400, "The header 'X-Amz-Security-Token' is given 2 times.")


def test_a_signature_is_for_five_minutes_and_one_place(tcp):
    key = create(tcp)
    for at, text in ((-400, "Signature expired: "), (400, "Signature not yet current: ")):
        status, answer = signed(tcp, key, "GET", "/v1/info", **(lambda s: {"at": s, "date": s[:8]})(sigv4.stamp(time.time() + at)))
        assert (status, answer["__type"]) == (403, "InvalidSignatureException") and answer["message"].startswith(text)
    status, answer = signed(tcp, key, "GET", "/v1/info", region="us-east-1")
    assert status == 403 and "valid region, not 'us-east-1'" in answer["message"] and "'local-1'" in answer["message"]
    status, answer = signed(tcp, key, "GET", "/v1/info", service="ecs")
    assert status == 403 and "correct service: 'fgrun'" in answer["message"]
    status, answer = operation(tcp, key, "ListTasks", service="logs")
    assert (status, answer["__type"]) == (400, "InvalidSignatureException") or "not supported" in answer["message"]
    uri = signer(key, at=sigv4.stamp(time.time() - 100), date=sigv4.stamp(time.time() - 100)[:8]).presign(
        "GET", "/v1/info", [("Host", "x")], expires=10)
    status, answer = send(tcp, "GET", uri, [("Host", "x")])
    assert (status, answer["__type"], answer["message"]) == (400, "RequestExpired", "Request has expired.")


def dated(key, seconds, **members):
    at = sigv4.stamp(time.time() + seconds)
    return signer(key, at=at, date=at[:8], **members)


def test_a_recorded_request_is_carried_out_once(tcp, task):
    key = create(tcp)
    body = json.dumps(task("exit 0")).encode()

    def again(headers):
        status, answer = send(tcp, "POST", "/v1/tasks", headers, body)
        return status, answer.get("__type"), "carried out already" in answer.get("message", "")

    refused = (403, "InvalidSignatureException", True)
    now, ahead = [dated(key, s).sign("POST", "/v1/tasks", [("Host", "x")], body) for s in (0, 200)]
    for headers in (now, ahead):
        assert send(tcp, "POST", "/v1/tasks", headers, body)[0] == 201
        assert again(headers)[0] == 201, "two equal calls of one second, as SDKs sign them"
    time.sleep(3.1)  # the time is what is tested
    assert again(now) == again(ahead) == refused
    read = signer(key).sign("GET", "/v1/tasks", [("Host", "x")])
    assert [send(tcp, "GET", "/v1/tasks", read)[0] for _ in range(3)] == [200] * 3
    for _ in range(2):
        tcp.kill()
        tcp.start()
        assert again(now) == again(ahead) == refused
    assert send(tcp, "GET", "/v1/tasks", read)[0] == 200
    # Two that are meant to be two differ.
    for number in range(2):
        headers = dated(key, 0).sign("POST", "/v1/tasks", [("Host", "x"), ("amz-sdk-invocation-id", f"id-{number}")], body)
        assert send(tcp, "POST", "/v1/tasks", headers, body)[0] == 201
    found = [task for query in ("", "?status=STOPPED") for task in tcp.call("GET", f"/v1/tasks{query}")["tasks"]]
    assert len({task["taskArn"] for task in found}) == 6
    # Where nothing is remembered, nothing of that time is taken.
    old = dated(key, -5).sign("POST", "/v1/tasks", [("Host", "x")], body)
    tcp.stop()
    os.remove(f"{tcp.directory}/state/signatures")
    tcp.start()
    status, answer = send(tcp, "POST", "/v1/tasks", old, body)
    assert (status, answer["__type"]) == (403, "InvalidSignatureException") and "before fgd started" in answer["message"]
    # A presigned one of a long life changes nothing after five minutes.
    uri = dated(key, -400).presign("POST", "/v1/tasks", [("Host", "x")], expires=3600)
    status, answer = send(tcp, "POST", uri, [("Host", "x")])
    assert (status, answer["__type"]) == (400, "RequestExpired") and "300 seconds" in answer["message"]


def client(fgd, key, service, **members):
    session = botocore.session.Session()
    members = {"aws_access_key_id": key.accessKeyId, "aws_secret_access_key": key.secretAccessKey, **members}
    return session.create_client(service, region_name="local-1", endpoint_url=f"http://127.0.0.1:{fgd.port}",
                                 config=botocore.config.Config(retries={"max_attempts": 0}), **members)


def test_sdks_say_the_same_twice(tcp):
    """They sign nothing that tells one call from the next: of one second, equal calls have equal signatures."""
    ecs = client(tcp, create(tcp), "ecs")
    made = [ecs.create_cluster(clusterName="twice")["cluster"]["status"] for _ in range(5)]
    assert made == ["ACTIVE"] * 5


def test_botocore(tcp):
    key = create(tcp, name="sdk")
    identity = client(tcp, key, "sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::000000000000:user/sdk" and identity["UserId"] == key.accessKeyId
    assert client(tcp, key, "sts", aws_session_token="token").get_caller_identity()["Account"] == "000000000000"
    url = client(tcp, key, "sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    with urllib.request.urlopen(url) as response:
        assert b"user/sdk" in response.read()
    for members, code in (({"aws_secret_access_key": "wrong"}, "InvalidSignatureException"),
                          ({"aws_access_key_id": "AKIAWRONG"}, "UnrecognizedClientException")):
        with pytest.raises(botocore.exceptions.ClientError) as failure:
            client(tcp, key, "ecs", **members).describe_clusters()
        assert failure.value.response["Error"]["Code"] == code
        assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(botocore.exceptions.ClientError) as failure:
        client(tcp, key, "sts", aws_secret_access_key="wrong").get_caller_identity()
    assert failure.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_curl(tcp, task):
    key = create(tcp)

    def curl(*words):
        r = subprocess.run(["curl", "-sS", "-w", "\n%{http_code}", "--aws-sigv4", "aws:amz:local-1:fgrun", "--user",
                            f"{key.accessKeyId}:{key.secretAccessKey}", *words], capture_output=True, text=True, check=True)
        text, _, status = r.stdout.rpartition("\n")
        return int(status), json.loads(text)

    url = f"http://127.0.0.1:{tcp.port}"
    status, answer = curl(f"{url}/v1/tasks", "--data", json.dumps(task("exit 0")))
    assert status == 201
    task_id = answer["task"]["fgrun"]["id"]
    assert curl(f"{url}/v1/tasks/{task_id}?wait=STOPPED")[0] == 200
    assert curl(f"{url}/v1/tasks?status=STOPPED&family=test")[0] == 200
    key.secretAccessKey = "wrong"
    assert curl(f"{url}/v1/tasks")[0] == 403
