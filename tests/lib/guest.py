# SPDX-License-Identifier: Apache-2.0
"""A guest in a bare QEMU and the host's end of its channel, as docs/protocol.md has it.

No fgd, no libvirt: what is tested is the init. Single-threaded: everything happens in Guest.step().
"""
import gzip
import hashlib
import io
import json
import os
import pathlib
import select
import socket
import struct
import subprocess
import tarfile
import time

import ethernet

ROOT = pathlib.Path(__file__).resolve().parents[2]
TRAILER = 0x4E525546
MAX_PAYLOAD = 256 * 1024
SYNC, CONTROL, BLOB, OUTPUT = 1, 2, 3, 4
LAST = 1
BUSYBOX = "/bin/busybox"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar(entries):
    """A layer from {path: bytes (0755), "-> target", None for a directory, or (bytes, TarInfo fields)}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, what in entries.items():
            what, fields = what if isinstance(what, tuple) else (what, {})
            info = tarfile.TarInfo(path.lstrip("/"))
            info.mode = 0o755
            if what is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(what, str):
                info.type, info.linkname = tarfile.SYMTYPE, what
            else:
                info.size = len(what)
            for name, value in fields.items():
                setattr(info, name, value)
            archive.addfile(info, io.BytesIO(what) if isinstance(what, bytes) else None)
    return out.getvalue()


class Images:
    """Blobs by digest, and the manifests made of them."""

    def __init__(self):
        self.blobs = {}
        self.busybox = None

    def put(self, data):
        self.blobs[digest(data)] = data
        return digest(data)

    def add(self, layers, config=None):
        """An image of tar layers. Return: the digest of its manifest."""
        blobs = [gzip.compress(layer, 1, mtime=0) for layer in layers]
        text = json.dumps({
            "architecture": "amd64", "os": "linux", "config": config or {},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}}).encode()
        media = "application/vnd.oci.image."
        return self.put(json.dumps({
            "schemaVersion": 2, "mediaType": media + "manifest.v1+json",
            "config": {"mediaType": media + "config.v1+json", "digest": self.put(text),
                       "size": len(text)},
            "layers": [{"mediaType": media + "layer.v1.tar+gzip", "digest": self.put(blob),
                        "size": len(blob)} for blob in blobs]}).encode())

    def add_busybox(self, config=None, more=None):
        """Busybox with its links, a passwd and a group file, and the entries of @more."""
        if not self.busybox:
            names = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True)
            entries = {"bin": None, "etc": None, "tmp": (None, {"mode": 0o1777}),
                       "bin/busybox": pathlib.Path(BUSYBOX).read_bytes(),
                       "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n"
                                     b"app:x:1000:1000::/home/app:/bin/sh\n",
                       "etc/group": b"root:x:0:\napp:x:1000:\nextra:x:2000:app\n"}
            entries.update({"bin/" + n: "busybox" for n in names.stdout.split() if n != "busybox"})
            self.busybox = tar(entries)
        return self.add([self.busybox] + ([tar(more)] if more else []), config)


def tsc_khz():
    """The host's TSC rate: software emulation passes it on, and calibrating it may fail."""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("cpu MHz"):
            return int(float(line.split(":")[1]) * 1000)
    return 2000000


def kernel():
    path = os.environ.get("FG_KERNEL")
    if not path:
        run = subprocess.run([ROOT / "scripts/build-kernel.sh"], check=True, capture_output=True, text=True)
        path = run.stdout.strip()
    return path


def initramfs():
    return os.environ.get("FG_INITRAMFS", ROOT / "build/guest-init/initramfs.cpio")


