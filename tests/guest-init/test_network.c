/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"

#define FULL                                                                                       \
        "{\"mac\":\"02:00:5e:00:53:01\",\"mtu\":1500,"                                             \
        "\"addresses\":[\"172.31.0.10/20\",\"fd00::a/64\"],"                                       \
        "\"gateways\":[\"172.31.0.1\",\"fd00::1\"],\"dnsServers\":[\"169.254.169.253\"],"          \
        "\"dnsSearch\":[\"fgrun.internal\",\"a-1.example\"]}"
#define FILE_MAX 65536

static struct json_object *parse_json(const char *text)
{
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *json = fg_json_parse(text, strlen(text), &err);

        if (!json)
                fail_msg("%s: %s", err.msg, text);
        return json;
}

/* ---- the message ---- */

static void a_full_network_is_read(void **state)
{
        fg_autojson *json = parse_json(FULL);
        struct fg_error err = FG_ERROR_INIT;
        struct fg_address subnet;
        struct fg_network n;
        char text[FG_ADDRESS_TEXT];

        assert_int_equal(fg_network_parse(json, &n, &err), 0);
        assert_int_equal(n.mtu, 1500);
        assert_memory_equal(n.mac, "\x02\0\x5e\0\x53\1", FG_MAC_LEN);
        assert_int_equal(n.address_count, 2);
        assert_int_equal(n.addresses[0].prefix_len, 20);
        assert_int_equal(n.addresses[1].family, AF_INET6);
        assert_ptr_equal(fg_network_first(&n, AF_INET6), &n.addresses[1]);
        assert_ptr_equal(fg_network_gateway(&n, AF_INET), &n.gateways[0]);
        assert_int_equal(n.dns_count, 1);
        assert_string_equal(n.search[1], "a-1.example");
        subnet = fg_address_subnet(&n.addresses[0]);
        fg_address_text(&subnet, text);
        assert_string_equal(text, "172.31.0.0");
        subnet = fg_address_subnet(&n.addresses[1]);
        fg_address_text(&subnet, text);
        assert_string_equal(text, "fd00::");
}

/* One member of FULL in another way. */
static void expect_refused(const char *member, const char *value, const char *message)
{
        fg_autojson *json = parse_json(FULL);
        struct fg_error err = FG_ERROR_INIT;
        struct fg_network n;

        if (value)
                fg_json_set(json, member, parse_json(value));
        else
                json_object_object_del(json, member);
        if (fg_network_parse(json, &n, &err) == 0)
                fail_msg("%s %s was taken", member, value ? value : "absent");
        if (!strstr(err.msg, message))
                fail_msg("%s %s: %s", member, value ? value : "absent", err.msg);
}

static void what_is_wrong_is_named(void **state)
{
        static const char *const members[] = { "mac",      "mtu",        "addresses",
                                               "gateways", "dnsServers", "dnsSearch" };

        for (size_t i = 0; i < FG_ARRAY_SIZE(members); i++) {
                expect_refused(members[i], NULL, members[i]);
                expect_refused(members[i], "{}", members[i]);
        }
        expect_refused("macs", "1", "macs: unknown member");
        expect_refused("mac", "\"02:00:5e:00:53:1\"", "mac: \"02:00:5e:00:53:1\"");
        expect_refused("mac", "\"02:00:5e:00:53:01 \"", "mac:");
        expect_refused("mac", "\"01:00:5e:00:53:01\"", "mac:");
        expect_refused("mac", "\"00:00:00:00:00:00\"", "mac:");
        expect_refused("mtu", "1279", "mtu: 1279; wanted: 1280 to 65535");
        expect_refused("mtu", "65536", "mtu:");
        expect_refused("addresses", "[]", "addresses: none");
        expect_refused("addresses", "[\"172.31.0.10\"]", "addresses[0]: \"172.31.0.10\"");
        expect_refused("addresses", "[\"172.31.0.10/33\"]", "addresses[0]");
        expect_refused("addresses", "[\"172.31.0.10/0\"]", "addresses[0]");
        expect_refused("addresses", "[\"fd00::1/129\"]", "addresses[0]");
        expect_refused("addresses", "[\"fd00::1/64\", 5]", "addresses[1]");
        expect_refused("addresses",
                       "[\"1.1.1.1/8\",\"1.1.1.2/8\",\"1.1.1.3/8\",\"1.1.1.4/8\",\"1.1.1.5/8\","
                       "\"1.1.1.6/8\",\"1.1.1.7/8\",\"1.1.1.8/8\",\"1.1.1.9/8\"]",
                       "addresses[8]");
        expect_refused("gateways", "[\"172.31.0.1\",\"172.31.0.2\"]", "gateways[1]");
        expect_refused("gateways", "[\"172.31.0.1/20\"]", "gateways[0]");
        expect_refused("dnsServers", "[\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\"]",
                       "dnsServers[3]");
        expect_refused("dnsServers", "[\"dns.example\"]", "dnsServers[0]");
        expect_refused("dnsSearch", "[\"\"]", "dnsSearch[0]");
        expect_refused("dnsSearch", "[\"a.example\\nnameserver 6.6.6.6\"]", "dnsSearch[0]");
        expect_refused("dnsSearch", "[\"a.example\\u0000.evil\"]", "dnsSearch[0]");
        expect_refused("dnsSearch", "[\"a..example\"]", "dnsSearch[0]");
        expect_refused("dnsSearch", "[\"a.example.\"]", "dnsSearch[0]");
}

