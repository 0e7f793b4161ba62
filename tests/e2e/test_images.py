# SPDX-License-Identifier: Apache-2.0
"""Debian as it is, from a registry: its package tools and its Python do in a guest what they do elsewhere."""

import textwrap

import pytest

import debian
import lab as lab_module
from lab import definition, figure
from registry import Registry, make_ca

VCPU = {"cpu": "1024", "memory": "2048"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    layout = debian.layout()
    with Registry(tmp_path_factory.mktemp("registry")) as it:
        for tag in ("base", "python"):
            it.push(layout, tag, f"debian:{tag}")
        yield it


@pytest.fixture(scope="module")
def lab(registry):
    with lab_module.lab() as it:
        yield it


@pytest.fixture
def base(registry):
    return lambda script, **more: definition(f"{registry.host}/debian:base", ["bash", "-euc", textwrap.dedent(script)],
                                             task=VCPU, **more)


@pytest.fixture
def python(registry):
    return lambda code, **more: definition(f"{registry.host}/debian:python", ["-c", textwrap.dedent(code)],
                                           task=VCPU, **more)


def output(lab, task):
    done = lab.run(task, "--quiet")
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}{done.stderr}"
    phases = {p["name"]: p["sinceAcceptMs"] for p in lab.latest()["fgrun"]["phases"]}
    figure(f"image {phases['imageReady']:.0f} ms, unpacked {phases['unpacked']:.0f} ms, "
           f"stopped {phases['stopped']:.0f} ms")
    return done.stdout


# ---- the base: what is in it, and dpkg and apt at work ----

def test_files(lab, base):
    """dpkg compares the digest of each file of each package; owners, modes, links are what they should be."""
    said = output(lab, base("""
        dpkg -V || true
        echo checked $(dpkg-query -W | wc -l)
        stat -c '%a %U %G %n' /usr/bin/passwd /usr/bin/chage /etc/shadow /tmp /root
        find /usr/bin -samefile /usr/bin/perl | wc -l
        stat -c '%N' /bin /lib64 /usr/bin/awk
        readlink -f /usr/bin/awk
        """)).splitlines()
    wrong, sane = said[:-11], said[-11:]
    left_out = tuple(f"{path}/" for path in debian.LEFT_OUT)
    assert [line for line in wrong if not (line.startswith("missing") and line.split()[-1].startswith(left_out))] == []
    assert sane[0].startswith("checked") and int(sane[0].split()[1]) > 70
    assert sane[1:] == [
        "4755 root root /usr/bin/passwd", "2755 root shadow /usr/bin/chage", "640 root shadow /etc/shadow",
        "1777 root root /tmp", "700 root root /root", "2", "'/bin' -> 'usr/bin'", "'/lib64' -> 'usr/lib64'",
        "'/usr/bin/awk' -> '/etc/alternatives/awk'", "/usr/bin/mawk"]


def test_users_and_setuid(lab, base):
    """A user of the image, with its groups; /etc/shadow is read by set-user-ID and set-group-ID programs only."""
    said = output(lab, base("""
        id
        echo ~
        cat /etc/shadow 2>/dev/null || echo closed
        passwd -S | cut -d' ' -f1
        chage -l app | grep -c ^Password
        touch ~/mine && stat -c '%u:%g' ~/mine
        """, user="app", environment=[{"name": "HOME", "value": "/home/app"}]))
    assert said.splitlines() == ["uid=1000(app) gid=1000(app) groups=1000(app),2000(crew)", "/home/app", "closed",
                                 "app", "2", "1000:1000"]


# A package with a dependency and a script, by version.
BUILD = r"""
    build() {
        mkdir -p /repo /p/DEBIAN /p/usr/bin
        printf '#!/bin/sh\necho works\n' > /p/usr/bin/thing
        printf '#!/bin/sh\ngetent passwd thing || useradd -r thing\n' > /p/DEBIAN/postinst
        chmod 755 /p/usr/bin/thing /p/DEBIAN/postinst
        printf '%s\n' 'Package: thing' "Version: $1" 'Architecture: all' 'Maintainer: nobody <nobody@localhost>' \
            'Depends: bash, perl-base' 'Description: a thing' > /p/DEBIAN/control
        dpkg-deb --root-owner-group --build /p /repo/thing.deb
    }
    """


def test_package_tools(lab, base):
    """A package by dpkg alone; then from a repository on the disk, which apt reads as its own user."""
    said = output(lab, base(BUILD + """
    build 1
    dpkg -i /repo/thing.deb
    dpkg -V thing
    thing
    id -un thing
    dpkg -S /usr/bin/thing
    dpkg --purge thing
    [ -e /usr/bin/thing ] || echo purged
    dpkg --audit

    publish() {
        build $1
        (cd /repo; dpkg-deb -f thing.deb; echo 'Filename: ./thing.deb'; stat -c 'Size: %s' thing.deb;
         echo "SHA256: $(sha256sum thing.deb | cut -d' ' -f1)"; echo) > /repo/Packages
        apt-get -q update
    }
    export DEBIAN_FRONTEND=noninteractive
    rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
    echo 'deb [trusted=yes] file:/repo ./' > /etc/apt/sources.list
    publish 1
    apt-get -qy install thing
    publish 2
    apt-get -qy upgrade
    dpkg-query -W thing
    thing
    apt-get -qy purge thing
    apt-get -q check
    [ -e /usr/bin/thing ] || echo gone
    """))
    assert "\nworks\nthing\nthing: /usr/bin/thing\n" in said and "\npurged\n" in said
    assert "\nthing\t2\nworks\n" in said and said.splitlines()[-1] == "gone"


