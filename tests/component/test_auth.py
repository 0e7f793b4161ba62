# SPDX-License-Identifier: Apache-2.0
"""Access keys, fgrun as a client that signs, TLS."""

import json
import os
import pathlib
import socket
import sqlite3
import subprocess

import botocore.session
import pytest

from fgd import Failure
from signed import create, free_port, send, signed

FGRUN = pathlib.Path(os.environ["FGRUN_BUILD"]) / "cli" / "fgrun"


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


def test_keys_are_for_administrators(tcp):
    key = create(tcp)
    for method, path in (("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", f"/v1/keys/{key.accessKeyId}")):
        status, answer = signed(tcp, key, method, path)
        assert (status, answer["__type"]) == (403, "AccessDeniedException") and "not for access keys" in answer["message"]
    with open(f"{tcp.directory}/state/token", encoding="ascii") as file:
        token = file.read().strip()
    status, answer = send(tcp, "GET", "/v1/keys", [("Host", "x"), ("Authorization", f"Bearer {token}")])
    assert status == 200 and len(answer["keys"]) == 1


def test_all_errors_of_a_key_at_once(fgd):
    with pytest.raises(Failure) as failure:
        fgd.call("POST", "/v1/keys", {"name": "a b", "x": 1, "policy": {
            "allow": ["foo bar", "", "ecs:NoSuchThing", "ecs:Run*"], "deny": ["ecr:*", "fgrun:prune"], "clusters": ["a/b"]}})
    assert failure.value.body["message"].startswith("7 errors in the key; first: ")
    assert {e["path"] for e in failure.value.body["errors"]} == {
        "$", "$.name", "$.policy.allow[0]", "$.policy.allow[1]", "$.policy.allow[2]", "$.policy.deny[0]", "$.policy.clusters[0]"}
    message = fgrun(fgd, "keys", "create", "--allow", "foo bar", "--allow", "", "--deny", "ecs:NoSuchThing").stderr
    for part in ('allow[0]: is "foo bar"', 'allow[1]: is ""', 'deny[0]: "ecs:NoSuchThing" fits no action that there is'):
        assert part in message, message


@pytest.mark.parametrize("body, message", [
    ({"name": ""}, "1 to 64 letters"), ({"name": "a b"}, "1 to 64 letters"), ({"name": "a" * 65}, "1 to 64 letters"),
    ({"name": 1}, "expected a string"), ({"policy": {"allow": ["RunTask"]}}, "allow[0]"), ({"secret": "x"}, "unknown member"),
    ({"policy": "x"}, "expected an object"),
])
def test_bad_keys(fgd, body, message):
    with pytest.raises(Failure) as failure:
        fgd.call("POST", "/v1/keys", body)
    assert failure.value.status == 400 and message in failure.value.body["message"]


# ---- fgrun ----

def fgrun(fgd, *words, given=None, **env):
    directory = fgd.directory
    return subprocess.run([str(FGRUN), *words], input=given, capture_output=True, text=True, timeout=120, env={
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
    for _ in range(5):  # equal requests within a second are not one
        again = fgrun(tcp, "secret", "create", "s", "--replace", given="x", **host, **creds)
        assert again.returncode == 0, again.stderr
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
    env = dict(line.removeprefix("export ").split("=", 1) for line in first.stdout.splitlines() if "=" in line)
    env = {name: value.strip("'") for name, value in env.items()}
    assert set(env) == {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION",
                        "AWS_REGION"}
    assert env["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:") and env["AWS_DEFAULT_REGION"] == "local-1"
    assert fgrun(fgd, "info", "--aws-env").stdout == first.stdout
    assert os.stat(f"{fgd.directory}/mine/aws-env.json").st_mode & 0o777 == 0o600
    of_aws = {"AWS_SESSION_TOKEN": "old", "AWS_SECURITY_TOKEN": "old", "AWS_PROFILE": "work", "AWS_DEFAULT_PROFILE": "work"}
    aws = subprocess.run(["sh", "-c", 'eval "$1"; aws --endpoint-url "$AWS_ENDPOINT_URL" sts get-caller-identity', "sh", first.stdout],
                         env={**of_aws, "HOME": fgd.directory, "PATH": "/usr/bin:/bin", "AWS_PAGER": ""}, capture_output=True, text=True)
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
        shell = fgrun(fgd, "info", "--aws-env", **env).stdout
        assert f"export AWS_CA_BUNDLE='{state}/tls/cert.pem'" in shell.splitlines() and "='https://127.0.0.1:" in shell
        aws = subprocess.run(["sh", "-c", 'eval "$1"; aws --endpoint-url "$AWS_ENDPOINT_URL" ecs list-clusters', "sh", shell],
                             env={"HOME": fgd.directory, "PATH": "/usr/bin:/bin", "AWS_PAGER": ""}, capture_output=True, text=True)
        assert "cluster/default" in aws.stdout, aws.stderr
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
