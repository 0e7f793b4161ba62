# SPDX-License-Identifier: Apache-2.0
"""A real fgd for tests: its own directories, its socket, and a small HTTP client for it."""

import contextlib
import glob
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import shutil


def unmount(directory):
    """What an fgd that was not stopped leaves mounted there."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        for path in [line.split()[1] for line in mounts if directory in line]:
            subprocess.run(["umount", "-l", path], check=False, stderr=subprocess.DEVNULL)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=120, user=0):
        super().__init__("localhost", timeout=timeout)
        self.path = path
        self.user = user

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        if self.user:
            os.seteuid(self.user)  # who connects is who asks
        try:
            self.sock.connect(self.path)
        finally:
            if self.user:
                os.seteuid(0)


def as_user(user, home):
    """What precedes a command that is to run as an ordinary user."""
    return ["env", f"HOME={home}", "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []


class Failure(Exception):
    """An answer that is not 2xx."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body.get('__type')}: {body.get('message')}")
        self.status = status
        self.body = body


class Fgd:
    """fgd as a child process; kill() and start() again keep its state."""

    def __init__(self, program, directory, *, hypervisor, settings=None):
        self.program = program
        self.directory = directory
        self.settings = {
            "state-dir": f"{directory}/state",
            "cache-dir": f"{directory}/cache",
            "run-dir": f"{directory}/run",
            "hypervisor": hypervisor,
            "log-level": "debug",
            "warm-memory-mib": "0",
            "network": "none",
            **(settings or {}),
        }
        self.socket = f"{directory}/run/fgd.sock"
        self.process = None
        self.log = None
        self.user = 0  # or an ordinary user, who needs a home

    def start(self):
        ready, theirs = os.pipe()
        flags = [f"--{key}={value}" for key, value in self.settings.items()]
        self.log = open(f"{self.directory}/fgd.log", "a", encoding="utf-8")
        command = [*as_user(self.user, self.directory), self.program, f"--ready-fd={theirs}", *flags]
        self.process = subprocess.Popen(command, pass_fds=[theirs],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        os.close(theirs)
        with os.fdopen(ready, encoding="utf-8") as pipe:
            line = pipe.readline()
        if line != "READY\n":
            self.process.wait(30)
            raise RuntimeError(f"fgd did not start: {line}{self.output()}")
        return self

    def output(self):
        with open(f"{self.directory}/fgd.log", encoding="utf-8") as log:
            return log.read()

    def pid(self):
        """The daemon itself; self.process is its reaper."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as children:
            pids = children.read().split()
        for pid in pids:
            with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
                if comm.read().strip() == "fgd":
                    return int(pid)
        raise RuntimeError("fgd has no daemon process")

    def kill(self):
        """As a crash: no chance to clean up."""
        os.kill(self.pid(), signal.SIGKILL)
        self.process.wait(30)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        return self.process.returncode if self.process else None

    def stop_tasks(self):
        """VMs outlive fgd: a test that is over must end what still runs."""
        if not os.path.exists(self.socket):
            return  # it listens elsewhere
        active = [task["fgrun"]["id"] for task in self.call("GET", "/v1/tasks?status=ACTIVE")["tasks"]]
        for task_id in active:
            self.call("POST", f"/v1/tasks/{task_id}/stop", {})
        for task_id in active:
            self.get(task_id, wait="STOPPED")

    def kill_guests(self):
        """After a failed test: whatever the fake hypervisor has started."""
        for path in glob.glob(f"{self.directory}/run/*/pid"):
            with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
                os.kill(int(file.read()), signal.SIGKILL)
        for path in glob.glob(f"{self.directory}/run/pods/runc/*"):
            state, name = os.path.split(path)
            subprocess.run(["runc", "--root", state, "delete", "--force", name], check=False)

    # ---- requests ----

    def request(self, method, path, body=None, timeout=120):
        connection = UnixConnection(self.socket, timeout, self.user)
        data = body if isinstance(body, (bytes, str)) or body is None else json.dumps(body)
        connection.request(method, path, data)
        return connection.getresponse()

    def call(self, method, path, body=None, timeout=120):
        response = self.request(method, path, body, timeout)
        text = response.read()
        answer = json.loads(text)
        if response.status >= 300:
            raise Failure(response.status, answer)
        return answer

    def run(self, definition, **members):
        return self.call("POST", "/v1/tasks", {"taskDefinition": definition, **members})["task"]

    def get(self, task_id, wait=None):
        return self.call("GET", f"/v1/tasks/{task_id}" + (f"?wait={wait}" if wait else ""))["task"]

    def stopped(self, task):
        return self.get(task["fgrun"]["id"], wait="STOPPED")

    def logs(self, task_id, query=""):
        """The records of a log stream, to its end."""
        response = self.request("GET", f"/v1/tasks/{task_id}/logs{query}")
        lines = response.read().decode().splitlines()
        if response.status != 200:
            raise Failure(response.status, json.loads(lines[0]))
        return [json.loads(line) for line in lines]

    def output_of(self, task_id, stream="stdout", container=None):
        import base64
        return b"".join(
            base64.b64decode(record["dataBase64"]) if "dataBase64" in record else record["data"].encode()
            for record in self.logs(task_id)
            if record.get("stream") == stream and container in (None, record["container"]))


@contextlib.contextmanager
def running(program, hypervisor, **settings):
    """A fresh fgd for the time of a with-block; on the way out it and its directory go."""
    directory = tempfile.mkdtemp(prefix="fgrun-test-", dir="/tmp")
    os.chmod(directory, 0o711)
    fgd = Fgd(program, directory, hypervisor=hypervisor,
              settings={key.replace("_", "-"): value for key, value in settings.items()})
    try:
        yield fgd.start()
        if fgd.process.poll() is None:
            fgd.stop_tasks()
        assert fgd.stop() == 0, "fgd left with an error"  # a sanitizer's report, among others
    except BaseException:
        print(fgd.output())
        try:
            fgd.stop()
        finally:
            fgd.kill_guests()
        raise
    finally:
        unmount(directory)
        shutil.rmtree(directory, ignore_errors=True)
