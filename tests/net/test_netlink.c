/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "net/netlink.h"

static struct nlmsghdr *list_links(char *bytes)
{
        struct nlmsghdr *nlh = mnl_nlmsg_put_header(bytes);

        nlh->nlmsg_type = RTM_GETLINK;
        nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
        return nlh;
}

static int give_up(const struct nlmsghdr *nlh, void *userdata)
{
        (void)nlh;
        (void)userdata;
        errno = ENOMEM;
        return MNL_CB_ERROR;
}

static int count(const struct nlmsghdr *nlh, void *userdata)
{
        (void)nlh;
        ++*(int *)userdata;
        return MNL_CB_OK;
}

/* The rest of an answer that nobody wanted is not taken for the next one. */
static void test_goes_on_after_an_error(void **state)
{
        _Alignas(NLMSG_ALIGNTO) char bytes[FG_NETLINK_MAX];
        struct fg_netlink nl = { .socket = NULL };
        struct fg_error err = FG_ERROR_INIT;
        int links = 0;

        assert_int_equal(fg_netlink_open(&nl, NETLINK_ROUTE, "rtnetlink", &err), 0);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(fg_netlink_talk(&nl, list_links(bytes), give_up, NULL), -1);
                assert_int_equal(errno, ENOMEM);
        }
        assert_int_equal(fg_netlink_talk(&nl, list_links(bytes), count, &links), 0);
        assert_true(links >= 1); /* the loopback */
        fg_netlink_close(&nl);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_goes_on_after_an_error) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
