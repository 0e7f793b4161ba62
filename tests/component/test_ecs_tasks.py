# SPDX-License-Identifier: Apache-2.0
"""ECS: tasks. With the real AWS CLI and boto3 where it matters; every answer is checked against the model."""

import functools
import json
import os
import sqlite3
import threading
import time

import boto3
import botocore.config
import pytest

import awsapi
from awsapi import AwsError

ACCOUNT = "arn:aws:ecs:local-1:000000000000"
NETWORK = {"awsvpcConfiguration": {"subnets": ["default"]}}


@pytest.fixture
def ecs(fgd):
    """Calls an operation of ECS."""
    return functools.partial(awsapi.Aws(fgd).call, "ecs")


@pytest.fixture
def define(ecs, image):
    """Registers a definition whose one container runs a script of the fake guest."""
    def register(*command, family="f", **members):
        container = {"name": "app", "image": image, "command": list(command)}
        return ecs("RegisterTaskDefinition", family=family, cpu="256", memory="512",
                   containerDefinitions=[container], **members)["taskDefinition"]
    return register


def run(ecs, definition="f", **members):
    answer = ecs("RunTask", taskDefinition=definition, networkConfiguration=NETWORK, **members)
    assert answer["failures"] == []
    return answer["tasks"]


def refused(ecs, operation, **members):
    with pytest.raises(AwsError) as failure:
        ecs(operation, **members)
    assert failure.value.status == 400
    return failure.value


def stopped(fgd, task):
    fgd.get(task["taskArn"].split("/")[-1], wait="STOPPED")


def test_what_run_task_answers(fgd, ecs, define):
    definition = define("wait", tags=[{"key": "from", "value": "definition"}, {"key": "both", "value": "1"}])
    before = time.time()
    (task,) = run(ecs, startedBy="me", group="g", propagateTags="TASK_DEFINITION", enableECSManagedTags=True,
                  tags=[{"key": "both", "value": "2"}, {"key": "mine"}], launchType="FARGATE",
                  platformVersion="LATEST", overrides={"containerOverrides": [{"name": "app", "command": ["exit 3"]}]})
    task_id = task["taskArn"].removeprefix(f"{ACCOUNT}:task/default/")
    assert len(task_id) == 32 and task["clusterArn"] == f"{ACCOUNT}:cluster/default"
    assert task["taskDefinitionArn"] == definition["taskDefinitionArn"]
    assert (task["lastStatus"], task["desiredStatus"]) == ("PROVISIONING", "RUNNING")
    assert (task["launchType"], task["platformVersion"], task["platformFamily"]) == ("FARGATE", "1.4.0", "Linux")
    assert (task["cpu"], task["memory"], task["ephemeralStorage"]) == ("256", "512", {"sizeInGiB": 20})
    assert (task["startedBy"], task["group"], task["version"]) == ("me", "g", 1)
    assert task["attributes"] == [{"name": "ecs.cpu-architecture", "value": "x86_64"}]
    assert before - 1 < task["createdAt"] < time.time() + 1
    assert task["overrides"]["containerOverrides"] == [{"name": "app", "command": ["exit 3"]}]
    tags = [{"key": "from", "value": "definition"}, {"key": "both", "value": "2"}, {"key": "mine", "value": ""},
            {"key": "aws:ecs:clusterName", "value": "default"}]
    assert task["tags"] == tags
    (container,) = task["containers"]
    assert container["containerArn"].startswith(f"{ACCOUNT}:container/default/{task_id}/")
    assert (container["lastStatus"], container["cpu"], container["taskArn"]) == ("PENDING", "0", task["taskArn"])
    stopped(fgd, task)
    for name in (task["taskArn"], task_id):
        (done,) = ecs("DescribeTasks", tasks=[name], include=["TAGS"])["tasks"]
        assert (done["lastStatus"], done["stopCode"]) == ("STOPPED", "EssentialContainerExited")
        assert done["containers"][0]["exitCode"] == 3 and done["tags"] == tags
        stamps = [done[key] for key in ("createdAt", "pullStartedAt", "startedAt", "stoppingAt", "stoppedAt")]
        assert stamps == sorted(stamps)
    assert ecs("DescribeTasks", tasks=[task_id])["tasks"][0]["tags"] == []
    assert fgd.get(task_id)["tags"] == tags, "the other API shows the same"


