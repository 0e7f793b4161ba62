# SPDX-License-Identifier: Apache-2.0
"""fgrun against a fake fgd: every command, exit statuses, streaming, signals, the embedded start."""

import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import fakefgd  # noqa: E402

FGRUN = os.environ["FGRUN"]
ESCAPE = re.compile(rb"\x1b\[")
FAKE = pathlib.Path(fakefgd.__file__)


def definition(family, *containers):
    containers = containers or ({"name": "app", "image": "busybox"},)
    return {"family": family, "containerDefinitions": list(containers)}


class Cli:
    def __init__(self, tmp, host):
        self.tmp = tmp
        self.env = {"PATH": os.environ["PATH"], "LSAN_OPTIONS": os.environ.get("LSAN_OPTIONS", ""),
                    "HOME": str(tmp), "TERM": "xterm",
                    "FGRUN_STATE_DIR": f"{tmp}/state", "FGRUN_CACHE_DIR": f"{tmp}/cache",
                    "FGRUN_RUN_DIR": f"{tmp}/run"}
        if host:
            self.env["FGRUN_HOST"] = host

    def file(self, family, *containers):
        path = self.tmp / f"{family}.json"
        path.write_text(json.dumps(definition(family, *containers)))
        return str(path)

    def start(self, *args, **kwargs):
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen([FGRUN, *args], env=self.env, **kwargs)

    def __call__(self, *args, stdin=b"", status=0):
        done = subprocess.run([FGRUN, *args], env=self.env, input=stdin, timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.returncode == status, (args, done)
        return done


@pytest.fixture
def fgd(tmp_path):
    fake = fakefgd.FakeFgd(str(tmp_path / "s"))
    fake.start()
    yield fake
    fake.close()


@pytest.fixture
def cli(tmp_path, fgd):
    return Cli(tmp_path, f"unix://{fgd.path}")


@pytest.fixture
def task_id(cli):
    done = cli("run", "--detach", cli.file("hello"))
    task = done.stdout.decode().splitlines()[-1]
    assert re.fullmatch("[0-9a-f]{32}", task)
    return task


def read_until(fd, wanted, seconds=15):
    """Bytes of @fd up to and with @wanted; fails when they do not come."""
    got = b""
    while wanted not in got:
        assert select.select([fd], [], [], seconds)[0], got
        try:
            chunk = os.read(fd, 4096)
        except OSError:  # EIO: the other end of a terminal is closed
            chunk = b""
        assert chunk, got
        got += chunk
    return got


# run

def test_run_streams_and_exits_with_the_container(cli):
    done = cli(cli.file("hello"), status=3)
    assert done.stdout == "hello\nno newline: \u00fc".encode()
    assert done.stderr == b"oops\n"


def test_run_reads_stdin_and_passes_options(cli, fgd):
    override = json.dumps({"cpu": "512"})
    done = cli("--quiet", "--tag", "a=b=c", "--started-by", "me", "--group", "g", "-d",
               "--override", override, "-", stdin=json.dumps(definition("hello")).encode())
    assert done.stdout.decode().strip() in fgd.tasks
    body = fgd.requests[0][2]
    assert body["taskDefinition"] == definition("hello")
    assert body["tags"] == [{"key": "a", "value": "b=c"}]
    assert (body["startedBy"], body["group"]) == ("me", "g")
    assert body["overrides"] == {"cpu": "512"}
    assert re.fullmatch("[0-9a-f]{32}", body["clientToken"])


def test_override_from_a_file(cli, fgd):
    path = cli.tmp / "over.json"
    path.write_text('{"memory": "1024"}')
    cli("run", "-d", "--override", str(path), cli.file("hello"))
    assert fgd.requests[0][2]["overrides"] == {"memory": "1024"}


def test_maximum_run_time(cli, fgd):
    """Beside the overrides that are given, and over them."""
    cli("run", "-d", "--max-run-time=1h30m", cli.file("hello"))
    assert fgd.requests[0][2]["overrides"] == {"fgrun": {"maxRunTime": 5400}}
    cli("run", "-d", "--max-run-time=90s", "--override", '{"cpu": "512", "fgrun": {"maxRunTime": 7}}', cli.file("hello"))
    assert fgd.requests[-1][2]["overrides"] == {"cpu": "512", "fgrun": {"maxRunTime": 90}}
    for wrong in ("", "0s", "90", "soon", "99999999999s"):
        done = cli("run", "-d", f"--max-run-time={wrong}", cli.file("hello"), status=64)
        assert b"maximum run time" in done.stderr


def test_relative_local_images_become_absolute(cli, fgd):
    cli(cli.file("hello", {"name": "a", "image": "oci:../x:t"}), status=3)
    assert fgd.requests[0][2]["taskDefinition"]["containerDefinitions"][0]["image"] == (
        f"oci:{cli.tmp.parent}/x:t")
    cli("pull", "oci:y")
    assert fgd.requests[-1][2]["image"] == f"oci:{os.getcwd()}/y"


def test_binary_output_survives(cli):
    assert cli("run", cli.file("binary")).stdout == fakefgd.BINARY + b"with\0zero\n"


def test_output_is_not_held_back(cli, fgd):
    process = cli.start("run", cli.file("slow"))
    assert read_until(process.stdout.fileno(), b"first") == b"first"
    assert not fgd.release.is_set()
    fgd.release.set()
    assert process.communicate(timeout=15)[0] == b"second"
    assert process.returncode == 0


def test_phases_and_cost(cli):
    done = cli("run", "--phases", cli.file("hello"), status=3)
    text = done.stderr.decode()
    assert re.search(r"accepted +0\.0 +0\.0", text)
    assert re.search(r"started +344\.5 +344\.5", text)
    assert re.search(r"typed to first byte \d+\.\d ms", text)
    assert "cost $0.000205708 for 1m" in text
    assert b"phase" not in cli("run", "--phases", "-q", cli.file("hello"), status=3).stderr.lower()


def test_run_json_is_the_stream_and_the_task(cli):
    lines = [json.loads(line) for line in cli("run", "--json", cli.file("hello"), status=3)
             .stdout.splitlines()]
    assert lines[-1]["task"]["lastStatus"] == "STOPPED"
    assert [x["data"] for x in lines if x.get("stream") == "stderr"] == ["oops\n"]
    assert [x["lastStatus"] for x in lines if x.get("event") == "state"] == [
        "PENDING", "RUNNING", "STOPPED"]


def test_statuses_of_failures(cli):
    done = cli(cli.file("nopull"), status=125)
    assert b"CannotPullContainerError: no such image" in done.stderr
    assert b"RESOURCE:MEMORY" in cli(cli.file("toolarge"), status=75).stderr
    assert b"No such file" in cli("run", "/nowhere.json", status=66).stderr
    (cli.tmp / "broken.json").write_text("{ nonsense")
    assert b"line 1" in cli(str(cli.tmp / "broken.json"), status=64).stderr
    cli("run", status=64)
    cli("run", "a.json", "b.json", status=64)
    cli("run", "--nonsense", "a.json", status=64)


def test_status_of_the_container_that_ended_the_task(cli):
    first, second = {"name": "a", "image": "x"}, {"name": "b", "image": "x"}
    cli(cli.file("pair", first, second), status=7)
    cli(cli.file("pair", first, dict(second, essential=False)), status=143)


def test_a_directory_is_no_definition(cli):
    assert b"directory" in cli(str(cli.tmp), status=64).stderr


def test_validation_errors_one_per_line(cli):
    path = cli.tmp / "bad.json"
    path.write_text("{}")
    lines = cli(str(path), status=64).stderr.decode().splitlines()
    assert lines == ["fgrun: 2 errors:", "$.family: is required",
                     '$.famly: unknown field; did you mean "family"?']
    error = json.loads(cli("run", "--json", str(path), status=64).stderr)
    assert error["__type"] == "InvalidParameterException" and len(error["errors"]) == 2


def test_interrupt_stops_the_task_once(cli, fgd):
    process = cli.start(cli.file("wait"))
    read_until(process.stdout.fileno(), b"waiting\n")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=15)
    assert process.returncode == 143
    assert out == b"bye\n" and b"interrupted" in err
    assert [path for _, path, _ in fgd.requests if path.endswith("/stop")] == [
        f"/v1/tasks/{next(iter(fgd.tasks))}/stop"]