static void a_host_is_named_as_the_kernel_and_files_can_have_it(void **state)
{
        static const char longest[] =
                "a123456789b123456789c123456789d123456789e123456789f123456789.123";

        assert_true(fg_hostname_valid("ip-172-31-0-10.fgrun.internal"));
        assert_true(fg_hostname_valid("0123456789ab"));
        assert_int_equal(strlen(longest), 64);
        assert_true(fg_hostname_valid(longest));
        assert_false(fg_hostname_valid(
                "x"
                "a123456789b123456789c123456789d12.456789e123456789f123456789.123"));
        assert_false(fg_hostname_valid(""));
        assert_false(fg_hostname_valid("a\n127.0.0.1\tb"));
        assert_false(fg_hostname_valid("a b"));
}

static void a_gateway_needs_an_address_of_its_family(void **state)
{
        fg_autojson *json = parse_json(FULL);
        struct fg_error err = FG_ERROR_INIT;
        struct fg_network n;

        fg_json_set(json, "addresses", parse_json("[\"172.31.0.10/20\"]"));
        assert_int_equal(fg_network_parse(json, &n, &err), -1);
        assert_non_null(strstr(err.msg, "gateways[1]: \"fd00::1\""));
        fg_json_set(json, "gateways", parse_json("[]"));
        fg_json_set(json, "mtu", parse_json("576"));
        assert_int_equal(fg_network_parse(json, &n, &err), 0);
}

/* ---- the files ---- */

static void expect_file(const char *dir, const char *name, const char *text)
{
        fg_cleanup(fg_buf_finish) struct fg_buf b = FG_BUF_INIT(FILE_MAX);
        fg_autofree char *path = fg_asprintf("%s/%s", dir, name);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_buf_read_file(&b, path, &err), 0);
        assert_string_equal(b.data, text);
}

static void files_say_who_and_where(void **state)
{
        char dir[] = "/tmp/fgrun-test-network.XXXXXX";
        fg_autojson *json = parse_json(FULL);
        struct fg_error err = FG_ERROR_INIT;
        fg_autofree char *with = NULL, *without = NULL;
        struct fg_network n;

        assert_non_null(mkdtemp(dir));
        with = fg_asprintf("%s/with", dir);
        without = fg_asprintf("%s/without", dir);
        assert_int_equal(fg_network_parse(json, &n, &err), 0);
        assert_int_equal(fg_network_write_files(&n, "ip-172-31-0-10.fgrun.internal", with, &err),
                         0);
        expect_file(with, "hostname", "ip-172-31-0-10.fgrun.internal\n");
        expect_file(with, "hosts",
                    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
                    "172.31.0.10\tip-172-31-0-10.fgrun.internal\n"
                    "fd00::a\tip-172-31-0-10.fgrun.internal\n");
        expect_file(with, "resolv.conf",
                    "search fgrun.internal a-1.example\nnameserver 169.254.169.253\n");
        assert_int_equal(fg_network_write_files(NULL, "box", without, &err), 0);
        expect_file(without, "hosts",
                    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
                    "127.0.0.1\tbox\n");
        expect_file(without, "resolv.conf", "# the task has no name servers\n");
        assert_int_equal(fg_rm_rf(dir, &err), 0);
}

/* ---- netlink ---- */

