# SPDX-License-Identifier: Apache-2.0
"""ECS: clusters, task definitions, tags, account settings. Every answer is checked against the model."""

import functools
import re
import time

import pytest

import awsapi
from awsapi import AwsError

ACCOUNT = "arn:aws:ecs:local-1:000000000000"


@pytest.fixture
def ecs(fgd):
    """Calls an operation of ECS."""
    return functools.partial(awsapi.Aws(fgd).call, "ecs")


def refused(ecs, operation, **members):
    with pytest.raises(AwsError) as failure:
        ecs(operation, **members)
    assert failure.value.status == 400
    return failure.value


def container(**members):
    return {"name": "app", "image": "docker.io/library/busybox", **members}


def register(ecs, family="web", **members):
    return ecs("RegisterTaskDefinition", family=family, cpu="256", memory="512",
               containerDefinitions=[container()], **members)["taskDefinition"]


# ---- clusters ----

def test_the_own_cluster_is_there(ecs):
    found = ecs("DescribeClusters")["clusters"]
    assert [c["clusterName"] for c in found] == ["default"]
    assert found[0]["clusterArn"] == f"{ACCOUNT}:cluster/default" and found[0]["status"] == "ACTIVE"
    assert ecs("ListClusters")["clusterArns"] == [f"{ACCOUNT}:cluster/default"]
    error = refused(ecs, "DeleteCluster", cluster="default")
    assert error.name == "ClientException" and "cannot be deleted" in error.message


