/* SPDX-License-Identifier: Apache-2.0 */
#include "net/vpc.h"

#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/digest.h"
#include "core/fs.h"
#include "core/log.h"
#include "core/netns.h"
#include "core/str.h"
#include "net/ns.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* ---- what we may do ---- */

static int check_privileges(struct fg_error *err)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = { 0 };
        const struct {
                unsigned cap;
                const char *name;
        } needed[] = { { CAP_NET_ADMIN, "CAP_NET_ADMIN" }, { CAP_SYS_ADMIN, "CAP_SYS_ADMIN" } };

        if (syscall(SYS_capget, &header, data) < 0)
                return fg_fail_errno(err, errno, "capabilities");
        for (size_t i = 0; i < FG_ARRAY_SIZE(needed); i++)
                if (!(data[0].effective & (1u << needed[i].cap)))
                        return fg_fail(err, FG_ERR_DENIED, "fgd lacks the capability %s",
                                       needed[i].name);
        if (access("/dev/net/tun", R_OK | W_OK) < 0)
                return fg_fail_errno(err, errno, "/dev/net/tun");
        return 0;
}

/* ---- identity: names and the bridge's MAC follow from the state directory ---- */

static void bridge_mac(const struct fg_vpc *vpc, char ret[18])
{
        const char *hex = vpc->name + strlen("fgr");

        (void)snprintf(ret, 18, "06:00:%.2s:%.2s:%.2s:%.2s", hex, hex + 2, hex + 4, hex + 6);
}

void fg_vpc_identify(struct fg_vpc *vpc, const char *state_dir)
{
        char digest[FG_DIGEST_LEN + 1];

        fg_digest_of(state_dir, strlen(state_dir), digest);
        (void)snprintf(vpc->name, sizeof(vpc->name), "fgr%.8s", digest + strlen("sha256:"));
}

static void set_names(struct fg_vpc *vpc)
{
        fg_vpc_identify(vpc, vpc->config->state_dir);
        vpc->dir = fg_asprintf("%s/vpc", vpc->config->run_dir);
        vpc->path = fg_asprintf("%s/net", vpc->dir);
        vpc->names = fg_asprintf("%s/names", vpc->dir);
}

/* Inodes are used again: a namespace is ours when our bridge is in it. The thread is in it. */
bool fg_vpc_is_ours(const struct fg_vpc *vpc)
{
        fg_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq ifr = { .ifr_name = FG_RULES_BRIDGE };
        const unsigned char *m = (const unsigned char *)ifr.ifr_hwaddr.sa_data;
        char wanted[18], found[18];

        if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
                return false;
        bridge_mac(vpc, wanted);
        (void)snprintf(found, sizeof(found), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2],
                       m[3], m[4], m[5]);
        return fg_streq(wanted, found);
}

/* This boot and this inode: "<boot id> <inode>". */
char *fg_vpc_life(uint64_t inode)
{
        fg_cleanup(fg_buf_finish) struct fg_buf boot = FG_BUF_INIT(128);
        struct fg_error ignored;

        if (fg_buf_read_file(&boot, BOOT_ID, &ignored) < 0)
                return fg_strdup("");
        return fg_asprintf("%.36s %llu", boot.data, (unsigned long long)inode);
}

/* ---- making and taking up ---- */

static int open_sockets(struct fg_rtnl **rtnl, struct fg_nft **nft, struct fg_error *err)
{
        return fg_rtnl_new(rtnl, err) < 0 || fg_nft_new(nft, err) < 0 ? -1 : 0;
}

static int look_at_bridge(void *userdata, struct fg_error *err)
{
        (void)err;
        return fg_vpc_is_ours(userdata);
}

/* Return: 1 taken up, 0 there is none. */
static int take_up(struct fg_vpc *vpc)
{
        fg_autofree char *known = fg_journal_get(&vpc->journal, "namespace"), *now = NULL;
        const char *space = known ? strchr(known, ' ') : NULL;
        struct fg_error ignored;
        uint64_t inode;

        if (!space || !fg_parse_u64(space + 1, &inode))
                return 0;
        now = fg_vpc_life(inode);
        if (!fg_streq(known, now))
                return 0;
        vpc->ns = fg_ns_find(vpc->path, inode);
        if (vpc->ns < 0)
                return 0;
        if (fg_netns_run(vpc->ns, look_at_bridge, vpc, &ignored) == 1 &&
            fg_ns_mount(vpc->ns, vpc->path, &ignored) == 0)
                return 1;
        (void)close(fg_take_fd(vpc->ns));
        return 0;
}

/* All names are known before anything is made, so a crash in between leaves nothing unnamed. */
static int make(struct fg_vpc *vpc, struct fg_error *err)
{
        fg_autofree char *life = NULL;

        if (fg_ns_remove(vpc->path, err) < 0 || vpc->uplink->remove(vpc, err) < 0)
                return -1;
        vpc->ns = fg_ns_make(vpc->path, err);
        if (vpc->ns < 0)
                return -1;
        life = fg_vpc_life(fg_ns_inode(vpc->ns));
        return fg_journal_set(&vpc->journal, "namespace", life, err);
}