static void messages_have_the_kernels_layout(void **state)
{
        const struct ifinfomsg body = { .ifi_index = 0x01020304 };
        const unsigned char expected[] = {
                /* length 56, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_CREATE, sequence, port */
                0x38, 0, 0, 0, 0x10, 0, 0x01, 0x04, 0, 0, 0, 0, 0, 0, 0, 0,
                /* struct ifinfomsg */
                0, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0,
                /* IFLA_IFNAME "eth1", padded to 12 */
                9, 0, 3, 0, 'e', 't', 'h', '1', 0, 0, 0, 0,
                /* IFLA_LINKINFO of 12 with IFLA_MTU 1500 in it */
                12, 0, 18, 0, 8, 0, 4, 0, 0xdc, 5, 0, 0
        };
        struct fg_netlink m;
        size_t nest;

        fg_netlink_begin(&m, RTM_NEWLINK, NLM_F_CREATE, &body, sizeof(body));
        fg_netlink_put_str(&m, IFLA_IFNAME, "eth1");
        nest = fg_netlink_nest(&m, IFLA_LINKINFO);
        fg_netlink_put_u32(&m, IFLA_MTU, 1500);
        fg_netlink_nest_end(&m, nest);
        assert_int_equal(m.len, sizeof(expected));
        assert_memory_equal(m.data, expected, sizeof(expected));
}

static void answers_are_read_within_their_bounds(void **state)
{
        const struct ifinfomsg body = { .ifi_index = 7 };
        struct fg_error err = FG_ERROR_INIT;
        struct fg_netlink_link link;
        struct fg_netlink m;
        bool last = false;

        fg_netlink_begin(&m, RTM_NEWLINK, 0, &body, sizeof(body));
        fg_netlink_put_str(&m, IFLA_IFNAME, "eth0");
        fg_netlink_put(&m, IFLA_ADDRESS, "\x02\0\0\0\0\x09", FG_MAC_LEN);
        assert_int_equal(fg_netlink_parse_link(m.data, m.len, &link, &last, &err), (long)m.len);
        assert_int_equal(link.index, 7);
        assert_string_equal(link.name, "eth0");
        assert_memory_equal(link.mac, "\x02\0\0\0\0\x09", FG_MAC_LEN);
        assert_false(last);
        assert_int_equal(fg_netlink_parse_link(m.data, 0, &link, &last, &err), 0);
        for (size_t len = 1; len < m.len; len++)
                assert_int_equal(fg_netlink_parse_link(m.data, len, &link, &last, &err), -1);
        m.data[0] = 15; /* shorter than its own header */
        assert_int_equal(fg_netlink_parse_link(m.data, m.len, &link, &last, &err), -1);
}

/* ---- a real interface, in a namespace of our own ---- */

static void write_text(const char *path, const char *text)
{
        fg_autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
        struct fg_error err = FG_ERROR_INIT;

        assert_true(fd >= 0);
        assert_int_equal(fg_write_all(fd, text, strlen(text), &err), 0);
}

static bool enter_namespaces(void)
{
        fg_autofree char *uids = fg_asprintf("0 %u 1", geteuid());
        fg_autofree char *gids = fg_asprintf("0 %u 1", getegid());

        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
                return false;
        write_text("/proc/self/uid_map", uids);
        write_text("/proc/self/setgroups", "deny");
        write_text("/proc/self/gid_map", gids);
        return true;
}

#define FULL_MAC "\x02\0\x5e\0\x53\1"

/* A pair of interfaces, one with this name and MAC address. */
static void make_pair(int fd, const char *name, const char *mac)
{
        const struct ifinfomsg body = { .ifi_family = AF_UNSPEC };
        struct fg_error err = FG_ERROR_INIT;
        struct fg_netlink m;
        size_t info, data, peer;

        fg_netlink_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
        fg_netlink_put_str(&m, IFLA_IFNAME, name);
        fg_netlink_put(&m, IFLA_ADDRESS, mac, FG_MAC_LEN);
        info = fg_netlink_nest(&m, IFLA_LINKINFO);
        fg_netlink_put_str(&m, IFLA_INFO_KIND, "veth");
        data = fg_netlink_nest(&m, IFLA_INFO_DATA);
        peer = fg_netlink_nest_raw(&m, VETH_INFO_PEER, &body, sizeof(body));
        fg_netlink_put_str(&m, IFLA_IFNAME, "other0");
        fg_netlink_nest_end(&m, peer);
        fg_netlink_nest_end(&m, data);
        fg_netlink_nest_end(&m, info);
        if (fg_netlink_talk(fd, &m, &err) < 0)
                fail_msg("%s", err.msg);
}

