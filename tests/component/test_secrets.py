# SPDX-License-Identifier: Apache-2.0
"""Secrets and environment files: they reach their container, and nothing else."""

import json
import os
import pathlib
import subprocess

import boto3
import pytest

import awsapi
from awsapi import AwsError
from fgd import Failure

FGRUN = str(pathlib.Path(os.environ["FGRUN_BUILD"]) / "cli" / "fgrun")
TOKEN = "0123456789abcdef0123456789abcdef"
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


# ---- the operations of AWS ----

def refused(call, *args, **members):
    with pytest.raises(AwsError) as failure:
        call(*args, **members)
    return failure.value.name, failure.value.message


def test_secrets_manager(fgd):
    aws = lambda name, **members: awsapi.Aws(fgd).call("secretsmanager", name, **members)  # noqa: E731
    made = aws("CreateSecret", Name="app", SecretString="one", Description="d", ClientRequestToken=TOKEN,
               Tags=[{"Key": "a", "Value": "b"}])
    assert made["Name"] == "app" and made["VersionId"] == TOKEN
    arn = made["ARN"]
    assert aws("CreateSecret", Name="app", SecretString="one", ClientRequestToken=TOKEN) == made
    assert refused(aws, "CreateSecret", Name="app", SecretString="two")[0] == "ResourceExistsException"
    got = aws("GetSecretValue", SecretId=arn)
    assert got["SecretString"] == "one" and got["VersionStages"] == ["AWSCURRENT"]
    assert isinstance(got["CreatedDate"], float)
    put = aws("PutSecretValue", SecretId="app", SecretString="two", VersionStages=["AWSPENDING"])
    assert put["VersionStages"] == ["AWSPENDING"]
    assert aws("GetSecretValue", SecretId="app")["SecretString"] == "one"
    assert aws("GetSecretValue", SecretId="app", VersionStage="AWSPENDING")["SecretString"] == "two"
    aws("UpdateSecret", SecretId="app", SecretBinary="AAEC", Description="new")
    assert aws("GetSecretValue", SecretId="app")["SecretBinary"] == "AAEC"
    about = aws("DescribeSecret", SecretId="app")
    assert about["Description"] == "new" and about["Tags"] == [{"Key": "a", "Value": "b"}]
    assert sorted(sum(about["VersionIdsToStages"].values(), [])) == ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"]
    for n in range(3):
        aws("CreateSecret", Name=f"more{n}", SecretString="x")
    page = aws("ListSecrets", MaxResults=3)
    rest = aws("ListSecrets", MaxResults=3, NextToken=page["NextToken"])
    assert [s["Name"] for s in page["SecretList"] + rest["SecretList"]] == ["app", "more0", "more1", "more2"]
    assert "NextToken" not in rest
    assert aws("DeleteSecret", SecretId="app", RecoveryWindowInDays=7)["ARN"] == arn
    assert refused(aws, "GetSecretValue", SecretId="app")[0] == "InvalidRequestException"
    assert refused(aws, "CreateSecret", Name="app", SecretString="x")[0] == "InvalidRequestException"
    assert aws("DescribeSecret", SecretId="app")["DeletedDate"] > 0
    aws("RestoreSecret", SecretId="app")
    aws("DeleteSecret", SecretId="app", ForceDeleteWithoutRecovery=True)
    assert refused(aws, "GetSecretValue", SecretId=arn) == (
        "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    assert refused(aws, "PutSecretValue", SecretId="more0")[0] == "InvalidParameterException"
    assert refused(aws, "CreateSecret", Name="b", SecretBinary="%")[0] == "InvalidParameterException"
    assert refused(aws, "RotateSecret", SecretId="more0")[0] == "UnsupportedFeatureException"


def test_parameter_store(fgd):
    aws = lambda name, **members: awsapi.Aws(fgd).call("ssm", name, **members)  # noqa: E731
    assert aws("PutParameter", Name="/a/one", Value="1", Type="String") == {"Version": 1, "Tier": "Standard"}
    assert refused(aws, "PutParameter", Name="/a/one", Value="2", Type="String")[0] == "ParameterAlreadyExists"
    assert aws("PutParameter", Name="/a/one", Value="2", Overwrite=True)["Version"] == 2
    kept = refused(aws, "PutParameter", Name="/a/one", Value="3", Type="SecureString", Overwrite=True)
    assert kept[0] == "ValidationException" and "is String and stays so" in kept[1]
    aws("PutParameter", Name="/a/b/two", Value="x,y", Type="StringList")
    aws("PutParameter", Name="/a/three", Value=VALUE, Type="SecureString", Description="d")
    got = aws("GetParameter", Name="/a/one")["Parameter"]
    assert (got["Value"], got["Version"], got["Type"], got["DataType"]) == ("2", 2, "String", "text")
    assert got["ARN"] == "arn:aws:ssm:local-1:000000000000:parameter/a/one"
    assert isinstance(got["LastModifiedDate"], float)
    assert aws("GetParameter", Name="/a/one:1")["Parameter"]["Value"] == "1"
    assert VALUE not in aws("GetParameter", Name="/a/three")["Parameter"]["Value"]
    assert aws("GetParameter", Name="/a/three", WithDecryption=True)["Parameter"]["Value"] == VALUE
    many = aws("GetParameters", Names=["/a/one", "/none"])
    assert [p["Name"] for p in many["Parameters"]] == ["/a/one"] and many["InvalidParameters"] == ["/none"]
    assert [p["Name"] for p in aws("GetParametersByPath", Path="/a")["Parameters"]] == ["/a/one", "/a/three"]
    page = aws("GetParametersByPath", Path="/a/", Recursive=True, MaxResults=2)
    rest = aws("GetParametersByPath", Path="/a/", Recursive=True, MaxResults=2, NextToken=page["NextToken"])
    assert [p["Name"] for p in page["Parameters"] + rest["Parameters"]] == ["/a/b/two", "/a/one", "/a/three"]
    names = lambda *filters: [p["Name"] for p in aws("DescribeParameters", ParameterFilters=filters)["Parameters"]]  # noqa: E731
    assert names({"Key": "Type", "Values": ["SecureString"]}) == ["/a/three"]
    assert names({"Key": "Name", "Option": "BeginsWith", "Values": ["/a/o"]}) == ["/a/one"]
    assert names({"Key": "Name", "Values": ["/a/o"]}) == []
    aws("DeleteParameter", Name="/a/one")
    assert refused(aws, "GetParameter", Name="/a/one")[0] == "ParameterNotFound"
    assert refused(aws, "PutParameter", Name="x", Value="1")[0] == "ValidationException"
    assert aws("DeleteParameters", Names=["/a/three", "/none"]) == {
        "DeletedParameters": ["/a/three"], "InvalidParameters": ["/none"]}


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


def test_boto3(fgd):
    with awsapi.bridge(fgd.socket) as endpoint:
        secrets, parameters = (boto3.client(service, endpoint_url=endpoint, region_name="local-1", aws_access_key_id="AKID",
                                            aws_secret_access_key="none") for service in ("secretsmanager", "ssm"))
        arn = secrets.create_secret(Name="sdk/db", SecretBinary=b"\0\xff" + VALUE.encode(), Tags=[{"Key": "a", "Value": "b"}])["ARN"]
        got = secrets.get_secret_value(SecretId=arn)
        assert got["SecretBinary"] == b"\0\xff" + VALUE.encode() and "SecretString" not in got
        secrets.put_secret_value(SecretId="sdk/db", SecretString=VALUE)
        assert secrets.get_secret_value(SecretId="sdk/db", VersionStage="AWSPREVIOUS")["SecretBinary"][:2] == b"\0\xff"
        assert secrets.describe_secret(SecretId="sdk/db")["Tags"] == [{"Key": "a", "Value": "b"}]
        with pytest.raises(secrets.exceptions.ResourceExistsException):
            secrets.create_secret(Name="sdk/db", SecretString="other")
        with pytest.raises(secrets.exceptions.ResourceNotFoundException):
            secrets.get_secret_value(SecretId="sdk/none")
        secrets.delete_secret(SecretId="sdk/db", RecoveryWindowInDays=7)
        secrets.restore_secret(SecretId="sdk/db")
        for i in range(12):
            secrets.create_secret(Name=f"many/{i:02}", SecretString="x")
            parameters.put_parameter(Name=f"/sdk/{i:02}", Type="SecureString", Value=str(i))
        pages = secrets.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 5})
        assert {s["Name"] for page in pages for s in page["SecretList"]} == {"sdk/db", *(f"many/{i:02}" for i in range(12))}
        pages = parameters.get_paginator("get_parameters_by_path").paginate(Path="/sdk", WithDecryption=True)
        assert [p["Value"] for page in pages for p in page["Parameters"]] == [str(i) for i in range(12)]
        with pytest.raises(parameters.exceptions.ParameterNotFound):
            parameters.get_parameter(Name="/sdk/none")


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
