# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy in front of a registry that misbehaves as told.

    with FaultProxy(registry.host) as proxy:
        proxy.fault(Reset(after=1000), path="/blobs/", times=2)
        pull(proxy.host + "/name:tag")
        proxy.requests        # what came: Request(path, headers, status)

A fault applies to the next `times` requests whose path contains `path`; then all is well.
"""
import contextlib
import dataclasses
import http.client
import http.server
import socket
import struct
import threading


@dataclasses.dataclass
class Reset:
    """Send so many bytes of the body, then a TCP reset."""
    after: int = 0


@dataclasses.dataclass
class Truncate:
    """Send so many bytes of the body, then close in order."""
    after: int


@dataclasses.dataclass
class Status:
    """Answer with a status and headers instead of asking the registry."""
    status: int
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b'{"errors":[{"code":"X","message":"injected"}]}'


@dataclasses.dataclass
class Corrupt:
    """Flip a bit of the body at this offset."""
    at: int = 0


@dataclasses.dataclass
class Slow:
    """Send the body in pieces, waiting on `gate` (an Event, or None) after the first."""
    piece: int = 4096
    gate: threading.Event = None


@dataclasses.dataclass
class IgnoreRange:
    """Answer 200 with the whole body to a request for a range."""


@dataclasses.dataclass
class WrongRange:
    """Answer 206, but for another range than asked for."""


@dataclasses.dataclass
class Redirect:
    """Send the client elsewhere (a host[:port])."""
    host: str
    status: int = 307


@dataclasses.dataclass
class Request:
    path: str
    headers: dict
    status: int = 0


@dataclasses.dataclass
class _Rule:
    fault: object
    path: str
    times: int


class FaultProxy:
    def __init__(self, upstream):
        self.upstream = upstream
        self.requests = []
        self.rules = []
        self.lock = threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with contextlib.suppress(ConnectionError, TimeoutError):
                    proxy.handle(self)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def fault(self, fault, path="/v2/", times=1):
        with self.lock:
            self.rules.append(_Rule(fault, path, times))

    def asked(self, path):
        with self.lock:
            return [r for r in self.requests if path in r.path]

    def _take_fault(self, path):
        with self.lock:
            for rule in self.rules:
                if rule.path in path and rule.times > 0:
                    rule.times -= 1
                    return rule.fault
        return None

    def handle(self, client):
        seen = Request(client.path, dict(client.headers))
        with self.lock:
            self.requests.append(seen)
        fault = self._take_fault(client.path)
        if isinstance(fault, Status):
            seen.status = fault.status
            self._send(client, fault.status, fault.headers, fault.body)
            return
        if isinstance(fault, Redirect):
            seen.status = fault.status
            self._send(client, fault.status, {"Location": f"http://{fault.host}{client.path}"}, b"")
            return
        if isinstance(fault, Reset) and not fault.after:
            self._reset(client)
            return
        status, headers, body = self._ask(client, drop_range=isinstance(fault, IgnoreRange))
        seen.status = status
        if isinstance(fault, WrongRange):
            status, headers["Content-Range"] = 206, f"bytes 1-{len(body)}/{len(body) + 1}"
        if isinstance(fault, Corrupt) and body:
            body = bytearray(body)
            body[fault.at % len(body)] ^= 1
        self._send(client, status, headers, bytes(body), fault)

    def _ask(self, client, drop_range):
        connection = http.client.HTTPConnection(self.upstream, timeout=30)
        headers = {k: v for k, v in client.headers.items()
                   if k.lower() not in ("host", "connection") and
                   not (drop_range and k.lower() == "range")}
        connection.request("GET", client.path, headers={**headers, "Host": self.upstream})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        kept = {k: v for k, v in answer.getheaders()
                if k.lower() not in ("content-length", "transfer-encoding", "connection")}
        return answer.status, kept, body

    def _send(self, client, status, headers, body, fault=None):
        client.send_response(status)
        for name, value in headers.items():
            client.send_header(name, value)
        client.send_header("Content-Length", str(len(body)))
        client.end_headers()
        if isinstance(fault, (Reset, Truncate)):
            client.wfile.write(body[:fault.after])
            client.wfile.flush()
            if isinstance(fault, Reset):
                self._reset(client)
            client.close_connection = True
            return
        if isinstance(fault, Slow):
            client.wfile.write(body[:fault.piece])
            client.wfile.flush()
            if fault.gate:
                fault.gate.wait(120)
            body = body[fault.piece:]
        client.wfile.write(body)

    @staticmethod
    def _reset(client):
        client.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close_connection = True
        client.rfile.close()
        client.wfile.close = lambda: None
        client.connection.close()