def test_clusters_keep_their_tasks_apart(fgd, ecs, define):
    define("wait")
    ecs("CreateCluster", clusterName="blue")
    (task,) = run(ecs, cluster=f"{ACCOUNT}:cluster/blue")
    task_id = task["taskArn"].removeprefix(f"{ACCOUNT}:task/blue/")
    assert ecs("ListTasks", cluster="blue")["taskArns"] == [task["taskArn"]]
    assert ecs("ListTasks")["taskArns"] == []
    missing = ecs("DescribeTasks", tasks=[task_id, "x" * 36])
    assert missing["tasks"] == [] and missing["failures"] == [
        {"arn": f"{ACCOUNT}:task/default/{task_id}", "reason": "MISSING"},
        {"arn": f"{ACCOUNT}:task/default/{'x' * 36}", "reason": "MISSING"}]
    many = {"tasks": [task_id, task["taskArn"]], "cluster": "default"}
    for operation, members in (("DescribeTasks", many), ("StopTask", {"task": task["taskArn"]}),
                               ("GetTaskProtection", many), ("UpdateTaskProtection", {**many, "protectionEnabled": True})):
        error = refused(ecs, operation, **members)
        assert (error.name, error.message) == (
            "InvalidParameterException", "Invalid identifier: Identifier is for cluster blue. Your cluster is default")
        short = "None", f"{ACCOUNT}:task/default/{task_id[1:]}"
        members = {**members, **({"tasks": [*short, task_id]} if "tasks" in members else {"task": short[1]})}
        error = refused(ecs, operation, **members)
        assert error.name == "InvalidParameterException" and error.message.endswith("taskId length should be one of [32,36]")
        assert "task" in members or error.message.startswith("2 errors: tasks[0]: ")
    error = refused(ecs, "StopTask", task=task_id)
    assert (error.name, error.message) == ("InvalidParameterException", "The referenced task was not found.")
    fgd.get(task_id, wait="RUNNING")
    shown = ecs("DescribeClusters", clusters=["blue", "default"], include=["STATISTICS"])["clusters"]
    assert [(c["runningTasksCount"], c["pendingTasksCount"]) for c in shown] == [(1, 0), (0, 0)]
    error = refused(ecs, "DeleteCluster", cluster="blue")
    assert (error.name, error.message) == ("ClusterContainsTasksException",
                                           "The Cluster cannot be deleted while Tasks are active.")
    answer = ecs("StopTask", cluster="blue", task=task_id, reason="enough")["task"]
    assert (answer["desiredStatus"], answer["stopCode"], answer["stoppedReason"]) == (
        "STOPPED", "UserInitiated", "enough")
    stopped(fgd, task)
    again = ecs("StopTask", cluster="blue", task=task["taskArn"], reason="late")["task"]
    assert (again["lastStatus"], again["stoppedReason"]) == ("STOPPED", "enough")
    ecs("DeleteCluster", cluster="blue")
    assert refused(ecs, "RunTask", taskDefinition="f", cluster="blue", networkConfiguration=NETWORK
                   ).message == "The referenced cluster was inactive."
    assert ecs("DescribeTasks", cluster="blue", tasks=[task_id])["tasks"]


