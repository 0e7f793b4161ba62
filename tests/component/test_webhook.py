# SPDX-License-Identifier: Apache-2.0
"""Events posted to a URL: in order, signed, again until they are taken, also after a crash."""

import contextlib
import hashlib
import hmac
import http.server
import json
import ssl
import subprocess
import threading
import time

import pytest

SECRET = "a-secret-that-signs-events"


class Receiver:
    """Takes events; what it answers is for the test to say."""

    def __init__(self):
        self.lock = threading.Condition()
        self.taken = []    # events, in the order of arrival
        self.attempts = []  # (event number, headers, body, answer)
        self.turned_away = 0  # clients who did not trust it
        self.answers = []  # for the next attempts: (status, headers); then 200
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
                    receiver.attempts.append((int(self.headers["X-Fgrun-Event"]), dict(self.headers), body, status))
                    if status == 200:
                        receiver.taken.append(json.loads(body))
                    receiver.lock.notify_all()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook/token"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def over_tls(self, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")
        accept = self.server.get_request

        def get_request():
            try:
                return accept()
            except ssl.SSLError:
                with self.lock:
                    self.turned_away += 1
                    self.lock.notify_all()
                raise
        self.server.get_request = get_request

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def wait(self, condition):
        with self.lock:
            assert self.lock.wait_for(lambda: condition(self), 90), self.attempts

    def stopped(self, task):
        """The events of a task, once the last one is here."""
        arn = task["taskArn"]

        def events(_=None):
            return [e for e in self.taken if e["resources"] == [arn]]

        self.wait(lambda _: any(e["detail"]["lastStatus"] == "STOPPED" for e in events()))
        return events()


@pytest.fixture
def receiver():
    with contextlib.closing(Receiver()) as r:
        yield r


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    return str(path)


def stored(fgd):
    return fgd.call("GET", "/v1/events?limit=1000")["events"]


def metric(fgd, name):
    lines = fgd.request("GET", "/metrics").read().decode().splitlines()
    return int(next(line for line in lines if line.startswith(name + " ")).split()[1])


def test_every_event_in_order_and_signed(start, task, receiver, key):
    with start(webhook=receiver.url, webhook_secret=key) as fgd:
        done = fgd.stopped(fgd.run(task("exit 0")))
        assert receiver.stopped(done) == stored(fgd)
        for number, headers, body, _ in receiver.attempts:
            signed = headers["X-Fgrun-Timestamp"].encode() + b"." + body
            assert headers["X-Fgrun-Signature"] == "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
            assert headers["Content-Type"] == "application/json"
        assert [a[0] for a in receiver.attempts] == list(range(1, len(receiver.attempts) + 1))
        info = fgd.call("GET", "/v1/info")["webhook"]
        assert info["state"] == "ok" and "token" not in info["url"]


def test_over_https_to_a_receiver_that_is_trusted(start, task, receiver, tmp_path):
    certificate, private = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                    "-subj", "/CN=receiver", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", private, "-out", certificate],
                   check=True, stderr=subprocess.DEVNULL)
    receiver.over_tls(certificate, private)
    with start(webhook=receiver.url) as fgd:
        fgd.stopped(fgd.run(task("exit 0")))
        with receiver.lock:  # with the second try the first has been noted
            assert receiver.lock.wait_for(lambda: receiver.turned_away >= 2, 60)
        info = fgd.call("GET", "/v1/info")["webhook"]
        assert info["state"] == "failing" and "certificate" in info["error"] and not receiver.attempts
        fgd.stop()
        fgd.settings["ca-file"] = certificate
        fgd.start()
        done = fgd.stopped(fgd.run(task("exit 0")))
        assert receiver.stopped(done)
        assert receiver.taken == stored(fgd)


def test_again_until_it_is_taken(start, task, receiver):
    receiver.answers = [(500, {}), (503, {"Retry-After": "1"}), (404, {}), (429, {})]
    with start(webhook=receiver.url) as fgd:
        done = fgd.stopped(fgd.run(task("exit 0")))
        assert receiver.stopped(done) == stored(fgd)
        assert [a[0] for a in receiver.attempts[:6]] == [1, 1, 1, 1, 1, 2]
        assert "X-Fgrun-Signature" not in receiver.attempts[0][1]
        assert metric(fgd, "fgrun_webhook_failures_total") == 4
        assert metric(fgd, "fgrun_webhook_failing_seconds") == 0


def test_a_refused_event_does_not_stop_the_others(start, task, receiver):
    receiver.answers = [(422, {})]
    with start(webhook=receiver.url) as fgd:
        done = fgd.stopped(fgd.run(task("exit 0")))
        assert receiver.stopped(done) == stored(fgd)[1:]
        assert metric(fgd, "fgrun_webhook_refused_total") == 1


def test_a_dead_receiver_costs_nothing_and_is_seen(start, task):
    dead = Receiver()
    dead.close()
    with start(webhook=dead.url) as fgd:
        for _ in range(3):
            fgd.stopped(fgd.run(task("exit 0")))
        deadline = time.monotonic() + 60
        while metric(fgd, "fgrun_webhook_failures_total") == 0:  # nobody waited for it
            assert time.monotonic() < deadline
        info = fgd.call("GET", "/v1/info")["webhook"]
        assert info["state"] == "failing" and info["delivered"] == 0 and info["error"]


def test_after_a_crash_it_goes_on(start, task, receiver):
    receiver.answers = [(503, {})] * 2
    with start(webhook=receiver.url) as fgd:
        tasks = []
        for _ in range(3):
            tasks.append(fgd.run(task("exit 0")))
            fgd.kill()
            fgd.start()
        for one in tasks:
            done = fgd.stopped(one)
            seen = []
            for event in receiver.stopped(done):
                if event not in seen:
                    seen.append(event)
            assert seen == [e for e in stored(fgd) if e["resources"] == [done["taskArn"]]]
        fgd.stop()
        with receiver.lock:
            before = len(receiver.attempts)
        fgd.start()
        fgd.stopped(fgd.run(task("exit 0")))
        receiver.wait(lambda r: len(r.attempts) > before)
        # After an orderly end at most what had not been noted comes again.
        assert receiver.attempts[before][0] > 1


def test_bad_settings(start, key, tmp_path):
    (tmp_path / "short").write_text("short")
    (tmp_path / "short").chmod(0o600)
    for settings, text in ((dict(webhook="ftp://x"), "expected an http"),
                           (dict(webhook="http://u:p@x/"), "no user or password"),
                           (dict(webhook="http://x/", webhook_secret="/none"), "webhook_secret"),
                           (dict(webhook="http://x/", webhook_secret=str(tmp_path / "short")), "less than 16")):
        with pytest.raises(RuntimeError, match=text), start(**settings):
            pass
