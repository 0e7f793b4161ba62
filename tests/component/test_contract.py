# SPDX-License-Identifier: Apache-2.0
"""What holds for every operation: wrong types are refused at their place, lists have pages."""

import functools
import time

import pytest

import awsapi
from awsapi import AwsError

NETWORK = {"awsvpcConfiguration": {"subnets": ["default"]}}
SERVICES = sorted(awsapi.TARGETS)


@pytest.fixture
def aws(fgd):
    return awsapi.Aws(fgd)


def failure(aws, service, operation, members):
    try:
        if service == "ecs":
            aws.call(service, operation, **members)
        else:
            aws.target(f"{awsapi.TARGETS[service]}.{operation}", members)
        return None
    except AwsError as error:
        return error


# ---- types ----

WRONG = {"string": [7, ["x"]], "integer": ["x", 1.5], "long": ["x", 1.5], "boolean": ["true", 1], "list": ["x", {"a": 1}],
         "structure": [["x"], "x"], "map": [["x"], "x"], "double": ["x"], "timestamp": ["x"], "blob": [7]}


def places(model, name, path=(), seen=()):
    """(path, wrong value) of every member of a shape and below; the path is of member names and 0."""
    shape = model.shapes[name]
    for wrong in WRONG[shape["type"]] if path else ():
        yield path, wrong
    if shape["type"] == "structure" and name not in seen:
        for member, inner in shape["members"].items():
            yield from places(model, inner["shape"], (*path, member), (*seen, name))
    elif shape["type"] == "list":
        yield from places(model, shape["member"]["shape"], (*path, 0), (*seen, name))


def request(path, value):
    for part in reversed(path):
        value = [value] if part == 0 else {part: value}
    return value


def test_every_member_of_every_operation_has_its_type(aws):
    wrong, asked = [], 0
    for service in SERVICES:
        model = aws.model(service)
        for operation, row in model.operations.items():
            unsupported = failure(aws, service, operation, {})
            if "input" not in row or (unsupported and unsupported.name == "UnsupportedFeatureException"):
                continue
            for path, value in places(model, row["input"]["shape"]):
                members = request(path, value)
                name = ".".join(map(str, path)).replace(".0", "[0]")
                error = failure(aws, service, operation, members)
                asked += 1
                if not error or error.status != 400 or not any(
                        name == place.strip() or name.startswith((f"{place}.", f"{place}[")) for place in where(error)):
                    wrong.append(f"{service}:{operation} {members}: {error}")
    assert not wrong, "\n".join(wrong)
    assert asked > 1000


def where(error):
    """The places that a message names."""
    text = error.message.partition(" errors: ")[2] or error.message
    return {part.partition(": ")[0].strip() for part in text.split("; ")}


# ---- pages ----

# service, operation, member of the size, of the token, the greatest size, result, other members
PAGES = [
    ("ecs", "ListClusters", "maxResults", "nextToken", 100, "clusterArns", {}),
    ("ecs", "ListTaskDefinitions", "maxResults", "nextToken", 100, "taskDefinitionArns", {}),
    ("ecs", "ListTaskDefinitionFamilies", "maxResults", "nextToken", 100, "families", {}),
    ("ecs", "ListTasks", "maxResults", "nextToken", 100, "taskArns", {}),
    ("ecs", "ListAccountSettings", "maxResults", "nextToken", 10, "settings", {"effectiveSettings": True}),
    ("ecs", "DescribeCapacityProviders", "maxResults", "nextToken", 10, "capacityProviders", {}),
    ("logs", "DescribeLogGroups", "limit", "nextToken", 50, "logGroups", {}),
    ("logs", "DescribeLogStreams", "limit", "nextToken", 50, "logStreams", {"logGroupName": "g0"}),
    ("logs", "FilterLogEvents", "limit", "nextToken", 10000, "events", {"logGroupName": "g0"}),
    ("secretsmanager", "ListSecrets", "MaxResults", "NextToken", 100, "SecretList", {}),
    ("ssm", "DescribeParameters", "MaxResults", "NextToken", 50, "Parameters", {}),
    ("ssm", "GetParametersByPath", "MaxResults", "NextToken", 10, "Parameters", {"Path": "/p"}),
]


