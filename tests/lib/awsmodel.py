# SPDX-License-Identifier: Apache-2.0
"""Checks answers against botocore's model of a service, stricter than any SDK.

SDKs drop what they do not know and forgive most types; here an unknown member, a wrong type, a
value outside an enumeration and a missing required member are errors.
"""

import glob
import json
import math

ROOTS = ("/usr/lib/python3/dist-packages/awscli/botocore/data", "/usr/lib/python3/dist-packages/botocore/data")

# What AWS has added since the models of Debian 12.
NEWER = {
    "ecs": {
        "members": {"Setting": {"type": "String"}, "ConflictException": {"resourceIds": "StringList"},
                    "ContainerDefinition": {"versionConsistency": "String"}},
        "errors": {"RunTask": ["ConflictException"], "DescribeCapacityProviders": ["ClusterNotFoundException"]},
        "values": {
            "SettingName": ["fargateFIPSMode", "tagResourceAuthorization", "fargateTaskRetirementWaitPeriod",
                            "guardDutyActivate", "defaultLogDriverMode", "fargateEventWindows"],
            "TaskDefinitionStatus": ["DELETE_IN_PROGRESS"],
        },
    },
    "logs": {"members": {"LogGroup": {"logGroupArn": "Arn", "logGroupClass": "LogGroupName"}}},
}


class Model:
    """One service."""

    def __init__(self, service):
        paths = [path for root in ROOTS for path in sorted(glob.glob(f"{root}/{service}/*/service-2.json"))]
        with open(paths[0], encoding="utf-8") as file:
            self.model = json.load(file)
        self.shapes = self.model["shapes"]
        newer = NEWER.get(service, {})
        self.newer_errors = newer.get("errors", {})
        for shape, members in newer.get("members", {}).items():
            self.shapes.setdefault(shape, {"type": "structure", "members": {}})["members"].update({name: {"shape": inner} for name, inner in members.items()})
        for shape, values in newer.get("values", {}).items():
            self.shapes[shape]["enum"] += values
        self.operations = self.model["operations"]

    def problems(self, operation, answer):
        """What is wrong with an answer, as a list of sentences."""
        output = self.operations[operation].get("output")
        found = []
        if output:
            self._check(output["shape"], answer, operation, found)
        elif answer != {}:
            found.append(f"{operation}: has no output, found {answer}")
        return found

    def errors(self, operation):
        """Names of the exceptions that the model lists for an operation."""
        return {error["shape"] for error in self.operations[operation].get("errors", [])} | set(
            self.newer_errors.get(operation, []))

    def error_problems(self, name, members):
        """The same with what an exception has beyond its message."""
        found = []
        for member, value in members.items():
            if member not in (shape := self.shapes.get(name, {"members": {}})["members"]):
                found.append(f"{name} has no member {member}")
            else:
                self._check(shape[member]["shape"], value, f"{name}.{member}", found)
        return found

    def _check(self, name, value, path, found):
        shape = self.shapes[name]
        getattr(self, "_" + shape["type"])(name, shape, value, path, found)

    def _structure(self, name, shape, value, path, found):
        if not isinstance(value, dict):
            found.append(f"{path}: {name} wants an object, found {value!r}")
            return
        for member in shape.get("required", []):
            if member not in value:
                found.append(f"{path}: {name} wants the member {member}")
        for member, inner in value.items():
            if member not in shape["members"]:
                found.append(f"{path}: {name} has no member {member}")
            elif inner is None:
                found.append(f"{path}.{member}: null")
            else:
                self._check(shape["members"][member]["shape"], inner, f"{path}.{member}", found)

    def _list(self, name, shape, value, path, found):
        if not isinstance(value, list):
            found.append(f"{path}: {name} wants an array, found {value!r}")
            return
        for i, inner in enumerate(value):
            self._check(shape["member"]["shape"], inner, f"{path}[{i}]", found)

    def _map(self, name, shape, value, path, found):
        if not isinstance(value, dict):
            found.append(f"{path}: {name} wants an object, found {value!r}")
            return
        for key, inner in value.items():
            self._check(shape["key"]["shape"], key, f"{path}.{key}", found)
            self._check(shape["value"]["shape"], inner, f"{path}.{key}", found)

    def _string(self, name, shape, value, path, found):
        if not isinstance(value, str):
            found.append(f"{path}: {name} wants a string, found {value!r}")
        elif "enum" in shape and value not in shape["enum"]:
            found.append(f"{path}: {name} has no value {value!r}")

    def _integer(self, name, shape, value, path, found):
        if not isinstance(value, int) or isinstance(value, bool):
            found.append(f"{path}: {name} wants an integer, found {value!r}")
        elif shape["type"] == "integer" and not -(1 << 31) <= value < 1 << 31:
            found.append(f"{path}: {name} is a 32-bit integer, found {value}")

    _long = _integer

    def _boolean(self, name, shape, value, path, found):
        if not isinstance(value, bool):
            found.append(f"{path}: {name} wants a boolean, found {value!r}")

    def _double(self, name, shape, value, path, found):
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            found.append(f"{path}: {name} wants a number, found {value!r}")

    _float = _double

    def _timestamp(self, name, shape, value, path, found):
        """Seconds since the epoch; milliseconds, nanoseconds and zero are mistakes."""
        self._double(name, shape, value, path, found)
        if isinstance(value, (int, float)) and not 1e9 < value < 1e10:
            found.append(f"{path}: {name} is no time of our days: {value!r}")

    def _blob(self, name, shape, value, path, found):
        self._string(name, {}, value, path, found)
