# SPDX-License-Identifier: Apache-2.0
"""What tasks can reach, and what reaches them."""

import hashlib
import ipaddress
import os
import time

import pytest

from conftest import CONFIG, DB, SMALL, WEB
import netlab
from netlab import HOST, OUTSIDE, Server, ask, resolve, until, run


def test_same_group_reaches_each_other(lab):
    a, b = lab.guest(), lab.guest()
    server = Server(b.ns, b.ipv4, 80)
    assert a.ping(a.a["gateway4"])
    assert ask(a.ns, b.ipv4, 80) == a.ipv4  # nothing in between changes the address
    assert a.ping(b.ipv4) and b.ping(a.ipv4)
    for family in ("ipv4", "ipv6"):  # the router answers for the other at once
        assert lab.vpc_run("cat", f"/proc/sys/net/{family}/neigh/br0/proxy_delay") == "0\n"
    server.close()


def test_ipv6(lab):
    a, b = lab.guest(), lab.guest()
    server = Server(b.ns, b.ipv6, 80)
    assert a.ping(a.a["gateway6"])
    assert ask(a.ns, b.ipv6, 80) == a.ipv6
    server.close()


def test_groups(lab):
    web, db, other = lab.guest(f"group={WEB}"), lab.guest("group=db"), lab.guest()
    servers = [Server(db.ns, db.ipv4, 5432), Server(db.ns, db.ipv4, 80), Server(web.ns, web.ipv4, 80),
               Server(db.ns, db.ipv6, 5432), Server(web.ns, web.ipv4, 81)]
    assert ask(web.ns, db.ipv4, 5432) == web.ipv4
    assert ask(web.ns, db.ipv6, 5432) == web.ipv6  # a rule of a group holds in both families
    assert ask(other.ns, web.ipv4, 80) == other.ipv4
    assert ask(web.ns, db.ipv4, 80, timeout=0.5) is None  # another port
    assert ask(other.ns, web.ipv4, 81, timeout=0.5) is None
    assert ask(other.ns, db.ipv4, 5432, timeout=0.5) is None  # another group
    assert ask(db.ns, web.ipv4, 80, timeout=0.5) is None  # its egress allows only 443
    assert not other.ping(web.ipv4)
    for server in servers:
        server.close()


def test_subnets_are_routed(lab):
    a, b = lab.guest(), lab.guest(f"subnet={SMALL}")
    assert b.ipv4.startswith("172.31.16.") and a.ping(b.ipv4) and b.ping(a.ipv4)
    assert b.ipv6 == ""


def test_outwards(lab):
    a = lab.guest()
    server, udp = Server(lab.outside, OUTSIDE, 80), Server(lab.outside, OUTSIDE, 53, udp=True)
    assert ask(a.ns, OUTSIDE, 80) == HOST  # masqueraded
    assert ask(a.ns, OUTSIDE, 53, udp=True) == HOST
    assert a.ping(OUTSIDE)
    server.close()
    udp.close()


CLOUDS = ["169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192"]


def test_what_is_the_hosts_stays_the_hosts(lab):
    a = lab.guest()
    for address in CLOUDS:
        netlab.ip(lab.outside, f"addr add {address}/32 dev lo")
        netlab.ip(lab.host, f"route add {address}/32 via {OUTSIDE}")
    everywhere, metadata = Server(lab.host, "0.0.0.0", 9000), Server(lab.outside, "0.0.0.0", 80)
    pair = netlab.run(lab.host, "sh", "-c", "ip -4 -o addr | grep fgr").stdout.split()[3].split("/")[0]
    assert ask(lab.outside, HOST, 9000) == OUTSIDE  # the service is there
    assert all(ask(lab.host, address, 80) for address in CLOUDS)
    for address, port in ((HOST, 9000), (pair, 9000), ("127.0.0.1", 9000), *((address, 80) for address in CLOUDS)):
        assert ask(a.ns, address, port, timeout=0.5) is None, address
    assert everywhere.asked == 1 and metadata.asked == len(CLOUDS)
    assert ask(a.ns, OUTSIDE, 80) == HOST  # which is no cloud's
    everywhere.close()
    metadata.close()


