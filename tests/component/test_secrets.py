# SPDX-License-Identifier: Apache-2.0
"""Secrets and environment files: they reach their container, and nothing else."""

import json
import os
import pathlib
import subprocess

import pytest

import awsapi
from fgd import Failure

FGRUN = str(pathlib.Path(os.environ["FGRUN_BUILD"]) / "cli" / "fgrun")
VALUE = "hush-2f9c41d7-nobody-may-see-this"


def fgrun(fgd, *args, value="", status=0):
    env = {"PATH": os.environ["PATH"], "HOME": fgd.directory, "FGRUN_HOST": f"unix://{fgd.socket}"}
    done = subprocess.run([FGRUN, *args], env=env, input=value, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == status, done
    return done.stdout if status == 0 else done.stderr


def create(fgd, name, value):
    return fgd.call("POST", "/v1/secrets", {"name": name, "value": value})["ARN"]


def with_secret(task, *command, arn, name="PASSWORD"):
    return task(*command, container={"secrets": [{"name": name, "valueFrom": arn}]})


def result(fgd, definition, **members):
    done = fgd.stopped(fgd.run(definition, **members))
    return fgd.output_of(done["fgrun"]["id"]).decode(), done


def test_fgrun_secret(fgd):
    arn = fgrun(fgd, "secret", "create", "app/db", "--description", "of the shop", value=VALUE).strip()
    assert arn.startswith("arn:aws:secretsmanager:local-1:000000000000:secret:app/db-")
    assert fgrun(fgd, "secret", "get", "app/db") == VALUE
    assert "exists" in fgrun(fgd, "secret", "create", "app/db", value="x", status=73)
    assert fgrun(fgd, "secret", "create", "app/db", "--replace", value="newer").strip() == arn
    assert fgrun(fgd, "secret", "get", arn) == "newer"
    listed = fgrun(fgd, "secret", "list")
    assert "app/db" in listed and "of the shop" in listed and "newer" not in listed
    fgrun(fgd, "secret", "rm", "app/db")
    assert "can't find" in fgrun(fgd, "secret", "get", "app/db", status=66)
    wanted = "arn:aws:secretsmanager:local-1:000000000000:secret:made-for-aws-AbCdEf"
    assert fgrun(fgd, "secret", "create", "made-for-aws", "--arn", wanted, value="x").strip() == wanted


def test_rest_says_what_is_wrong(fgd):
    for body, text in (({"value": "x"}, "name: required"), ({"name": "a b", "value": "x"}, "Invalid name"),
                       ({"name": "a"}, "either value or valueBase64"), ({"name": "a", "value": ""}, "0 bytes"),
                       ({"name": "a", "value": "x" * 65537}, "65537 bytes"),
                       ({"name": "a", "valu": "x"}, "valu: unknown member")):
        with pytest.raises(Failure, match=text) as failure:
            fgd.call("POST", "/v1/secrets", body)
        assert failure.value.status == 400
    fgd.call("POST", "/v1/secrets", {"name": "bytes", "valueBase64": "AAECAw=="})
    assert fgd.call("GET", "/v1/secrets/value?name=bytes")["valueBase64"] == "AAECAw=="
    with pytest.raises(Failure, match="expected 0"):
        fgd.call("DELETE", "/v1/secrets?name=bytes&days=31")


def test_a_secret_becomes_a_variable(fgd, task):
    text = 'quo"tes \\ and\nlines\tü'
    arn = create(fgd, "db", json.dumps({"user": "me", "password": text}))
    assert result(fgd, with_secret(task, "env PASSWORD", arn=f"{arn}:password::"))[0] == text + "\n"
    assert result(fgd, with_secret(task, "env PASSWORD", arn=f"{arn}:user:AWSCURRENT:"))[0] == "me\n"
    for wrong, reason in ((f"{arn}:nothing::", "did not contain json key nothing"),
                          ("arn:aws:secretsmanager:local-1:000000000000:secret:none-AbCdEf", "can't find"),
                          ("/none", "Parameter /none not found")):
        done = fgd.stopped(fgd.run(with_secret(task, "env PASSWORD", arn=wrong)))
        assert done["stopCode"] == "TaskFailedToStart"
        assert done["stoppedReason"].startswith(
            "ResourceInitializationError: unable to pull secrets or registry auth: ")
        assert reason in done["stoppedReason"]


def test_only_its_own_container_gets_it(fgd, task, image):
    arn = create(fgd, "one", VALUE)
    definition = with_secret(task, "env PASSWORD", arn=arn)
    definition["containerDefinitions"][0]["dependsOn"] = [{"containerName": "other", "condition": "COMPLETE"}]
    definition["containerDefinitions"].append(
        {"name": "other", "image": image, "command": ["env PASSWORD"], "essential": False})
    done = fgd.stopped(fgd.run(definition))
    assert fgd.output_of(done["fgrun"]["id"], container="app").decode() == VALUE + "\n"
    assert fgd.output_of(done["fgrun"]["id"], "stderr", container="other") == b"not set\n"


def data_of(path):
    """What was written to a file; disks are sparse."""
    data = b""
    with open(path, "rb") as file:
        end = 0
        while True:
            try:
                begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:
                return data
            end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            data += os.pread(file.fileno(), end - begin, begin)


def test_a_value_is_seen_nowhere_else(start, task):
    """In no file, no answer and no log, while the task runs and after kill -9."""
    with start() as fgd:
        arn = create(fgd, "seen", VALUE)
        task_id = fgd.run(with_secret(task, "sleep 10", ";", "wait", arn=arn))["fgrun"]["id"]
        fgd.get(task_id, wait="RUNNING")
        answers = [json.dumps(fgd.call("GET", path)) for path in (
            "/v1/tasks", f"/v1/tasks/{task_id}", "/v1/events", "/v1/info", "/v1/secrets", "/v1/images")]
        aws = awsapi.Aws(fgd).call
        aws("secretsmanager", "CreateSecret", Name="two", SecretString=VALUE)
        aws("ssm", "PutParameter", Name="/three", Type="String", Value=VALUE)
        aws("ssm", "PutParameter", Name="/four", Type="SecureString", Value=VALUE)
        answers += [json.dumps(aws(service, operation, **members)) for service, operation, members in (
            ("ecs", "DescribeTasks", {"tasks": [task_id]}), ("secretsmanager", "ListSecrets", {}),
            ("secretsmanager", "DescribeSecret", {"SecretId": "two"}), ("ssm", "DescribeParameters", {}),
            ("secretsmanager", "ListSecretVersionIds", {"SecretId": "two"}), ("ssm", "GetParameter", {"Name": "/four"}))]
        answers.append(fgd.request("GET", "/metrics").read().decode())
        with pytest.raises(Failure) as failure:
            fgd.call("POST", "/v1/secrets", {"name": "seen", "value": VALUE})
        answers.append(json.dumps(failure.value.body))
        assert not any(VALUE in text for text in answers)
        fgd.kill()
        fgd.start()
        fgd.call("POST", f"/v1/tasks/{task_id}/stop", {})
        fgd.get(task_id, wait="STOPPED")
        files = set()
        for directory, _, names in os.walk(fgd.directory):
            for name in names:
                path = os.path.join(directory, name)
                if os.path.isfile(path):
                    files.add(name)
                    assert VALUE.encode() not in data_of(path), path
        assert len(files) > 5 and "audit.log" in files
        with open(f"{fgd.directory}/state/audit/audit.log", encoding="ascii") as audit:
            assert "secretsmanager:CreateSecret" in audit.read()
        assert (os.stat(f"{fgd.directory}/state/seal.key").st_mode & 0o777) == 0o600


def test_a_crash_before_the_guest_had_it(fgd, task):
    """Wherever fgd dies, the task that runs afterwards has its value."""
    arn = create(fgd, "crash", VALUE)
    for _ in range(4):
        task_id = fgd.run(with_secret(task, "env PASSWORD", arn=arn))["fgrun"]["id"]
        fgd.kill()
        fgd.start()
        fgd.get(task_id, wait="STOPPED")
        assert fgd.output_of(task_id).decode() == VALUE + "\n"


def test_another_key_does_not_open_the_store(fgd):
    create(fgd, "a", VALUE)
    assert fgd.stop() == 0
    key = pathlib.Path(f"{fgd.directory}/state/seal.key")
    good = key.read_text()
    key.write_text("0" * 64 + "\n")
    with pytest.raises(RuntimeError, match="is not the key that the secrets are sealed with"):
        fgd.start()
    key.write_text(good)
    key.chmod(0o644)
    with pytest.raises(RuntimeError, match="must be 0600"):
        fgd.start()
    key.chmod(0o600)
    fgd.start()
    assert fgd.call("GET", "/v1/secrets/value?name=a")["value"] == VALUE


def test_the_aws_cli(fgd, task, tmp_path):
    with awsapi.bridge(fgd.socket) as endpoint:
        cli = awsapi.Cli(endpoint, tmp_path)
        arn = cli("secretsmanager", "create-secret", "--name", "cli/db", "--secret-string", VALUE)["ARN"]
        assert cli("secretsmanager", "get-secret-value", "--secret-id", "cli/db")["SecretString"] == VALUE
        cli("ssm", "put-parameter", "--name", "/cli/port", "--type", "String", "--value", "5432")
        assert cli("ssm", "get-parameter", "--name", "/cli/port")["Parameter"]["Value"] == "5432"
        assert result(fgd, with_secret(task, "env PASSWORD", arn=arn))[0] == VALUE + "\n"
        assert result(fgd, with_secret(task, "env PASSWORD", arn="/cli/port"))[0] == "5432\n"
        assert "ResourceNotFoundException" in cli.fails("secretsmanager", "describe-secret", "--secret-id", "none")
        assert cli("secretsmanager", "list-secrets")["SecretList"][0]["Name"] == "cli/db"
        cli("secretsmanager", "delete-secret", "--secret-id", "cli/db", "--force-delete-without-recovery")
        assert cli("ssm", "get-parameters-by-path", "--path", "/cli")["Parameters"][0]["Name"] == "/cli/port"
        assert cli("ssm", "describe-parameters")["Parameters"][0]["Type"] == "String"


# ---- environment files ----

@pytest.fixture
def buckets(tmp_path):
    bucket = tmp_path / "s3" / "bucket"
    bucket.mkdir(parents=True)
    (bucket / "first.env").write_text("A=first\nB=first\n# comment\n\nC=first\nC=again\n")
    (bucket / "second.env").write_text("B=second\nD=\"second\"\n")
    (bucket / "bad.env").write_text("A=1\nnonsense\n")
    return tmp_path / "s3"


def files(*keys):
    return [{"type": "s3", "value": f"arn:aws:s3:::bucket/{key}"} for key in keys]


def test_environment_files(start, task, buckets):
    with start(s3_root=str(buckets)) as fgd:
        definition = task("env A", ";", "env B", ";", "env C", ";", "env D", ";", "env E",
                          container={"environmentFiles": files("first.env", "second.env"),
                                     "environment": [{"name": "A", "value": "mine"}, {"name": "E", "value": "e"}]})
        output, done = result(fgd, definition)
        assert output == 'mine\nfirst\nagain\n"second"\ne\n'
        assert '"first"' not in json.dumps(done)
        override = {"containerOverrides": [{"name": "app", "environmentFiles": files("second.env")}]}
        assert result(fgd, definition, overrides=override)[0].splitlines()[1] == "second"
        for key, text in (("bad.env", "bucket/bad.env, line 2: expected NAME=VALUE"),
                          ("none.env", "No such file"), ("../../../etc/passwd.env", "leads out of s3_root")):
            done = fgd.stopped(fgd.run(task("exit 0", container={"environmentFiles": files(key)})))
            assert "ResourceInitializationError: failed to download env files: " in done["stoppedReason"]
            assert text in done["stoppedReason"]


def test_without_buckets_environment_files_are_refused(fgd, task):
    with pytest.raises(Failure, match="s3_root = DIR in fgd.conf"):
        fgd.run(task("exit 0", container={"environmentFiles": files("first.env")}))


def test_a_variable_is_set_once(fgd, task):
    definition = with_secret(task, "exit 0", arn="x")
    override = {"containerOverrides": [{"name": "app", "environment": [{"name": "PASSWORD", "value": "x"}]}]}
    with pytest.raises(Failure) as failure:
        fgd.run(definition, overrides=override)
    assert "The secret name must be unique" in json.dumps(failure.value.body)
