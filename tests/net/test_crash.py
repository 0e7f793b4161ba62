# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any moment, and many tasks in a row: what the journal says is what there is."""

import contextlib
import os
import random
import signal
import sqlite3
import time

import netlab
import ownnet
from netlab import HOST, OUTSIDE, Server, ask


def taps(lab):
    return [line.split()[0] for line in lab.vpc_run("ip", "-br", "link").splitlines() if line.startswith("tap")]


def elements(lab):
    """Elements of the VPC's sets that belong to tasks."""
    text = lab.vpc_run("nft", "list", "ruleset")
    return text.count('"tap') - text.count('"tap*')


def dice_of_this_run():
    """Another in each run; what is printed makes it again."""
    seed = os.environ.get("FG_SEED", str(time.time_ns()))
    print(f"FG_SEED={seed}")
    return random.Random(seed)


def test_tasks_outlive_it(lab):
    a, b = lab.guest("port=8080:80"), lab.guest()
    server = Server(a.ns, a.ipv4, 80)
    lab.net.kill()
    # Nobody is there, and everything goes on.
    assert ask(b.ns, a.ipv4, 80) == b.ipv4
    assert ask(lab.outside, HOST, 8080) == OUTSIDE
    assert netlab.resolve(b.ns, a.a["name"]) == [a.ipv4]
    resolver = netlab.resolvers(lab.directory)
    assert lab.net.start()["usable"]
    assert netlab.resolvers(lab.directory) == resolver  # taken up, not started again
    assert sorted(lab.net.do("list")["tasks"], key=lambda t: t["task"]) == [a.a, b.a]
    assert ask(lab.outside, HOST, 8080) == OUTSIDE
    refused = lab.net.do("attach", lab.new_task(), "port=8080:1")
    assert refused["code"] == "CONFLICT"
    # The same attachment for who asks again.
    assert lab.net.do("attach", a.a["task"]) == a.a
    # What nobody claims goes.
    assert lab.net.do("claim", a.a["task"]) == {}
    deadline = time.monotonic() + 60
    while len(lab.net.do("list")["tasks"]) > 1:
        assert time.monotonic() < deadline
    assert ask(b.ns, a.ipv4, 80, timeout=0.5) is None
    server.close()


def test_pairs_outlive_it(lab):
    """As long as somebody is at the other end; one that went with its container is made again."""
    a, b, c = lab.guest("pair", "port=8080:80"), lab.guest(), lab.attach("pair")
    server = Server(a.ns, a.ipv4, 80)
    lab.net.kill()
    netlab.until(lambda: c["tap"] not in taps(lab))  # nobody was
    assert ask(b.ns, a.ipv4, 80) == b.ipv4 and ask(lab.outside, HOST, 8080) == OUTSIDE
    assert lab.net.start()["usable"]
    assert len(lab.net.do("list")["tasks"]) == 3
    assert ask(b.ns, a.ipv4, 80) == b.ipv4 and ask(b.ns, a.ipv6, 80) is None  # refused, by who is there
    again = lab.net.do("attach", c["task"])
    assert {**again, "netns": ""} == {**c, "netns": ""}
    vpc = lab.vpc
    lab.guests.append(netlab.Guest(lab, vpc, again))
    os.close(vpc)
    assert lab.guests[-1].ping(a.a["gateway4"]) and ask(lab.guests[-1].ns, a.ipv4, 80) == c["ipv4"]
    gone = {a.a["tap"], c["tap"]}
    server.close()
    for g in (a, lab.guests[-1]):
        lab.net.do("detach", g.a["task"])  # with all that is still in it
    left = lab.vpc_run("nft", "list", "set", "bridge", "fgrun", "eni_mac")
    assert not gone & set(taps(lab)) and left.count('"tap') == 1 and b.a["mac"] in left
    lab.guests.remove(a)
    lab.guests.pop().close()
    a.close()


def test_a_stop_leaves_tasks_and_a_start_takes_them_up(lab):
    a = lab.guest()
    lab.net.stop()
    assert a.ping(a.a["gateway4"])
    assert lab.net.start()["usable"]
    assert lab.net.do("list")["tasks"] == [a.a]


