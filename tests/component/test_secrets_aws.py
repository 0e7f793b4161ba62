# SPDX-License-Identifier: Apache-2.0
"""Secrets Manager and Parameter Store: their operations, and what the SDK for Python makes of them."""

import boto3
import pytest

import awsapi
from awsapi import AwsError

TOKEN = "0123456789abcdef0123456789abcdef"
VALUE = "hush-2f9c41d7-nobody-may-see-this"


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


def told(error, name, parts):
    assert error[0] == name and error[1].startswith(f"{len(parts)} errors: "), error
    for part in parts:
        assert part in error[1], (part, error[1])


def test_all_errors_of_a_request_at_once(fgd):
    call = awsapi.Aws(fgd).call
    own = {"Key": "aws:x", "Value": "1"}
    both = "SecretBinary: You can't specify both a binary secret value and a string secret value"
    told(refused(call, "secretsmanager", "CreateSecret", Name="a b", SecretString="x", SecretBinary="AAEC", Tags=[own], Nope=1),
         "InvalidParameterException", ("Name: Invalid name.", both, "Tags[0].Key: tag keys must not begin with aws:",
                                       "Nope: unknown field"))
    told(refused(call, "secretsmanager", "PutSecretValue", SecretId="a", SecretString="x", SecretBinary="AAEC", ClientRequestToken=""),
         "InvalidParameterException", (both, "ClientRequestToken: must not be empty"))
    told(refused(call, "secretsmanager", "UpdateSecret", SecretId="", SecretBinary="%"), "InvalidParameterException",
         ("SecretId: must not be empty", "SecretBinary: not base64"))
    told(refused(call, "ssm", "PutParameter", Name="a//b", Value="", Type="Text", Overwrite=True,
                 Tags=[own, {"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]), "ValidationException",
         ("Name: a//b is not a parameter's name", "Value: must not be empty", "Type: 'Text' is not a valid value",
          "Tags[0].Key: tag keys must not begin with aws:", "Tags: the key 'a' is given twice",
          "Overwrite: tags and overwrite can't be used together"))


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


def tag(key, value):
    return {"Key": key, "Value": value}


def test_tags_policies_and_versions_of_a_secret(fgd):
    aws = lambda name, **members: awsapi.Aws(fgd).call("secretsmanager", name, **members)  # noqa: E731
    tags = lambda: aws("DescribeSecret", SecretId="t")["Tags"]  # noqa: E731
    made = aws("CreateSecret", Name="t", SecretString="one", Tags=[tag("a", "1"), tag("b", "2")])
    aws("TagResource", SecretId=made["ARN"], Tags=[tag("a", "3"), tag("c", "4")])
    assert tags() == [tag("a", "3"), tag("b", "2"), tag("c", "4")]
    aws("UntagResource", SecretId="t", TagKeys=["a", "none"])
    assert tags() == aws("ListSecrets")["SecretList"][0]["Tags"] == [tag("b", "2"), tag("c", "4")]
    for operation, members in (("TagResource", {"Tags": []}), ("UntagResource", {"TagKeys": []}),
                               ("GetResourcePolicy", {}), ("ListSecretVersionIds", {})):
        assert refused(aws, operation, SecretId="none", **members)[0] == "ResourceNotFoundException"
    assert refused(aws, "TagResource", SecretId="t", Tags=[tag("aws:x", "1")])[0] == "InvalidParameterException"
    assert "there would be 51" in refused(aws, "TagResource", SecretId="t", Tags=[tag(str(i), "") for i in range(49)])[1]
    assert refused(aws, "CreateSecret", Name="d", Tags=[tag("x", "1"), tag("x", "2")])[0] == "InvalidParameterException"
    assert aws("GetResourcePolicy", SecretId="t") == {"ARN": made["ARN"], "Name": "t"}

    ids = [made["VersionId"], *(aws("PutSecretValue", SecretId="t", SecretString=str(i))["VersionId"] for i in range(3))]
    answer = aws("ListSecretVersionIds", SecretId="t")
    assert (answer["ARN"], answer["Name"]) == (made["ARN"], "t")
    assert {v["VersionId"]: v["VersionStages"] for v in answer["Versions"]} == {
        ids[3]: ["AWSCURRENT"], ids[2]: ["AWSPREVIOUS"]}
    page = aws("ListSecretVersionIds", SecretId="t", IncludeDeprecated=True, MaxResults=3)
    rest = aws("ListSecretVersionIds", SecretId="t", IncludeDeprecated=True, MaxResults=3, NextToken=page["NextToken"])
    assert [v["VersionId"] for v in page["Versions"] + rest["Versions"]] == sorted(ids) and "NextToken" not in rest
    assert isinstance(rest["Versions"][0]["CreatedDate"], float)

    def stages():
        about = aws("DescribeSecret", SecretId="t")["VersionIdsToStages"]
        return {stage: version for version, stages in about.items() for stage in stages}

    def move(stage, **members):
        return aws("UpdateSecretVersionStage", SecretId="t", VersionStage=stage, **members)

    assert move("mine", MoveToVersionId=ids[0]) == {"ARN": made["ARN"], "Name": "t"}
    move("AWSCURRENT", MoveToVersionId=ids[1], RemoveFromVersionId=ids[3])
    assert stages() == {"mine": ids[0], "AWSCURRENT": ids[1], "AWSPREVIOUS": ids[3]}
    assert aws("GetSecretValue", SecretId="t")["SecretString"] == "0"
    for wrong in ({"MoveToVersionId": ids[3]}, {"MoveToVersionId": ids[3], "RemoveFromVersionId": ids[2]},
                  {"RemoveFromVersionId": ids[1]}):
        assert refused(move, "AWSCURRENT", **wrong)[0] == "InvalidParameterException"
    assert refused(move, "mine")[0] == refused(move, "other", RemoveFromVersionId=ids[0])[0] == "InvalidParameterException"
    assert refused(move, "mine", MoveToVersionId="0" * 32)[0] == "ResourceNotFoundException"
    move("mine", RemoveFromVersionId=ids[0])
    assert stages() == {"AWSCURRENT": ids[1], "AWSPREVIOUS": ids[3]}


def test_tags_of_a_parameter(fgd):
    aws = lambda name, **members: awsapi.Aws(fgd).call("ssm", name, **members)  # noqa: E731
    one = {"ResourceType": "Parameter", "ResourceId": "/t/one"}
    tags = lambda: aws("ListTagsForResource", **one)["TagList"]  # noqa: E731
    aws("PutParameter", Name="/t/one", Value="1", Type="String", Tags=[tag("a", "1"), tag("b", "2")])
    assert tags() == [tag("a", "1"), tag("b", "2")]
    aws("AddTagsToResource", **one, Tags=[tag("a", "3"), tag("c", "4")])
    aws("PutParameter", Name="/t/one", Value="2", Overwrite=True)
    assert tags() == [tag("a", "3"), tag("b", "2"), tag("c", "4")]
    aws("RemoveTagsFromResource", **one, TagKeys=["a", "none"])
    assert tags() == [tag("b", "2"), tag("c", "4")]
    both = refused(aws, "PutParameter", Name="/t/one", Value="3", Overwrite=True, Tags=[tag("a", "1")])
    assert both[0] == "ValidationException" and "tags and overwrite can't be used together" in both[1]
    for operation, members in (("AddTagsToResource", {"Tags": [tag("a", "1")]}), ("ListTagsForResource", {}),
                               ("RemoveTagsFromResource", {"TagKeys": ["a"]})):
        assert refused(aws, operation, ResourceType="Parameter", ResourceId="/none", **members)[0] == "InvalidResourceId"
        assert refused(aws, operation, ResourceType="Document", ResourceId="/t/one", **members)[0] == "InvalidResourceType"
    full = refused(aws, "AddTagsToResource", **one, Tags=[tag(str(i), "x") for i in range(49)])
    assert full[0] == "TooManyTagsError" and len(tags()) == 2


def test_selectors_of_a_parameter(fgd):
    aws = lambda name, **members: awsapi.Aws(fgd).call("ssm", name, **members)  # noqa: E731
    aws("PutParameter", Name="/s", Value="1", Type="String")
    aws("PutParameter", Name="/s", Value="2", Overwrite=True)
    got = aws("GetParameter", Name="/s:1")["Parameter"]
    assert (got["Name"], got["Value"], got["Selector"]) == ("/s", "1", ":1")
    assert aws("GetParameter", Name=f"{got['ARN']}:2")["Parameter"]["Value"] == "2"
    assert "Selector" not in aws("GetParameter", Name="/s")["Parameter"]
    for name in ("/s:3", "/s:0", "/s:blue", "/s:1:1", "/s:", f"{got['ARN']}:3"):
        assert refused(aws, "GetParameter", Name=name)[0] == "ParameterVersionNotFound", name
    assert "version 3 of /s" in refused(aws, "GetParameter", Name="/s:3")[1]
    assert "label blue of /s" in refused(aws, "GetParameter", Name="/s:blue")[1]
    assert refused(aws, "GetParameter", Name="/none:1")[0] == "ParameterNotFound"
    assert aws("GetParameters", Names=["/s:1", "/s:blue"])["InvalidParameters"] == ["/s:blue"]


def test_a_token_belongs_to_its_question(fgd):
    """A token that is damaged, made up, of another operation or another question: nobody gets a page for it."""
    aws = awsapi.Aws(fgd)
    for i in range(4):
        aws.call("secretsmanager", "CreateSecret", Name=f"n{i}", SecretString="x")
        aws.call("ssm", "PutParameter", Name=f"/n/{i}", Value="x", Type="String")
        aws.call("secretsmanager", "PutSecretValue", SecretId="n0", SecretString=str(i))
    name = "/" + "n" * 1000  # also the longest names fit
    aws.call("ssm", "PutParameter", Name=name, Value="x", Type="String")
    filters = [{"Key": "Type", "Values": ["String"]}]
    questions = [
        ("secretsmanager", "ListSecrets", {}), ("secretsmanager", "ListSecrets", {"IncludePlannedDeletion": True}),
        ("secretsmanager", "ListSecretVersionIds", {"SecretId": "n0", "IncludeDeprecated": True}),
        ("ssm", "GetParametersByPath", {"Path": "/n"}), ("ssm", "GetParametersByPath", {"Path": "/n", "Recursive": True}),
        ("ssm", "DescribeParameters", {}), ("ssm", "DescribeParameters", {"ParameterFilters": filters})]
    tokens = [aws.call(s, o, **q, MaxResults=2)["NextToken"] for s, o, q in questions]
    for i, (service, operation, question) in enumerate(questions):
        good = tokens[i]
        damaged = good[:-1] + ("0" if good[-1] != "0" else "1")
        wrong = "InvalidNextToken" if service == "ssm" else "InvalidNextTokenException"
        aws.call(service, operation, **question, NextToken=good)
        for token in (damaged, good[:-2], "n1", "/n/1", "v1-", "%", *(t for t in tokens if t != good)):
            assert refused(aws.call, service, operation, **question, NextToken=token)[0] == wrong, token
    token = aws.call("ssm", "DescribeParameters", MaxResults=4)["NextToken"]
    assert [p["Name"] for p in aws.call("ssm", "DescribeParameters", NextToken=token)["Parameters"]] == [name]
    assert "NextToken" not in aws.call("secretsmanager", "ListSecrets", MaxResults=4)  # it ends with the page


def test_nothing_is_lost_between_any_two_operations(fgd):
    """kill -9 after each; what was answered is there."""
    secrets, ssm = (lambda name, s=service, **members: awsapi.Aws(fgd).call(s, name, **members) for service in ("secretsmanager", "ssm"))
    about = lambda: secrets("DescribeSecret", SecretId="k")  # noqa: E731
    one = {"ResourceType": "Parameter", "ResourceId": "/k"}
    steps = (
        (lambda: secrets("CreateSecret", Name="k", SecretString="1"), lambda: secrets("GetSecretValue", SecretId="k")["SecretString"] == "1"),
        (lambda: secrets("PutSecretValue", SecretId="k", SecretString="2"), lambda: secrets("GetSecretValue", SecretId="k")["SecretString"] == "2"),
        (lambda: secrets("TagResource", SecretId="k", Tags=[tag("a", "1")]), lambda: about()["Tags"] == [tag("a", "1")]),
        (lambda: secrets("DeleteSecret", SecretId="k"), lambda: "DeletedDate" in about()),
        (lambda: secrets("RestoreSecret", SecretId="k"), lambda: "DeletedDate" not in about()),
        (lambda: ssm("PutParameter", Name="/k", Value="1", Type="SecureString"),
         lambda: ssm("GetParameter", Name="/k", WithDecryption=True)["Parameter"]["Value"] == "1"),
        (lambda: ssm("AddTagsToResource", **one, Tags=[tag("a", "1")]), lambda: ssm("ListTagsForResource", **one)["TagList"] == [tag("a", "1")]),
        (lambda: ssm("DeleteParameter", Name="/k"), lambda: ssm("DescribeParameters")["Parameters"] == []))
    for change, holds in steps:
        change()
        fgd.kill()
        fgd.start()
        assert holds()
