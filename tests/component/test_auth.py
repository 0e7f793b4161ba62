# SPDX-License-Identifier: Apache-2.0
"""Who may call over TCP: signatures, access keys, their policies."""

import http.client
import json
import os
import socket
import pathlib
import sqlite3
import subprocess
import time
import types

import botocore.config
import botocore.exceptions
import botocore.session
import pytest

import sigv4
from fgd import Failure

FGRUN = pathlib.Path(os.environ["FGRUN_BUILD"]) / "cli" / "fgrun"
TARGET = "AmazonEC2ContainerServiceV20141113"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def tcp(start):
    """An fgd with a TCP port too."""
    port = free_port()
    directory = None
    with start() as first:
        directory = first.directory
        first.stop()
        first.port = port
        first.settings["listen"] = f"unix:{directory}/run/fgd.sock,tcp:127.0.0.1:{port}"
        first.start()
        yield first


def create(fgd, **members):
    return types.SimpleNamespace(**fgd.call("POST", "/v1/keys", members))


def signer(key, **members):
    s = sigv4.Signer(key.accessKeyId, key.secretAccessKey)
    for name, value in members.items():
        setattr(s, name, value)
    return s


def send(fgd, method, uri, headers, body=b""):
    """(status, object) of a request with exactly these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", fgd.port, timeout=60)
    connection.putrequest(method, uri, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    if body or method == "POST":
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body or None)
    response = connection.getresponse()
    text = response.read().decode()
    assert response.headers["x-amzn-RequestId"]
    return response.status, json.loads(text) if text.startswith("{") else text


def signed(fgd, key, method, uri, body=b"", headers=(), **members):
    s = signer(key, **members)
    return send(fgd, method, uri, s.sign(method, uri, [("Host", f"127.0.0.1:{fgd.port}"), *headers], body), body)


def operation(fgd, key, name, body=b"{}", service="ecs", target=TARGET):
    return signed(fgd, key, "POST", "/", body, [("X-Amz-Target", f"{target}.{name}"),
                                                ("Content-Type", "application/x-amz-json-1.1")], service=service)


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
    key.secretAccessKey = key.secretAccessKey[:-1] + "x"
    assert signed(tcp, key, "GET", "/v1/info")[1]["__type"] == "InvalidSignatureException"


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


def test_a_recorded_request_is_carried_out_once(tcp, task):
    key = create(tcp)
    body = json.dumps(task("exit 0")).encode()
    headers = signer(key, at=sigv4.stamp(time.time()), date=sigv4.stamp(time.time())[:8]).sign(
        "POST", "/v1/tasks", [("Host", "x")], body)
    assert send(tcp, "POST", "/v1/tasks", headers, body)[0] == 201
    deadline = time.monotonic() + 30
    while (answer := send(tcp, "POST", "/v1/tasks", headers, body))[0] == 201 and time.monotonic() < deadline:
        time.sleep(0.5)  # two equal requests in one second are not a replay
    assert answer[0] == 403 and "carried out already" in answer[1]["message"]
    read = signer(key).sign("GET", "/v1/tasks", [("Host", "x")])
    assert [send(tcp, "GET", "/v1/tasks", read)[0] for _ in range(3)] == [200] * 3
    tcp.kill()
    tcp.start()  # which forgets what came before, and so takes nothing of that time
    status, answer = send(tcp, "POST", "/v1/tasks", headers, body)
    assert (status, answer["__type"]) == (403, "InvalidSignatureException") and "before fgd started" in answer["message"]
    assert send(tcp, "GET", "/v1/tasks", read)[0] == 200
    assert signed(tcp, key, "POST", "/v1/tasks", body)[0] == 201


def test_revoked_keys(tcp):
    keys = [create(tcp), create(tcp, name="ci")]
    listed = tcp.call("GET", "/v1/keys")["keys"]
    assert [k["accessKeyId"] for k in listed] == [k.accessKeyId for k in keys]
    assert listed[0]["name"] == keys[0].accessKeyId and listed[1]["name"] == "ci"
    assert listed[0]["policy"] == {"allow": ["*"]} and "secretAccessKey" not in json.dumps(listed)
    assert signed(tcp, keys[0], "GET", "/v1/info")[0] == 200
    assert tcp.call("DELETE", f"/v1/keys/{keys[0].accessKeyId}") == {"revoked": keys[0].accessKeyId}
    status, answer = signed(tcp, keys[0], "GET", "/v1/info")
    assert (status, answer["__type"]) == (403, "UnrecognizedClientException")
    with pytest.raises(Failure) as failure:
        tcp.call("DELETE", f"/v1/keys/{keys[0].accessKeyId}")
    assert failure.value.status == 404
    tcp.kill()
    tcp.start()  # durable, both
    assert signed(tcp, keys[0], "GET", "/v1/info")[0] == 403
    assert signed(tcp, keys[1], "GET", "/v1/info")[0] == 200


def test_secrets_are_not_in_the_database(tcp):
    key = create(tcp)
    state = f"{tcp.directory}/state"
    secret = key.secretAccessKey.encode()
    for name in os.listdir(state):
        if os.path.isfile(f"{state}/{name}"):
            with open(f"{state}/{name}", "rb") as file:
                assert secret not in file.read(), name
    assert key.secretAccessKey not in tcp.output()
    for name in ("keys.db", "keys.key"):
        assert os.stat(f"{state}/{name}").st_mode & 0o777 == 0o600
    tcp.stop()
    os.rename(f"{state}/keys.key", f"{state}/elsewhere")
    with pytest.raises(RuntimeError, match="keys.key"):
        tcp.start()
    os.rename(f"{state}/elsewhere", f"{state}/keys.key")
    with sqlite3.connect(f"{state}/keys.db") as db:  # a sealed secret is bound to its key's id
        db.execute("UPDATE keys SET id = 'AKIAAAAAAAAAAAAAAAAA'")
    with pytest.raises(RuntimeError, match="AKIAAAAAAAAAAAAAAAAA"):
        tcp.start()
    with sqlite3.connect(f"{state}/keys.db") as db:
        db.execute("UPDATE keys SET id = ?", [key.accessKeyId])
    tcp.start()
    assert signed(tcp, key, "GET", "/v1/info")[0] == 200


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
    key = create(tcp, name="x", policy={"allow": ["*"], "deny": ["sts:GetCallerIdentity"]})
    status, answer = signed(tcp, key, "POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", service="sts")
    assert status == 403 and "<Code>AccessDenied</Code>" in answer
    assert "with an explicit deny in an identity-based policy" in answer


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
    assert signed(tcp, reader, "POST", "/v1/secrets", body)[0] == 403
    assert signed(tcp, writer, "POST", "/v1/secrets", body)[0] == 201
    status, answer = signed(tcp, writer, "POST", "/v1/secrets", json.dumps({"name": "db", "value": "y", "replace": True}).encode())
    assert status == 403 and "secretsmanager:PutSecretValue" in answer["message"]
    assert signed(tcp, reader, "GET", "/v1/secrets/value?name=db")[1]["value"] == "x"
    assert signed(tcp, reader, "GET", "/v1/secrets")[1]["SecretList"][0]["Name"] == "db"
    assert signed(tcp, writer, "GET", "/v1/secrets/value?name=db")[0] == 403
    assert signed(tcp, reader, "DELETE", "/v1/secrets?name=db")[0] == 403
    assert signed(tcp, writer, "DELETE", "/v1/secrets?name=db&days=0")[0] == 200


def test_keys_are_for_administrators(tcp):
    key = create(tcp)
    for method, path in (("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", f"/v1/keys/{key.accessKeyId}")):
        status, answer = signed(tcp, key, method, path)
        assert (status, answer["__type"]) == (403, "AccessDeniedException") and "not for access keys" in answer["message"]
    with open(f"{tcp.directory}/state/token", encoding="ascii") as file:
        token = file.read().strip()
    status, answer = send(tcp, "GET", "/v1/keys", [("Host", "x"), ("Authorization", f"Bearer {token}")])
    assert status == 200 and len(answer["keys"]) == 1


@pytest.mark.parametrize("body, message", [
    ({"name": ""}, "1 to 64 letters"), ({"name": "a b"}, "1 to 64 letters"), ({"name": "a" * 65}, "1 to 64 letters"),
    ({"name": 1}, "expected a string"), ({"policy": {"allow": ["RunTask"]}}, "allow[0]"), ({"secret": "x"}, "unknown member"),
    ({"policy": "x"}, "expected an object"),
])
def test_bad_keys(fgd, body, message):
    with pytest.raises(Failure) as failure:
        fgd.call("POST", "/v1/keys", body)
    assert failure.value.status == 400 and message in failure.value.body["message"]


def client(fgd, key, service, **members):
    session = botocore.session.Session()
    members = {"aws_access_key_id": key.accessKeyId, "aws_secret_access_key": key.secretAccessKey, **members}
    return session.create_client(service, region_name="local-1", endpoint_url=f"http://127.0.0.1:{fgd.port}",
                                 config=botocore.config.Config(retries={"max_attempts": 0}), **members)


def test_botocore(tcp):
    key = create(tcp, name="sdk")
    identity = client(tcp, key, "sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::000000000000:user/sdk" and identity["UserId"] == key.accessKeyId
    assert client(tcp, key, "sts", aws_session_token="token").get_caller_identity()["Account"] == "000000000000"
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


# ---- fgrun ----

def fgrun(fgd, *words, **env):
    directory = fgd.directory
    return subprocess.run([str(FGRUN), *words], capture_output=True, text=True, timeout=120, env={
        "PATH": "/usr/bin:/bin", "HOME": directory, "FGRUN_STATE_DIR": f"{directory}/mine", "FGRUN_RUN_DIR": f"{directory}/run", **env})


def test_fgrun_makes_lists_and_revokes_keys(tcp):
    made = fgrun(tcp, "keys", "create", "--name", "ci", "--allow", "ecs:*", "--allow=logs:*", "--deny", "ecs:StopTask",
                 "--cluster", "ci-*")
    assert made.returncode == 0, made.stderr
    values = dict(line.split("=", 1) for line in made.stdout.splitlines())
    assert set(values) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    key_id = values["AWS_ACCESS_KEY_ID"]
    listed = fgrun(tcp, "keys", "list").stdout.splitlines()
    assert listed[0].split() == ["ID", "NAME", "CREATED", "ALLOW", "DENY", "CLUSTERS"]
    assert key_id in listed[1] and "ecs:* logs:*" in listed[1] and values["AWS_SECRET_ACCESS_KEY"] not in listed[1]
    assert tcp.call("GET", "/v1/keys")["keys"][0]["policy"] == {"allow": ["ecs:*", "logs:*"], "deny": ["ecs:StopTask"],
                                                               "clusters": ["ci-*"]}
    assert fgrun(tcp, "keys", "revoke", key_id).stdout == f"revoked {key_id}\n"
    assert fgrun(tcp, "keys", "revoke", key_id).returncode == 66
    with open(f"{tcp.directory}/policy.json", "w", encoding="ascii") as file:
        file.write('{"allow": ["logs:*"]}')
    made = fgrun(tcp, "--json", "keys", "create", "--policy", file.name)
    assert json.loads(made.stdout)["policy"] == {"allow": ["logs:*"]}
    assert fgrun(tcp, "keys", "create", "--policy", file.name, "--allow", "*").returncode == 64
    assert "allow[0]" in fgrun(tcp, "keys", "create", "--allow", "RunTask").stderr


def test_fgrun_signs(tcp, task):
    key = create(tcp, name="user", policy={"allow": ["*"], "deny": ["fgrun:Prune"]})
    host = {"FGRUN_HOST": f"http://127.0.0.1:{tcp.port}"}
    creds = {"AWS_ACCESS_KEY_ID": key.accessKeyId, "AWS_SECRET_ACCESS_KEY": key.secretAccessKey,
             "AWS_DEFAULT_REGION": "local-1"}
    with open(f"{tcp.directory}/task.json", "w", encoding="ascii") as file:
        json.dump(task("print", "hello from afar"), file)
    run = fgrun(tcp, "run", file.name, **host, **creds)
    assert run.returncode == 0 and "hello from afar" in run.stdout, run.stderr
    assert fgrun(tcp, "ps", "-a", "--family", "test", "--status", "STOPPED", **host, **creds).stdout.count("test") == 1
    assert fgrun(tcp, "ps", **host, **creds, AWS_SESSION_TOKEN="any").returncode == 0
    assert fgrun(tcp, "prune", "--yes", **host, **creds).returncode == 77
    wrong = fgrun(tcp, "ps", **host, **{**creds, "AWS_SECRET_ACCESS_KEY": "wrong"})
    assert wrong.returncode == 77 and "signature we calculated does not match" in wrong.stderr
    assert fgrun(tcp, "ps", **host).returncode == 77
    # Files, as AWS's own tools read them; and what wins over what.
    os.mkdir(f"{tcp.directory}/.aws")
    with open(f"{tcp.directory}/.aws/credentials", "w", encoding="ascii") as file:
        file.write(f"[default]\naws_access_key_id=AKIAWRONG\naws_secret_access_key=x\n[work]\n"
                   f"aws_access_key_id = {key.accessKeyId}\naws_secret_access_key = {key.secretAccessKey}\n")
    with open(f"{tcp.directory}/.aws/config", "w", encoding="ascii") as file:
        file.write("[default]\nregion = us-east-1\n[profile work]\nregion = local-1\noutput = json\n")
    assert fgrun(tcp, "ps", **host, AWS_PROFILE="work").returncode == 0
    assert "valid region, not 'us-east-1'" in fgrun(tcp, "ps", **host, AWS_PROFILE="work", AWS_REGION="us-east-1").stderr
    assert "security token included" in fgrun(tcp, "ps", **host).stderr
    assert "no such profile" in fgrun(tcp, "ps", **host, AWS_PROFILE="play").stderr
    with open(f"{tcp.directory}/state/token", encoding="ascii") as file:
        token = file.read().strip()
    assert fgrun(tcp, "--token", token, "ps", **host).returncode == 0
    assert fgrun(tcp, "ps", **host, FGRUN_TOKEN=token, AWS_PROFILE="work").returncode == 0
    assert fgrun(tcp, "ps", "--token", "wrong", **host, FGRUN_TOKEN=token).returncode == 77


def test_aws_env(fgd):
    first = fgrun(fgd, "info", "--aws-env")
    assert first.returncode == 0, first.stderr
    env = dict(line.removeprefix("export ").split("=", 1) for line in first.stdout.splitlines())
    env = {name: value.strip("'") for name, value in env.items()}
    assert set(env) == {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION",
                        "AWS_REGION"}
    assert env["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:") and env["AWS_DEFAULT_REGION"] == "local-1"
    assert fgrun(fgd, "info", "--aws-env").stdout == first.stdout
    assert os.stat(f"{fgd.directory}/mine/aws-env.json").st_mode & 0o777 == 0o600
    aws = subprocess.run(["/usr/bin/aws", "--endpoint-url", env["AWS_ENDPOINT_URL"], "sts", "get-caller-identity"],
                         env={**env, "HOME": fgd.directory, "PATH": "/usr/bin:/bin", "AWS_PAGER": ""}, capture_output=True, text=True)
    assert json.loads(aws.stdout)["Arn"] == f"arn:aws:iam::000000000000:user/aws-env-{os.getuid()}", aws.stderr
    fgd.stop()
    fgd.start()  # the same port, and the same key
    assert fgrun(fgd, "info", "--aws-env").stdout == first.stdout
    fgd.call("DELETE", f"/v1/keys/{env['AWS_ACCESS_KEY_ID']}")
    again = fgrun(fgd, "info", "--aws-env").stdout
    assert env["AWS_ENDPOINT_URL"] in again and env["AWS_ACCESS_KEY_ID"] not in again


# ---- TLS ----

def test_tls(start, task):
    with start(listen=f"tcp:127.0.0.1:{(port := free_port())}", tls="self-signed") as fgd:
        state = f"{fgd.directory}/state"
        assert os.stat(f"{state}/tls/key.pem").st_mode & 0o777 == 0o600
        with open(f"{state}/token", encoding="ascii") as file:
            token = file.read().strip()
        env = {"FGRUN_HOST": f"https://127.0.0.1:{port}", "FGRUN_TOKEN": token, "FGRUN_CA_FILE": f"{state}/tls/cert.pem"}
        with open(f"{fgd.directory}/task.json", "w", encoding="ascii") as file:
            json.dump(task("print", "encrypted"), file)
        run = fgrun(fgd, "run", file.name, **env)  # a stream that is suspended and resumed
        assert run.returncode == 0 and "encrypted" in run.stdout, run.stderr
        info = json.loads(fgrun(fgd, "--json", "info", **env).stdout)
        shown = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", f"{state}/tls/cert.pem"],
                               capture_output=True, text=True, check=True).stdout
        assert info["tlsFingerprint"] == shown.strip().split("=")[1]
        assert fgrun(fgd, "ps", **{**env, "FGRUN_CA_FILE": "/dev/null"}).returncode == 69
        key = json.loads(subprocess.run(
            ["curl", "-sS", "--cacert", f"{state}/tls/cert.pem", "-H", f"Authorization: Bearer {token}", "--data", "{}",
             f"https://localhost:{port}/v1/keys"], capture_output=True, text=True, check=True).stdout)
        sdk = botocore.session.Session().create_client(
            "sts", region_name="local-1", endpoint_url=f"https://localhost:{port}", verify=f"{state}/tls/cert.pem",
            aws_access_key_id=key["accessKeyId"], aws_secret_access_key=key["secretAccessKey"])
        assert sdk.get_caller_identity()["UserId"] == key["accessKeyId"]
        # Clients that come and never say a word of TLS, or stop in the middle, hold nobody up.
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for s in idle[:10]:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert fgrun(fgd, "ps", "-a", **env).returncode == 0
        for s in idle:
            s.close()
        with open(f"{state}/tls/cert.pem", "rb") as file:
            certificate = file.read()
        fgd.settings["tls"] = "files"
        fgd.settings["tls-certificate"], fgd.settings["tls-key"] = f"{state}/tls/cert.pem", f"{state}/tls/key.pem"
        fgd.stop()
        fgd.start()
        assert fgrun(fgd, "ps", "-a", **env).returncode == 0
        with open(f"{state}/tls/cert.pem", "rb") as file:
            assert file.read() == certificate
        fgd.stop()
        fgd.settings["tls-certificate"] = f"{state}/token"
        with pytest.raises(RuntimeError, match="not a certificate in PEM"):
            fgd.start()
        fgd.settings["tls-certificate"] = f"{state}/tls/cert.pem"
        fgd.start()


# ---- the audit log, throttling ----

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
        (who, "127.0.0.1", "POST", "/", "sts:GetCallerIdentity", 403, "AccessDenied"),
        (who, "127.0.0.1", "GET", "/v1/tasks", "ecs:ListTasks", 200, None),
        (f"{key.accessKeyId}?", "127.0.0.1", "GET", '/v1/\\x80"\\\\%20\\n', None, 403, "InvalidSignatureException"),
    ]
    assert len({e["request"] for e in audit(tcp)}) == len(found)
    tcp.start()


def test_the_audit_log_is_capped(start):
    with start(audit_mib="1") as fgd:
        connection = fgd_connection(fgd)
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


def fgd_connection(fgd):
    from fgd import UnixConnection
    return UnixConnection(fgd.socket)


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