def test_life_of_a_cluster(ecs):
    strategy = [{"capacityProvider": "FARGATE", "weight": 1, "base": 2}]
    made = ecs("CreateCluster", clusterName="c1", tags=[{"key": "team", "value": "a"}, {"key": "empty"}],
               settings=[{"name": "containerInsights", "value": "enabled"}], capacityProviders=["FARGATE"],
               defaultCapacityProviderStrategy=strategy,
               configuration={"executeCommandConfiguration": {"logging": "DEFAULT"}})["cluster"]
    assert made["clusterArn"] == f"{ACCOUNT}:cluster/c1" and made["status"] == "ACTIVE"
    assert made["tags"] == [{"key": "team", "value": "a"}, {"key": "empty", "value": ""}]
    assert made["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    assert made["defaultCapacityProviderStrategy"] == strategy and made["capacityProviders"] == ["FARGATE"]
    assert made["configuration"] == {"executeCommandConfiguration": {"logging": "DEFAULT"}}
    again = ecs("CreateCluster", clusterName="c1")["cluster"]
    assert again == made, "a cluster that exists is left as it is"
    for name in ("c1", made["clusterArn"]):
        found = ecs("DescribeClusters", clusters=[name])
        assert [c["clusterName"] for c in found["clusters"]] == ["c1"] and found["failures"] == []
        assert found["clusters"][0]["tags"] == [] and found["clusters"][0]["settings"] == []
    shown = ecs("DescribeClusters", clusters=["c1"],
                include=["TAGS", "SETTINGS", "STATISTICS", "CONFIGURATIONS", "ATTACHMENTS"])["clusters"][0]
    assert shown["tags"] == made["tags"] and {"name": "runningFargateTasksCount", "value": "0"} in shown["statistics"]
    gone = ecs("DeleteCluster", cluster=made["clusterArn"])["cluster"]
    assert gone["status"] == "INACTIVE"
    assert ecs("ListClusters")["clusterArns"] == [f"{ACCOUNT}:cluster/default"]
    assert ecs("DescribeClusters", clusters=["c1"])["clusters"][0]["status"] == "INACTIVE"
    assert refused(ecs, "UpdateClusterSettings", cluster="c1", settings=[
        {"name": "containerInsights", "value": "disabled"}]).message == "The referenced cluster was inactive."
    assert ecs("CreateCluster", clusterName="c1")["cluster"]["tags"] == []


def test_changing_a_cluster(ecs):
    ecs("CreateCluster", clusterName="c")
    insights = [{"name": "containerInsights", "value": "enhanced"}]
    assert ecs("UpdateClusterSettings", cluster="c", settings=insights)["cluster"]["settings"] == insights
    configuration = {"executeCommandConfiguration": {"logging": "NONE"}}
    changed = ecs("UpdateCluster", cluster="c", configuration=configuration)["cluster"]
    assert changed["configuration"] == configuration and changed["settings"] == insights
    put = ecs("PutClusterCapacityProviders", cluster="c", capacityProviders=["FARGATE", "FARGATE_SPOT"],
              defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 3}])["cluster"]
    assert put["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert put["defaultCapacityProviderStrategy"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 3, "base": 0}]
    assert put["settings"] == insights
    for operation, name in (("CreateCluster", "clusterName"), ("PutClusterCapacityProviders", "cluster")):
        assert "defaultCapacityProviderStrategy: FARGATE is not among the capacity providers" in refused(
            ecs, operation, **{name: "c2"}, capacityProviders=["FARGATE_SPOT"],
            defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE"}]).message


def test_clusters_that_are_not_there(ecs):
    found = ecs("DescribeClusters", clusters=["nope", "default", "arn:aws:ecs:elsewhere:1:cluster/x"])
    assert [c["clusterName"] for c in found["clusters"]] == ["default"]
    assert found["failures"] == [{"arn": f"{ACCOUNT}:cluster/nope", "reason": "MISSING"},
                                 {"arn": "arn:aws:ecs:elsewhere:1:cluster/x", "reason": "MISSING"}]
    for operation, members in (("DeleteCluster", {}), ("UpdateCluster", {}),
                               ("PutClusterCapacityProviders",
                                {"capacityProviders": [], "defaultCapacityProviderStrategy": []})):
        error = refused(ecs, operation, cluster="nope", **members)
        assert (error.name, error.message) == ("ClusterNotFoundException", "Cluster not found.")
        must_match, separators = "Cluster must match ^[a-zA-Z0-9\\-_]{1,255}$, but was ", "Invalid identifier: Unexpected number"
        for name, text in (('"default"', must_match), ("x" * 256, must_match), (f"{ACCOUNT}:cluster/a/b", separators),
                           (f"{ACCOUNT}:cluster/{ACCOUNT}:cluster/c", separators)):
            error = refused(ecs, operation, cluster=name, **members)
            assert error.name == "InvalidParameterException" and error.message.startswith(text), error


def test_all_errors_of_a_request_at_once(ecs):
    error = refused(ecs, "CreateCluster", clusterName="a b", nope=1, capacityProviders=["MINE"],
                    tags=[{"key": "aws:x"}, {"key": "t"}, {"key": "t"}], serviceConnectDefaults={"namespace": "n"},
                    defaultCapacityProviderStrategy=[{"weight": 1001}])
    assert error.name == "InvalidParameterException" and error.message.startswith("8 errors: ")
    for part in ("clusterName: ", "nope: unknown field", "capacityProviders[0]: 'MINE' is not a valid value "
                 "(allowed: FARGATE, FARGATE_SPOT)", "tags[0].key: tag keys must not begin with aws:",
                 "tags: the key 't' is given twice",
                 "serviceConnectDefaults: serviceConnectDefaults is not supported by this version of fgrun",
                 "defaultCapacityProviderStrategy[0].weight: 1001 is out of range",
                 "defaultCapacityProviderStrategy[0].capacityProvider: is required"):
        assert part in error.message
    error = refused(ecs, "TagResource", resourceArn="nope", tags=[{"key": "aws:x"}])
    assert error.message.startswith("2 errors: tags[0].key: tag keys must not") and "resourceArn: The specified ARN" in error.message


def test_a_body_that_is_not_json(fgd):
    aws = awsapi.Aws(fgd)
    for body in ("{", "[]", "null", "\xff"):
        with pytest.raises(AwsError) as failure:
            aws.target(f"{awsapi.TARGETS['ecs']}.ListClusters", body.encode("latin-1"))
        assert failure.value.name == "SerializationException"
    assert aws.target(f"{awsapi.TARGETS['ecs']}.ListClusters", "")["clusterArns"]


def pages(ecs, operation, key, size, **members):
    """All elements of a list, page by page."""
    found, token = [], None
    while True:
        page = ecs(operation, maxResults=size, **({"nextToken": token} if token else {}), **members)
        assert len(page[key]) <= size
        found += page[key]
        token = page.get("nextToken")
        if not token:
            return found
        assert len(page[key]) == size


def test_pages_of_clusters(ecs):
    names = [f"c{i:03}" for i in range(25)]
    for name in names:
        ecs("CreateCluster", clusterName=name)
    everything = [f"{ACCOUNT}:cluster/{name}" for name in names + ["default"]]
    for size in (1, 7, 26, 100):
        assert pages(ecs, "ListClusters", "clusterArns", size) == everything
    for token in ("x", "v1-", "v1-0", "v1-zz", "v1-00", "v1-ff", "v1-" + "61" * 9000):
        assert refused(ecs, "ListClusters", nextToken=token).message == "Invalid token."


def test_capacity_providers(ecs):
    both = ecs("DescribeCapacityProviders")
    assert [p["name"] for p in both["capacityProviders"]] == ["FARGATE", "FARGATE_SPOT"]
    found = ecs("DescribeCapacityProviders", cluster="default",
                capacityProviders=[f"{ACCOUNT}:capacity-provider/FARGATE", "asg"])
    assert [p["name"] for p in found["capacityProviders"]] == ["FARGATE"]
    assert found["failures"] == [{"arn": f"{ACCOUNT}:capacity-provider/asg", "reason": "MISSING"}]
    assert pages(ecs, "DescribeCapacityProviders", "capacityProviders", 1) == both["capacityProviders"]
    first = ecs("DescribeCapacityProviders", maxResults=2, capacityProviders=["FARGATE", "asg", "FARGATE_SPOT"])
    assert [len(first[key]) for key in ("capacityProviders", "failures")] == [1, 1]
    rest = ecs("DescribeCapacityProviders", capacityProviders=["FARGATE", "asg", "FARGATE_SPOT"],
               nextToken=first["nextToken"])
    assert [p["name"] for p in rest["capacityProviders"]] == ["FARGATE_SPOT"] and "nextToken" not in rest
    assert refused(ecs, "DescribeCapacityProviders", nextToken=first["nextToken"] + "39").message == "Invalid token."


# ---- task definitions ----

def test_registered_with_the_defaults_of_ecs(ecs):
    before = time.time()
    answer = ecs("RegisterTaskDefinition", family="web", cpu=".25 vCPU", memory="0.5GB", networkMode="awsvpc",
                 requiresCompatibilities=["FARGATE"], containerDefinitions=[container()],
                 tags=[{"key": "k", "value": "v"}])
    made = answer["taskDefinition"]
    assert answer["tags"] == [{"key": "k", "value": "v"}]
    assert made["taskDefinitionArn"] == f"{ACCOUNT}:task-definition/web:1"
    assert (made["revision"], made["status"], made["family"]) == (1, "ACTIVE", "web")
    assert (made["cpu"], made["memory"], made["volumes"], made["placementConstraints"]) == ("256", "512", [], [])
    assert made["compatibilities"] == ["EC2", "FARGATE"] and made["registeredBy"].endswith(":root")
    assert before - 1 < made["registeredAt"] < time.time() + 1
    defaults = {"cpu": 0, "essential": True, "environment": [], "mountPoints": [], "volumesFrom": [],
                "portMappings": [], "systemControls": []}
    assert made["containerDefinitions"] == [{**container(), **defaults}]
    assert ecs("DescribeTaskDefinition", taskDefinition="web") == {"taskDefinition": made}
    assert ecs("DescribeTaskDefinition", taskDefinition="web", include=["TAGS"]) == answer


def test_required_attributes(ecs):
    def names(role={}, **members):
        made = ecs("RegisterTaskDefinition", family="a", cpu="256", memory="512", **role, containerDefinitions=[
            container(**members), {"name": "other", "image": "i"}])["taskDefinition"]
        return {attribute["name"].removeprefix("com.amazonaws.").removeprefix("ecs.capability.")
                for attribute in made["requiresAttributes"]} - {"docker-remote-api.1.18", "task-eni"}
    awslogs = {"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p"}}
    assert names() == names({"executionRoleArn": "r"}) == set()
    assert names({"taskRoleArn": "r", "pidMode": "task"}) == {"task-iam-role", "pid-ipc-namespace-sharing"}
    assert names(logConfiguration=awslogs) == {"docker-remote-api.1.19", "logging-driver.awslogs"}
    assert names({"executionRoleArn": "r"}, logConfiguration=awslogs) == {
        "docker-remote-api.1.19", "logging-driver.awslogs", "execution-role-awslogs"}
    assert names(secrets=[{"name": "A", "valueFrom": "/a"}, {"name": "B", "valueFrom": (
        "arn:aws:secretsmanager:local-1:000000000000:secret:b-abcdef")}]) == {
        "secrets.ssm.environment-variables", "secrets.asm.environment-variables"}
    assert names(healthCheck={"command": ["CMD", "true"]}, dependsOn=[{"containerName": "other", "condition": "START"}],
                 logConfiguration={"logDriver": "json-file"}) == {
        "container-health-check", "container-ordering", "logging-driver.json-file"}


def test_what_was_answered_can_be_registered(ecs):
    made = register(ecs)
    again = ecs("RegisterTaskDefinition", **{key: made[key] for key in (
        "family", "cpu", "memory", "networkMode", "volumes", "placementConstraints", "containerDefinitions")})
    assert again["taskDefinition"]["containerDefinitions"] == made["containerDefinitions"]
    assert again["taskDefinition"]["revision"] == 2


def test_what_is_not_of_ecs_is_told_as_it_came(fgd):
    own = {"fgrun": {"imagePull": "guest"}}
    body = {"family": "web", "cpu": "256", "memory": "512", "fgrun": {"imagePull": "prepared"},
            "containerDefinitions": [container(**own), container(name="other")]}
    aws, target = awsapi.Aws(fgd), awsapi.TARGETS["ecs"]
    aws.target(f"{target}.RegisterTaskDefinition", body)
    found = aws.target(f"{target}.DescribeTaskDefinition", {"taskDefinition": "web"})["taskDefinition"]
    assert found["fgrun"] == body["fgrun"]
    assert [c.get("fgrun") for c in found["containerDefinitions"]] == [own["fgrun"], None]


def test_wrong_definitions(ecs):
    error = refused(ecs, "RegisterTaskDefinition", family="x", containerDefinitions=[
        container(cpu=-1, privileged=True), {"name": "b"}], memory="1GB", pidMode="host")
    assert error.name == "ClientException" and error.message.startswith("5 errors: ")
    for part in ("cpu: Fargate requires that 'cpu' be defined at the task level.",
                 "containerDefinitions[0].cpu: ", "Fargate requires that the 'privileged' setting be 'false'",
                 "containerDefinitions[1].image: Container.image should not be null or empty.",
                 "The supported value for pidMode is 'task'."):
        assert part in error.message


    large = container(environment=[{"name": f"N{i}", "value": "x" * 1000} for i in range(70)])
    error = refused(ecs, "RegisterTaskDefinition", family="x", cpu="256", memory="512", containerDefinitions=[large])
    assert error.name == "ClientException" and re.fullmatch(
        r"request: Actual length: '7\d{4}'. Max allowed length is '65536' bytes.", error.message), error


def test_revisions(ecs):
    for _ in range(3):
        register(ecs)
    assert ecs("DescribeTaskDefinition", taskDefinition="web")["taskDefinition"]["revision"] == 3
    gone = ecs("DeregisterTaskDefinition", taskDefinition="web:3")["taskDefinition"]
    assert gone["status"] == "INACTIVE" and gone["deregisteredAt"] >= gone["registeredAt"]
    assert ecs("DeregisterTaskDefinition", taskDefinition="web:3")["taskDefinition"] == gone
    assert ecs("DescribeTaskDefinition", taskDefinition="web")["taskDefinition"]["revision"] == 2
    assert ecs("DescribeTaskDefinition", taskDefinition="web:3")["taskDefinition"]["status"] == "INACTIVE"
    by_arn = ecs("DescribeTaskDefinition", taskDefinition=f"{ACCOUNT}:task-definition/web:1")
    assert by_arn["taskDefinition"]["revision"] == 1
    assert register(ecs)["revision"] == 4, "a number is given once"
    arns = [f"{ACCOUNT}:task-definition/web:{n}" for n in (1, 2, 4)]
    assert ecs("ListTaskDefinitions")["taskDefinitionArns"] == arns
    assert ecs("ListTaskDefinitions", sort="DESC")["taskDefinitionArns"] == arns[::-1]
    assert ecs("ListTaskDefinitions", status="INACTIVE")["taskDefinitionArns"] == [gone["taskDefinitionArn"]]
    assert refused(ecs, "DeregisterTaskDefinition", taskDefinition="web").message == "Revision is missing."
    for name in ("nope", "web:99", "web:0", "web:x", "web:", "arn:aws:ecs:local-1:000000000000:cluster/web:1"):
        error = refused(ecs, "DescribeTaskDefinition", taskDefinition=name)
        assert (error.name, error.message) == ("ClientException", "Unable to describe task definition.")


def test_deleting_definitions(ecs):
    register(ecs)
    register(ecs)
    ecs("DeregisterTaskDefinition", taskDefinition="web:1")
    answer = ecs("DeleteTaskDefinitions", taskDefinitions=["web:1", "web:2", "web", "nope:1"])
    assert [(d["revision"], d["status"]) for d in answer["taskDefinitions"]] == [(1, "DELETE_IN_PROGRESS")]
    assert [f["arn"] for f in answer["failures"]] == ["web:2", "web", "nope:1"]
    assert "still in ACTIVE status" in answer["failures"][0]["reason"]
    assert ecs("ListTaskDefinitions", status="DELETE_IN_PROGRESS")["taskDefinitionArns"] == [
        f"{ACCOUNT}:task-definition/web:1"]
    assert ecs("ListTaskDefinitions", status="INACTIVE")["taskDefinitionArns"] == []


def test_pages_of_definitions_and_families(ecs):
    for i in range(4):
        for family in ("b", "a", "b-c"):
            register(ecs, family)
    names = [f"{family}:{n}" for family in ("a", "b", "b-c") for n in (1, 2, 3, 4)]
    arns = [f"{ACCOUNT}:task-definition/{name}" for name in names]
    for size in (1, 5, 12, 100):
        assert pages(ecs, "ListTaskDefinitions", "taskDefinitionArns", size) == arns
        assert pages(ecs, "ListTaskDefinitions", "taskDefinitionArns", size, sort="DESC") == arns[::-1]
        assert pages(ecs, "ListTaskDefinitions", "taskDefinitionArns", size, familyPrefix="b") == arns[4:8]
        assert pages(ecs, "ListTaskDefinitionFamilies", "families", size) == ["a", "b", "b-c"]
    for n in (1, 2, 3, 4):
        ecs("DeregisterTaskDefinition", taskDefinition=f"b:{n}")
    assert ecs("ListTaskDefinitionFamilies", status="ACTIVE")["families"] == ["a", "b-c"]
    assert ecs("ListTaskDefinitionFamilies", status="INACTIVE")["families"] == ["b"]
    assert ecs("ListTaskDefinitionFamilies", familyPrefix="b", status="ALL")["families"] == ["b", "b-c"]


# ---- tags ----

def test_tags(ecs):
    definition = register(ecs, tags=[{"key": "a", "value": "1"}])["taskDefinitionArn"]
    cluster = ecs("CreateCluster", clusterName="c")["cluster"]["clusterArn"]
    for arn in (definition, cluster):
        ecs("TagResource", resourceArn=arn, tags=[{"key": "b", "value": "2"}, {"key": "a", "value": "3"}])
        tags = ecs("ListTagsForResource", resourceArn=arn)["tags"]
        assert sorted((t["key"], t["value"]) for t in tags) == [("a", "3"), ("b", "2")]
        ecs("UntagResource", resourceArn=arn, tagKeys=["a", "none"])
        assert ecs("ListTagsForResource", resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    ecs("DeleteCluster", cluster="c")
    invalid, absent = "InvalidParameterException", "ResourceNotFoundException"
    for arn, name in ((f"{ACCOUNT}:cluster/nope", "ClusterNotFoundException"), (cluster, invalid), ("c", invalid),
                      ("arn:aws:ecs:elsewhere:000000000000:cluster/c", invalid), (f"{ACCOUNT}:task-definition/web", absent),
                      (f"{ACCOUNT}:task/default/0", absent), (f"{ACCOUNT}:service/default/s", absent)):
        assert refused(ecs, "TagResource", resourceArn=arn, tags=[{"key": "a"}]).name == name, arn
        assert refused(ecs, "UntagResource", resourceArn=arn, tagKeys=["a"]).name == name, arn
        assert refused(ecs, "ListTagsForResource", resourceArn=arn).name == (invalid if name == absent else name), arn
    # By which Terraform's provider knows that the cluster is gone.
    assert refused(ecs, "ListTagsForResource", resourceArn=cluster).message == (
        "The specified cluster is inactive. Specify an active cluster and try again.")


def test_more_tags_than_a_resource_can_have(ecs):
    cluster = ecs("CreateCluster", clusterName="c", tags=[{"key": f"k{i}"} for i in range(50)])["cluster"]
    ecs("TagResource", resourceArn=cluster["clusterArn"], tags=[{"key": "k0", "value": "new"}])
    error = refused(ecs, "TagResource", resourceArn=cluster["clusterArn"], tags=[{"key": "one-more"}])
    assert error.message == "A resource can have at most 50 tags."
    assert len(ecs("ListTagsForResource", resourceArn=cluster["clusterArn"])["tags"]) == 50


# ---- account settings ----

def test_account_settings(ecs):
    user = {"principalArn": "arn:aws:iam::000000000000:user/u"}
    assert ecs("ListAccountSettings")["settings"] == []
    effective = pages(functools.partial(ecs, effectiveSettings=True), "ListAccountSettings", "settings", 4)
    assert len(effective) == 11
    assert {"containerInsights": "disabled", "taskLongArnFormat": "enabled"}.items() <= {
        s["name"]: s["value"] for s in effective}.items()
    everybody = ecs("PutAccountSettingDefault", name="containerInsights", value="enabled")["setting"]
    assert (everybody["value"], everybody["principalArn"]) == ("enabled", "arn:aws:iam::000000000000:root")
    assert ecs("ListAccountSettings")["settings"] == [everybody], "root's are everybody's"
    assert ecs("CreateCluster", clusterName="a")["cluster"]["settings"][0]["value"] == "enabled"
    assert ecs("ListAccountSettings", **user)["settings"] == []
    mine = ecs("PutAccountSetting", name="containerInsights", value="enhanced", **user)["setting"]
    assert (mine["value"], mine["principalArn"]) == ("enhanced", user["principalArn"])
    assert ecs("ListAccountSettings", name="containerInsights", **user)["settings"] == [mine]
    assert ecs("DeleteAccountSetting", name="containerInsights", **user)["setting"]["value"] == "enabled"
    assert ecs("PutAccountSetting", name="containerInsights", value="disabled")["setting"]["principalArn"].endswith(":root")
    (left,) = ecs("ListAccountSettings", name="containerInsights", effectiveSettings=True, **user)["settings"]
    assert left["value"] == "disabled"
    for operation in ("PutAccountSetting", "DeleteAccountSetting", "ListAccountSettings"):
        for principal in ("me", "arn:aws:iam::000000000000", "arn:aws:iam::000000000000:"):
            error = refused(ecs, operation, principalArn=principal, name="containerInsights",
                            **({"value": "enabled"} if operation == "PutAccountSetting" else {}))
            assert error.name == "InvalidParameterException" and "is not the ARN of a principal" in error.message
    error = refused(ecs, "PutAccountSetting", name="containerInsights", value="loud")
    assert "'loud' is not a value of containerInsights (allowed: enabled, disabled, enhanced)" in error.message
    for operation in ("PutAccountSetting", "PutAccountSettingDefault"):
        assert "'nope' is not a setting" in refused(ecs, operation, name="nope", value="x").message
    assert "principalArn: " in refused(ecs, "PutAccountSettingDefault", name="containerInsights", value="disabled",
                                       **user).message


# ---- it lasts ----

def test_everything_survives_a_crash(fgd, ecs):
    def look():
        return [ecs("DescribeClusters", clusters=["c"], include=["TAGS", "SETTINGS"]),
                ecs("DescribeTaskDefinition", taskDefinition="web:1", include=["TAGS"]),
                ecs("ListTaskDefinitions"), ecs("ListAccountSettings")]

    for step in (lambda: ecs("CreateCluster", clusterName="c", tags=[{"key": "k", "value": "v"}]),
                 lambda: register(ecs, tags=[{"key": "k", "value": "v"}]), lambda: register(ecs),
                 lambda: ecs("DeregisterTaskDefinition", taskDefinition="web:1"),
                 lambda: ecs("PutAccountSetting", name="containerInsights", value="enhanced"),
                 lambda: ecs("DeleteCluster", cluster="c")):
        step()
        fgd.kill()
        fgd.start()
    before = look()
    fgd.kill()
    fgd.start()
    assert look() == before
    assert before[1]["taskDefinition"]["status"] == "INACTIVE"
    assert before[2]["taskDefinitionArns"] == [f"{ACCOUNT}:task-definition/web:2"]
