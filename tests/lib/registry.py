# SPDX-License-Identifier: Apache-2.0
"""Real registries on loopback for tests: Debian's docker-registry, with whatever guards it.

    with Registry(tmp) as r:
        r.push(layout_dir, "latest", "name:tag")     # by skopeo
        r.host                                       # "127.0.0.1:PORT"
"""
import base64
import contextlib
import http.server
import json
import os
import socket
import subprocess
import threading
import time
import urllib.parse

CLEAN_ENV = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            raise RuntimeError("the process ended before it listened")
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


def make_ca(directory):
    """A CA and a certificate for 127.0.0.1 and localhost. Returns (ca, cert, key) paths."""
    ca, ca_key, cert, key, csr, ext = (os.path.join(directory, n) for n in (
        "ca.pem", "ca.key", "server.pem", "server.key", "server.csr", "ext"))

    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *new_key, "-days", "2", "-subj", "/CN=test CA", "-keyout", ca_key,
            "-out", ca)
    openssl("req", *new_key, "-subj", "/CN=localhost", "-keyout", key, "-out", csr)
    with open(ext, "w", encoding="ascii") as f:
        f.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("x509", "-req", "-in", csr, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days",
            "2", "-extfile", ext, "-out", cert)
    return ca, cert, key


class Registry:
    """docker-registry on a free port; its data lives in @directory."""

    def __init__(self, directory, htpasswd=None, tls=None, token=None):
        """htpasswd: (user, password); tls: (cert, key); token: a TokenServer"""
        self.directory = str(directory)
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.htpasswd, self.tls, self.token = htpasswd, tls, token
        self.process = None

    def _config(self):
        config = {
            "version": 0.1, "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": os.path.join(self.directory, "data")},
                        "delete": {"enabled": True}},
            "http": {"addr": self.host, "secret": "test"},
        }
        if self.tls:
            config["http"]["tls"] = {"certificate": self.tls[0], "key": self.tls[1]}
        if self.htpasswd:
            path = os.path.join(self.directory, "htpasswd")
            subprocess.run(["htpasswd", "-Bbc", path, *self.htpasswd], check=True,
                           stderr=subprocess.DEVNULL)
            config["auth"] = {"htpasswd": {"realm": "test", "path": path}}
        if self.token:
            config["auth"] = {"token": {
                "realm": self.token.url, "service": self.token.service, "issuer": "test",
                "rootcertbundle": self.token.cert}}
        return config

    def __enter__(self):
        os.makedirs(self.directory, exist_ok=True)
        path = os.path.join(self.directory, "config.yml")
        with open(path, "w", encoding="ascii") as f:
            json.dump(self._config(), f)  # JSON is YAML
        self.log = open(os.path.join(self.directory, "log"), "wb")
        self.process = subprocess.Popen(["docker-registry", "serve", path], stdout=self.log,
                                        stderr=self.log, env=CLEAN_ENV)
        try:
            wait_for_port(self.port, self.process)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
        self.log.close()

    def __exit__(self, *exc):
        self.stop()

    def push(self, layout, tag, name, *options):
        """Copy oci:layout:tag to name (repository:tag) byte by byte; or changed, by @options."""
        command = ["skopeo", "--insecure-policy", "copy", "--quiet", "--all",
                   "--dest-tls-verify=false", *(options or ["--preserve-digests"])]
        if self.htpasswd:
            command += ["--dest-creds", ":".join(self.htpasswd)]
        elif self.token:
            command += ["--dest-creds", ":".join(self.token.credentials)]
        subprocess.run([*command, f"oci:{layout}:{tag}", f"docker://{self.host}/{name}"],
                       check=True, env=CLEAN_ENV, timeout=60)


def docker_config(path, host, user, password):
    """A config.json with credentials for @host."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    with open(path, "w", encoding="ascii") as f:
        json.dump({"auths": {host: {"auth": auth}}}, f)
    return str(path)


class TokenServer:
    """Hands out docker-registry's bearer tokens (JWT, ES256) for one user, or for everybody."""

    service = "test-registry"

    def __init__(self, directory, credentials=("user", "secret"), anonymous=False):
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.credentials, self.anonymous = credentials, anonymous
        self.cert = os.path.join(self.directory, "token.pem")
        self.key = os.path.join(self.directory, "token.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=token",
                        "-keyout", self.key, "-out", self.cert], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.requests = []  # (path, had credentials)
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/token"

    def __enter__(self):
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,))
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def answer(self, request):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(request.path).query)
        expected = "Basic " + base64.b64encode(":".join(self.credentials).encode()).decode()
        given = request.headers.get("Authorization")
        self.requests.append((request.path, given is not None))
        if given != expected and not (self.anonymous and given is None):
            self._reply(request, 401, {"details": "incorrect username or password"})
            return
        access = []
        for scope in query.get("scope", []):
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        self._reply(request, 200, {"token": self.sign(access), "expires_in": 300})

    @staticmethod
    def _reply(request, status, body):
        data = json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def sign(self, access):
        def b64(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

        with open(self.cert, encoding="ascii") as f:
            x5c = "".join(line.strip() for line in f if "-----" not in line)
        now = int(time.time())
        header = {"typ": "JWT", "alg": "ES256", "x5c": [x5c]}
        claims = {"iss": "test", "sub": self.credentials[0], "aud": self.service, "jti": str(now),
                  "exp": now + 300, "nbf": now - 10, "iat": now, "access": access}
        text = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key],
                             input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
        return text + "." + b64(_raw_signature(der))


def _raw_signature(der):
    """DER SEQUENCE of two INTEGERs to r || s, 32 bytes each."""
    out, at = b"", 2
    for _ in range(2):
        length = der[at + 1]
        out += der[at + 2:at + 2 + length].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + length
    return out