static bool has_address(const char *text)
{
        struct ifaddrs *list, *i;
        char have[INET6_ADDRSTRLEN];
        bool found = false;

        assert_int_equal(getifaddrs(&list), 0);
        for (i = list; i; i = i->ifa_next) {
                const void *a;

                if (!i->ifa_addr || !fg_streq(i->ifa_name, FG_NETWORK_INTERFACE))
                        continue;
                if (i->ifa_addr->sa_family == AF_INET)
                        a = &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr;
                else if (i->ifa_addr->sa_family == AF_INET6)
                        a = &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr;
                else
                        continue;
                assert_non_null(inet_ntop(i->ifa_addr->sa_family, a, have, sizeof(have)));
                found = found || !text || fg_streq(have, text);
        }
        freeifaddrs(list);
        return found;
}

static void expect_address(const char *text)
{
        if (!has_address(text))
                fail_msg("%s is not at " FG_NETWORK_INTERFACE, text);
}

static void expect_in_file(const char *path, const char *text)
{
        fg_cleanup(fg_buf_finish) struct fg_buf b = FG_BUF_INIT(FILE_MAX);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_buf_read_file(&b, path, &err), 0);
        if (b.len == 0 || !strstr(b.data, text))
                fail_msg("no \"%s\" in %s:\n%s", text, path, b.data ? b.data : "");
}

static void expect_configured(const struct fg_network *n, bool parked)
{
        struct fg_error err = FG_ERROR_INIT;

        if (fg_network_configure(n, parked, &err) < 0)
                fail_msg("%s", err.msg);
        expect_address("172.31.0.10");
        expect_address("fd00::a");
        expect_in_file("/proc/net/route", "eth1\t00000000\t01001FAC\t0003");
}

static void an_interface_is_configured(void **state)
{
        fg_autojson *json = parse_json(FULL);
        struct fg_error err = FG_ERROR_INIT;
        struct ifreq r = { .ifr_name = FG_NETWORK_INTERFACE };
        fg_autoclose int fd = -1;
        struct fg_network n;

        if (!enter_namespaces())
                skip(); /* not everybody may */
        fd = fg_netlink_open(&err);
        assert_true(fd >= 0);
        assert_int_equal(fg_network_parse(json, &n, &err), 0);
        assert_int_equal(fg_network_configure(&n, false, &err), -1);
        assert_non_null(strstr(err.msg, "no interface has the MAC address 02:00:5e:00:53:01"));

        make_pair(fd, "first0", FULL_MAC);
        expect_configured(&n, false);
        assert_int_equal(ioctl(fd, SIOCGIFMTU, &r), 0);
        assert_int_equal(r.ifr_mtu, 1500);

        /* What the kernel refuses is told with what was asked of it. */
        assert_int_equal(fg_network_configure(&n, false, &err), -1);
        assert_non_null(strstr(err.msg, "address 172.31.0.10/20: the kernel refuses: File exists"));
}

/* While its guest waits it is up, and has no address; its MAC address may be that of a twin. */
static void an_interface_is_parked(void **state)
{
        fg_autojson *json = parse_json(FULL);
        struct fg_error err = FG_ERROR_INIT;
        struct ifreq r = { .ifr_name = FG_NETWORK_INTERFACE };
        fg_autoclose int fd = -1;
        struct fg_network n;

        if (!enter_namespaces())
                skip(); /* not everybody may */
        fd = fg_netlink_open(&err);
        assert_int_equal(fg_network_rehearse(&err), 0); /* nothing to do it with */
        make_pair(fd, "eth0", "\x02\0\x5e\0\x53\2");
        assert_int_equal(fg_network_park(&err), 0);
        for (int i = 0; i < 2; i++) {
                if (fg_network_rehearse(&err) < 0)
                        fail_msg("%s", err.msg);
                assert_false(has_address(NULL));
                assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &r), 0);
                assert_true(r.ifr_flags & IFF_UP);
        }
        assert_int_equal(fg_network_parse(json, &n, &err), 0);
        expect_configured(&n, true);
        expect_address("fe80::5eff:fe00:5301"); /* of the MAC address that it has now */
        assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &r), 0);
        assert_memory_equal(r.ifr_hwaddr.sa_data, FULL_MAC, FG_MAC_LEN);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_full_network_is_read),
                cmocka_unit_test(what_is_wrong_is_named),
                cmocka_unit_test(a_host_is_named_as_the_kernel_and_files_can_have_it),
                cmocka_unit_test(a_gateway_needs_an_address_of_its_family),
                cmocka_unit_test(files_say_who_and_where),
                cmocka_unit_test(messages_have_the_kernels_layout),
                cmocka_unit_test(answers_are_read_within_their_bounds),
                cmocka_unit_test(an_interface_is_configured),
                cmocka_unit_test(an_interface_is_parked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
