# SPDX-License-Identifier: Apache-2.0
"""A place to run fgrun as a new user does: its own directories, real guests, no trace afterwards."""

import contextlib
import glob
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "lib"), str(ROOT / "tests")]

import fgd as harness  # noqa: E402
import leftovers  # noqa: E402

BUILD = pathlib.Path(os.environ["FGRUN_BUILD"])
FGRUN = str(BUILD / "cli" / "fgrun")
FGD = str(BUILD / "api" / "fgd")
SHELL = ["sh", "-c"]


def definition(image, command, *, family="e2e", task=None, **container):
    """A task definition of one container that runs a shell command."""
    return {"family": family, "cpu": "256", "memory": "512", **(task or {}),
            "containerDefinitions": [{"name": "app", "image": image,
                                      "command": [*SHELL, command] if isinstance(command, str) else command,
                                      **container}]}


def figure(text):
    """A measured value, for whoever reads the test log."""
    print(f"figure: {text}")


def wait_for(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)
    return value


def processes_naming(text):
    """Processes, zombies aside, that were started with a word that contains @text."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = pathlib.Path(path).read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if text in words and int(path.split("/")[2]) != os.getpid():
                found[int(path.split("/")[2])] = words[:200]
    return found


def mergeable(pid):
    """The mappings of a process that it lets KSM merge with those of others, each as its first line in smaps."""
    found, mapping = [], None
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmFlags:"):
            found += [mapping] if "mg" in line.split() else []
        elif "-" in line.split()[0]:
            mapping = line
    assert mapping
    return found


def status_of(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return line.split()[1:]
    raise KeyError(field)


def rss_mib(pid):
    return int(status_of(pid, "VmRSS")[0]) / 1024


class Lab:
    """Directories, an fgd (once start() was called), and the fgrun that belongs to them."""

    def __init__(self, directory, **settings):
        self.directory = directory
        self.fgd = harness.Fgd(FGD, directory, hypervisor="embed", settings=settings)
        self.env = {**{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
                    "FGRUN_STATE_DIR": f"{directory}/state", "FGRUN_CACHE_DIR": f"{directory}/cache",
                    "FGRUN_RUN_DIR": f"{directory}/run", "HOME": directory}
        self.ids = set()
        self.prefix, self.program = [], FGRUN
        self.mounted = []  # by a test, gone with the lab

    def become(self, user):
        """All of it runs as an ordinary user, who need not be able to read where it was built."""
        build = f"{self.directory}/build"
        for path in (self.directory, build):
            os.makedirs(path, exist_ok=True)
            os.chown(path, user, user)
        subprocess.run(["mount", "--bind", BUILD, build], check=True)
        kernel = shutil.copy(BUILD / "guest-init" / "vmlinux", self.directory)  # it was a link
        self.fgd.settings["kernel"] = kernel
        self.fgd.user, self.fgd.program = user, f"{build}/api/fgd"
        self.prefix, self.program = harness.as_user(user, self.directory), f"{build}/cli/fgrun"

    def leave(self):
        while self.mounted:
            subprocess.run(["umount", "-l", self.mounted.pop()], check=True)
        if self.prefix:
            subprocess.run(["umount", "-l", f"{self.directory}/build"], check=True)
        self.prefix = []

    # ---- fgrun ----

    def fgrun(self, *args, check=True, timeout=120, **more):
        done = subprocess.run([*self.prefix, self.program, *map(str, args)], env=self.env, stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, **more)
        assert not check or done.returncode == 0, f"fgrun {args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def popen(self, *args, **more):
        return subprocess.Popen([*self.prefix, self.program, *map(str, args)], env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def file(self, task):
        with tempfile.NamedTemporaryFile("w", dir=self.directory, suffix=".json", delete=False) as out:
            json.dump(task, out)
        os.chmod(out.name, 0o644)
        return out.name

    def run(self, task, *options, check=False, **more):
        return self.fgrun("run", *options, self.file(task), check=check, **more)

    def detach(self, task, *options):
        task_id = self.fgrun("run", "--detach", *options, self.file(task)).stdout.splitlines()[-1]
        self.ids.add(task_id)
        return task_id

    def inspect(self, task_id):
        return json.loads(self.fgrun("inspect", "--json", task_id).stdout)

    def wait(self, task_id, status="STOPPED"):
        return self.fgd.get(task_id, wait=status)

    def latest(self):
        return json.loads(self.fgrun("ps", "--all", "--json").stdout)["tasks"][0]

    # ---- what can be seen from outside ----

    def qemu(self, task_id):
        path = f"{self.directory}/state/libvirt/run/qemu/fgrun-{task_id}.pid"
        return int(pathlib.Path(path).read_text(encoding="ascii"))

    def left_over(self):
        """What tasks leave while they exist, and nothing after they have stopped."""
        found = [words for words in processes_naming(self.directory).values() if "qemu-system" in words]
        found += glob.glob(f"{self.directory}/state/tasks/*") + glob.glob(f"{self.directory}/run/[0-9a-f]*[0-9a-f]")
        found += glob.glob(f"{self.directory}/state/libvirt/run/qemu/fgrun-*")
        found += glob.glob(f"{self.directory}/state/libvirt/lib/qemu/domain-*")
        found += glob.glob(f"{self.directory}/state/libvirt/lib/qemu/channel/target/*")
        tasks = os.listdir(f"{self.directory}/state/logs") if os.path.isdir(f"{self.directory}/state/logs") else []
        return found + [path for path in leftovers.cgroups() if any(task in path for task in tasks)]

    def settle(self):
        """Stop what still runs; then nothing is left of any task."""
        for task in self.fgd.call("GET", "/v1/tasks?status=ACTIVE")["tasks"]:
            self.fgd.call("POST", f"/v1/tasks/{task['fgrun']['id']}/stop", {})
        wait_for(lambda: not self.fgd.call("GET", "/v1/tasks?status=ACTIVE")["tasks"], "tasks stop", 60)
        if self.fgd.settings["warm-memory-mib"] == "0":
            self.assert_clean()  # else guests wait, until their fgd leaves

    def assert_clean(self):
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.left_over(), "clean", 60)
        left = self.left_over()
        assert not left, f"left over: {left}"


@contextlib.contextmanager
def lab(start=True, user=0, **settings):
    """A fresh lab for the time of a with-block; it fails when something is left of it."""
    directory = tempfile.mkdtemp(prefix="fgrun-e2e-", dir="/tmp")
    os.chmod(directory, 0o711)
    mounts = pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8")
    it = Lab(directory, **{key.replace("_", "-"): value for key, value in settings.items()})
    try:
        if user:
            it.become(user)
        if start:
            it.fgd.start()
        yield it
        if it.fgd.process:
            it.settle()
            assert it.fgd.stop() == 0
            it.assert_clean()
        it.leave()
        assert processes_naming(directory) == {}
        assert directory not in mounts and leftovers_in_mounts(directory) == []
    except BaseException:
        for log in (f"{directory}/fgd.log", f"{directory}/state/fgd.log"):
            if os.path.exists(log):
                print(pathlib.Path(log).read_text(encoding="utf-8", errors="replace")[-20000:])
        it.fgd.stop()
        for pid in processes_naming(directory):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        raise
    finally:
        it.leave()
        harness.unmount(directory)
        shutil.rmtree(directory, ignore_errors=True)


def leftovers_in_mounts(directory):
    return [line for line in leftovers.lines("/proc/self/mounts", lambda line: directory in line)]
