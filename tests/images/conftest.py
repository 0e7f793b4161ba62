# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))

import ociimage  # noqa: E402


@pytest.fixture(scope="module")
def images():
    shared = ociimage.Layer({"shared": os.urandom(200_000)}, "gzip")
    big = ociimage.Layer({"big": os.urandom(600_000)}, "none")
    small = ociimage.Layer({"small": b"hello"}, "zstd")
    return {
        "a": ociimage.Image([shared, big, small], cmd=["/a"]),
        "b": ociimage.Image([shared, small], cmd=["/b"]),
        "arm": ociimage.Image([small], cmd=["/arm"], architecture="arm64"),
        "big": big,
        "shared": shared,
    }


@pytest.fixture(scope="module")
def layout(images, tmp_path_factory):
    root = tmp_path_factory.mktemp("layout") / "oci"
    return ociimage.write_layout(str(root), {
        "a": images["a"], "b": images["b"], "arm": images["arm"],
        "multi": [images["arm"], images["a"]]})


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store")