# ---- Python ----

def test_ssl_between_threads(lab, python, tmp_path):
    """A handshake over the guest's loopback, with the certificate of a CA checked."""
    ca, cert, key = (open(path, encoding="ascii").read() for path in make_ca(str(tmp_path)))
    said = output(lab, python("""
        import os, socket, ssl, threading
        for name in ("CA", "CERT", "KEY"):
            open(name, "w").write(os.environ[name])
        listener = socket.create_server(("127.0.0.1", 0))
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain("CERT", "KEY")

        def serve():
            with server.wrap_socket(listener.accept()[0], server_side=True) as peer:
                peer.sendall(peer.recv(100).upper())

        thread = threading.Thread(target=serve)
        thread.start()
        client = ssl.create_default_context(cafile="CA")
        with client.wrap_socket(socket.create_connection(listener.getsockname()), server_hostname="localhost") as peer:
            peer.sendall(b"hello")
            print(peer.version(), peer.recv(100).decode())
        thread.join()
        """, environment=[{"name": "CA", "value": ca}, {"name": "CERT", "value": cert}, {"name": "KEY", "value": key}]))
    assert said == "TLSv1.3 HELLO\n"


def test_sqlite_processes_and_threads(lab, python):
    said = output(lab, python("""
        import multiprocessing, os, sqlite3, subprocess, sys, tempfile, threading

        shell = subprocess.run(["sh", "-c", "tr a-z A-Z; exit 3"], input="piped", stdout=subprocess.PIPE, text=True)
        print(shell.stdout, shell.returncode)
        try:
            subprocess.run(["sleep", "60"], timeout=0.2)
        except subprocess.TimeoutExpired:
            print("timeout")
        with multiprocessing.Pool(3) as pool:
            print(sum(pool.map(abs, range(-100, 0))))

        insert = '''
        import sqlite3
        db = sqlite3.connect("test.db", timeout=60)
        for i in range(50):
            with db:
                db.execute("INSERT INTO t VALUES (?)", (i,))
        '''
        db = sqlite3.connect("test.db")
        print(db.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        db.execute("CREATE TABLE t (i)")
        processes = [subprocess.Popen([sys.executable, "-c", insert]) for n in range(2)]
        threads = [threading.Thread(target=exec, args=(insert,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for process in processes:
            process.wait()
        print(db.execute("SELECT count(*), sum(i) FROM t").fetchone())
        print(db.execute("PRAGMA integrity_check").fetchone()[0])
        with tempfile.NamedTemporaryFile() as file:
            print(os.getuid(), os.stat(file.name).st_uid, sys.getfilesystemencoding())
        """))
    assert said.splitlines() == ["PIPED 3", "timeout", "5050", "wal", "(300, 7350)", "ok", "1000 1000 utf-8"]


def test_locale(lab, python):
    """A locale of the image, and names that are not ASCII."""
    said = output(lab, python("""
        import locale, os, time
        locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
        print(locale.format_string("%.2f", 1234567.891, grouping=True), time.strftime("%A %d. %B", time.gmtime(0)))
        print(sorted(["Zebra", "\u00c4pfel", "apfel"], key=locale.strxfrm))
        os.mkdir("gr\u00fc\u00dfe \u2603")
        print(*(name for name in os.listdir(".") if name.startswith("gr")))
        """))
    assert said.splitlines() == ["1.234.567,89 Donnerstag 01. Januar", "['apfel', '\u00c4pfel', 'Zebra']",
                                 "gr\u00fc\u00dfe \u2603"]


# ---- both ----

def test_two_images_share_a_volume(lab, registry):
    """One container makes a file, the other, of another image that has the same first layer, reads it."""
    point = [{"sourceVolume": "data", "containerPath": "/data"}]
    said = output(lab, {
        "family": "pair", **VCPU, "volumes": [{"name": "data"}],
        "containerDefinitions": [
            {"name": "make", "image": f"{registry.host}/debian:base", "essential": False, "mountPoints": point,
             "command": ["bash", "-c", "umask 022; seq 1000 > /data/numbers; ln /data/numbers /data/again; "
                                       "command -v python3 || echo none"]},
            {"name": "sum", "image": f"{registry.host}/debian:python", "mountPoints": point,
             "dependsOn": [{"containerName": "make", "condition": "SUCCESS"}],
             "command": ["-c", "import os; print(sum(map(int, open('/data/again'))), os.stat('/data/again').st_nlink)"]},
        ]})
    assert sorted(said.splitlines()) == ["500500 2", "none"]
