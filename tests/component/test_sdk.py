# SPDX-License-Identifier: Apache-2.0
"""Paginators and waiters of boto3, and the requests that Terraform's AWS provider makes."""

import re
import time
import types

import boto3
import botocore.exceptions
import pytest

import awsapi
import signed
from awsapi import AwsError

NETWORK = {"awsvpcConfiguration": {"subnets": ["default"]}}


@pytest.fixture
def client(fgd):
    """Makes a client of a service."""
    with awsapi.bridge(fgd.socket) as endpoint:
        yield lambda service: boto3.client(service, endpoint_url=endpoint, region_name="local-1",
                                           aws_access_key_id="AKID", aws_secret_access_key="none")


def elements(client, operation, member, size, **question):
    """All of them, from pages of which none is too large and not all are one."""
    pages = list(client.get_paginator(operation).paginate(**question, PaginationConfig={"PageSize": size}))
    assert len(pages) > 1 and all(len(page[member]) <= size for page in pages)
    return [element for page in pages for element in page[member]]


def test_paginators(client):
    ecs, logs, secrets, ssm = (client(service) for service in ("ecs", "logs", "secretsmanager", "ssm"))
    names = [f"n{i}" for i in range(5)]
    arn = "arn:aws:ecs:local-1:000000000000"
    logs.create_log_group(logGroupName="g")
    for name in names:
        ecs.create_cluster(clusterName=name)
        ecs.register_task_definition(family=name, cpu="256", memory="512",
                                     containerDefinitions=[{"name": "app", "image": "docker.io/library/none"}])
        logs.create_log_group(logGroupName=f"p/{name}")
        logs.create_log_stream(logGroupName="g", logStreamName=name)
        logs.put_log_events(logGroupName="g", logStreamName=name, logEvents=[
            {"timestamp": int(1000 * time.time()), "message": name}])
        secrets.create_secret(Name=name, SecretString="x")
        ssm.put_parameter(Name=f"/p/{name}", Value="x", Type="String")
    named = lambda key, found: [element[key] for element in found]  # noqa: E731
    assert elements(ecs, "list_clusters", "clusterArns", 2) == [f"{arn}:cluster/{n}" for n in ["default", *names]]
    definitions = [f"{arn}:task-definition/{n}:1" for n in names]
    assert elements(ecs, "list_task_definitions", "taskDefinitionArns", 2) == definitions
    assert elements(ecs, "list_task_definitions", "taskDefinitionArns", 2, sort="DESC") == definitions[::-1]
    assert elements(ecs, "list_task_definition_families", "families", 2) == names
    settings = named("name", elements(ecs, "list_account_settings", "settings", 3, effectiveSettings=True))
    assert len(settings) == len(set(settings)) > 3 and "containerInsights" in settings
    assert named("logGroupName", elements(logs, "describe_log_groups", "logGroups", 2, logGroupNamePrefix="p/")) == [
        f"p/{n}" for n in names]
    assert named("logStreamName", elements(logs, "describe_log_streams", "logStreams", 2, logGroupName="g")) == names
    assert sorted(named("message", elements(logs, "filter_log_events", "events", 2, logGroupName="g"))) == names
    assert named("Name", elements(secrets, "list_secrets", "SecretList", 2)) == names
    assert named("Name", elements(ssm, "describe_parameters", "Parameters", 2)) == [f"/p/{n}" for n in names]
    assert named("Name", elements(ssm, "get_parameters_by_path", "Parameters", 2, Path="/p")) == [f"/p/{n}" for n in names]


def test_waiters(client, task):
    ecs = client("ecs")
    ecs.register_task_definition(**task("wait"))
    run = lambda: ecs.run_task(taskDefinition="test", launchType="FARGATE", networkConfiguration=NETWORK, count=3)  # noqa: E731
    arns = [t["taskArn"] for t in run()["tasks"]]
    often = {"Delay": 0.2, "MaxAttempts": 300}
    ecs.get_waiter("tasks_running").wait(tasks=arns, WaiterConfig=often)
    assert {t["lastStatus"] for t in ecs.describe_tasks(tasks=arns)["tasks"]} == {"RUNNING"}
    assert sorted(elements(ecs, "list_tasks", "taskArns", 2, family="test")) == sorted(arns)
    for arn in arns:
        ecs.stop_task(task=arn)
    ecs.get_waiter("tasks_stopped").wait(tasks=arns, WaiterConfig=often)
    for gone in (arns[0], arns[0][:-32] + "0" * 32):  # one that has stopped, one that nobody knows
        with pytest.raises(botocore.exceptions.WaiterError, match="terminal failure state"):
            ecs.get_waiter("tasks_running").wait(tasks=[gone], WaiterConfig=often)