def test_the_pair_has_no_address_that_is_a_tasks_own(tool):
    # 169.254.172.0/22 is the metadata endpoint's in a guest; around 169.254.169.254 clouds have services.
    taken = ipaddress.ip_network("169.254.168.0/21")

    def suits(state_dir):  # the address follows from the directory: one that would be among those
        slot = int(hashlib.sha256(state_dir.encode()).hexdigest()[:8], 16) % 2**14
        return ipaddress.ip_address("169.254.0.0") + 4 * slot in taken

    with netlab.lab(tool, CONFIG, suits=suits) as lab:
        pair = netlab.run(lab.host, "sh", "-c", "ip -4 -o addr | grep fgr").stdout.split()[3]
        assert not ipaddress.ip_interface(pair).network.overlaps(taken), pair


def test_nothing_comes_in_uninvited(lab):
    a = lab.guest()
    server = Server(a.ns, a.ipv4, 80)
    netlab.ip(lab.outside, f"route add 172.31.0.0/16 via {HOST}")
    assert ask(lab.outside, a.ipv4, 80, timeout=0.5) is None
    assert ask(lab.host, a.ipv4, 80, timeout=0.5) is None
    assert server.asked == 0
    server.close()


def test_published_ports(lab):
    a = lab.guest("port=8080:80", "port=8053:53/udp", "port=127.0.0.1:8081:80")
    web, dns = Server(a.ns, a.ipv4, 80), Server(a.ns, a.ipv4, 53, udp=True)
    assert ask(lab.outside, HOST, 8080) == OUTSIDE  # the task sees who it is
    assert ask(lab.outside, HOST, 8053, udp=True) == OUTSIDE
    assert ask(lab.host, "127.0.0.1", 8080) and ask(lab.host, HOST, 8080)
    assert ask(lab.host, "127.0.0.1", 8053, udp=True)
    assert ask(lab.host, "127.0.0.1", 8081)
    assert ask(lab.outside, HOST, 8081, timeout=0.5) is None  # the loopback only
    lab.leave(a)
    assert ask(lab.outside, HOST, 8080, timeout=0.5) is None
    web.close()
    dns.close()


def test_published_ports_over_ipv6(lab):
    """The loopback too; nothing of it is for tasks, and fgd carries it: after a restart again."""
    netlab.ip(lab.host, "addr add fd99::1/64 dev out0 nodad")
    netlab.ip(lab.outside, "addr add fd99::2/64 dev in0 nodad")
    a, b = lab.guest("port=8080:80", "port=[::1]:8081:81", "port=0.0.0.0:8082:80"), lab.guest()
    servers = [Server(a.ns, a.ipv4, 80), Server(a.ns, a.ipv4, 81)]
    for _ in range(2):
        # The task sees its router, and over IPv4 who it is.
        assert ask(lab.outside, "fd99::1", 8080) == ask(lab.host, "::1", 8080) == a.a["gateway4"]
        assert ask(lab.outside, HOST, 8080) == OUTSIDE
        assert ask(lab.host, "::1", 8081) and ask(lab.outside, "fd99::1", 8081) is None
        assert ask(lab.host, "127.0.0.1", 8081) is None
        assert ask(lab.host, "127.0.0.1", 8082) and ask(lab.host, "::1", 8082) is None
        for address in ("::1", "fd99::1", b.a["gateway6"]):
            assert ask(b.ns, address, 8080, timeout=0.5) is None
        lab.net.kill()
        assert lab.net.start()["usable"]
    for port, what in (("[::1]:8080:1", "00000001"), ("8081:1", "00000001"), ("[::1]:9000:1", "by another program"),
                       ("9000:1", "by another program")):
        busy = Server(lab.host, "::1", 9000)
        refused = lab.net.do("attach", lab.new_task(), f"port={port}")
        busy.close()
        assert refused["code"] == "CONFLICT" and what in refused["error"], refused
    lab.leave(a)
    assert ask(lab.host, "::1", 8080) is None
    for server in servers:
        server.close()