def make_things(call, image):
    container = {"name": "app", "image": image, "command": ["wait"]}
    for i in range(5):
        call("ecs", "CreateCluster", clusterName=f"c{i}")
        call("ecs", "RegisterTaskDefinition", family=f"f{i}", cpu="256", memory="512", containerDefinitions=[container])
        call("logs", "CreateLogGroup", logGroupName=f"g{i}")
        call("logs", "CreateLogStream", logGroupName="g0", logStreamName=f"s{i}")
        call("logs", "PutLogEvents", logGroupName="g0", logStreamName=f"s{i}", logEvents=[
            {"timestamp": int(time.time() * 1000), "message": f"m{i}"}])
        call("secretsmanager", "CreateSecret", Name=f"s{i}", SecretString="x")
        call("ssm", "PutParameter", Name=f"/p/{i}", Value="x", Type="String")
    call("ecs", "RunTask", taskDefinition="f0", networkConfiguration=NETWORK, count=5)


def all_pages(call, size_member, token_member, key, size):
    found, token = [], None
    while True:
        page = call(**({token_member: token} if token else {}), **({size_member: size} if size else {}))
        assert not size or len(page[key]) <= size
        found += page[key]
        if not (token := page.get(token_member)):
            return found


def test_every_list_has_pages(aws, image):
    make_things(aws.call, image)
    for service, operation, size_member, token_member, most, key, others in PAGES:
        call = functools.partial(aws.call, service, operation, **others)
        everything = all_pages(call, size_member, token_member, key, None)
        assert len(everything) >= (2 if operation == "DescribeCapacityProviders" else 5), operation
        for size in (1, 2, most):
            assert all_pages(call, size_member, token_member, key, size) == everything, (operation, size)
        for bad in (0, -1, most + 1, 1 << 40, "1", 1.5):
            error = failure(aws, service, operation, {**others, size_member: bad})
            assert error and error.status == 400 and size_member in error.message, (operation, bad, error)
        for bad in ("x", "v1-", "v1-zz", "v1-ff", "=" * 5000, 5):
            error = failure(aws, service, operation, {**others, token_member: bad})
            assert error and error.status == 400, (operation, bad, error)


# operation, the question, others that it is not
QUESTIONS = [
    ("ListClusters", {}, []),
    ("ListTaskDefinitions", {"familyPrefix": "f0"}, [{}, {"familyPrefix": "f1"}, {"sort": "DESC"}, {"status": "INACTIVE"}]),
    ("ListTaskDefinitionFamilies", {"familyPrefix": "f"}, [{}, {"status": "ALL"}]),
    ("ListTasks", {"family": "f0"}, [{}, {"cluster": "c0"}, {"family": "f1"}, {"desiredStatus": "STOPPED"}]),
    ("ListAccountSettings", {"effectiveSettings": True}, [{"effectiveSettings": False}]),
    ("DescribeCapacityProviders", {}, [{"capacityProviders": ["FARGATE", "FARGATE_SPOT"]}]),
]


def test_a_token_belongs_to_its_question(aws, image):
    make_things(aws.call, image)
    aws.call("ecs", "RegisterTaskDefinition", family="f0", cpu="256", memory="512",
             containerDefinitions=[{"name": "app", "image": image}])
    tokens = {}
    for operation, question, others in QUESTIONS:
        token = tokens[operation] = aws.call("ecs", operation, maxResults=1, **question)["nextToken"]
        assert aws.call("ecs", operation, maxResults=10, nextToken=token, **question), "of another size"
        for other in others:
            error = failure(aws, "ecs", operation, {**(question if other else {}), **other, "nextToken": token})
            assert error and (error.name, error.message) == ("InvalidParameterException", "Invalid token."), (operation, other)
    for name in ("default", f"{ACCOUNT}:cluster/default"):
        assert aws.call("ecs", "ListTasks", family="f0", cluster=name, nextToken=tokens["ListTasks"])["taskArns"]
    for operation, question, _ in QUESTIONS:
        for owner, token in tokens.items():
            error = failure(aws, "ecs", operation, {**question, "nextToken": token})
            assert (error is None) == (owner == operation), (operation, owner, error)


# ---- names ----