def test_killed_at_random_points(lab):
    dice = dice_of_this_run()
    for _ in range(15):
        for _ in range(4):
            lab.net.send("attach", lab.new_task(), f"port={dice.randrange(20000, 60000)}:80", "rate=100000",
                         *dice.choice([[], ["pair"]]))
            if lab.task > 3 and dice.random() < 0.5:
                lab.net.send("detach", f"{lab.task - 3:032x}")
        time.sleep(dice.random() * 0.12)
        os.kill(lab.net.process.pid, signal.SIGKILL)
        lab.net.kill()
        assert lab.net.start()["usable"]
        tasks = lab.net.do("list")["tasks"]
        assert len({t["ipv4"] for t in tasks}) == len(tasks)
        assert {t["tap"] for t in tasks if not t["pair"]} <= set(taps(lab))
        assert len({t["tap"] for t in tasks}) == len(tasks)
        # mac, arp, ip4, two of ip6; its two rates name it twice
        assert elements(lab) == 9 * len(tasks)
    for task in lab.net.do("list")["tasks"]:
        assert lab.net.do("detach", task["task"]) == {}
    assert elements(lab) == 0


def test_dnsmasq_killed(lab):
    a, b = lab.guest(), lab.guest()
    (pid,) = netlab.resolvers(lab.directory)
    os.kill(pid, signal.SIGKILL)
    netlab.until(lambda: "dnsmasq, the resolver of tasks, is there again" in lab.net.said(), 30)
    netlab.until(lambda: netlab.resolve(b.ns, a.a["name"], timeout=2) == [a.ipv4], 30)
    assert pid not in netlab.resolvers(lab.directory)


def test_facts_of_another_boot(lab):
    """The machine has been started anew: the namespace is none of ours, and who forwards now is not known."""
    lab.net.kill()
    for pid in netlab.resolvers(lab.directory):
        os.kill(pid, signal.SIGKILL)
    with contextlib.closing(sqlite3.connect(f"{lab.directory}/state/net.db")) as db, db:
        facts = dict(db.execute("SELECT name, value FROM fact"))
        other = "01234567-89ab-cdef-0123-456789abcdef"
        assert facts["namespace"].split()[0] != other
        db.execute("UPDATE fact SET value = ? WHERE name = 'namespace'", (f"{other} {facts['namespace'].split()[1]}",))
    netlab.run(lab.host, "nft", "delete", "table", "inet", "fgr_forwarding")  # as a boot does
    before = lab.vpc
    assert lab.net.start()["usable"]
    after = lab.vpc
    assert os.fstat(before).st_ino != os.fstat(after).st_ino
    os.close(before)
    os.close(after)
    lab.net.stop()
    with ownnet.inside(lab.host):
        with open(netlab.FORWARDING, encoding="ascii") as file:
            assert file.read() == "1\n"  # not ours to switch off
        with open(netlab.FORWARDING, "w", encoding="ascii") as file:
            file.write("0")
    with contextlib.closing(sqlite3.connect(f"{lab.directory}/state/net.db")) as db:
        assert dict(db.execute("SELECT name, value FROM fact")).get("namespace") is None


def test_killed_while_it_starts(lab):
    a = lab.guest("port=8080:80")
    dice = dice_of_this_run()
    for _ in range(10):
        lab.net.kill()
        with netlab.ownnet.inside(lab.host):
            lab.net.process = netlab.subprocess.Popen(
                [lab.net.tool, f"{lab.directory}/state", f"{lab.directory}/run", lab.config], text=True,
                stdin=netlab.subprocess.PIPE, stdout=netlab.subprocess.PIPE)
        time.sleep(dice.random() * 0.05)
    lab.net.kill()
    assert lab.net.start()["usable"]
    server = Server(a.ns, a.ipv4, 80)
    assert ask(lab.outside, HOST, 8080) == OUTSIDE
    server.close()


def test_a_thousand_in_a_row(lab):
    begin = time.monotonic()
    lab.net.send("cycle", 1000)
    assert lab.net.answer() == {}
    print(f"figure: 1000 attachments in {time.monotonic() - begin:.1f} s")
    netlab.until(lambda: len(taps(lab)) == 4)  # the pool, filled again, and nothing else
    assert elements(lab) == 0 and "172.31.0" not in lab.vpc_run("ip", "neigh")
    assert "proxy" not in lab.vpc_run("ip", "-6", "neigh", "show", "proxy")
    assert os.listdir(f"{lab.directory}/run/vpc/names") == []
    host = netlab.run(lab.host, "nft", "list", "ruleset").stdout
    assert host.count("elements") == host.count("set before")  # the devices that do not forward to each other


def test_a_mount_namespace_of_its_own(lab):
    """As fgd has once it has a /dev/kvm of its own: what it mounted before goes all the same."""
    lab.guest()
    assert lab.net.do("hide") == {}


