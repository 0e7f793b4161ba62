# SPDX-License-Identifier: Apache-2.0
"""fgrun against a fake fgd: every command, exit statuses, streaming, signals."""

import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess

import fakefgd
from conftest import Cli, definition, read_until

ESCAPE = re.compile(rb"\x1b\[")


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
