# SPDX-License-Identifier: Apache-2.0
"""The HTTP server: limits, who may talk, slow clients, health, metrics, configuration."""

import http.client
import os
import socket
import subprocess
import time

import pytest

from conftest import HYPERVISOR, PROGRAM
from fgd import Failure


def raw(fgd, data, timeout=20):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout)
        client.connect(fgd.socket)
        client.sendall(data)
        answer = b""
        try:
            while chunk := client.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass  # fgd closed without reading all of it
    return answer


def test_unknown_paths_and_methods(fgd):
    for method, path, status in (("GET", "/nope", 404), ("DELETE", "/v1/tasks", 405), ("GET", "/v1/prune", 405)):
        with pytest.raises(Failure) as failure:
            fgd.call(method, path)
        assert failure.value.status == status and failure.value.body["message"]
    answer = raw(fgd, b"DELETE /v1/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"/v1/tasks does not take DELETE; it takes POST, GET" in answer and b"\r\nAllow: POST, GET\r\n" in answer


@pytest.mark.parametrize("path, body, said", [
    ("/v1/prune", {"image": True}, 'unknown member "image" (allowed: images, tasks)'),
    ("/v1/images/pull", {"image": "x", "tag": "y"}, 'unknown member "tag" (allowed: image)')])
def test_unknown_members_are_refused(fgd, path, body, said):
    with pytest.raises(Failure) as failure:
        fgd.call("POST", path, body)
    assert failure.value.status == 400 and failure.value.body["message"] == said


@pytest.mark.parametrize("method, path, said", [
    ("GET", "/v1/tasks?stauts=RUNNING", "unknown query parameter 'stauts'; GET /v1/tasks takes status family limit next"),
    ("GET", "/v1/info?x", "unknown query parameter 'x'; GET /v1/info takes none"),
    ("POST", "/v1/tasks?dry=1", "unknown query parameter 'dry'; POST /v1/tasks takes none"),
    ("GET", "/v1/tasks/0123?wait=DONE", "expected PROVISIONING, PENDING, ACTIVATING, RUNNING"),
    ("GET", "/v1/tasks/0123/logs?follow=yes", "follow = yes: expected 1, true, 0 or false"),
    ("GET", "/v1/tasks/0123/logs?since=noon", "expected an RFC 3339 time or seconds"),
    ("GET", "/v1/events?follow=2", "expected 1, true, 0 or false"),
    ("GET", "/v1/events?limit=1001", "at most 1000"), ("GET", "/v1/events?format=xml", "expected sse or lines"),
    ("GET", "/v1/usage?by=hour", "expected task, family or day"), ("GET", "/v1/tasks/xyz", "32 hexadecimal digits")])
def test_queries_say_what_is_allowed(fgd, method, path, said):
    with pytest.raises(Failure) as failure:
        fgd.call(method, path)
    assert failure.value.status == 400 and said in failure.value.body["message"], failure.value.body


def test_log_of_a_container_that_is_not_there(fgd):
    container = {"image": "oci:/nowhere:latest"}
    definition = {"family": "f", "cpu": "256", "memory": "512",
                  "containerDefinitions": [{"name": "web", **container}, {"name": "side", **container}]}
    stopped = fgd.stopped(fgd.run(definition))
    with pytest.raises(Failure) as failure:
        fgd.logs(stopped["fgrun"]["id"], "?container=wbe")
    assert failure.value.status == 404 and "it has web, side" in failure.value.body["message"]


def test_body_that_is_not_json(fgd):
    for body in ("{", "[]", '{"a":1} x', "\xff"):
        with pytest.raises(Failure) as failure:
            fgd.call("POST", "/v1/tasks", body.encode("latin-1"))
        assert failure.value.status == 400


def test_body_too_long(fgd):
    for header in (b"Content-Length: 3000000\r\nExpect: 100-continue", b"Content-Length: 30000000"):  # at once
        announced = raw(fgd, b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
        assert announced.split()[1] == b"413" and b"longer than 2097152 bytes" in announced
    assert fgd.call("GET", "/v1/info")["version"]


def test_header_too_long(fgd):
    answer = raw(fgd, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 100000 + b"\r\n\r\n")
    assert answer == b"" or answer.split()[1].startswith(b"4")


def test_slow_and_silent_clients_hold_nobody_up(start):
    with start(idle_timeout_seconds=2, max_connections=64) as fgd:
        silent = []
        for _ in range(40):
            client = socket.socket(socket.AF_UNIX)
            client.connect(fgd.socket)
            client.sendall(b"GET /v1/info HT")
            silent.append(client)
        assert fgd.request("GET", "/healthz").read() == b"ok\n"
        for client in silent:
            client.settimeout(20)
            while client.recv(4096):
                pass  # fgd closes it after the idle time
            client.close()


def test_client_that_leaves_a_follow_is_forgotten(fgd, task):
    task_id = fgd.run(task("wait"))["fgrun"]["id"]
    fgd.get(task_id, wait="RUNNING")
    for _ in range(5):
        response = fgd.request("GET", f"/v1/tasks/{task_id}/logs?follow=1")
        response.close()
        waiting = socket.socket(socket.AF_UNIX)
        waiting.connect(fgd.socket)
        waiting.sendall(f"GET /v1/tasks/{task_id}?wait=STOPPED HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        waiting.close()
    deadline = time.monotonic() + 20
    while open_connections(fgd) > 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert open_connections(fgd) == 0
    fgd.call("POST", f"/v1/tasks/{task_id}/stop", {})
    assert fgd.get(task_id, wait="STOPPED")["stopCode"] == "UserInitiated"


def open_connections(fgd):
    """Accepted sockets of the API, as the kernel counts them."""
    with open("/proc/net/unix", encoding="ascii") as table:
        return sum(1 for line in table if line.rstrip().endswith(fgd.socket) and line.split()[5] == "03")


def test_socket_is_private(fgd):
    mode = os.stat(fgd.socket).st_mode & 0o777
    assert mode == 0o600
    os.chmod(fgd.socket, 0o666)  # even a careless mode does not open it: credentials are checked
    probe = ("import http.client,socket,sys\ns=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1])\n"
             "s.sendall(b'GET /healthz HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n');print(s.recv(100).split()[1].decode())")
    other = subprocess.run(["/usr/bin/python3", "-c", probe, fgd.socket], user=65534, group=65534,
                           capture_output=True, text=True, check=True)
    assert other.stdout.strip() == "403"


def test_tcp_wants_the_token(start):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    directory_listen = f"tcp:127.0.0.1:{port}"
    with start(listen=directory_listen) as fgd:
        path = f"{fgd.directory}/state/token"
        assert os.stat(path).st_mode & 0o777 == 0o600
        with open(path, encoding="ascii") as file:
            token = file.read().strip()
        for header, status in ((None, 401), ("Bearer nonsense", 401), (f"Bearer {token}", 200)):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/v1/info", headers={"Authorization": header} if header else {})
            assert connection.getresponse().status == status
        assert token not in fgd.output()


def test_health_metrics_info(fgd, task):
    fgd.stopped(fgd.run(task("exit 0")))
    assert fgd.request("GET", "/healthz").read() == b"ok\n"
    metrics = fgd.request("GET", "/metrics").read().decode()
    assert "fgrun_tasks_accepted_total 1\n" in metrics and "fgrun_tasks_stopped_total 1\n" in metrics
    assert 'fgrun_tasks{status="RUNNING"} 0\n' in metrics
    assert "fgrun_start_seconds_count 1\n" in metrics
    info = fgd.call("GET", "/v1/info")
    assert info["capacity"]["memoryMiB"] > 0 and info["directories"]["state"].startswith(fgd.directory)


def test_second_daemon_is_refused(fgd):
    second = subprocess.run([PROGRAM, f"--state-dir={fgd.directory}/state", f"--cache-dir={fgd.directory}/cache",
                             f"--run-dir={fgd.directory}/run2", f"--hypervisor={HYPERVISOR}"],
                            capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode != 0 and "another fgd uses" in second.stderr


@pytest.mark.parametrize("arguments, text", [
    (["--max-connections=0"], "max_connections"),
    (["--nonsense=1"], "unknown option"),
    (["--listen=nonsense:1"], "unix:PATH or tcp:ADDR:PORT"),
    (["--listen=tcp:127.0.0.1:99999"], "a port from 0 to 65535"),
    (["--listen=unix:relative.sock"], "expected an absolute one"),
    (["--accel=fast"], "auto kvm tcg"),
    (["--log-level=loud"], "error warn info debug"),
])
def test_bad_configuration_is_named(tmp_path, arguments, text):
    run = subprocess.run([PROGRAM, f"--state-dir={tmp_path}/s", f"--cache-dir={tmp_path}/c", f"--run-dir={tmp_path}/r",
                          f"--hypervisor={HYPERVISOR}", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 64 and text in run.stderr


def test_configuration_file(tmp_path):
    path = tmp_path / "fgd.conf"
    path.write_text("# comment\nretention_hours = 12\nretention_huors = 1\n")
    run = subprocess.run([PROGRAM, f"--config={path}"], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 64
    assert "line 3" in run.stderr and "did you mean retention_hours" in run.stderr


def test_help_shows_every_default():
    text = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
    for word in ("--state-dir", "--retention-hours", "[24]", "--vcpu-overcommit-percent", "[400]", "[embed]"):
        assert word in text


def test_socket_path_that_is_a_file_stays(tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    run = subprocess.run([PROGRAM, f"--state-dir={tmp_path}/s", f"--cache-dir={tmp_path}/c", f"--run-dir={tmp_path}/r",
                          f"--hypervisor={HYPERVISOR}", f"--listen=unix:{path}"],
                         capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode != 0 and "not a socket" in run.stderr
    assert path.read_text() == "data"


def test_leaves_with_requests_in_every_state(fgd, task):
    """Each of them gets an answer or its end; none keeps fgd, or makes it fail."""
    task_id = fgd.run(task("print x", ";", "wait"))["fgrun"]["id"]
    fgd.get(task_id, wait="RUNNING")
    clients = []
    for path in [f"/v1/tasks/{task_id}?wait=STOPPED", f"/v1/tasks/{task_id}/logs?follow=1&events=1"] * 3:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        client.connect(fgd.socket)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        clients.append(client)
    assert fgd.call("GET", "/v1/tasks")["tasks"]
    flood = []
    for path in ["/v1/tasks", "/v1/images", "/healthz", "/v1/usage", f"/v1/tasks/{task_id}", "/v1/info"] * 5:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        client.connect(fgd.socket)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 3)  # a pipeline
        flood.append(client)
    assert fgd.stop() == 0
    answers = []
    for client in clients:
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
        answers.append(answer)
    assert all(answer.split()[1] == b"503" for answer in answers[::2])
    assert not any(answer.endswith(b"\r\n0\r\n\r\n") for answer in answers[1::2])  # there is more to come
    for client in clients + flood:
        client.close()
    fgd.start()
    fgd.call("POST", f"/v1/tasks/{task_id}/stop", {})
    assert fgd.get(task_id, wait="STOPPED")["stopCode"] == "UserInitiated"


def test_leaves_when_idle(start):
    with start(idle_exit=1) as fgd:
        assert fgd.process.wait(30) == 0
