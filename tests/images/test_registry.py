# SPDX-License-Identifier: Apache-2.0
"""Pulls through images-tool from real registries, and through a proxy that breaks things."""
import json
import os
import threading
import time

import pytest

import ociimage
from faultproxy import Corrupt, FaultProxy, IgnoreRange, Redirect, Reset, Slow, Status, Truncate, WrongRange
from pulling import finish, parts, pulled, refused, start, tool
from registry import Registry, TokenServer, docker_config, make_ca

SECRET = ("user", "pass:word")


@pytest.fixture(scope="module")
def registry(layout, tmp_path_factory):
    with Registry(tmp_path_factory.mktemp("registry")) as r:
        for tag in ("a", "b", "arm", "multi"):
            r.push(layout, tag, f"test/x:{tag}")
        yield r


@pytest.fixture
def proxy(registry):
    with FaultProxy(registry.host) as p:
        yield p


# --- references and contents ---------------------------------------------------------------------

def test_pull(registry, images, store):
    image = pulled(store, "pull", f"{registry.host}/test/x:a")
    assert image["manifest"] == images["a"].digest
    assert image["layers"] == 3
    assert image["reference"] == f"{registry.host}/test/x:a"
    assert tool(store, "list") == [image]
    assert parts(store) == []


def test_index_takes_our_platform(registry, images, store):
    assert pulled(store, "pull", f"{registry.host}/test/x:multi")["manifest"] == images["a"].digest


def test_digest(registry, images, store):
    ref = f"{registry.host}/test/x@{images['b'].digest}"
    assert pulled(store, "pull", ref)["manifest"] == images["b"].digest


def test_other_platform(registry, store):
    error = refused(store, "pull", f"{registry.host}/test/x:arm")
    assert error["code"] == "INVALID"
    assert "linux/arm64" in error["error"]


def test_not_found(registry, store):
    ref = f"{registry.host}/test/none:tag"
    error = refused(store, "pull", ref)
    assert error["code"] == "NOT_FOUND"
    assert error["error"].startswith(f"failed to resolve ref {ref}: not found: {registry.host}")


def test_docker_manifest(registry, images, store, tmp_path):
    root = ociimage.write_layout(str(tmp_path / "oci"), {"d": ociimage.Image([images["shared"]])})
    registry.push(root, "d", "test/v2s2:d", "--format", "v2s2")
    assert pulled(store, "pull", f"{registry.host}/test/v2s2:d")["layers"] == 1


def test_missing_does_not_ask(proxy, store):
    pulled(store, "pull", f"{proxy.host}/test/x:b")
    before = len(proxy.requests)
    pulled("--missing", store, "pull", f"{proxy.host}/test/x:b")
    assert len(proxy.requests) == before
    pulled(store, "pull", f"{proxy.host}/test/x:b")
    assert [r for r in proxy.requests[before:] if "/manifests/" in r.path]


# --- several at once -----------------------------------------------------------------------------

@pytest.mark.parametrize("parallel", [1, 2, 3])
def test_layers_come_in_parallel(registry, proxy, store, tmp_path, parallel):
    """None of the first comes to its end before the others have been asked for; the next one waits for an end."""
    layers = [ociimage.Layer({"x": os.urandom(50_000)}, "none") for _ in range(4)]
    registry.push(ociimage.write_layout(str(tmp_path / "oci"), {"p": ociimage.Image(layers)}), "p", "test/parallel:p")
    gates = {f"/blobs/{ociimage.digest(layer.data)}": threading.Event() for layer in layers}
    for path, gate in gates.items():
        proxy.fault(Slow(piece=1000, gate=gate), path=path)

    def asked(n):
        deadline = time.monotonic() + 60  # before what is held back comes by itself
        while True:
            paths = [path for path in gates if proxy.asked(path)]
            if len(paths) >= n:
                return paths
            assert time.monotonic() < deadline, paths
            time.sleep(0.01)

    process = start("--parallel", parallel, store, "pull", f"{proxy.host}/test/parallel:p")
    try:
        first = asked(parallel)
        assert len(first) == parallel
        gates[first[0]].set()
        assert len(asked(parallel + 1)) == parallel + 1
    finally:
        for gate in gates.values():
            gate.set()
    assert "error" not in finish(process)[0][0]
    assert all(len(proxy.asked(path)) == 1 for path in gates)