def test_second_interrupt_detaches(cli, fgd):
    process = cli.start(cli.file("stubborn"))
    read_until(process.stdout.fileno(), b"waiting\n")
    process.send_signal(signal.SIGTERM)
    assert fgd.stopped.wait(15)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=15)
    assert process.returncode == 130
    assert f"detached; 'fgrun logs -f {next(iter(fgd.tasks))[:12]}'".encode() in err
    assert next(iter(fgd.tasks.values())).object["lastStatus"] == "RUNNING"


def test_closed_output_stops_the_task(cli, fgd):
    read, write = os.pipe()
    os.close(read)
    process = cli.start(cli.file("wait"), stdout=write)
    os.close(write)
    process.communicate(timeout=15)
    assert process.returncode == 143
    assert next(iter(fgd.tasks.values())).object["stoppedReason"].endswith("closed)")


# the terminal

def on_terminal(cli, *args, status=0, env=None):
    controller, terminal = pty.openpty()
    cli.env.update(env or {})
    process = cli.start(*args, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    got = b""
    while select.select([controller], [], [], 15)[0]:
        try:
            got += os.read(controller, 65536)
        except OSError:
            break
    os.close(controller)
    assert process.wait(timeout=15) == status, got
    return got


def test_terminal_shows_progress_states_and_phases(cli):
    got = on_terminal(cli, cli.file("hello"), status=3)
    assert b"busybox [>" in got and b"0% 0 B/100 B 0/1 layers" in got
    assert b"RUNNING" in got and b"typed to first byte" in got
    assert b"\x1b[2m" in got


def test_no_color_and_quiet_on_a_terminal(cli):
    got = on_terminal(cli, "ps", "-a", env={"NO_COLOR": "1"})
    assert not re.search(rb"\x1b\[[0-9;]*m", got)
    got = on_terminal(cli, "-q", cli.file("hello"), status=3)
    assert got == "hello\r\noops\r\nno newline: \u00fc".encode()


def test_nothing_coloured_when_piped(cli, task_id):
    for args in (["ps", "-a"], ["inspect", task_id], ["images"], ["info"], ["pull", "x"]):
        done = cli(*args)
        assert not ESCAPE.search(done.stdout + done.stderr)


def test_prune_asks_on_a_terminal(cli, fgd):
    controller, terminal = pty.openpty()
    process = cli.start("prune", stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    read_until(controller, b"[y/N]")
    os.write(controller, b"n\n")
    assert process.wait(timeout=15) == 1
    os.close(controller)
    assert not fgd.requests


# the other commands

def test_ps(cli, fgd):
    cli("run", cli.file("hello"), status=3)
    running = cli("run", "-d", cli.file("stubborn")).stdout.decode().strip()
    lines = cli("ps").stdout.decode().splitlines()
    assert len(lines) == 2 and lines[1].startswith(running[:12])
    assert lines[0].split()[:4] == ["ID", "FAMILY", "STATUS", "CREATED"]
    assert "3 (app)" in cli("ps", "-a").stdout.decode() and " ago " in cli("ps").stdout.decode()
    assert len(json.loads(cli("ps", "--status=STOPPED", "--json").stdout)["tasks"]) == 1
    cli("ps", "--family", "a&b")
    assert fgd.requests[-1][1] == "/v1/tasks?status=ACTIVE&family=a%26b&limit=200"


def test_ps_reads_all_pages(cli, fgd):
    ids = [cli("run", "-d", cli.file("stubborn")).stdout.decode().strip() for _ in range(5)]
    fgd.page = 2
    before = len(fgd.requests)
    assert [t["taskArn"][-32:] for t in json.loads(cli("ps", "--json").stdout)["tasks"]] == ids[::-1]
    assert [r[1].partition("next=")[2] for r in fgd.requests[before:]] == ["", "at2", "at4"]
    assert [line[:12] for line in cli("ps").stdout.decode().splitlines()[1:]] == [i[:12] for i in ids[::-1]]


def test_inspect(cli, task_id):
    task = json.loads(cli("inspect", "--json", task_id).stdout)
    assert task["taskArn"].endswith(task_id) and task["healthStatus"] == "UNKNOWN"
    cli("logs", "-f", task_id)
    task = json.loads(cli("--json", "inspect", task_id[:8]).stdout)
    assert task["lastStatus"] == "STOPPED" and task["containers"][0]["exitCode"] == 3
    assert task["stoppedReason"] == "Essential container in task exited"
    text = cli("inspect", task_id).stdout.decode()
    assert task_id in text and "EssentialContainerExited" in text and "accepted" in text
    assert b"no task ffff" in cli("inspect", "ffff", status=66).stderr


def test_logs(cli, fgd, task_id):
    done = cli("logs", "-f", task_id)
    assert (done.stdout, done.stderr) == ("hello\nno newline: \u00fc".encode(), b"oops\n")
    stamped = cli("logs", "--timestamps", task_id).stdout.decode()
    assert stamped == f"{fakefgd.NOW} hello\n{fakefgd.NOW} no newline: \u00fc"
    assert cli("logs", "--container", "other", task_id).stdout == b""
    lines = cli("logs", "--json", task_id).stdout.splitlines()
    assert json.loads(lines[0])["data"] == "hello\n"
    cli("logs", "--since", "2026-01-02", task_id)
    assert fgd.requests[-1][1].endswith("/logs?since=2026-01-02T00%3A00%3A00.000Z")
    assert b"expected a duration" in cli("logs", "--since", "soon", task_id, status=64).stderr


def test_stop(cli, fgd):
    tasks = [cli("run", "-d", cli.file("wait")).stdout.decode().strip() for _ in range(2)]
    done = cli("stop", "--wait", "--reason", "enough", *tasks)
    assert done.stdout.decode() == "".join(f"{t[:12]} STOPPED\n" for t in tasks)
    assert {t.object["stoppedReason"] for t in fgd.tasks.values()} == {"enough"}
    stopped = json.loads(cli("stop", "--json", tasks[0]).stdout)
    assert stopped["tasks"][0]["lastStatus"] == "STOPPED"
    cli("stop", "ffff", status=66)


def test_images(cli, fgd):
    done = cli("pull", "busybox", "alpine")
    assert done.stdout.decode().splitlines()[0] == f"busybox sha256:{'ab' * 32} 2.2 MB"
    assert "image" in json.loads(cli("pull", "--json", "busybox").stdout.splitlines()[-1])
    assert b"pull missing: manifest unknown" in cli("pull", "missing", status=66).stderr
    table = cli("images").stdout.decode().splitlines()
    assert table[1].split()[:5] == ["docker.io/library/busybox:latest", "ab" * 6, "2.2", "MB", "1"]
    assert len(json.loads(cli("images", "--json").stdout)["images"]) == 1
    assert cli("image", "rm", "a/b:c").stdout == b"removed a/b:c\n"
    assert fgd.requests[-1][:2] == ("DELETE", "/v1/images?reference=a%2Fb%3Ac")
    assert json.loads(cli("image", "rm", "--json", "x").stdout) == {"removed": ["x"]}
    assert b"a task uses it" in cli("image", "rm", "used", status=73).stderr


def test_warm(cli, fgd):
    shown = b"docker.io/library/busybox:latest: 1 of 2 ready, 1 vCPU, 512 MiB\n"
    assert cli("warm", "busybox", "--count", "2", "--cpu=512", "--memory=1024").stdout == shown
    assert [request[:2] for request in fgd.requests[-2:]] == [("POST", "/v1/images/pull"), ("POST", "/v1/warm")]
    assert fgd.requests[-1][2] == {"image": "busybox", "count": 2, "cpu": "512", "memory": "1024"}
    assert cli("warm").stdout == shown
    assert json.loads(cli("warm", "--json", "busybox").stdout)["warm"][0]["wanted"] == 2
    assert cli("warm", "busybox", "--off").stdout == b""
    assert fgd.requests[-1][:2] == ("DELETE", "/v1/warm?image=busybox")
    assert b"an image is needed" in cli("warm", "--off", status=64).stderr
    assert b"--count=none" in cli("warm", "x", "--count=none", status=64).stderr
    assert b"one image at a time" in cli("warm", "x", "y", status=64).stderr
    assert b"warm missing: manifest unknown" in cli("warm", "missing", status=66).stderr


def test_prune(cli, fgd):
    assert cli("prune").stdout == b"freed 1.5 MB\n"
    assert cli("prune", "--all", "-y").stdout == b"freed 1.5 MB, forgot 2 tasks\n"
    assert fgd.requests[-1][2] == {"images": True, "tasks": True}
    assert json.loads(cli("prune", "--json").stdout)["freedBytes"] == 1500000


def test_usage(cli, fgd):
    lines = cli("usage", "--by", "family", "--since", "2026-01-01").stdout.decode().splitlines()
    assert lines[0].split()[0] == "FAMILY"
    assert lines[1].split() == ["hello", "1", "1m", "1.000", "0.008", "0.000", "$0.0002"]
    assert lines[2].split()[0] == "total"
    assert fgd.requests[-1][1] == "/v1/usage?by=family&since=2026-01-01T00%3A00%3A00.000Z"
    assert json.loads(cli("usage", "--json").stdout)["by"] == "task"
    cli("usage", "--by", "week", status=64)


def test_info_version_help(cli):
    text = cli("info").stdout.decode()
    assert re.search(r"memory MiB used +512", text) and "- nothing serious" in text
    assert json.loads(cli("info", "--json").stdout)["accelerator"]["kind"] == "tcg"
    assert cli("version").stdout.startswith(b"fgrun ")
    assert cli("--version").stdout == cli("version").stdout
    assert json.loads(cli("version", "--json").stdout)["version"]
    overview = cli("help").stdout.decode()
    for command in ("run", "ps", "image rm", "usage"):
        assert re.search(rf"^  {command} ", overview, re.M)
        assert b"Usage: fgrun" in cli("help", *command.split()).stdout
        assert b"--json" in cli(*command.split(), "--help").stdout
    assert cli().stdout.decode() == overview == cli("--help").stdout.decode()


def test_unknown_words(cli):
    assert b"did you mean 'images'" in cli("imags", status=64).stderr
    assert b"see 'fgrun help'" in cli("completelyother", status=64).stderr
    cli("help", "nothing", status=64)


# which fgd

def test_host_errors(tmp_path):
    cli = Cli(tmp_path, None)
    done = cli("ps", "--host", f"unix://{tmp_path}/none", status=69)
    assert b"no fgd answers" in done.stderr and b"fgrun starts one itself" in done.stderr
    cli("ps", "--host", "ftp://x", status=64)
    cli("ps", "--host", "http://127.0.0.1:1", status=69)


def test_tcp_with_a_token(tmp_path):
    fake = fakefgd.FakeFgd(None)
    fake.start()
    cli = Cli(tmp_path, f"http://127.0.0.1:{fake.server.server_port}")
    cli.env["http_proxy"] = "http://127.0.0.1:1"
    assert b"FGRUN_TOKEN" in cli("ps", status=77).stderr
    cli.env["FGRUN_TOKEN"] = fake.token
    cli("ps")
    del cli.env["FGRUN_TOKEN"]
    (tmp_path / "state").mkdir()
    (tmp_path / "state/token").write_text(fake.token + "\n")
    cli(cli.file("hello"), status=3)
    fake.close()


def test_lost_fgd(cli, fgd):
    cli.env["FGRUN_RECONNECT"] = "0"
    process = cli.start(cli.file("slow"))
    read_until(process.stdout.fileno(), b"first")
    fgd.drop()
    _, err = process.communicate(timeout=15)
    assert process.returncode == 69
    assert b"may still run" in err and b"lost fgd" in err


LONG = b"".join(b"%d\n" % i for i in range(100)) + b"rest\n"
AWAY = b"fgrun: lost fgd, trying to reach it again\n"


def interrupted_by(fgd, how, process):
    """What @process wrote by the time it had noticed that its fgd has gone."""
    out = read_until(process.stdout.fileno(), b"99\n")
    err = read_until(process.stderr.fileno(), b"\xff\n")
    getattr(fgd, how)()
    return out, err + read_until(process.stderr.fileno(), AWAY)


@pytest.mark.parametrize("how", ["crash", "leave"])
@pytest.mark.parametrize("command", ["run", "logs"])
def test_a_returning_fgd_is_reached_again(cli, fgd, how, command):
    args = ["run", cli.file("long")]
    if command == "logs":
        args = ["logs", "-f", cli("run", "-d", *args[1:]).stdout.decode().strip()[:8]]
    process = cli.start(*args)
    out, err = interrupted_by(fgd, how, process)
    fgd.release.set()
    fgd.restart()
    rest = process.communicate(timeout=15)
    assert process.returncode == (3 if command == "run" else 0)
    assert out + rest[0] == LONG
    assert err + rest[1] == (b"\xff\n" + AWAY + b"late\n"
                             b"fgrun: 7 bytes of app's stdout were rotated away\n")
    logs = [path for _, path, _ in fgd.requests if "/logs?" in path]
    assert len(logs) == 2 and "since" not in logs[0]
    # 100 records and up to two events before the last one, of which a minute is read again
    assert re.search(r"since=2026-01-02T03%3A04%3A4[67]\.678Z", logs[1])


def test_a_returning_fgd_is_told_to_stop(cli, fgd):
    """The stop is sent while fgd is away, and again to one that dies before it has answered."""
    process = cli.start(cli.file("wait"))
    read_until(process.stdout.fileno(), b"waiting\n")
    fgd.crash()
    read_until(process.stderr.fileno(), AWAY)
    process.send_signal(signal.SIGINT)
    fgd.deaf = 1000
    fgd.restart()
    assert fgd.asked_to_stop.wait(15)
    fgd.crash()
    read_until(process.stderr.fileno(), AWAY)
    fgd.deaf = 0
    fgd.restart()
    assert process.communicate(timeout=15)[0] == b"bye\n"
    assert process.returncode == 143


def test_a_stop_is_repeated_until_it_is_answered(cli, fgd):
    """The stream of output goes on, only the stops get lost."""
    process = cli.start(cli.file("wait"))
    read_until(process.stdout.fileno(), b"waiting\n")
    fgd.deaf = 4
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=15)[0] == b"bye\n"
    assert process.returncode == 143 and fgd.deaf == 0
    assert sum(1 for method, path, _ in fgd.requests if path.endswith("/stop")) == 5


def test_an_fgd_that_stays_away(cli, fgd):
    cli.env["FGRUN_RECONNECT"] = "1"
    process = cli.start(cli.file("long"))
    interrupted_by(fgd, "crash", process)
    _, err = process.communicate(timeout=15)
    assert process.returncode == 69
    assert b"may still run" in err and b"no fgd answers" in err
    fgd.restart()


def test_detached_while_fgd_is_away(cli, fgd):
    process = cli.start(cli.file("long"))
    interrupted_by(fgd, "crash", process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=15)
    assert process.returncode == 130 and b"detached" in err
    fgd.restart()


def embedded(tmp_path, fgd):
    cli = Cli(tmp_path, None)
    cli.env.update(FGRUN_FGD=str(fgd), FGRUN_IDLE_EXIT="30")
    return cli


def test_embedded_start_is_shared(tmp_path):
    cli = embedded(tmp_path, FAKE)
    racers = [cli.start("info", "--json") for _ in range(4)]
    pids = {json.loads(racer.communicate(timeout=20)[0])["pid"] for racer in racers}
    pid = pids.pop()
    try:
        assert not pids
        assert json.loads(cli("info", "--json").stdout)["pid"] == pid
        log = (tmp_path / "state/fgd.log").read_text()
        assert log == f"started {pid} session {pid}\n"
        inherited = sorted(int(fd) for fd in os.listdir(f"/proc/{pid}/fd"))
        assert inherited[:3] == [0, 1, 2]
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
        cli(cli.file("hello"), status=3)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_embedded_fgd_is_started_again(tmp_path):
    cli = embedded(tmp_path, FAKE)
    process = cli.start(cli.file("restored"))
    out = read_until(process.stdout.fileno(), b"first\n")
    pid = json.loads(cli("info", "--json").stdout)["pid"]
    os.kill(pid, signal.SIGKILL)
    rest, err = process.communicate(timeout=15)
    assert (out + rest, err, process.returncode) == (b"first\nsecond\n", AWAY, 0)
    os.kill(json.loads(cli("info", "--json").stdout)["pid"], signal.SIGKILL)


def test_the_place_of_another_fgd_is_not_taken(tmp_path):
    cli = embedded(tmp_path, FAKE)
    path = pathlib.Path(cli.env["FGRUN_RUN_DIR"]) / "fgd.sock"
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(path))
    assert b"fgrun did not start it" in cli("ps", status=69).stderr
    path.unlink()
    os.kill(json.loads(cli("info", "--json").stdout)["pid"], signal.SIGKILL)