static int set_bridge(struct fg_error *err)
{
        static const struct {
                const char *name, *value;
                bool optional;
        } settings[] = {
                { "net/ipv4/ip_forward", "1", false },
                { "net/ipv4/conf/all/send_redirects", "0", false },
                { "net/ipv4/conf/br0/send_redirects", "0", false },
                { "net/ipv4/conf/br0/accept_redirects", "0", false },
                /* Tasks find each other through the router: it answers for the whole subnet. */
                { "net/ipv4/conf/br0/proxy_arp_pvlan", "1", false },
                { "net/ipv4/conf/br0/rp_filter", "1", false },
                { "net/ipv6/conf/all/forwarding", "1", true },
                { "net/ipv6/conf/br0/accept_ra", "0", true },
                { "net/ipv6/conf/br0/proxy_ndp", "1", true },
                { "net/bridge/bridge-nf-call-iptables", "0", true },
                { "net/bridge/bridge-nf-call-ip6tables", "0", true },
                { "net/bridge/bridge-nf-call-arptables", "0", true },
                /* Five days would keep a task's connections long after it. */
                { "net/netfilter/nf_conntrack_tcp_timeout_established", "7200", true },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(settings); i++)
                if ((settings[i].optional ? fg_ns_set_if_there : fg_ns_set)(
                            settings[i].name, settings[i].value, err) < 0)
                        return -1;
        return 0;
}

static int add_gateway(struct fg_vpc *vpc, const char *cidr, struct fg_error *err)
{
        struct fg_cidr c;
        struct fg_ip ip;

        if (!*cidr)
                return 0;
        if (!fg_cidr_parse(cidr, &c))
                return fg_fail(err, FG_ERR_INVALID, "%s is not a network", cidr);
        ip = fg_cidr_host(&c, 1);
        return fg_rtnl_add_address(vpc->inside, FG_RULES_BRIDGE, &ip, c.bits, err);
}

static int make_bridge(struct fg_vpc *vpc, struct fg_error *err)
{
        struct fg_ip resolver;
        char mac[18];

        bridge_mac(vpc, mac);
        (void)fg_ip_parse(FG_NET_RESOLVER, &resolver);
        if (fg_rtnl_up(vpc->inside, "lo", err) < 0 ||
            fg_rtnl_add_bridge(vpc->inside, FG_RULES_BRIDGE, mac, err) < 0 || set_bridge(err) < 0 ||
            fg_rtnl_answer_at_once(vpc->inside, FG_RULES_BRIDGE, err) < 0 ||
            fg_rtnl_up(vpc->inside, FG_RULES_BRIDGE, err) < 0 ||
            fg_rtnl_add_address(vpc->inside, FG_RULES_BRIDGE, &resolver, 32, err) < 0)
                return -1;
        for (size_t i = 0; i < vpc->config->n_subnets; i++)
                if (add_gateway(vpc, vpc->config->subnets[i].cidr, err) < 0 ||
                    add_gateway(vpc, vpc->config->subnets[i].cidr6, err) < 0)
                        return -1;
        return 0;
}

/* All rules in one batch: a VPC that was taken up is never without them. */
static int load_rules(struct fg_vpc *vpc, struct fg_eni *const *enis, int n, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf batch = FG_BUF_INIT(FG_RULES_MAX);

        if (fg_rules_vpc(vpc->config, &batch, err) < 0)
                return -1;
        for (int i = 0; i < n; i++) {
                struct fg_net_attachment a = fg_vpc_known(vpc, &enis[i]->a);

                if (fg_rules_task(&a, true, &batch, err) < 0)
                        return -1;
                for (size_t j = 0; j < enis[i]->n_ports; j++)
                        if (fg_rules_task_port(&enis[i]->a, &enis[i]->ports[j], true, &batch, err) <
                            0)
                                return -1;
        }
        return fg_nft_run(vpc->nft_inside, batch.data, err);
}

static int load_host_rules(struct fg_vpc *vpc, struct fg_eni *const *enis, int n,
                           struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf batch = FG_BUF_INIT(FG_RULES_MAX);

        if (fg_rules_host(&vpc->host, &batch, err) < 0)
                return -1;
        for (int i = 0; i < n; i++)
                for (size_t j = 0; j < enis[i]->n_ports; j++)
                        if (fg_rules_host_port(&vpc->host, &enis[i]->ports[j], true, &batch, err) <
                            0)
                                return -1;
        return fg_nft_run(vpc->nft_outside, batch.data, err);
}

struct furniture {
        struct fg_vpc *vpc;
        struct fg_eni *const *enis;
        int n;
};