# --- sharing, removal, the cap -------------------------------------------------------------------

def test_blob_shared_by_concurrent_pulls_comes_once(proxy, images, store):
    gate = threading.Event()
    shared = f"/blobs/{ociimage.digest(images['shared'].data)}"
    proxy.fault(Slow(gate=gate), path=shared)
    process = start(store, "pull", *(f"{proxy.host}/test/x:{t}" for t in ("a", "b", "multi")))
    for line in process.stderr:
        if "downloading" in line and proxy.asked(shared):
            break
    gate.set()
    result, _ = finish(process)
    assert len(result) == 3 and all("error" not in r for r in result), result
    assert len(proxy.asked(shared)) == 1


def test_shared_blobs_survive_removal(registry, store):
    a, b = f"{registry.host}/test/x:a", f"{registry.host}/test/x:b"
    pulled(store, "pull", a)
    pulled(store, "pull", b)
    assert tool(store, "remove", a) == [{}]
    left = tool(store, "check")
    assert [i["reference"] for i in left] == [b] and "error" not in left[0]
    assert len(os.listdir(os.path.join(store, "blobs/sha256"))) == 4
    assert refused(store, "remove", a)["code"] == "NOT_FOUND"
    freed = tool(store, "prune")[0]["freed"]
    assert freed == left[0]["size"]
    assert tool(store, "list") == []
    assert os.listdir(os.path.join(store, "blobs/sha256")) == []
    assert os.listdir(os.path.join(store, "trash")) == []


def test_two_names_one_image(registry, store):
    a, multi = f"{registry.host}/test/x:a", f"{registry.host}/test/x:multi"
    pulled(store, "pull", a)
    pulled(store, "pull", multi)
    assert tool(store, "remove", a) == [{}]
    assert [i["reference"] for i in tool(store, "check")] == [multi]


def test_tag_moves(registry, layout, images, store):
    ref = f"{registry.host}/test/moving:1"
    registry.push(layout, "a", "test/moving:1")
    assert pulled(store, "pull", ref)["manifest"] == images["a"].digest
    registry.push(layout, "b", "test/moving:1")
    assert pulled("--missing", store, "pull", ref)["manifest"] == images["a"].digest
    assert pulled(store, "pull", ref)["manifest"] == images["b"].digest
    assert len(tool(store, "list")) == 1


def test_least_recently_used_goes(registry, images, store):
    refs = {t: f"{registry.host}/test/x:{t}" for t in ("a", "b")}
    sizes = {t: pulled(store, "pull", refs[t])["size"] for t in ("b", "a")}
    tool(store, "prune")
    cap = sizes["a"] + 10_000  # room for a, but not for a moved-on b beside it
    pulled("--max", cap, store, "pull", refs["b"])
    pulled("--max", cap, store, "pull", refs["a"])
    other = ociimage.Image([ociimage.Layer({"o": os.urandom(300_000)}, "none")])
    path = ociimage.write_layout(os.path.join(store, "..", "other"), {"o": other})
    pulled("--max", cap, store, "pull", f"oci:{os.path.abspath(path)}:o")
    assert [i["manifest"] for i in tool(store, "list")] == [other.digest]


def test_larger_than_the_cap(registry, store):
    error = refused("--max", 1000, store, "pull", f"{registry.host}/test/x:a")
    assert error["code"] == "CAPACITY"


# --- credentials ---------------------------------------------------------------------------------

def test_basic_auth(layout, store, tmp_path):
    with Registry(tmp_path / "reg", htpasswd=SECRET) as r:
        r.push(layout, "b", "private/x:1")
        ref = f"{r.host}/private/x:1"
        error = refused(store, "pull", ref)
        assert error["code"] == "DENIED" and "no credentials" in error["error"]
        wrong = docker_config(tmp_path / "wrong.json", r.host, "user", "nope")
        error = refused("--config", wrong, store, "pull", ref)
        assert error["code"] == "DENIED" and "nope" not in error["error"]
        good = docker_config(tmp_path / "good.json", r.host, *SECRET)
        pulled("--config", good, store, "pull", ref)