def test_the_lines_of_the_documentation(tcp, task, monkeypatch):
    text = (awsapi.ROOT / "docs" / "ecs.md").read_text(encoding="utf-8")
    key = signed.create(tcp)
    awsapi.Aws(tcp).call("ecs", "RegisterTaskDefinition", **task("wait", family="web"))
    for name, value in (("ENDPOINT_URL", f"http://127.0.0.1:{tcp.port}"), ("DEFAULT_REGION", "local-1"),
                        ("ACCESS_KEY_ID", key.accessKeyId), ("SECRET_ACCESS_KEY", key.secretAccessKey)):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr("botocore.waiter.time", types.SimpleNamespace(sleep=lambda _: time.sleep(0.1)))
    names = {}
    exec(re.search(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)[1], names)
    tasks = names["ecs"].describe_tasks(tasks=names["arns"])["tasks"]
    assert [t["lastStatus"] for t in tasks] == ["RUNNING"] * 2


# ---- Terraform ----

class Terraform:
    """Makes the requests of a resource of the AWS provider, as its source says; answers are checked by the model."""

    def __init__(self, fgd):
        self.aws = awsapi.Aws(fgd)

    def ecs(self, operation, **members):
        return self.aws.call("ecs", operation, **members)

    def logs(self, operation, **members):
        return self.aws.call("logs", operation, **members)

    def secrets(self, operation, **members):
        return self.aws.call("secretsmanager", operation, **members)

    def ssm(self, operation, **members):
        return self.aws.call("ssm", operation, **members)


@pytest.fixture
def terraform(fgd):
    return Terraform(fgd)


def missing(call, *args, **members):
    with pytest.raises(AwsError) as failure:
        call(*args, **members)
    return failure.value.name


def test_aws_ecs_cluster(terraform):
    ecs = terraform.ecs
    tags = [{"key": "team", "value": "a"}]
    arn = ecs("CreateCluster", clusterName="tf", tags=tags, settings=[{"name": "containerInsights", "value": "enabled"}])[
        "cluster"]["clusterArn"]
    read = lambda: ecs("DescribeClusters", clusters=[arn], include=["TAGS", "CONFIGURATIONS", "SETTINGS"])["clusters"][0]  # noqa: E731
    assert (read()["status"], read()["tags"]) == ("ACTIVE", tags)
    ecs("UpdateCluster", cluster=arn, settings=[{"name": "containerInsights", "value": "disabled"}])
    ecs("PutClusterCapacityProviders", cluster=arn, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[])
    ecs("TagResource", resourceArn=arn, tags=[{"key": "new", "value": "b"}])
    ecs("UntagResource", resourceArn=arn, tagKeys=["team"])
    assert read()["tags"] == ecs("ListTagsForResource", resourceArn=arn)["tags"] == [{"key": "new", "value": "b"}]
    assert read()["settings"] == [{"name": "containerInsights", "value": "disabled"}]
    ecs("DeleteCluster", cluster=arn)
    assert read()["status"] == "INACTIVE"


def test_aws_ecs_task_definition(terraform, task):
    ecs = terraform.ecs
    definition = task("exit 0", networkMode="awsvpc", requiresCompatibilities=["FARGATE"],
                      executionRoleArn="arn:aws:iam::000000000000:role/r", tags=[{"key": "a", "value": "b"}])
    arn = ecs("RegisterTaskDefinition", **definition)["taskDefinition"]["taskDefinitionArn"]
    read = ecs("DescribeTaskDefinition", taskDefinition=arn, include=["TAGS"])
    assert read["tags"] == definition["tags"]
    assert read["taskDefinition"]["executionRoleArn"] == definition["executionRoleArn"]
    ecs("TagResource", resourceArn=arn, tags=[{"key": "c", "value": "d"}])
    ecs("DeregisterTaskDefinition", taskDefinition=arn)
    assert ecs("DescribeTaskDefinition", taskDefinition=arn)["taskDefinition"]["status"] == "INACTIVE"


