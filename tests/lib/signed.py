# SPDX-License-Identifier: Apache-2.0
"""Signed requests to an fgd with a TCP port, and the keys for them."""

import http.client
import json
import socket
import types

import sigv4

TARGET = "AmazonEC2ContainerServiceV20141113"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def create(fgd, **members):
    return types.SimpleNamespace(**fgd.call("POST", "/v1/keys", members))


def signer(key, **members):
    s = sigv4.Signer(key.accessKeyId, key.secretAccessKey)
    for name, value in members.items():
        setattr(s, name, value)
    return s


def send(fgd, method, uri, headers, body=b""):
    """(status, object) of a request with exactly these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", fgd.port, timeout=60)
    connection.putrequest(method, uri, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    if body or method == "POST":
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body or None)
    response = connection.getresponse()
    text = response.read().decode()
    assert response.headers["x-amzn-RequestId"]
    return response.status, json.loads(text) if text.startswith("{") else text


def signed(fgd, key, method, uri, body=b"", headers=(), **members):
    s = signer(key, **members)
    return send(fgd, method, uri, s.sign(method, uri, [("Host", f"127.0.0.1:{fgd.port}"), *headers], body), body)


def operation(fgd, key, name, body=b"{}", service="ecs", target=TARGET):
    return signed(fgd, key, "POST", "/", body, [("X-Amz-Target", f"{target}.{name}"),
                                                ("Content-Type", "application/x-amz-json-1.1")], service=service)