def test_token(layout, store, tmp_path):
    with TokenServer(tmp_path / "t", SECRET) as t, Registry(tmp_path / "reg", token=t) as r:
        r.push(layout, "b", "private/x:1")
        ref = f"{r.host}/private/x:1"
        error = refused(store, "pull", ref)
        assert error["code"] == "DENIED"
        assert "failed to fetch a token" in error["error"]
        good = docker_config(tmp_path / "good.json", r.host, *SECRET)
        t.requests.clear()
        pulled("--config", good, store, "pull", ref)
        assert t.requests == [("/token?scope=repository%3Aprivate%2Fx%3Apull"
                               "&service=test-registry", True)]


def test_anonymous_token(layout, store, tmp_path):
    with TokenServer(tmp_path / "t", SECRET, anonymous=True) as t, \
            Registry(tmp_path / "reg", token=t) as r:
        r.push(layout, "b", "public/x:1")
        pulled(store, "pull", f"{r.host}/public/x:1")


def test_credentials_helper_is_refused_by_name(layout, store, tmp_path):
    with Registry(tmp_path / "reg", htpasswd=SECRET) as r:
        config = tmp_path / "config.json"
        config.write_text(json.dumps({"credsStore": "desktop"}))
        error = refused("--config", config, store, "pull", f"{r.host}/private/x:1")
        assert 'credsStore "desktop" is not supported' in error["error"]


def test_tls(layout, store, tmp_path):
    ca, cert, key = make_ca(str(tmp_path))
    with Registry(tmp_path / "reg", tls=(cert, key)) as r:
        r.push(layout, "b", "x:1")
        error = refused(store, "pull", f"{r.host}/x:1")
        assert error["code"] == "UPSTREAM" and "certificate" in error["error"]
        pulled("--ca", ca, store, "pull", f"{r.host}/x:1")


def test_redirect_keeps_credentials_home(layout, store, tmp_path):
    with Registry(tmp_path / "reg", htpasswd=SECRET) as private, \
            Registry(tmp_path / "cdn") as open_registry:
        private.push(layout, "b", "x:1")
        open_registry.push(layout, "b", "x:1")
        with FaultProxy(private.host) as front, FaultProxy(open_registry.host) as cdn:
            front.fault(Redirect(cdn.host), path="/blobs/", times=100)
            config = docker_config(tmp_path / "c.json", front.host, *SECRET)
            pulled("--config", config, store, "pull", f"{front.host}/x:1")
            assert cdn.asked("/blobs/")
            assert not any("Authorization" in r.headers for r in cdn.requests)
            assert any("Authorization" in r.headers for r in front.asked("/blobs/"))


# --- faults --------------------------------------------------------------------------------------

@pytest.mark.parametrize("fault, times", [
    (Reset(), 2), (Reset(after=5000), 3), (Truncate(after=5000), 3),
    (Status(503), 2), (Status(429, {"Retry-After": "1"}), 1), (Corrupt(at=700), 1),
    (Truncate(after=0), 2),
], ids=lambda v: str(v).split("(", maxsplit=1)[0])
def test_blob_fault_is_survived(proxy, images, store, fault, times):
    path = f"/blobs/{ociimage.digest(images['big'].data)}"
    proxy.fault(fault, path=path, times=times)
    pulled(store, "pull", f"{proxy.host}/test/x:a")
    assert len(proxy.asked(path)) == times + 1


def test_download_resumes_where_it_broke(proxy, images, store):
    path = f"/blobs/{ociimage.digest(images['big'].data)}"
    proxy.fault(Truncate(after=100_000), path=path)
    pulled(store, "pull", f"{proxy.host}/test/x:a")
    assert proxy.asked(path)[1].headers["Range"] == "bytes=100000-"
    assert proxy.asked(path)[1].status == 206


@pytest.mark.parametrize("fault", [IgnoreRange(), WrongRange()], ids=["ignored", "wrong"])
def test_server_without_ranges(proxy, images, store, fault):
    path = f"/blobs/{ociimage.digest(images['big'].data)}"
    proxy.fault(Truncate(after=100_000), path=path)
    proxy.fault(fault, path=path)
    pulled(store, "pull", f"{proxy.host}/test/x:a")


