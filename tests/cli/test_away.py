# SPDX-License-Identifier: Apache-2.0
"""fgrun whose fgd is not there: one that is lost and comes back, and one that fgrun starts itself."""

import json
import os
import pathlib
import re
import signal
import socket

import pytest

from conftest import Cli, FAKE, read_until


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
