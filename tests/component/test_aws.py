# SPDX-License-Identifier: Apache-2.0
"""The endpoint of the AWS APIs: dispatch, both protocols, their errors; STS."""

import json
import xml.etree.ElementTree as ET

import boto3
import pytest

import awsapi
from awsapi import AwsError
from fgd import UnixConnection


@pytest.fixture
def aws(fgd):
    return awsapi.Aws(fgd)


def refused(call, *args, **members):
    with pytest.raises(AwsError) as failure:
        call(*args, **members)
    return failure.value


def test_an_operation_that_aws_has_and_fgrun_has_not(aws):
    error = refused(aws.call, "ecs", "RegisterContainerInstance")
    assert (error.status, error.name) == (400, "UnsupportedFeatureException")
    assert "ecs:RegisterContainerInstance is not supported by this version of fgrun" in error.message


def test_unknown_operations_and_services(aws):
    error = refused(aws.call, "ecs", "LaunchRocket")
    assert (error.status, error.name, error.message) == (400, "UnknownOperationException",
                                                         "ecs has no operation LaunchRocket")
    error = refused(aws.target, "DynamoDB_20120810.ListTables", {})
    assert error.name == "UnknownOperationException" and "DynamoDB_20120810.ListTables" in error.message
    error = refused(aws.target, "AmazonEC2ContainerRegistry_V20150921.ListImages", {})
    assert error.name == "UnknownOperationException" and "Amazon ECR" in error.message
    for target in ("", ".", "AmazonEC2ContainerServiceV20141113", "AmazonEC2ContainerServiceV20141113."):
        assert refused(aws.target, target, {}).name == "UnknownOperationException"


def test_two_operations_are_none(fgd):
    connection = UnixConnection(fgd.socket)
    connection.putrequest("POST", "/")
    for operation in ("ListTasks", "ListClusters"):
        connection.putheader("X-Amz-Target", f"{awsapi.TARGETS['ecs']}.{operation}")
    connection.putheader("Content-Length", "2")
    connection.endheaders(b"{}")
    response = connection.getresponse()
    assert response.status == 400 and json.load(response) == {
        "__type": "UnknownOperationException", "message": "X-Amz-Target is given more than once"}


def elements(text):
    """{tag: text} of all leaves, namespaces removed."""
    return {e.tag.split("}")[-1]: e.text for e in ET.fromstring(text).iter() if len(e) == 0}


def test_caller_identity(aws):
    status, text = aws.form("Action=GetCallerIdentity&Version=2011-06-15")
    assert status == 200 and text.startswith(
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>')
    found = elements(text)
    assert found["Account"] == "000000000000" and found["Arn"] == "arn:aws:iam::000000000000:root"
    assert found["RequestId"]


@pytest.mark.parametrize("body, code, message", [
    ("Action=AssumeRole&Version=2011-06-15", "InvalidAction", "sts:AssumeRole is not supported"),
    ("Action=<b>&Version=2011-06-15", "InvalidAction", "sts has no operation <b>"),
    ("Action=DescribeInstances&Version=2016-11-15", "InvalidAction",
     "Could not find operation DescribeInstances for version 2016-11-15"),
    ("Action=GetCallerIdentity", "InvalidAction",
     "Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED"),
    ("", "MissingAction", "X-Amz-Target"),
    ("Action=&Version=2011-06-15", "MissingAction", "X-Amz-Target"),
    ("Version=2011-06-15", "MissingAction", "X-Amz-Target"),
    ("{}", "MissingAction", "X-Amz-Target"),
    ("a=%zz", "MalformedQueryString", "percent-encoding"),
    ("Action=x&Action=x", "MalformedQueryString", "twice"),
])
def test_errors_of_the_query_protocol(aws, body, code, message):
    status, text = aws.form(body)
    found = elements(text)
    assert status == 400 and found["Code"] == code and found["Type"] == "Sender"
    assert message in found["Message"] and found["RequestId"]


def test_a_body_that_is_too_long(fgd, aws):
    """Who sends a few megabytes too many reads why, in the protocol's form."""
    body = json.dumps({"family": "f" * (4 << 20)})
    error = refused(aws.target, f"{awsapi.TARGETS['ecs']}.RegisterTaskDefinition", body)
    assert (error.status, error.name, error.message) == (
        413, "RequestEntityTooLargeException", "the body is longer than 2097152 bytes (max_body_kib)")
    with awsapi.bridge(fgd.socket) as endpoint:
        ecs = boto3.client("ecs", endpoint_url=endpoint, region_name="local-1", aws_access_key_id="AKID",
                           aws_secret_access_key="secret")
        with pytest.raises(ecs.exceptions.ClientError, match="RequestEntityTooLargeException"):
            ecs.register_task_definition(family="f" * (4 << 20), containerDefinitions=[])


def test_the_aws_cli_asks_who_it_is(fgd, tmp_path):
    with awsapi.bridge(fgd.socket) as endpoint:
        cli = awsapi.Cli(endpoint, tmp_path)
        assert cli("sts", "get-caller-identity")["Account"] == "000000000000"
        assert cli.fails("ecs", "describe-task-sets", "--cluster", "c", "--service", "s").startswith(
            "An error occurred (UnsupportedFeatureException) when calling the DescribeTaskSets operation: "
            "ecs:DescribeTaskSets is not supported")


def test_every_operation_of_the_model_is_known(aws):
    """It works, wants members, or is not supported; and docs/ecs.md says which of them work."""
    documented = (awsapi.ROOT / "docs" / "ecs.md").read_text(encoding="utf-8")
    for operation in aws.model("ecs").operations:
        try:
            aws.call("ecs", operation)
            absent = False
        except AwsError as error:
            assert error.name != "UnknownOperationException"
            absent = error.name == "UnsupportedFeatureException"
            assert not absent or f"ecs:{operation} is not supported" in error.message
        row = any(operation in line.replace(",", " ").replace(";", " ").replace(":", " ").split()
                  for line in documented.splitlines() if line.startswith("| ECS |"))
        assert row != absent, f"docs/ecs.md: {operation}"


def test_the_checker_of_answers_is_strict(aws):
    ecs = aws.model("ecs")
    task = {"taskArn": "a", "createdAt": 1764077216.5, "version": 1, "cpu": "256", "launchType": "FARGATE"}
    assert ecs.problems("DescribeTasks", {"tasks": [task], "failures": []}) == []
    for wrong in ({"cpu": 256}, {"createdAt": "2026-01-01T00:00:00Z"}, {"createdAt": 1764077216500}, {"version": "1"},
                  {"launchType": "MOON"}, {"nope": 1}, {"containers": [{"exitCode": 1.5}]}, {"tags": None},
                  {"attributes": [{"value": "x"}]}, {"containers": {}}, {"enableExecuteCommand": 0}):
        assert len(ecs.problems("DescribeTasks", {"tasks": [{**task, **wrong}]})) == 1, wrong
    assert len(ecs.problems("TagResource", {"x": 1})) == 1
