# SPDX-License-Identifier: Apache-2.0
"""Images from real registries (Debian's docker-registry on loopback), and from broken ones."""

import json

import pytest

import lab as lab_module
import ociimage
from faultproxy import Corrupt, FaultProxy, Reset, Status, Truncate
from lab import definition
from registry import Registry, TokenServer, docker_config, make_ca

USER = ("user", "pass:word")
NAME = "test/busybox:1"


# busybox in two layers, the second compressed with zstd.
LAYERS = [*ociimage.busybox().layers, ociimage.Layer({"greeting": b"from a registry\n"}, "zstd")]
LAYER_PATHS = [f"/blobs/{ociimage.digest(layer.data)}" for layer in LAYERS]


@pytest.fixture(scope="module")
def oci(tmp_path_factory):
    image = ociimage.Image(LAYERS, cmd=["cat", "/greeting"], env=["PATH=/bin"])
    return ociimage.write_layout(str(tmp_path_factory.mktemp("oci") / "layout"), {"latest": image})


@pytest.fixture(scope="module")
def registry(oci, tmp_path_factory):
    with Registry(tmp_path_factory.mktemp("plain")) as it:
        it.push(oci, "latest", NAME)
        yield it


@pytest.fixture
def proxy(registry):
    with FaultProxy(registry.host) as it:
        yield it


@pytest.fixture
def empty_store(lab):
    lab.settle()
    lab.fgrun("prune", "--all", "-y")
    assert json.loads(lab.fgrun("images", "--json").stdout)["images"] == []


def greets(lab, host):
    task = definition(f"{host}/{NAME}", ["cat", "/greeting"])
    del task["containerDefinitions"][0]["command"]  # the image's own
    done = lab.run(task, "--quiet")
    assert (done.returncode, done.stdout) == (0, "from a registry\n"), done.stderr
    return lab.latest()


def refused(lab, host, name=NAME):
    done = lab.run(definition(f"{host}/{name}", "true"))
    assert done.returncode == 125, done.stderr
    stopped = lab.latest()
    assert stopped["stopCode"] == "TaskFailedToStart"
    assert stopped["stoppedReason"].startswith("CannotPullContainerError: ")
    assert stopped["containers"][0]["reason"].startswith("CannotPullContainerError: ")
    assert f"{host}/{name}" in stopped["stoppedReason"] and stopped["stoppedReason"] in done.stderr
    return stopped["stoppedReason"]


def test_second_run_downloads_nothing(lab, proxy):
    task = greets(lab, proxy.host)
    assert task["containers"][0]["imageDigest"].startswith("sha256:")
    greets(lab, proxy.host)  # asks whether the tag has moved, no more
    assert [len(proxy.asked(path)) for path in LAYER_PATHS] == [1, 1]
    assert NAME in lab.fgrun("images").stdout


def test_basic_auth(oci, tmp_path):
    with Registry(tmp_path / "r", htpasswd=USER) as registry:
        registry.push(oci, "latest", NAME)
        with lab_module.lab() as lab:
            assert "authentication required" in refused(lab, registry.host)
        credentials = docker_config(tmp_path / "config.json", registry.host, *USER)
        with lab_module.lab(docker_config=credentials) as lab:
            greets(lab, registry.host)


def test_token_server(oci, tmp_path):
    with TokenServer(tmp_path / "t", USER) as tokens, Registry(tmp_path / "r", token=tokens) as registry:
        registry.push(oci, "latest", NAME)
        credentials = docker_config(tmp_path / "config.json", registry.host, *USER)
        with lab_module.lab(docker_config=credentials) as lab:
            greets(lab, registry.host)


def test_tls_with_an_own_ca(oci, tmp_path):
    ca, cert, key = make_ca(str(tmp_path))
    with Registry(tmp_path / "r", tls=(cert, key)) as registry:
        registry.push(oci, "latest", NAME)
        with lab_module.lab(ca_file=ca) as lab:
            greets(lab, registry.host)


@pytest.mark.parametrize("fault, path, times", [
    (Reset(after=100_000), LAYER_PATHS[0], 2),
    (Truncate(after=100_000), LAYER_PATHS[0], 2),
    (Corrupt(at=5000), LAYER_PATHS[0], 1),
    (Status(429, {"Retry-After": "1"}), "/v2/", 1),
    (Status(503), "/manifests/", 1),
], ids=["reset", "truncated", "wrong-digest", "too-many-requests", "unavailable"])
def test_fault_that_passes(lab, empty_store, proxy, fault, path, times):
    proxy.fault(fault, path=path, times=times)
    greets(lab, proxy.host)
    assert all(rule.times == 0 for rule in proxy.rules)  # it was met


def test_digest_that_stays_wrong(lab, empty_store, proxy):
    proxy.fault(Corrupt(at=5000), path=LAYER_PATHS[0], times=1000)
    assert "came with wrong content" in refused(lab, proxy.host)


def test_no_such_image(lab, registry):
    assert "not found" in refused(lab, registry.host, "test/nothing:1")


def test_no_registry_there(lab):
    reason = refused(lab, "127.0.0.1:1")
    assert "127.0.0.1" in reason
