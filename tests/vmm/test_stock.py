# SPDX-License-Identifier: Apache-2.0
"""kernel = stock: Debian's own kernel, with its modules, in the guest."""

import glob

import fgd


def test_stock_kernel(programs, task):
    installed = {path.removeprefix("/boot/vmlinuz-") for path in glob.glob("/boot/vmlinuz-*-cloud-amd64")}
    assert installed, "apt-get install linux-image-cloud-amd64"
    with fgd.running(str(programs / "api/fgd"), "embed", kernel="stock") as daemon:
        assert daemon.call("GET", "/v1/info")["hypervisor"]["kernel"].startswith("/boot/vmlinuz-")
        stopped = daemon.stopped(daemon.run(task("uname -r; cat /proc/modules; ls /modules")))
        output = daemon.output_of(stopped["fgrun"]["id"]).decode().splitlines()
        assert stopped["containers"][0]["exitCode"] != 0  # of ls: a container sees no modules
        assert output[0] in installed
        assert {"overlay", "virtio_blk", "virtio_mmio"} <= {line.split()[0] for line in output[1:]}