def test_rules_of_others_stay(lab):
    for words in ("add table ip others",
                  "add chain ip others input { type filter hook input priority 5 ; policy accept ; }",
                  "add rule ip others input counter"):
        netlab.run(lab.host, "nft", words)
    before = netlab.run(lab.host, "nft", "list", "table", "ip", "others").stdout.split("packets")[0]
    a = lab.guest("port=8080:80")
    lab.leave(a)
    lab.net.stop()
    assert netlab.run(lab.host, "nft", "list", "table", "ip", "others").stdout.startswith(before)
    netlab.run(lab.host, "nft", "delete", "table", "ip", "others")
    assert lab.left_over() == []


def forwarding(lab, value=None):
    with ownnet.inside(lab.host), open(netlab.FORWARDING, "r" if value is None else "w", encoding="ascii") as file:
        return file.write(value) if value else file.read().strip()


def neighbours_of_the_host(lab, *numbers):
    """Further networks that the host is in, and that the world outside believes it leads to."""
    found = []
    for n in numbers:
        found.append(ownnet.new())
        netlab.ip(lab.host, f"""
            link add more{n} type veth peer name in0 netns /proc/{os.getpid()}/fd/{found[-1]}
            addr add 10.99.{n}.1/24 dev more{n}
            link set more{n} up""")
        netlab.ip(found[-1], f"""
            addr add 10.99.{n}.2/24 dev in0
            link set in0 up
            route add default via 10.99.{n}.1""")
        netlab.run(lab.outside, "ip", "route", "add", f"10.99.{n}.0/24", "via", HOST)
    return found


def test_the_host_does_not_become_a_router(lab):
    """But for us, and for devices that another program makes later, which may need it."""
    lab.net.stop()
    spaces = neighbours_of_the_host(lab, 1)
    lab.net.start()
    assert forwarding(lab) == "1"
    spaces += neighbours_of_the_host(lab, 2)
    servers = [netlab.Server(ns, f"10.99.{n}.2", 80) for n, ns in enumerate(spaces, 1)]
    assert ask(lab.outside, "10.99.1.2", 80, timeout=0.5) is None and ask(lab.host, "10.99.1.2", 80)
    assert ask(lab.outside, "10.99.2.2", 80)
    a, outside = lab.guest(), Server(lab.outside, OUTSIDE, 80)
    assert ask(a.ns, OUTSIDE, 80) == HOST and ask(a.ns, "10.99.1.2", 80)
    lab.leave(a)
    lab.net.stop()
    assert forwarding(lab) == "0"
    forwarding(lab, "1")  # the administrator's own will
    lab.net.start()
    assert ask(lab.outside, "10.99.1.2", 80)
    lab.net.stop()
    assert forwarding(lab) == "1"
    forwarding(lab, "0")
    for it in (*servers, outside):
        it.close()
    for ns in spaces:
        os.close(ns)


def test_a_network_of_the_host_that_is_a_subnet_too(lab):
    assert "network of the host" not in lab.net.said()
    lab.net.stop()
    netlab.ip(lab.host, "addr add 172.31.99.1/16 dev out0")
    netlab.ip(lab.outside, "addr add 172.31.99.2/16 dev in0")
    lab.net.start()
    assert "(172.31.0.0/20) is in a network of the host too (172.31.99.1/16)" in lab.net.said()
    assert "(172.31.16.0/28) is in a network of the host too (172.31.99.1/16)" in lab.net.said()
    a, b, server = lab.guest(), lab.guest(), Server(lab.outside, OUTSIDE, 80)
    assert a.ping(b.ipv4) and ask(a.ns, OUTSIDE, 80) == HOST
    server.close()


def test_two_on_one_host(lab, tool):
    """With the same subnets. The first to leave does not take the other's way out along."""
    second = netlab.Lab(tool, open(lab.config, encoding="ascii").read())
    os.dup2(lab.host, second.host)  # on the same host
    try:
        assert second.net.start()["usable"]
        a, b, server = lab.guest(), second.guest(), Server(lab.outside, OUTSIDE, 80)
        assert a.ipv4 == b.ipv4 and ask(a.ns, OUTSIDE, 80) and ask(b.ns, OUTSIDE, 80)
        lab.leave(a)
        lab.net.stop()
        assert ask(b.ns, OUTSIDE, 80) == HOST
        second.leave(b)
        server.close()
    finally:
        second.close()


def test_what_is_missing_is_named(lab):
    lab.net.stop()
    info = lab.net.start(["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"])
    assert not info["usable"] and "CAP_NET_ADMIN" in info["reason"]
    refused = lab.net.do("attach", lab.new_task())
    assert refused["code"] == "DENIED" and "CAP_NET_ADMIN" in refused["error"]
