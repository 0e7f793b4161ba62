/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/cleanup.h"
#include "core/error.h"
#include "net/address.h"

/*
 * Links, addresses and neighbours by rtnetlink. A socket belongs to the network namespace of the
 * thread that opened it, for its life. One thread at a time. What is there already counts as made,
 * what is not there as removed.
 */
struct fg_rtnl;

int fg_rtnl_new(struct fg_rtnl **ret, struct fg_error *err);
void fg_rtnl_free(struct fg_rtnl *rt);
FG_DEFINE_CLEANUP(struct fg_rtnl *, fg_rtnl_free)

/** fg_rtnl_index() - of a link. Return: 0 when there is none; -1: error. */
int fg_rtnl_index(struct fg_rtnl *rt, const char *name, struct fg_error *err);
int fg_rtnl_add_bridge(struct fg_rtnl *rt, const char *name, const char *mac, struct fg_error *err);
/** fg_rtnl_add_veth() - @name here, @peer with the address @mac (NULL: any) in @peer_ns. */
int fg_rtnl_add_veth(struct fg_rtnl *rt, const char *name, const char *peer, const char *mac,
                     int peer_ns, struct fg_error *err);
int fg_rtnl_remove(struct fg_rtnl *rt, const char *name, struct fg_error *err);
int fg_rtnl_up(struct fg_rtnl *rt, const char *name, struct fg_error *err);
/** fg_rtnl_join() - make @name an isolated port of @bridge that neither learns nor floods. */
int fg_rtnl_join(struct fg_rtnl *rt, const char *name, const char *bridge, struct fg_error *err);
int fg_rtnl_add_address(struct fg_rtnl *rt, const char *name, const struct fg_ip *ip, unsigned bits,
                        struct fg_error *err);
int fg_rtnl_add_default_route(struct fg_rtnl *rt, const char *name, const struct fg_ip *via,
                              struct fg_error *err);
/** fg_rtnl_neighbour() - @ip is at @mac, for good; NULL: forget it. */
int fg_rtnl_neighbour(struct fg_rtnl *rt, const char *name, const struct fg_ip *ip, const char *mac,
                      struct fg_error *err);
/** fg_rtnl_proxy() - answer neighbour solicitations for an IPv6 address, or no longer. */
int fg_rtnl_proxy(struct fg_rtnl *rt, const char *name, const struct fg_ip *ip, bool on,
                  struct fg_error *err);
/**
 * fg_rtnl_answer_at_once() - as a proxy; the kernel otherwise lets whoever asks wait, up to 0.8 s,
 * in case somebody else answers. Not by /proc/sys, which does not have it for ordinary users.
 */
int fg_rtnl_answer_at_once(struct fg_rtnl *rt, const char *name, struct fg_error *err);
/** fg_rtnl_forward() - the bridge port @name leads to @mac. It goes with the port. */
int fg_rtnl_forward(struct fg_rtnl *rt, const char *name, const char *mac, struct fg_error *err);

typedef void (*fg_rtnl_link_fn)(void *userdata, const char *name);
int fg_rtnl_each_link(struct fg_rtnl *rt, fg_rtnl_link_fn fn, void *userdata, struct fg_error *err);
typedef void (*fg_rtnl_address_fn)(void *userdata, const struct fg_ip *ip, unsigned bits);
int fg_rtnl_each_address(struct fg_rtnl *rt, fg_rtnl_address_fn fn, void *userdata,
                         struct fg_error *err);
