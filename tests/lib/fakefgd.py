#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A small fgd for tests of its clients: docs/api.md over a unix socket, tasks without VMs.

What a task does follows from its family, see SCRIPTS. As a program it understands the options
that fgrun passes to an fgd it starts.
"""

import argparse
import base64
import datetime
import http.server
import json
import os
import socket
import socketserver
import threading
import urllib.parse
import uuid

BINARY = bytes(range(256)) * 3 + b"\x00\xff\n"
NOW = "2026-01-02T03:04:05.678Z"
SECOND = 10**9


def nanoseconds(time):
    return int(datetime.datetime.fromisoformat(time).timestamp() * 1000) * 10**6


class Task:
    """One task: its TASK object, the lines of its log stream, and whether it was told to stop."""

    def __init__(self, fgd, body):
        definition = body.get("taskDefinition", body)
        self.fgd = fgd
        self.id = uuid.uuid4().hex
        self.lines = []
        self.offsets = {}
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.request = body
        self.object = {
            "taskArn": f"arn:aws:ecs:us-east-1:000000000000:task/default/{self.id}",
            "lastStatus": "PROVISIONING", "desiredStatus": "RUNNING", "cpu": "256",
            "memory": "512", "createdAt": NOW, "healthStatus": "UNKNOWN",
            "startedBy": body.get("startedBy"), "group": body.get("group"),
            "tags": body.get("tags", []), "overrides": body.get("overrides", {}),
            "containers": [{"name": c["name"], "image": c["image"], "lastStatus": "PENDING"}
                           for c in definition["containerDefinitions"]],
            "fgrun": {"id": self.id, "family": definition["family"], "accelerator": "tcg",
                      "phases": [{"name": "accepted", "atNs": 1, "sinceAcceptMs": 0.0},
                                 {"name": "started", "atNs": 2, "sinceAcceptMs": 344.5}],
                      "usage": {"seconds": 60, "vcpuMs": 15000, "memoryMibMs": 30720000,
                                "storageMibMs": 0, "cost": "$0.000205708",
                                "costPico": 205708333, "open": False}}}

    def emit(self, line):
        with self.changed:
            self.lines.append(line)
            self.fgd.save(self)
            self.changed.notify_all()

    def state(self, status):
        self.object["lastStatus"] = status
        self.emit({"event": "state", "lastStatus": status, "time": NOW})

    def write(self, data, stream="stdout", lost=0, age=0):
        """Records are a second apart; one of some @age was stamped that much earlier."""
        offset = self.offsets.get(stream, 0) + lost
        self.offsets[stream] = offset + len(data)
        line = {"container": self.object["containers"][0]["name"], "stream": stream, "time": NOW,
                "timeNs": nanoseconds(NOW) + (len(self.lines) - age) * SECOND, "offset": offset}
        if lost:
            line["lost"] = lost
        try:
            line["data"] = data.decode()
        except UnicodeDecodeError:
            line["dataBase64"] = base64.b64encode(data).decode()
        self.emit(line)

    def stop(self, code, reason, exits):
        for container in self.object["containers"]:
            if container["name"] in exits:
                container["exitCode"] = exits[container["name"]]
            container["lastStatus"] = "STOPPED"
        self.object["stopCode"] = code
        self.object["stoppedReason"] = reason
        self.state("STOPPED")

    def run(self):
        if not self.lines:
            self.state("PENDING")
        names = [c["name"] for c in self.object["containers"]]
        SCRIPTS[self.object["fgrun"]["family"]](self, names)


def essential_exit(task, exits):
    task.stop("EssentialContainerExited", "Essential container in task exited", exits)


def script_hello(task, names):
    for done in (0, 50, 100):
        task.emit({"event": "pull", "image": "busybox", "status": "downloading",
                   "doneBytes": done, "totalBytes": 100, "layersDone": done // 100, "layers": 1})
    task.state("RUNNING")
    task.write(b"hello\n")
    task.write(b"oops\n", "stderr")
    task.write("no newline: \u00fc".encode())
    essential_exit(task, {names[0]: 3})


def script_binary(task, names):
    task.state("RUNNING")
    task.write(BINARY)
    task.write(b"with\0zero\n")
    essential_exit(task, {names[0]: 0})


def script_slow(task, names):
    task.state("RUNNING")
    task.write(b"first")
    task.fgd.release.wait(20)
    task.write(b"second")
    essential_exit(task, {names[0]: 0})


def script_wait(task, names):
    task.state("RUNNING")
    task.write(b"waiting\n")
    task.stopping.wait(20)
    task.write(b"bye\n")
    task.stop("UserInitiated", task.stop_reason, {names[0]: 143})


def script_stubborn(task, names):
    task.state("RUNNING")
    task.write(b"waiting\n")
    task.fgd.release.wait(20)
    essential_exit(task, {names[0]: 0})


def script_long(task, names):
    task.state("RUNNING")
    for i in range(100):
        task.write(b"%d\n" % i)
    task.write(b"\xff\n", "stderr")
    task.fgd.release.wait(20)
    task.write(b"late\n", "stderr", age=5)
    task.write(b"rest\n", lost=7)
    essential_exit(task, {names[0]: 3})


def script_restored(task, names):
    """In two lives of an fgd."""
    if task.lines[1:]:
        task.write(b"second\n")
        essential_exit(task, {names[0]: 0})
    else:
        task.state("RUNNING")
        task.write(b"first\n")


def script_nopull(task, names):
    task.stop("TaskFailedToStart", "CannotPullContainerError: no such image", {})


def script_pair(task, names):
    task.object["fgrun"]["endedBy"] = names[1]
    essential_exit(task, {names[0]: 143, names[1]: 7})


SCRIPTS = {name[len("script_"):]: function for name, function in list(globals().items())
           if name.startswith("script_")}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.fgd.connections.add(self.connection)

    def finish(self):
        self.server.fgd.connections.discard(self.connection)
        super().finish()

    def log_message(self, *args):
        pass

    def address_string(self):
        return "unix"

    def answer(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def fail(self, status, exception, message, errors=None):
        body = {"__type": exception, "message": message}
        if errors:
            body["errors"] = errors
        self.answer(body, status)

    def stream(self, lines):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines:
            data = json.dumps(line).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.close_connection = self.server.fgd.leaving

    def handle_any(self):
        fgd = self.server.fgd
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        parts = url.path.strip("/").split("/")
        if fgd.token and self.headers.get("Authorization") != f"Bearer {fgd.token}":
            self.fail(403, "AccessDeniedException", "a valid bearer token is needed")
            return
        fgd.requests.append((self.command, self.path, body))
        if parts[:2] == ["v1", "tasks"]:
            self.tasks(fgd, parts[2:], query, body)
        elif parts[:2] == ["v1", "images"]:
            self.images(fgd, parts[2:], query, body)
        elif parts == ["v1", "warm"]:
            entry = {"vcpus": 1, "memoryMiB": 512, "images": ["docker.io/library/busybox:latest"], "kept": True,
                     "wanted": 2, "ready": 1, "booting": 1}
            self.answer({"warm": [] if self.command == "DELETE" else [entry]})
        elif parts == ["v1", "prune"]:
            self.answer({"freedBytes": 1500000, "tasks": 2 if body["tasks"] else 0})
        elif parts == ["v1", "usage"]:
            row = {"tasks": 1, "seconds": 60, "vcpuMs": 3600000, "memoryMibMs": 30720000,
                   "storageMibMs": 0, "cost": "$0.0002", "costPico": 200, "open": False}
            self.answer({"by": query["by"], "currency": "USD", "prices": "us-east-1",
                         "groups": [dict(row, key="hello")], "total": row})
        elif parts == ["v1", "info"]:
            self.answer({"version": "0.1.0", "pid": os.getpid(),
                         "capacity": {"memoryMiB": 1024, "memoryMiBUsed": 512},
                         "accelerator": {"kind": "tcg", "reason": "no vmx or svm"},
                         "warnings": ["nothing serious"]})
        else:
            self.fail(404, "ResourceNotFoundException", "no such thing")

    do_GET = do_POST = do_DELETE = handle_any

    def tasks(self, fgd, rest, query, body):
        if not rest and self.command == "POST":
            self.create(fgd, body)
            return
        if not rest:
            wanted = query.get("status")
            found = [t.object for t in reversed(fgd.tasks.values())
                     if wanted in (None, t.object["lastStatus"])
                     or (wanted == "ACTIVE" and t.object["lastStatus"] != "STOPPED")]
            first, size = int(query.get("next", "at0")[2:]), min(fgd.page, int(query.get("limit", 100)))
            more = {"next": f"at{first + size}"} if len(found) > first + size else {}
            self.answer({"tasks": found[first:first + size], **more})
            return
        found = [t for t in fgd.tasks.values() if t.id.startswith(rest[0])]
        if len(found) != 1:
            self.fail(404, "ResourceNotFoundException", f"no task {rest[0]}")
            return
        task = found[0]
        if rest[1:] == ["stop"] and fgd.deaf > 0:
            fgd.deaf -= 1
            fgd.asked_to_stop.set()
            if fgd.deaf % 2:
                self.fail(500, "ServerException", "the disk is full")
            else:
                self.close_connection = True  # without an answer
        elif rest[1:] == ["stop"]:
            task.stop_reason = body.get("reason") or "Task stopped by user"
            task.stopping.set()
            fgd.stopped.set()
            self.answer({"task": task.object})
        elif rest[1:] == ["logs"]:
            self.stream(self.log(task, query))
        else:
            with task.changed:
                task.changed.wait_for(
                    lambda: "wait" not in query or task.object["lastStatus"] == "STOPPED", 20)
            self.answer({"task": task.object})

    def create(self, fgd, body):
        definition = body.get("taskDefinition", body)
        if "family" not in definition:
            self.fail(400, "InvalidParameterException", "2 errors in the task definition", [
                {"path": "$.family", "message": "is required"},
                {"path": "$.famly", "message": "unknown field; did you mean \"family\"?"}])
            return
        if definition["family"] == "toolarge":
            self.fail(503, "CapacityUnavailableException", "RESOURCE:MEMORY")
            return
        task = Task(fgd, body)
        fgd.tasks[task.id] = task
        threading.Thread(target=task.run, daemon=True).start()
        self.answer({"task": task.object}, 201)

    def log(self, task, query):
        sent, since = 0, nanoseconds(query["since"]) if "since" in query else 0
        while True:
            with task.changed:
                task.changed.wait_for(lambda: len(task.lines) > sent or "follow" not in query
                                      or task.object["lastStatus"] == "STOPPED"
                                      or task.fgd.leaving, 20)
                lines, stopped = task.lines[sent:], task.object["lastStatus"] == "STOPPED"
            for line in lines:
                if "event" in line and "events" not in query or line.get("timeNs", since) < since:
                    continue
                if query.get("container") in (None, line.get("container")):
                    yield line
            sent += len(lines)
            if stopped or task.fgd.leaving or "follow" not in query:
                return

    def images(self, fgd, rest, query, body):
        image = {"reference": "docker.io/library/busybox:latest", "manifest": "sha256:" + "ab" * 32,
                 "config": "sha256:" + "cd" * 32, "sizeBytes": 2200000, "layers": 1,
                 "pulledAt": NOW, "usedAt": NOW}
        if rest == ["pull"] and body["image"] == "missing":
            self.stream([{"error": {"__type": "ResourceNotFoundException",
                                    "message": "manifest unknown"}}])
        elif rest == ["pull"]:
            self.stream([{"status": "downloading", "doneBytes": 1100000, "totalBytes": 2200000,
                          "layersDone": 0, "layers": 1}, {"image": image}])
        elif self.command == "DELETE" and query["reference"] == "used":
            self.fail(409, "ConflictException", "a task uses it")
        elif self.command == "DELETE":
            self.answer({"removed": query["reference"]})
        else:
            self.answer({"images": [image]})


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


class TcpServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


class FakeFgd:
    """@path: of a unix socket; None: a free TCP port of 127.0.0.1, with a bearer token."""

    def __init__(self, path):
        self.tasks = {}
        self.requests = []
        self.connections = set()
        self.release = threading.Event()  # lets the scripts that wait for it go on
        self.stopped = threading.Event()  # set by a stop request
        self.leaving = False
        self.asked_to_stop = threading.Event()
        self.deaf = 0  # so many stop requests fail, or are lost with their connections
        self.page = 1000  # the most tasks of one answer
        self.journal = None  # a file that outlives this fgd
        self.path = path
        self.token = None if path else uuid.uuid4().hex
        self.server = Server(path, Handler) if path else TcpServer(("127.0.0.1", 0), Handler)
        self.server.fgd = self

    def start(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def save(self, task):
        if self.journal:
            with open(self.journal + ".new", "w", encoding="utf-8") as file:
                json.dump([task.id, task.request, task.object, task.lines, task.offsets], file)
            os.rename(self.journal + ".new", self.journal)

    def load(self, journal):
        self.journal = journal
        if os.path.exists(journal):
            with open(journal, encoding="utf-8") as file:
                saved = json.load(file)
            task = Task(self, saved[1])
            task.id, _, task.object, task.lines, task.offsets = saved
            self.tasks[task.id] = task
            threading.Thread(target=task.run, daemon=True).start()

    def crash(self):
        """Gone at once; its tasks run on."""
        self.server.shutdown()
        self.server.server_close()
        os.unlink(self.path)
        self.drop()

    def leave(self):
        """Gone in good order: streams get their end."""
        self.server.shutdown()
        self.server.server_close()
        os.unlink(self.path)
        self.leaving = True
        for task in self.tasks.values():
            with task.changed:
                task.changed.notify_all()

    def restart(self):
        self.leaving = False
        self.server = Server(self.path, Handler)
        self.server.fgd = self
        self.start()

    def drop(self):
        """Cuts every connection, as a killed fgd does."""
        for connection in list(self.connections):
            connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


def main():
    parser = argparse.ArgumentParser()
    for name in ("state", "cache", "run"):
        parser.add_argument(f"--{name}-dir", required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--idle-exit", type=int, required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    args = parser.parse_args()
    print("started", os.getpid(), "session", os.getsid(0), flush=True)
    path = args.listen.removeprefix("unix:")
    if os.path.exists(path):
        os.unlink(path)
    fgd = FakeFgd(path)
    fgd.load(f"{args.state_dir}/journal")
    threading.Timer(args.idle_exit, lambda: os._exit(0)).start()
    os.write(args.ready_fd, b"READY\n")  # and left open, as a helper of fgd's may
    fgd.server.serve_forever()


if __name__ == "__main__":
    main()