def test_aws_cloudwatch_log_group(terraform):
    logs = terraform.logs
    logs("CreateLogGroup", logGroupName="/tf", tags={"a": "1"})
    logs("PutRetentionPolicy", logGroupName="/tf", retentionInDays=7)
    group = logs("DescribeLogGroups", logGroupNamePrefix="/tf")["logGroups"][0]
    assert (group["logGroupName"], group["retentionInDays"], group["logGroupClass"]) == ("/tf", 7, "STANDARD")
    arn = group["arn"].removesuffix(":*")
    logs("TagResource", resourceArn=arn, tags={"b": "2"})
    logs("UntagResource", resourceArn=arn, tagKeys=["a"])
    assert logs("ListTagsForResource", resourceArn=arn)["tags"] == {"b": "2"}
    logs("DeleteRetentionPolicy", logGroupName="/tf")
    logs("DeleteLogGroup", logGroupName="/tf")
    assert missing(logs, "DeleteLogGroup", logGroupName="/tf") == "ResourceNotFoundException"


def test_aws_ssm_parameter(terraform):
    ssm = terraform.ssm
    whole = {"AllowedPattern": "", "Name": "/tf", "Type": "SecureString"}
    ssm("PutParameter", **whole, Value="1", Overwrite=False, Tags=[{"Key": "a", "Value": "1"}])
    assert ssm("GetParameter", Name="/tf", WithDecryption=True)["Parameter"]["Value"] == "1"
    about = ssm("DescribeParameters", ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": ["/tf"]}])
    assert [(p["Tier"], p["DataType"], p.get("AllowedPattern")) for p in about["Parameters"]] == [("Standard", "text", None)]
    assert "NextToken" not in about
    ssm("PutParameter", **whole, Value="2", Overwrite=True, Tier="Standard")
    resource = {"ResourceType": "Parameter", "ResourceId": "/tf"}
    ssm("RemoveTagsFromResource", **resource, TagKeys=["a"])
    ssm("AddTagsToResource", **resource, Tags=[{"Key": "b", "Value": "2"}])
    assert ssm("ListTagsForResource", **resource)["TagList"] == [{"Key": "b", "Value": "2"}]
    ssm("DeleteParameter", Name="/tf")
    assert missing(ssm, "GetParameter", Name="/tf", WithDecryption=True) == "ParameterNotFound"


def test_aws_secretsmanager_secret_and_its_version(terraform):
    secrets = terraform.secrets
    token = "terraform-20261126000000000000000001"
    arn = secrets("CreateSecret", ClientRequestToken=token, Description="", ForceOverwriteReplicaSecret=False, Name="tf",
                  Tags=[{"Key": "a", "Value": "1"}])["ARN"]
    about = secrets("DescribeSecret", SecretId=arn)
    assert about["Tags"] == [{"Key": "a", "Value": "1"}] and "DeletedDate" not in about
    assert "ResourcePolicy" not in secrets("GetResourcePolicy", SecretId=arn)
    secrets("UpdateSecret", ClientRequestToken=token, Description="d", SecretId=arn)
    first, second = (secrets("PutSecretValue", ClientRequestToken=token[:-1] + n, SecretId=arn, SecretString=n)["VersionId"]
                     for n in "23")
    assert secrets("GetSecretValue", SecretId=arn, VersionId=second)["VersionStages"] == ["AWSCURRENT"]
    secrets("UpdateSecretVersionStage", SecretId=arn, RemoveFromVersionId=first, VersionStage="AWSPREVIOUS")
    assert secrets("GetSecretValue", SecretId=arn, VersionId=first)["VersionStages"] == []
    secrets("TagResource", SecretId=arn, Tags=[{"Key": "b", "Value": "2"}])
    secrets("UntagResource", SecretId=arn, TagKeys=["a"])
    assert secrets("DescribeSecret", SecretId=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    secrets("DeleteSecret", SecretId=arn, RecoveryWindowInDays=30)
    assert secrets("DescribeSecret", SecretId=arn)["DeletedDate"] > 0