def test_errors_of_run_task(ecs, define):
    define("wait")
    for members, name, message in (
            ({"taskDefinition": "nope"}, "ClientException", "TaskDefinition not found."),
            ({"taskDefinition": "f:2"}, "ClientException", "TaskDefinition not found."),
            ({"taskDefinition": "f:01"}, "InvalidParameterException", "taskDefinition: 'f:01' is not a task definition"),
            ({"cluster": "nope"}, "ClusterNotFoundException", "Cluster not found."),
            ({"networkConfiguration": None}, "InvalidParameterException",
             "Network Configuration must be provided when networkMode 'awsvpc' is specified."),
            ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}}, "InvalidParameterException",
             "subnets can not be empty."),
            ({"launchType": "EC2"}, "InvalidParameterException", "launchType: tasks run nowhere else here"),
            ({"launchType": "FARGATE", "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
             "InvalidParameterException", "cannot be given together with launchType"),
            ({"count": 11}, "InvalidParameterException", "count: 11 is out of range (allowed: 1 to 10)"),
            ({"propagateTags": "SERVICE"}, "InvalidParameterException", "propagateTags: "),
            ({"enableExecuteCommand": True}, "InvalidParameterException",
             "enableExecuteCommand is not supported by this version of fgrun"),
            ({"platformVersion": "9.9"}, "InvalidParameterException", "'9.9' is not a platform version"),
            ({"overrides": {"containerOverrides": [{"name": "b"}], "cpu": "7"}}, "InvalidParameterException",
             "the task definition has no container 'b'"),
            ({"tags": [{"key": "aws:mine"}]}, "InvalidParameterException", "must not begin with aws:")):
        error = refused(ecs, "RunTask", **{"taskDefinition": "f", "networkConfiguration": NETWORK, **members})
        assert error.name == name and message in error.message, error
    error = refused(ecs, "RunTask", count=0, group="", startedBy="x" * 129, launchType="EC2", platformVersion="9.9",
                    clientToken="a b", propagateTags="SERVICE", tags=[{"key": "aws:x"}], enableECSManagedTags="yes",
                    capacityProviderStrategy=[{"capacityProvider": "ASG", "weight": -1}], enableExecuteCommand=True,
                    overrides={"cpu": 7, "containerOverrides": [{"name": "app", "comand": []}, {"memory": 1}]})
    assert error.message.startswith("18 errors: ")
    for place in ("count", "group", "startedBy", "launchType", "platformVersion", "clientToken", "propagateTags", "tags",
                  "enableECSManagedTags", "capacityProviderStrategy[0].capacityProvider",
                  "capacityProviderStrategy[0].weight", "enableExecuteCommand", "overrides.cpu", "taskDefinition",
                  "overrides.containerOverrides[0].comand", "overrides.containerOverrides[1].name",
                  "overrides.containerOverrides[1].memory", "networkConfiguration"):
        assert f" {place}: " in error.message or f"{place}[0]" in error.message, (place, error.message)
    error = refused(ecs, "RunTask", taskDefinition="f", networkConfiguration=NETWORK, startedBy="a b",
                    group="x" * 256, overrides={"cpu": "300", "memory": "x", "containerOverrides": [
                        {"name": "nope"}, {"name": "app", "memory": 9999, "memoryReservation": 10000, "cpu": -1}]})
    assert error.message.startswith("7 errors: ")
    for text in (" overrides.cpu: No Fargate configuration exists", " overrides.memory: Invalid 'memory' setting",
                 " overrides.containerOverrides[0].name: the task definition has no container 'nope'",
                 " overrides.containerOverrides[1].cpu: ",
                 " overrides.containerOverrides[1].memoryReservation: memoryReservation must not"):
        assert text in error.message, (text, error.message)
    assert "startedBy: 'a b' has other characters (allowed: letters, digits, -, _ and /)" in error.message
    assert "group: is 256 bytes long (allowed: at most 255 bytes)" in error.message
    error = refused(ecs, "RunTask", taskDefinition="f", networkConfiguration=NETWORK, overrides={
        "cpu": "300", "containerOverrides": [{"name": "nope"}, {"name": "app", "memory": 9999}]})
    assert error.message.startswith("4 errors: ") and "'nope'" in error.message and (
        " overrides.cpu: No Fargate configuration exists for given values: 300 CPU, 512 memory (allowed: 256, "
        in error.message) and " overrides.containerOverrides[1].memory: The 'memory' setting" in error.message
    error = refused(ecs, "RunTask", taskDefinition="a b", cluster="c/d", count=11, networkConfiguration=NETWORK)
    assert error.message.startswith("3 errors: ") and "taskDefinition: 'a b' is not a task definition" in error.message and (
        "cluster: Invalid identifier: Unexpected number of separators" in error.message)
    for name in ("f:01", "f:0", "f:+1"):
        assert refused(ecs, "DescribeTaskDefinition", taskDefinition=name).name == "ClientException"
    define("wait", family="tagged", tags=[{"key": f"d{i}"} for i in range(30)])
    assert refused(ecs, "RunTask", taskDefinition="tagged", networkConfiguration=NETWORK, count=11,
                   propagateTags="TASK_DEFINITION", tags=[{"key": f"t{i}"} for i in range(21)]).message == (
        "2 errors: count: 11 is out of range (allowed: 1 to 10); tags: with those of the task definition there are 51 "
        "(allowed: at most 50)")
    for overrides, text in (({"containerOverrides": [{"name": "b"}]}, "has no container 'b'"),
                            ({"cpu": "7"}, "overrides.cpu: No Fargate configuration exists for given values: 7 CPU")):
        error = refused(ecs, "RunTask", taskDefinition="f", count=11, overrides=overrides)
        assert "count: 11 is out of range" in error.message and text in error.message
        assert "networkConfiguration" in error.message and error.message.startswith("3 errors: ")
    assert refused(ecs, "RunTask", taskDefinition="nope", count=11, networkConfiguration=NETWORK
                   ).message == "count: 11 is out of range (allowed: 1 to 10)"
    ecs("DeregisterTaskDefinition", taskDefinition="f:1")
    assert refused(ecs, "RunTask", taskDefinition="f:1", networkConfiguration=NETWORK
                   ).message == "TaskDefinition is inactive"
    assert ecs("ListTasks")["taskArns"] == []
    assert refused(ecs, "DescribeTasks", tasks=[]).message.endswith("Tasks cannot be empty.")
    for operation, member in (("DescribeTasks", "tasks"), ("DescribeClusters", "clusters")):
        assert f"{member}: has 101 elements (allowed: at most 100)" in refused(
            ecs, operation, **{member: ["x"] * 101}).message