def test_corrupt_for_ever(proxy, images, store):
    digest = ociimage.digest(images["big"].data)
    proxy.fault(Corrupt(), path=f"/blobs/{digest}", times=1000)
    error = refused(store, "pull", f"{proxy.host}/test/x:a")
    assert error["code"] == "UPSTREAM"
    assert f"{digest} came with wrong content" in error["error"]
    assert "(after 5 attempts)" in error["error"]
    assert tool(store, "list") == []
    assert digest[7:] not in os.listdir(os.path.join(store, "blobs/sha256"))


def test_wrong_manifest(proxy, images, store):
    proxy.fault(Corrupt(at=3), path="/manifests/", times=1000)
    error = refused(store, "pull", f"{proxy.host}/test/x@{images['a'].digest}")
    assert "came with wrong content" in error["error"]
    assert "Docker-Content-Digest" in refused(store, "pull", f"{proxy.host}/test/x:a")["error"]


def test_registry_stays_broken(proxy, store):
    proxy.fault(Status(503), times=1000)
    error = refused(store, "pull", f"{proxy.host}/test/x:a")
    assert error["error"] == (f"failed to resolve ref {proxy.host}/test/x:a: unexpected status: "
                              f"{proxy.host} answered 503: injected (after 5 attempts)")
    assert len(proxy.requests) == 5


def test_long_retry_after_is_not_waited_for(proxy, store):
    proxy.fault(Status(429, {"Retry-After": "3600"}), times=1000)
    error = refused(store, "pull", f"{proxy.host}/test/x:a")
    assert "429" in error["error"] and "3600 s" in error["error"]
    assert len(proxy.requests) == 1


def test_denied_is_not_tried_again(proxy, store):
    proxy.fault(Status(403), times=1000)
    assert refused(store, "pull", f"{proxy.host}/test/x:a")["code"] == "DENIED"
    assert len(proxy.requests) == 1


def test_nobody_listens(store):
    error = refused(store, "pull", "127.0.0.1:1/x")
    assert error["code"] == "UPSTREAM" and "127.0.0.1:1" in error["error"]


def test_huge_manifest(proxy, store):
    proxy.fault(Status(200, body=b" " * (5 << 20)), times=1000)
    error = refused(store, "pull", f"{proxy.host}/test/x:a")
    assert error["code"] == "CAPACITY" and "4194304" in error["error"]


def test_too_many_redirects(proxy, store):
    proxy.fault(Redirect(proxy.host), times=1000)
    assert "redirects" in refused(store, "pull", f"{proxy.host}/test/x:a")["error"]


def test_killed_in_the_middle(proxy, images, store):
    """kill -9 at growing distances; the next pull resumes, and nothing wrong is believed."""
    path = f"/blobs/{ociimage.digest(images['big'].data)}"
    for sent in (1, 50_000, 300_000, 599_999):
        gate = threading.Event()
        proxy.fault(Slow(piece=sent, gate=gate), path=path)
        process = start(store, "pull", f"{proxy.host}/test/x:a")
        for line in process.stderr:
            if "downloading" in line and proxy.asked(path):
                break
        process.kill()
        process.communicate()
        gate.set()
        assert all("error" not in i for i in tool(store, "check"))
        proxy.requests.clear()
    pulled(store, "pull", f"{proxy.host}/test/x:a")


def test_cancel_keeps_what_came(proxy, images, store):
    path = f"/blobs/{ociimage.digest(images['big'].data)}"
    gate = threading.Event()
    proxy.fault(Slow(piece=300_000, gate=gate), path=path)
    everything_else = 300_000 + len(images["shared"].data)
    process = start("--cancel-at", everything_else, store, "pull", f"{proxy.host}/test/x:a")
    result, _ = finish(process)
    gate.set()
    assert result == []
    assert tool(store, "list") == []
    assert parts(store) == [ociimage.digest(images["big"].data)[7:] + ".part"]
    pulled(store, "pull", f"{proxy.host}/test/x:a")
    assert proxy.asked(path)[-1].headers["Range"].startswith("bytes=")
    assert parts(store) == []