def test_port_conflicts(lab):
    lab.attach("port=8080:80")
    busy = Server(lab.host, HOST, 9000)
    for port, what in (("8080:1", "00000001"), ("127.0.0.1:8080:1", "00000001"), ("9000:1", "by another program")):
        refused = lab.net.do("attach", lab.new_task(), f"port={port}")
        assert refused["code"] == "CONFLICT" and what in refused["error"], refused
    lab.attach("port=8080:80/udp")  # another protocol
    refused = lab.net.do("attach", lab.new_task(), "port=7000:1", "port=7000:2")
    assert refused["code"] == "CONFLICT" and "twice" in refused["error"]
    lab.attach("port=7000:1")  # nothing was kept of the refused one
    busy.close()


def test_requests_that_cannot_be(lab):
    for words, what in ((["subnet=subnet-1"], "subnet-0123456789abcdef0"), (["group=x"], WEB)):
        refused = lab.net.do("attach", lab.new_task(), *words)
        assert refused["code"] == "INVALID" and what in refused["error"]


def test_more_tasks_than_a_bridge_has_room_for(lab):
    a = lab.attach()
    assert lab.net.do("reserve", 958) == {}
    last = lab.attach()
    refused = lab.net.do("attach", lab.new_task())
    assert refused == {"code": "CAPACITY", "error": "960 tasks have a network, and a bridge has no room for more"}
    assert lab.net.do("attach", a["task"]) == a  # who is in stays in
    assert lab.net.do("detach", last["task"]) == {}
    lab.attach()


def test_addresses_come_round_late(lab):
    first = lab.attach(f"subnet={SMALL}")
    assert lab.net.do("detach", first["task"]) == {}
    seen = [lab.attach(f"subnet={SMALL}")["ipv4"] for _ in range(11)]
    assert seen[-1] == first["ipv4"] and len(set(seen)) == 11  # in quarantine: the last one taken
    refused = lab.net.do("attach", lab.new_task(), f"subnet={SMALL}")
    assert refused["code"] == "CAPACITY" and "11 addresses" in refused["error"]


def connections(ns):
    """The kernel's table of connections, one a line."""
    return run(ns, "cat", "/proc/net/nf_conntrack").stdout.splitlines()


def test_connections_go_with_their_task(lab):
    """Whoever has the address or the port next inherits none, not in the host's table either."""
    a, b = lab.guest("port=8080:80", "port=5353:53/udp"), lab.guest()
    servers = [Server(a.ns, a.ipv4, 80), Server(a.ns, a.ipv4, 53, udp=True), Server(b.ns, b.ipv6, 80),
               Server(lab.outside, OUTSIDE, 80)]
    assert ask(lab.outside, HOST, 8080) and ask(lab.outside, HOST, 5353, udp=True)
    assert ask(a.ns, b.ipv6, 80) == a.ipv6 and ask(b.ns, a.ipv4, 80) == b.ipv4
    assert ask(b.ns, OUTSIDE, 80) and ask(a.ns, OUTSIDE, 80)
    vpc = lab.vpc
    gone = [f"={a.ipv4} ", f"={ipaddress.ip_address(a.ipv6).exploded} "]
    assert all(any(name in line for line in connections(vpc)) for name in gone)
    assert [line for line in connections(lab.host) if "dport=8080" in line or "dport=5353" in line]
    lab.leave(a)
    assert [line for line in connections(vpc) if any(name in line for name in gone)] == []
    assert [line for line in connections(lab.host) if "dport=8080" in line or "dport=5353" in line] == []
    # Those of others are as they were: from b to the outside.
    assert [line for line in connections(vpc) if f"src={b.ipv4} dst={OUTSIDE} " in line]
    os.close(vpc)
    for server in servers:
        server.close()


