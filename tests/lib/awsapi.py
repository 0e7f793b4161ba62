# SPDX-License-Identifier: Apache-2.0
"""The APIs of AWS against an fgd of a test: plain requests, and the real AWS CLI."""

import contextlib
import json
import pathlib
import re
import socket
import subprocess
import threading

import awsmodel
from fgd import UnixConnection

ROOT = pathlib.Path(__file__).resolve().parents[2]

TARGETS = {
    "ecs": "AmazonEC2ContainerServiceV20141113",
    "logs": "Logs_20140328",
    "secretsmanager": "secretsmanager",
    "ssm": "AmazonSSM",
}


class AwsError(Exception):
    """An answer that is an exception of a service. @members: what it has beyond its message."""

    def __init__(self, status, name, message, members):
        super().__init__(f"{status} {name}: {message}")
        self.status, self.name, self.message, self.members = status, name, message, members


class Aws:
    """Calls operations through the unix socket; every answer must keep the protocol's rules."""

    models = {}

    def __init__(self, fgd):
        self.fgd = fgd

    def model(self, service):
        if service not in self.models:
            self.models[service] = awsmodel.Model(service)
        return self.models[service]

    def post(self, body, headers):
        connection = UnixConnection(self.fgd.socket)
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        text = response.read().decode()
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", response.headers["x-amzn-RequestId"])
        return response, text

    def target(self, target, body):
        """An answer of the JSON protocol."""
        response, text = self.post(body if isinstance(body, (str, bytes)) else json.dumps(body),
                                   {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"})
        assert response.headers["Content-Type"] == "application/x-amz-json-1.1"
        answer = json.loads(text)
        if response.status != 200:
            raise AwsError(response.status, answer.pop("__type"), answer.pop("message"), answer)
        return answer

    def call(self, service, operation, **members):
        """The answer, which agrees with the model of the service, as do the exceptions."""
        model = self.model(service)
        try:
            answer = self.target(f"{TARGETS[service]}.{operation}", members)
        except AwsError as error:
            general = {"UnsupportedFeatureException", "UnknownOperationException", "ThrottlingException",
                       "ValidationException"}  # any service of AWS may raise them
            if operation in model.operations:
                assert error.name in model.errors(operation) | general, f"{operation} cannot raise {error}"
                assert not (problems := model.error_problems(error.name, error.members)), "\n".join(problems)
            raise
        if operation in model.operations:
            assert not (problems := model.problems(operation, answer)), "\n".join(problems)
        return answer

    def form(self, body):
        """(status, text) of the query protocol."""
        response, text = self.post(body, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
        assert response.headers["Content-Type"] == "text/xml"
        return response.status, text


def _pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def bridge(path):
    """A TCP address, http://127.0.0.1:PORT, that leads to a unix socket."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                ours = socket.socket(socket.AF_UNIX)
                ours.connect(path)
                for pair in ((client, ours), (ours, client)):
                    threading.Thread(target=_pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


class Cli:
    """Debian's AWS CLI. PATH may have another one."""

    def __init__(self, endpoint, home):
        self.endpoint = endpoint
        self.env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "AWS_PAGER": "",
                    "AWS_DEFAULT_REGION": "local-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
                    "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}

    def run(self, *words, timeout=300):
        return subprocess.run(["/usr/bin/aws", "--endpoint-url", self.endpoint, "--output", "json", *words],
                              env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=timeout)

    def __call__(self, *words, timeout=300):
        """What the command printed, decoded."""
        r = self.run(*words, timeout=timeout)
        assert r.returncode == 0, f"{words}: {r.returncode}: {r.stderr}"
        return json.loads(r.stdout) if r.stdout.strip() else None

    def fails(self, *words):
        """The message of a command that must fail as a service's error."""
        r = self.run(*words)
        assert r.returncode == 254, f"{words}: {r.returncode}: {r.stdout}{r.stderr}"
        return r.stderr.strip()