def test_embedded_failure_is_told(tmp_path):
    script = tmp_path / "fgd"
    script.write_text("#!/bin/sh\necho 'the database is newer than this fgd' >&3\nexit 1\n")
    script.chmod(0o755)
    done = embedded(tmp_path, script)("ps", status=69)
    assert b"fgd did not start: the database is newer than this fgd" in done.stderr
    script.write_text("#!/bin/sh\necho ERROR no more room >&3\nexit 1\n")
    assert b"did not start: no more room" in embedded(tmp_path, script)("ps", status=69).stderr
    script.write_text("#!/bin/sh\necho early; echo fgd: bad option >&2\nexit 64\n")
    assert b"did not start: fgd: bad option" in embedded(tmp_path, script)("ps", status=69).stderr
    script.write_text("#!/bin/sh\nexit 1\n")
    assert b"without a word" in embedded(tmp_path, script)("ps", status=69).stderr
    assert b"start /nowhere/fgd" in embedded(tmp_path, "/nowhere/fgd")("ps", status=66).stderr


# what goes with it

def test_manual_and_completions_know_every_option(cli):
    source = pathlib.Path(os.environ["SOURCE_ROOT"])
    manual = (source / "docs/man/fgrun.1").read_text().replace("\\-", "-")
    shells = [(source / "completions" / name).read_text().replace("-l ", "--")
              for name in ("fgrun.bash", "_fgrun", "fgrun.fish")]
    commands = re.findall(r"^  ((?:image|keys|secret) [a-z]+|[a-z]+) ", cli("help").stdout.decode(), re.M)
    assert len(commands) > 12
    for command in commands:
        assert command in manual
        if command == "help":
            continue
        options = re.findall(r"--[a-z-]+", cli("help", *command.split()).stdout.decode())
        for option in set(options) - {"--usage", "--help"}:
            for text in shells + [manual]:
                assert option in text, (command, option, text[:40])


def test_bash_completion():
    script = """source "$SOURCE_ROOT/completions/fgrun.bash"; compopt() { :; }
                COMP_WORDS=($1 "$2"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _fgrun
                echo "${COMPREPLY[@]}" """
    for words, last, expected in (("fgrun", "lo", "logs"), ("fgrun --host x", "ins", "inspect"),
                                  ("fgrun usage", "--by=f", "--by=family"),
                                  ("fgrun image", "", "rm")):
        done = subprocess.run(["bash", "-c", script, "bash", words, last], check=True,
                              stdout=subprocess.PIPE)
        assert done.stdout.decode().strip() == expected