def test_names(lab):
    a, b = lab.guest(), lab.guest()
    own = f"{b.a['task']}.fgrun.internal"
    until(lambda: resolve(a.ns, own) == [b.ipv4])
    assert resolve(a.ns, b.a["name"]) == [b.ipv4]
    lab.net.do("name", a.a["task"], "my.web.fgrun.internal")  # which ends in another
    for g in (a, b):
        lab.net.do("name", g.a["task"], "web.fgrun.internal")
    until(lambda: resolve(a.ns, "web.fgrun.internal") == sorted([a.ipv4, b.ipv4]))
    lab.net.do("noname", b.a["task"], "web.fgrun.internal")
    until(lambda: resolve(a.ns, "web.fgrun.internal") == [a.ipv4])
    lab.leave(b)
    until(lambda: resolve(a.ns, own) == [])
    assert resolve(lab.outside, own, server=HOST, timeout=0.5) is None  # it serves tasks alone


@pytest.mark.parametrize("address", ["127.0.0.1", HOST, "169.254.169.254", "172.31.0.2"],
                         ids=["loopback", "own", "cloud", "subnet"])
def test_a_resolver_that_tasks_cannot_reach(lab, address):
    """A laptop's, a server's for its network, a cloud's: reached through the pair of devices, by one rule, and only it."""
    lab.net.stop()
    place = lab.host if address in ("127.0.0.1", HOST) else lab.outside
    if place is lab.outside:
        netlab.run(lab.outside, "ip", "addr", "add", f"{address}/32", "dev", "in0")
        netlab.run(lab.host, "ip", "route", "add", address, "dev", "out0")
    for name in ("resolv.conf", "empty"):
        with open(f"{lab.directory}/{name}", "w", encoding="ascii") as file:
            file.write(f"nameserver {address}\n" if name == "resolv.conf" else "")
    upstream = netlab.run(place, "sh", "-c", f"""dnsmasq --conf-file=/dev/null --no-resolv --no-hosts \\
        --pid-file={lab.directory}/up.pid --listen-address={address} --bind-interfaces \\
        --address=/example.org/192.0.2.7 --user=nobody --log-facility=/dev/null""")
    assert upstream.returncode == 0
    with open(f"{lab.directory}/up.pid", encoding="ascii") as file:
        pid = int(file.read())
    other = Server(place, address, 80)
    try:
        # A mount namespace of its own, as a service has it: the next life finds the VPC without it.
        info = lab.net.start(["unshare", "-m", "sh", "-c",
                              f"mount --bind {lab.directory}/resolv.conf /etc/resolv.conf && exec \"$@\"", "sh"])
        assert info["usable"], info
        a = lab.attach()
        ns = os.open(f"/proc/{netlab.resolvers(f'{lab.directory}/run')[0]}/ns/net", os.O_RDONLY)
        guest = netlab.Guest(lab, ns, a)
        lab.guests.append(guest)
        assert resolve(guest.ns, "www.example.org") == ["192.0.2.7"]
        assert resolve(guest.ns, "www.example.org", server=address, timeout=0.5) is None
        assert place is lab.host or ask(guest.ns, address, 80, timeout=1) is None
        lab.net.kill()
        assert lab.net.start()["usable"]
        assert guest.ping(a["gateway4"])
        os.close(ns)
    finally:
        other.close()
        os.kill(pid, 15)


@pytest.mark.parametrize("way", ["out", "in", "out pair", "in pair"])
def test_rate(lab, way):
    way, *kind = way.split()
    a, b = lab.guest("rate=200000", *kind), lab.guest()
    sender, receiver = (a, b) if way == "out" else (b, a)
    with netlab.ownnet.inside(receiver.ns):
        sink = netlab.socket.socket(netlab.socket.AF_INET, netlab.socket.SOCK_DGRAM)
    with netlab.ownnet.inside(sender.ns):
        source = netlab.socket.socket(netlab.socket.AF_INET, netlab.socket.SOCK_DGRAM)
    sink.bind((receiver.ipv4, 9))
    sink.setsockopt(netlab.socket.SOL_SOCKET, netlab.socket.SO_RCVBUF, 1 << 22)
    begin = time.monotonic()
    for _ in range(1000):  # a megabyte, at once
        source.sendto(b"x" * 1000, (receiver.ipv4, 9))
    sink.settimeout(1)
    got = 0
    try:
        while True:
            got += len(sink.recv(2000))
    except TimeoutError:
        took = time.monotonic() - begin
    assert 0 < got < 65536 + 200000 * (took + 1), (got, took)
    sink.close()
    source.close()
