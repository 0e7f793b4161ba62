# SPDX-License-Identifier: Apache-2.0
"""The guest's side of the network, in real guests."""
import ethernet

MAC = "02:00:5e:00:53:01"
NETWORK = {"mac": MAC, "mtu": 1400, "addresses": ["172.31.0.10/20", "fd00:1::a/64"],
           "gateways": ["172.31.0.1", "fd00:1::1"], "dnsServers": ["169.254.169.253"],
           "dnsSearch": ["fgrun.internal"]}
HOSTNAME = "ip-172-31-0-10.fgrun.internal"


def test_interface(runner):
    with runner.guest(mac=MAC) as guest:
        guest.connect()
        guest.start([
            runner.sh("link", "ls /sys/class/net; cat /sys/class/net/eth1/mtu /sys/class/net/eth1/address;"
                              "cat /etc/hostname /etc/resolv.conf; hostname; grep 172 /etc/hosts;"
                              "ip -o addr show dev eth1; ip route; ip -6 route", essential=False),
            runner.sh("ping", "ping -c 1 -W 20 172.31.0.1 && ping -c 1 -W 20 192.0.2.9 &&"
                              "ping -c 1 -W 20 fd00:1::1 && ping -c 1 -W 20 2001:db8::9",
                      essential=False)],
            network=NETWORK, hostname=HOSTNAME)
        codes = guest.finish(120)
        nic = guest.nic
    assert codes == {"link": 0, "ping": 0}, guest.stdout(1) + guest.stderr(1)
    lines = guest.stdout(0).decode().splitlines()
    interfaces = lines[:lines.index("1400")]
    assert "dummy0" not in interfaces and {"eth1", "lo"} <= set(interfaces)
    lines = lines[len(interfaces):]
    assert lines[:6] == ["1400", MAC, HOSTNAME, "search fgrun.internal", "nameserver 169.254.169.253",
                         HOSTNAME]
    assert lines[6].split() == ["172.31.0.10", HOSTNAME]
    rest = "\n".join(lines[7:])
    assert "inet 172.31.0.10/20" in rest and "inet6 fd00:1::a/64" in rest and "tentative" not in rest
    assert "default via 172.31.0.1 dev eth1" in rest and "default via fd00:1::1 dev eth1" in rest
    assert [(source, target) for source, target, _ in nic.pings] == [
        ("172.31.0.10", "172.31.0.1"), ("172.31.0.10", "192.0.2.9"),
        ("fd00:1::a", "fd00:1::1"), ("fd00:1::a", "2001:db8::9")]
    assert {mac for _, _, mac in nic.pings} == {ethernet.ROUTER_MAC}
    assert set(nic.asked) == {"172.31.0.1", "fd00:1::1"}, "the rest goes through the router"
    assert {mac for _, mac in nic.frames} == {bytes.fromhex(MAC.replace(":", ""))}


def test_shared_files(runner):
    """What one container of a task writes into /etc/hosts the others see."""
    guest, codes = runner.run(
        runner.sh("writer", "echo '192.0.2.1 other' >> /etc/hosts", essential=False),
        runner.sh("reader", "grep other /etc/hosts; ls /sys/class/net; cat /etc/resolv.conf",
                  dependsOn=[{"containerName": "writer", "condition": "SUCCESS"}]))
    assert codes == {"writer": 0, "reader": 0}
    lines = guest.stdout(1).decode().splitlines()
    assert lines[0] == "192.0.2.1 other"
    assert "eth1" not in lines and "dummy0" not in lines and "lo" in lines
    assert lines[-1] == "# the task has no name servers"


def refused(runner, network, **options):
    with runner.guest(**options) as guest:
        guest.connect()
        guest.start([runner.sh("app", "true")], network=network)
        assert guest.finish() == {}
    (failed,) = guest.named("container.failed")
    assert failed["error"] == "ResourceInitializationError"
    return failed["message"]


def test_refused(runner):
    """A network that cannot be had is told with what was wrong, and nothing is started."""
    assert refused(runner, NETWORK) == f"network: no interface has the MAC address {MAC}"
    assert refused(runner, dict(NETWORK, gateways=["10.0.0.1"]), mac=MAC) == (
        "network: default route via 10.0.0.1: the kernel refuses: Network is unreachable")
    assert refused(runner, dict(NETWORK, ip="x")) == "network: ip: unknown member"