/* In the VPC's namespace. */
static int furnish(void *userdata, struct fg_error *err)
{
        const struct furniture *f = userdata;
        struct fg_vpc *vpc = f->vpc;
        struct fg_error ignored; /* fg_vpc_detach() tells */

        (void)fg_conntrack_new(&vpc->ct_inside, &ignored);
        if (open_sockets(&vpc->inside, &vpc->nft_inside, err) < 0 || make_bridge(vpc, err) < 0 ||
            fg_vpc_sweep(vpc, f->enis, f->n, err) < 0)
                return -1;
        return load_rules(vpc, f->enis, f->n, err);
}

/* ---- networks that both have ---- */

static void on_host_address(void *userdata, const struct fg_ip *ip, unsigned bits)
{
        const struct fg_vpc *vpc = userdata;
        const struct fg_cidr there = { .ip = *ip, .bits = bits };
        char text[FG_NET_IP_MAX];
        struct fg_cidr own;

        fg_ip_format(ip, text);
        for (size_t i = 0; i < vpc->config->n_subnets; i++) {
                const struct fg_net_subnet *s = &vpc->config->subnets[i];
                const char *cidr = ip->family == AF_INET ? s->cidr : s->cidr6;

                if (!fg_cidr_parse(cidr, &own) ||
                    (!fg_cidr_contains(&own, ip) && !fg_cidr_contains(&there, &own.ip)))
                        continue;
                fg_log_warn("subnet %s (%s) is in a network of the host too (%s/%u): tasks do not "
                            "reach the machines there; network_config can name other subnets",
                            s->id, cidr, text, bits);
        }
}

/* No error: EC2's default VPC has the default subnet in it, and tasks work there. */
static void warn_of_overlaps(struct fg_vpc *vpc)
{
        struct fg_error ignored;

        (void)fg_rtnl_each_address(vpc->outside, on_host_address, vpc, &ignored);
}

static int bring_up(struct fg_vpc *vpc, struct fg_eni *const *enis, int n, struct fg_error *err)
{
        struct furniture f = { .vpc = vpc, .enis = enis, .n = n };

        if (take_up(vpc) == 0 && make(vpc, err) < 0)
                return -1;
        if (fg_netns_run(vpc->ns, furnish, &f, err) < 0 || vpc->uplink->open(vpc, err) < 0)
                return -1;
        return vpc->uplink->host_rules ? load_host_rules(vpc, enis, n, err) : 0;
}

int fg_vpc_open(struct fg_vpc *vpc, const struct fg_net_config *config, struct fg_error *err)
{
        fg_autofree char *db = fg_asprintf("%s/net.db", config->state_dir);
        struct fg_eni **enis = NULL;
        struct fg_error ignored;
        int n, r;

        *vpc = (struct fg_vpc){ .config = config, .ns = -1 };
        if (check_privileges(err) < 0)
                return -1;
        set_names(vpc);
        vpc->uplink = fg_ns_may_change() ? &fg_vpc_uplink_veth : &fg_vpc_uplink_pasta;
        if (fg_mkdir_p(vpc->names, 0755, err) < 0 || fg_journal_open(&vpc->journal, db, err) < 0 ||
            open_sockets(&vpc->outside, &vpc->nft_outside, err) < 0)
                return -1;
        (void)fg_conntrack_new(&vpc->ct_outside, &ignored);
        n = fg_journal_load(&vpc->journal, &enis, err);
        if (n < 0)
                return -1;
        r = bring_up(vpc, enis, n, err);
        for (int i = 0; r == 0 && i < n; i++)
                r = fg_vpc_attach(vpc, enis[i], err);
        for (int i = 0; i < n; i++)
                fg_eni_free(enis[i]);
        free(enis);
        if (r == 0) {
                warn_of_overlaps(vpc);
                fg_vpc_resolver(vpc);
        }
        return r;
}

static void remove_all(struct fg_vpc *vpc)
{
        struct fg_error ignored;

        fg_vpc_resolver_stop(vpc);
        (void)vpc->uplink->remove(vpc, &ignored);
        (void)fg_ns_remove(vpc->path, &ignored);
        (void)fg_rm_rf(vpc->dir, &ignored);
        (void)fg_journal_unset(&vpc->journal, "namespace", &ignored);
}

void fg_vpc_close(struct fg_vpc *vpc, bool remove)
{
        if (remove && vpc->path && vpc->journal.db && vpc->outside && vpc->nft_outside)
                remove_all(vpc);
        fg_nft_free(vpc->nft_inside);
        fg_nft_free(vpc->nft_outside);
        fg_rtnl_free(vpc->inside);
        fg_rtnl_free(vpc->outside);
        fg_conntrack_free(vpc->ct_inside);
        fg_conntrack_free(vpc->ct_outside);
        fg_closep(&vpc->ns);
        fg_journal_close(&vpc->journal);
        free(vpc->taps);
        free(vpc->names);
        free(vpc->path);
        free(vpc->dir);
}