class Guest:
    @classmethod
    def attach(cls, process, channel):
        """To a QEMU that somebody else has started."""
        guest = cls.__new__(cls)
        guest.talk(None)
        guest.process, guest.channel, guest.nic = process, channel, None
        return guest

    def talk(self, images):
        self.images = images
        self.socket = None
        self.task = None
        self.events = []          # stored events, in order
        self.output = {}          # stream: bytes stored
        self.times = {}           # stream: [(offset, timestamp)]
        self.ended = set()        # streams whose LAST frame came
        self.acknowledge = True
        self.hello = None
        self.reads = 0            # blob.read requests
        self.asked = []           # their (digest, offset)
        self.hook = None          # called with each received frame; may disconnect
        self.fault = None         # (digest, offset, data) -> data: what a blob.read is answered with

    def __init__(self, directory, images, memory=256, cpus=1, disk=512, mac=None):
        """@mac: of a network card whose other end is self.nic; None: the guest has none"""
        self.directory = pathlib.Path(directory)
        self.nic = ethernet.Ethernet(directory) if mac else None
        self.talk(images)
        self.scratch = self.directory / "scratch.img"
        self.channel = self.directory / "channel"
        with open(self.scratch, "wb") as file:
            file.truncate(disk << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E",
                        "lazy_itable_init=1", self.scratch], check=True)
        append = ("console=ttyS0 reboot=t panic=-1 quiet loglevel=0 tsc=reliable no_timer_check "
                  "random.trust_cpu=on cryptomgr.notests rcupdate.rcu_expedited=1 nolapic_timer "
                  "dummy.numdummies=0 scsi_mod.default_dev_flags=0x24040401 "
                  f"noreplace-smp tsc_early_khz={tsc_khz()}")
        self.console = open(self.directory / "console", "wb")
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-M", "microvm,acpi=off", "-accel", "tcg", "-cpu", "max",
             "-m", str(memory), "-smp", str(cpus), "-nodefaults", "-no-user-config", "-display",
             "none", "-no-reboot", "-kernel", kernel(), "-initrd", initramfs(), "-append", append,
             "-serial", "stdio", "-device", "virtio-serial-device",
             "-chardev", f"socket,id=c,path={self.channel},server=on,wait=off",
             "-device", "virtserialport,chardev=c,name=org.fgrun.guest.0",
             "-drive", f"if=none,id=d,format=raw,cache=unsafe,file={self.scratch}",
             "-device", "virtio-blk-device,drive=d",
             *(["-netdev", self.nic.netdev("n"), "-device", f"virtio-net-device,netdev=n,mac={mac}"]
               if mac else [])],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.disconnect()
        self.process.kill()
        self.process.wait()
        self.console.close()
        if self.nic:
            self.nic.close()

    # the conversation

    def connect(self, timeout=30):
        """SYNC, then task or resume once hello has come."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(str(self.channel))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                self.socket.close()
                assert time.monotonic() < deadline and self.process.poll() is None, self.log()
                time.sleep(0.01)
        self.nonce = os.urandom(16)
        self.buffer, self.sync, self.hello = b"", False, None
        self.pending = bytearray(MAX_PAYLOAD + 20)
        self.send(SYNC, self.nonce + struct.pack("<I", 1))
        self.step_until(lambda: self.hello, deadline - time.monotonic())
        if self.hello.get("task"):
            assert self.hello["task"] == self.task["id"]
            self.control(dict(self.position(), type="resume"))
        elif self.task:
            self.control(self.task)

    def disconnect(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def send(self, kind, payload, flags=0, stream=0, offset=0):
        self.pending += (struct.pack("<IBBHQ", len(payload), kind, flags, stream, offset)
                         + payload + struct.pack("<I", TRAILER))

    def control(self, message):
        self.send(CONTROL, json.dumps(message).encode())

    def position(self):
        """What has been stored, as resume and ack say it."""
        return {"eventSeq": len(self.events),
                "output": [{"stream": s, "offset": len(d)} for s, d in self.output.items()]}

    def start(self, containers, **task):
        self.task = dict({
            "type": "task", "id": os.urandom(16).hex(), "now": time.time_ns(),
            "random": os.urandom(32).hex(), "hostname": "guest", "cpuUnits": 1024,
            "memoryMiB": 256, "scratch": "/dev/vda", "volumes": [],
            "containers": [dict({"essential": True}, **c) for c in containers]}, **task)
        if self.socket:
            self.control(self.task)
        else:
            self.connect()

    def rehearse(self, timeout=60):
        """As a guest in the pool does before it waits for a task. Return: what it says of it."""
        self.rehearsed = None
        self.control({"type": "rehearse"})
        self.step_until(lambda: self.rehearsed, timeout)
        return self.rehearsed

    def stop(self, reason="Task stopped by user"):
        self.control({"type": "stop", "reason": reason})

    def step(self, timeout):
        """Send and receive what there is, wait at most @timeout for it."""
        readable, writable, _ = select.select([self.socket] + ([self.nic] if self.nic else []),
                                              [self.socket] if self.pending else [], [],
                                              max(timeout, 0))
        if self.nic in readable:
            self.nic.ready()
        if writable:
            del self.pending[:self.socket.send(self.pending[:1 << 20], socket.MSG_DONTWAIT)]
        if self.socket in readable:
            data = self.socket.recv(1 << 20)
            if not data:
                raise EOFError
            self.buffer += data
            self.frames()

    def step_until(self, condition, timeout=60):
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"timeout; events {self.events}; {self.log()}"
            try:
                self.step(min(1, deadline - time.monotonic()))
            except (EOFError, ConnectionResetError, BrokenPipeError):
                assert condition(), f"the guest went; events {self.events}; {self.log()}"

    def frames(self):
        if not self.sync:
            expected = struct.pack("<IBBHQ", 20, SYNC, 0, 0, 0) + self.nonce
            at = self.buffer.find(expected)
            if at < 0 or len(self.buffer) < at + 40:
                return
            self.buffer, self.sync = self.buffer[at + 40:], True
        changed, at = False, 0
        while len(self.buffer) - at >= 16:
            length, kind, flags, stream, offset = struct.unpack_from("<IBBHQ", self.buffer, at)
            assert length <= MAX_PAYLOAD and kind in (CONTROL, OUTPUT), (length, kind)
            if len(self.buffer) - at < length + 20:
                break
            payload = self.buffer[at + 16:at + 16 + length]
            assert struct.unpack_from("<I", self.buffer, at + 16 + length)[0] == TRAILER
            at += length + 20
            changed |= self.frame(kind, flags, stream, offset, payload)
            if self.hook:
                self.hook()
            if not self.socket:
                return
        self.buffer = self.buffer[at:]
        if changed and self.acknowledge:
            self.control(dict(self.position(), type="ack"))

    def frame(self, kind, flags, stream, offset, payload):
        if kind == OUTPUT:
            have = self.output.setdefault(stream, bytearray())
            assert offset <= len(have), f"a hole in stream {stream} at {len(have)}: {offset}"
            self.times.setdefault(stream, []).append((offset, struct.unpack_from("<Q", payload)[0]))
            have += payload[8 + len(have) - offset:]
            if flags & LAST:
                self.ended.add(stream)
            return True
        message = json.loads(payload)
        if message["type"] == "hello":
            self.hello = message
        elif message["type"] == "blob.read":
            self.answer(message)
        elif message["type"] == "event":
            return self.event(message)
        elif message["type"] == "rehearsed":
            self.rehearsed = message
        return False

    def event(self, event):
        if event["seq"] <= len(self.events):
            return False
        assert event["seq"] == len(self.events) + 1, event
        if event["event"] == "container.exited":
            index = [c["name"] for c in self.task["containers"]].index(event["container"])
            assert {2 * index, 2 * index + 1} <= self.ended, "exited before the end of its output"
        self.events.append(event)
        return True

    def answer(self, request):
        blob, offset, length = self.images.blobs.get(request["digest"]), request["offset"], request["length"]
        assert 0 < length <= 4 << 20 and 0 < request["id"] < 65536
        self.reads += 1
        self.asked.append((request["digest"], offset))
        if blob is None:
            self.control({"type": "blob.error", "id": request["id"], "code": "NOT_FOUND",
                          "message": "no such blob"})
            return
        data = blob[offset:offset + length]
        if self.fault:
            data = self.fault(request["digest"], offset, data)
        for at in range(0, max(len(data), 1), MAX_PAYLOAD):
            part = data[at:at + MAX_PAYLOAD]
            self.send(BLOB, part, LAST if at + len(part) == len(data) else 0, request["id"], offset + at)

    # what tests ask

    def log(self):
        return "console: " + (self.directory / "console").read_text(errors="replace")

    def named(self, event, container=None):
        return [e for e in self.events if e["event"] == event and container in (None, e.get("container"))]

    def wait(self, event, container=None, timeout=60):
        self.step_until(lambda: self.named(event, container), timeout)
        return self.named(event, container)[0]

    def finish(self, timeout=60):
        """Wait for the task's end and the VM's; return the exit codes by container name."""
        self.wait("task.stopped", timeout=timeout)
        deadline = time.monotonic() + 30
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "the VM does not end"
            try:
                self.step(0.05)
            except OSError:
                time.sleep(0.01)
            except EOFError:
                break
        self.process.wait(10)
        return {e["container"]: e["exitCode"] for e in self.named("container.exited")}

    def stdout(self, index=0):
        return bytes(self.output.get(2 * index, b""))

    def stderr(self, index=0):
        return bytes(self.output.get(2 * index + 1, b""))