ACCOUNT = "arn:aws:ecs:local-1:000000000000"
CLUSTER = ["default", f"{ACCOUNT}:cluster/default"]
DEFINITION = ["f0:1", f"{ACCOUNT}:task-definition/f0:1"]
# operation, member, names of one thing, where it shows in the answer, other members
NAMES = [
    ("DescribeClusters", "clusters", CLUSTER, "clusters", {}),
    ("UpdateCluster", "cluster", CLUSTER, "cluster", {}),
    ("UpdateClusterSettings", "cluster", CLUSTER, "cluster",
     {"settings": [{"name": "containerInsights", "value": "disabled"}]}),
    ("PutClusterCapacityProviders", "cluster", CLUSTER, "cluster",
     {"capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": []}),
    ("DescribeCapacityProviders", "cluster", CLUSTER, "capacityProviders", {}),
    ("DescribeCapacityProviders", "capacityProviders", ["FARGATE", f"{ACCOUNT}:capacity-provider/FARGATE"],
     "capacityProviders", {}),
    ("ListTasks", "cluster", CLUSTER, "taskArns", {}),
    ("DescribeTasks", "cluster", CLUSTER, "tasks", {"tasks": ["TASK"]}),
    ("GetTaskProtection", "cluster", CLUSTER, "protectedTasks", {"tasks": ["TASK"]}),
    ("UpdateTaskProtection", "cluster", CLUSTER, "protectedTasks", {"tasks": ["TASK"], "protectionEnabled": False}),
    ("DescribeTasks", "tasks", ["TASK", f"{ACCOUNT}:task/default/TASK"], "tasks", {}),
    ("GetTaskProtection", "tasks", ["TASK", f"{ACCOUNT}:task/default/TASK"], "protectedTasks", {"cluster": "default"}),
    ("UpdateTaskProtection", "tasks", ["TASK", f"{ACCOUNT}:task/default/TASK"], "protectedTasks",
     {"cluster": "default", "protectionEnabled": False}),
    ("DescribeTaskDefinition", "taskDefinition", ["f0", *DEFINITION], "taskDefinition", {}),
    ("RunTask", "taskDefinition", ["f0", *DEFINITION], "failures", {"networkConfiguration": NETWORK}),
    ("RunTask", "cluster", CLUSTER, "failures", {"taskDefinition": "f0", "networkConfiguration": NETWORK}),
    ("StopTask", "task", ["TASK", f"{ACCOUNT}:task/default/TASK"], "task", {}),
    ("StopTask", "cluster", CLUSTER, "task", {"task": "TASK"}),
    ("DeregisterTaskDefinition", "taskDefinition", DEFINITION, "taskDefinition", {}),
]
NO_NAMES = ["arn:", "arn:aws:ecs:local-1:000000000000:", f"{ACCOUNT}:service/default/s", "a/b/c", "a b", "x" * 300, "é",
            "arn:aws:ecs:elsewhere:000000000000:cluster/default", "arn:aws:ecs:local-1:999999999999:task-definition/f0:1",
            f"arn:aws:logs:local-1:000000000000:task/default/{'0' * 32}", ""]


def test_everything_has_a_name_and_an_arn(aws, image):
    aws.call("ecs", "RegisterTaskDefinition", family="f0", cpu="256", memory="512",
             containerDefinitions=[{"name": "app", "image": image, "command": ["wait"]}])
    (task,) = aws.call("ecs", "RunTask", taskDefinition="f0", networkConfiguration=NETWORK)["tasks"]
    task_id = task["taskArn"].split("/")[-1]
    aws.fgd.get(task_id, wait="RUNNING")
    for operation, member, names, key, others in NAMES:
        many = member.endswith("s")
        others = {k: [task_id] if v == ["TASK"] else task_id if v == "TASK" else v for k, v in others.items()}

        def ask(name):
            return aws.call("ecs", operation, **others, **{member: [name] if many else name})
        for bad in NO_NAMES:
            try:
                answer = ask(bad)
            except AwsError as error:
                assert error.status == 400, (operation, bad, error)
            else:
                assert many and len(answer["failures"]) == 1 and answer[key] == [], (operation, bad, answer)
        answers = [ask(name.replace("TASK", task_id))[key] for name in names]
        if operation != "StopTask":  # which goes on
            assert all(answer == answers[0] for answer in answers), operation