def test_many_at_once_and_what_finds_no_room(start, image):
    percent = -(-14 * 25 // os.cpu_count())  # room for 14 tasks of a quarter
    with start(vcpu_overcommit_percent=percent) as fgd:
        ecs = functools.partial(awsapi.Aws(fgd).call, "ecs")
        ecs("RegisterTaskDefinition", family="f", cpu="256", memory="512",
            containerDefinitions=[{"name": "app", "image": image, "command": ["wait"]}])
        tasks = run(ecs, count=10)
        assert len({task["taskArn"] for task in tasks}) == 10
        room = 14
        answer = ecs("RunTask", taskDefinition="f", networkConfiguration=NETWORK, count=10)
        assert len(answer["tasks"]) == room - 10 and len(answer["failures"]) == 20 - room
        for failure in answer["failures"]:
            assert failure["reason"].startswith("Capacity is unavailable at this time.")
            assert failure["detail"].startswith("RESOURCE:CPU: ")
        assert len(ecs("ListTasks")["taskArns"]) == room


def test_strategies(fgd, ecs, define):
    define("exit 0")
    def spread(**members):
        found = [task.get("capacityProviderName") for task in run(ecs, **members)]
        return found.count("FARGATE"), found.count("FARGATE_SPOT"), found.count(None)
    item = {"capacityProvider": "FARGATE", "base": 1, "weight": 1}
    spot = {"capacityProvider": "FARGATE_SPOT", "weight": 3}
    assert spread(count=2) == (0, 0, 2)
    assert spread(count=5, capacityProviderStrategy=[item, spot]) == (2, 3, 0)
    assert spread(count=1, capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT"}]) == (0, 1, 0)
    ecs("PutClusterCapacityProviders", cluster="default", capacityProviders=["FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[spot])
    assert spread(count=1) == (0, 1, 0)
    assert spread(count=1, launchType="FARGATE") == (0, 0, 1)
    ecs("CreateCluster", clusterName="bare")
    for cluster in ("default", "bare"):
        error = refused(ecs, "RunTask", cluster=cluster, taskDefinition="f", networkConfiguration=NETWORK,
                        capacityProviderStrategy=[item])
        assert error.name == "InvalidParameterException" and error.message.startswith(
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
            "the cluster."), error


def test_the_same_token_the_same_tasks(fgd, ecs, define):
    define("wait")
    first = run(ecs, count=2, clientToken="t1")
    again = run(ecs, count=2, clientToken="t1")
    assert [t["taskArn"] for t in again] == [t["taskArn"] for t in first]
    error = refused(ecs, "RunTask", taskDefinition="f", networkConfiguration=NETWORK, count=3, clientToken="t1")
    assert error.name == "ConflictException" and "already in use with a different RunTask request" in error.message
    assert sorted(error.members["resourceIds"]) == sorted(t["taskArn"] for t in first)
    ecs("CreateCluster", clusterName="blue")
    error = refused(ecs, "RunTask", taskDefinition="f", networkConfiguration=NETWORK, count=2, clientToken="t1", cluster="blue")
    assert sorted(error.members["resourceIds"]) == sorted(t["taskArn"] for t in first), "where they really are"
    fgd.kill()
    fgd.start()
    assert [t["taskArn"] for t in run(ecs, count=2, clientToken="t1")] == [t["taskArn"] for t in first]
    found = []
    threads = [threading.Thread(target=lambda: found.append(run(ecs, clientToken="t2")[0]["taskArn"]))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1
    assert len(ecs("ListTasks")["taskArns"]) == 3
    fgd.stop()
    with sqlite3.connect(f"{fgd.directory}/state/fgd.db") as db:  # 24 hours go by
        db.execute("UPDATE client_tokens SET created_ns = created_ns - 24 * 3600 * 1000000000")
    fgd.start()
    assert run(ecs, count=3, clientToken="t1")[0]["taskArn"] not in [t["taskArn"] for t in first]


def test_a_token_is_of_what_is_asked_for(ecs, define):
    define("wait")
    overrides = {"containerOverrides": [{"name": "app", "command": ["exit 0"]}]}
    (first,) = run(ecs, clientToken="t", overrides=overrides)
    same = [{"cluster": "default"}, {"cluster": f"{ACCOUNT}:cluster/default"}, {"count": 1}, {"propagateTags": "NONE"},
            {"platformVersion": "LATEST"}, {"group": "family:f"}, {"enableECSManagedTags": False, "tags": []},
            {"overrides": {"cpu": None, "containerOverrides": [{"command": ["exit 0"], "name": "app"}]}},
            {"networkConfiguration": {"awsvpcConfiguration": {"assignPublicIp": "DISABLED", "subnets": ["default"]}}},
            {"definition": f"{ACCOUNT}:task-definition/f"}]
    define("wait")  # what the same request would take now
    for members in same:
        asked = {"taskDefinition": members.pop("definition", "f"), "networkConfiguration": NETWORK, "overrides": overrides,
                 **members}
        assert ecs("RunTask", clientToken="t", **asked)["tasks"][0]["taskArn"] == first["taskArn"], members
    ecs("CreateCluster", clusterName="blue")
    for members in ({"cluster": "blue"}, {"count": 2}, {"taskDefinition": "f:1"}, {"group": "g"}, {"overrides": {}},
                    {"launchType": "FARGATE"}, {"tags": [{"key": "a"}]}, {"startedBy": "me"}, {"enableECSManagedTags": True}):
        assert refused(ecs, "RunTask", clientToken="t", **{"taskDefinition": "f", "networkConfiguration": NETWORK,
                                                           "overrides": overrides, **members}).name == "ConflictException"
    # It may stop between the two.
    assert len({*ecs("ListTasks")["taskArns"], *ecs("ListTasks", desiredStatus="STOPPED")["taskArns"]}) == 1


def test_lists_of_tasks(fgd, ecs, define):
    define("exit 0", family="a")
    define("wait", family="b")
    short = [task["taskArn"] for task in run(ecs, "a", count=2, startedBy="x")]
    long = [task["taskArn"] for task in run(ecs, "b", count=3, group="service:s")]
    for arn in short:
        fgd.get(arn.split("/")[-1], wait="STOPPED")
    assert set(ecs("ListTasks")["taskArns"]) == set(long)
    assert set(ecs("ListTasks", desiredStatus="STOPPED")["taskArns"]) == set(short)
    assert ecs("ListTasks", desiredStatus="PENDING")["taskArns"] == []
    assert set(ecs("ListTasks", family="a", desiredStatus="STOPPED")["taskArns"]) == set(short)
    assert ecs("ListTasks", family="a")["taskArns"] == []
    assert set(ecs("ListTasks", startedBy="x", desiredStatus="STOPPED")["taskArns"]) == set(short)
    for service in ("s", f"{ACCOUNT}:service/default/s"):
        assert set(ecs("ListTasks", serviceName=service)["taskArns"]) == set(long)
    assert ecs("ListTasks", launchType="EC2")["taskArns"] == []
    assert set(ecs("ListTasks", launchType="FARGATE")["taskArns"]) == set(long)
    assert "startedBy: cannot be combined" in refused(ecs, "ListTasks", startedBy="x", family="a").message
    found, token = [], None
    while True:
        page = ecs("ListTasks", maxResults=2, **({"nextToken": token} if token else {}))
        found += page["taskArns"]
        token = page.get("nextToken")
        if not token:
            break
    assert sorted(found) == sorted(long) and len(found) == 3
    assert refused(ecs, "ListTasks", nextToken="v1-61").message == "Invalid token."


def test_tags_of_tasks(fgd, ecs, define):
    define("wait")
    (task,) = run(ecs, tags=[{"key": "a", "value": "1"}])
    arn, task_id = task["taskArn"], task["taskArn"].split("/")[-1]
    ecs("TagResource", resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    short = arn.replace("/default/", "/")
    ecs("TagResource", resourceArn=short, tags=[{"key": "c"}])
    assert {t["key"] for t in ecs("ListTagsForResource", resourceArn=arn)["tags"]} == {"a", "b", "c"}
    assert ecs("ListTagsForResource", resourceArn=short) == ecs("ListTagsForResource", resourceArn=arn)
    ecs("UntagResource", resourceArn=short, tagKeys=["a", "c"])
    assert "must not begin with aws:" in refused(ecs, "UntagResource", resourceArn=arn, tagKeys=["aws:ecs:x"]).message
    for tags in (ecs("ListTagsForResource", resourceArn=arn)["tags"], fgd.get(task_id)["tags"],
                 ecs("DescribeTasks", tasks=[arn], include=["TAGS"])["tasks"][0]["tags"]):
        assert tags == [{"key": "b", "value": "2"}]
    fgd.get(task_id, wait="RUNNING")
    assert fgd.get(task_id)["tags"] == [{"key": "b", "value": "2"}], "later versions of a task leave its tags alone"
    ecs("StopTask", task=task_id)
    stopped(fgd, task)
    for operation, members in (("TagResource", {"tags": [{"key": "c"}]}), ("UntagResource", {"tagKeys": ["b"]})):
        error = refused(ecs, operation, resourceArn=arn, **members)
        assert (error.name, error.message) == ("InvalidParameterException",
                                               "The specified task is stopped. Specify a running task and try again.")
    assert ecs("ListTagsForResource", resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]


def test_protection(fgd, ecs, define):
    define("wait")
    first, second = run(ecs, count=2)
    arns = [first["taskArn"], second["taskArn"]]
    answer = ecs("UpdateTaskProtection", cluster="default", tasks=[arns[0], "0" * 32], protectionEnabled=True)
    assert answer["failures"] == [{"arn": f"{ACCOUNT}:task/default/{'0' * 32}", "reason": "MISSING"}]
    (protected,) = answer["protectedTasks"]
    assert protected["protectionEnabled"] and 7100 < protected["expirationDate"] - time.time() < 7300
    assert [t["protectionEnabled"] for t in ecs("GetTaskProtection", cluster="default", tasks=arns)["protectedTasks"]
            ] == [True, False]
    assert [t["taskArn"] for t in ecs("GetTaskProtection", cluster="default")["protectedTasks"]] == arns[:1]
    ecs("UpdateTaskProtection", cluster="default", tasks=arns, protectionEnabled=False)
    assert ecs("GetTaskProtection", cluster="default")["protectedTasks"] == []
    assert "1 to 2880" in refused(ecs, "UpdateTaskProtection", cluster="default", tasks=arns,
                                  protectionEnabled=True, expiresInMinutes=2881).message
    ecs("StopTask", task=arns[0])
    stopped(fgd, first)
    answer = ecs("UpdateTaskProtection", cluster="default", tasks=arns[:1], protectionEnabled=True)
    assert answer["failures"] == [{"arn": arns[0], "reason": "TASK_NOT_VALID"}]


def test_nothing_is_lost_between_any_two_operations(fgd, ecs, define):
    def crash():
        fgd.kill()
        fgd.start()
    define("wait")
    crash()
    ecs("CreateCluster", clusterName="c")
    crash()
    (task,) = run(ecs, cluster="c", tags=[{"key": "k", "value": "v"}], startedBy="me")
    crash()
    assert ecs("ListTasks", cluster="c", startedBy="me")["taskArns"] == [task["taskArn"]]
    ecs("UpdateTaskProtection", cluster="c", tasks=[task["taskArn"]], protectionEnabled=True)
    crash()
    assert ecs("GetTaskProtection", cluster="c")["protectedTasks"][0]["taskArn"] == task["taskArn"]
    fgd.get(task["taskArn"].split("/")[-1], wait="RUNNING")
    crash()
    ecs("StopTask", cluster="c", task=task["taskArn"])
    crash()
    stopped(fgd, task)
    crash()
    (done,) = ecs("DescribeTasks", cluster="c", tasks=[task["taskArn"]], include=["TAGS"])["tasks"]
    assert (done["stopCode"], done["group"], done["tags"]) == ("UserInitiated", "family:f", [
        {"key": "k", "value": "v"}])
    assert ecs("GetTaskProtection", cluster="c")["protectedTasks"] == []


# ---- the real clients ----

def test_the_aws_cli_lives_through_it_all(fgd, image, tmp_path):
    with awsapi.bridge(fgd.socket) as endpoint:
        aws = functools.partial(awsapi.Cli(endpoint, tmp_path), "ecs")
        container = {"name": "app", "image": image, "command": ["print up", ";", "wait"]}
        aws("register-task-definition", "--family", "web", "--cpu", "256", "--memory", "512",
            "--requires-compatibilities", "FARGATE", "--network-mode", "awsvpc",
            "--container-definitions", json.dumps([container]))
        aws("create-cluster", "--cluster-name", "c")
        run_task = ("run-task", "--cluster", "c", "--task-definition", "web", "--launch-type", "FARGATE",
                    "--network-configuration", "awsvpcConfiguration={subnets=[default],assignPublicIp=DISABLED}")
        arn = aws(*run_task)["tasks"][0]["taskArn"]
        aws("wait", "tasks-running", "--cluster", "c", "--tasks", arn)
        assert aws("list-tasks", "--cluster", "c")["taskArns"] == [arn]
        aws("stop-task", "--cluster", "c", "--task", arn, "--reason", "seen enough")
        aws("wait", "tasks-stopped", "--cluster", "c", "--tasks", arn)
        task = aws("describe-tasks", "--cluster", "c", "--tasks", arn)["tasks"][0]
        assert task["stoppedReason"] == "seen enough" and task["containers"][0]["exitCode"] is not None
        aws("deregister-task-definition", "--task-definition", "web:1")
        aws("delete-cluster", "--cluster", "c")
        cli = awsapi.Cli(endpoint, tmp_path)
        assert cli.fails("ecs", "list-tasks", "--cluster", "nope") == (
            "An error occurred (ClusterNotFoundException) when calling the ListTasks operation: Cluster not found.")
        assert "TaskDefinition not found." in cli.fails("ecs", *run_task[:2], "default", *run_task[3:])


def test_boto3_and_a_hundred_tasks(start, image):
    with start(vcpu_overcommit_percent=2000, memory_reserve_mib=0) as fgd, awsapi.bridge(fgd.socket) as endpoint:
        ecs = boto3.client("ecs", endpoint_url=endpoint, region_name="local-1", aws_access_key_id="AKID",
                           aws_secret_access_key="secret",
                           config=botocore.config.Config(retries={"max_attempts": 1}, read_timeout=300))
        ecs.register_task_definition(family="f", cpu="256", memory="512", containerDefinitions=[
            {"name": "app", "image": image, "command": ["exit 5"]}])
        arns = []
        while len(arns) < 100:
            answer = ecs.run_task(taskDefinition="f", count=10, networkConfiguration=NETWORK)
            arns += [task["taskArn"] for task in answer["tasks"]]
            if answer["failures"]:  # no room: some must end first
                ecs.get_waiter("tasks_stopped").wait(tasks=arns[-10:], WaiterConfig={"Delay": 1, "MaxAttempts": 200})
        ecs.get_waiter("tasks_stopped").wait(tasks=arns[:100], WaiterConfig={"Delay": 1, "MaxAttempts": 300})
        pages = ecs.get_paginator("list_tasks").paginate(desiredStatus="STOPPED", PaginationConfig={"PageSize": 7})
        assert sorted(arn for page in pages for arn in page["taskArns"]) == sorted(arns)
        tasks = ecs.describe_tasks(tasks=arns[:100])["tasks"]
        assert [task["containers"][0]["exitCode"] for task in tasks] == [5] * 100
        assert tasks[0]["createdAt"].year >= 2024
        with pytest.raises(ecs.exceptions.ClusterNotFoundException):
            ecs.describe_tasks(cluster="nope", tasks=arns[:1])
