# SPDX-License-Identifier: Apache-2.0
"""Clients that say little, slowly, or too much; none of them needs to say who it is."""

import contextlib
import http.client
import json
import socket
import time

import pytest

from fgd import Failure

HEAD = b"GET /v1/info HTTP/1.1\r\nHost: x\r\nX: "


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def client(fgd, data=b"", port=None):
    with socket.socket(socket.AF_INET if port else socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(("127.0.0.1", port) if port else fgd.socket)
        sock.sendall(data)
        yield sock


def read_all(sock):
    answer = b""
    with contextlib.suppress(ConnectionResetError):  # fgd closed without reading all of it
        while chunk := sock.recv(65536):
            answer += chunk
    return answer


def trickle(sock, begin, seconds, piece=b"x"):
    """How long after @begin it may send a piece every tenth of a second."""
    sock.settimeout(0.1)
    while time.monotonic() - begin < seconds:
        try:
            sock.sendall(piece)
            if not sock.recv(1):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - begin


@pytest.mark.parametrize("start_of", [
    HEAD, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + HEAD,
    b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"], ids=["head", "second head", "body"])
def test_a_request_has_a_time_to_be_complete(start, start_of):
    with start(idle_timeout_seconds=1) as fgd:
        begin = time.monotonic()
        with client(fgd, start_of) as sock:
            if start_of.startswith(b"GET /healthz"):
                assert b"ok\n" in sock.recv(65536)
            assert 0.8 < trickle(sock, begin, 30) < 25


def test_a_body_that_goes_on_and_an_answer_that_takes_long_are_not_cut(start, task):
    with start(idle_timeout_seconds=2) as fgd:
        task_id = fgd.run(task("wait"))["fgrun"]["id"]
        fgd.get(task_id, wait="RUNNING")
        follow = fgd.request("GET", f"/v1/tasks/{task_id}/logs?follow=1")
        with client(fgd, f"GET /v1/tasks/{task_id}?wait=STOPPED HTTP/1.1\r\nHost: x\r\n\r\n".encode()) as waits:
            with client(fgd, b"POST /v1/warm HTTP/1.1\r\nHost: x\r\nContent-Length: 1966080\r\n\r\n") as sock:
                for _ in range(30):
                    sock.sendall(b" " * 65536)
                    time.sleep(0.1)
                assert sock.recv(65536).split()[1] == b"400"
            fgd.call("POST", f"/v1/tasks/{task_id}/stop", {})
            assert b'"UserInitiated"' in waits.recv(65536)
        assert follow.status == 200
        follow.read()


def test_strangers_do_not_keep_others_out(start):
    port = free_port()
    with start(listen=f"tcp:127.0.0.1:{port}", max_connections=8) as fgd, contextlib.ExitStack() as stack:
        for _ in range(12):  # four wait to be accepted
            stack.enter_context(client(fgd, HEAD, port))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
        connection.request("GET", "/v1/info")
        answer = connection.getresponse()
        assert answer.status == 401 and answer.getheader("Connection").lower() == "close"
        answer.read()


def test_an_unsigned_request_ends_its_connection(start):
    port = free_port()
    with start(listen=f"tcp:127.0.0.1:{port}") as fgd:
        with client(fgd, b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", port) as sock:
            assert read_all(sock).split()[1] == b"401"


def chunked(total):
    return (b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
            (b"10000\r\n" + b"x" * 65536 + b"\r\n") * (total // 65536))


def test_a_chunked_body_over_the_limit_is_told(start):
    with start(max_body_kib=128) as fgd:
        with client(fgd, chunked(512 << 10) + b"0\r\n\r\n") as sock:
            answer = read_all(sock)
        assert answer.split()[1] == b"413" and b"the body is longer than 131072 bytes" in answer
        with client(fgd) as sock, pytest.raises(OSError):
            for _ in range(100):
                sock.sendall(chunked(1 << 20))  # without an end: cut off


def test_head_is_get_without_a_body(fgd):
    for path, status in (("/healthz", 200), ("/metrics", 200), ("/v1/info", 200), ("/v1/nope", 404), ("/v1/prune", 405)):
        with client(fgd, f"HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()) as sock:
            head, body = read_all(sock).split(b"\r\n\r\n")
        assert head.split()[1] == str(status).encode() and body == b""
        assert b"x-fgrun-request-id" in head and b"Content-Length: 0" not in head
    with client(fgd, b"HEAD /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n") as sock:  # its connection ends with it
        head, body = read_all(sock).split(b"\r\n\r\n")
    assert head.split()[1] == b"200" and body == b""


def refused(fgd, body):
    with pytest.raises(Failure) as failure:
        fgd.call("POST", "/v1/tasks", body)
    assert failure.value.status == 400
    return failure.value.body


def test_what_is_wrong_is_said(fgd, task):
    assert refused(fgd, {})["errors"] == [{"path": "$.taskDefinition", "message": "is required"}]
    text = json.dumps(task("exit 0", container={"startTimeout": 12345}))
    errors = refused(fgd, text.replace("12345", "9" * 30))["errors"]
    assert [e["message"] for e in errors] == ["the integer is out of range (allowed: 2 to 120)"]
    for half in ("\\ud800", "\\udc00", "\\ud800\\ud800", "\\ud800x"):
        assert "half of a surrogate pair" in refused(fgd, json.dumps(task(half)).replace("\\\\", "\\"))["message"]


def test_times_since_acceptance_have_one_decimal(fgd, task):
    task_id = fgd.stopped(fgd.run(task("exit 0")))["fgrun"]["id"]
    text = fgd.request("GET", f"/v1/tasks/{task_id}").read().decode()
    numbers = [part.split("}")[0].split(",")[0] for part in text.split('"sinceAcceptMs":')[1:]]
    assert len(numbers) > 3 and all(len(n.strip().split(".")[1]) == 1 for n in numbers), numbers
