/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/http_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/str.h"

#define HOST     "Host: 169.254.170.2\r\n"
#define END      "\r\n"
#define LARGE    (400u << 10)
#define TEXT_MAX (1u << 20)

/* ---- the parser ---- */

static void requests_are_judged(void **state)
{
        static const struct {
                const char *text;
                int status;
                const char *path;
        } cases[] = {
                { "GET /v4/a HTTP/1.1\r\n" HOST END, 200, "/v4/a" },
                { "GET / HTTP/1.0\r\n" END, 200, "/" },
                { "GET /a?b=/c?d HTTP/1.1\r\nhOsT:\r\nA: b\r\n" END "more", 200, "/a" },
                { "GET /a HTTP/1.1\r\n" HOST "Content-Length: 0\r\n" END, 200, "/a" },
                { "GET /a HTTP/1.1\r\n" HOST, 0, NULL },
                { "", 0, NULL },
                { "GET /a HTTP/1.1\n\n", 0, NULL },
                { "POST /a HTTP/1.1\r\n" HOST END, 405, NULL },
                { "HEAD /a HTTP/1.1\r\n" HOST END, 405, NULL },
                { "GETS /a HTTP/1.1\r\n" HOST END, 405, NULL },
                { "get /a HTTP/1.1\r\n" HOST END, 405, NULL },
                { "GET /a HTTP/1.2\r\n" HOST END, 505, NULL },
                { "GET /a HTTP/2.0\r\n" HOST END, 505, NULL },
                { "GET /a HTTP/1.10\r\n" HOST END, 400, NULL },
                { "GET /a\r\n" HOST END, 400, NULL },
                { "GET  /a HTTP/1.1\r\n" HOST END, 400, NULL },
                { "GET /a b HTTP/1.1\r\n" HOST END, 400, NULL },
                { "GET /\x7f HTTP/1.1\r\n" HOST END, 400, NULL },
                { "GET /\xc3\xa4 HTTP/1.1\r\n" HOST END, 400, NULL },
                { "GET http://169.254.170.2/ HTTP/1.1\r\n" HOST END, 400, NULL },
                { "\r\n\r\n", 400, NULL },
                { "GET /a HTTP/1.1\r\n" END, 400, NULL },
                { "GET /a HTTP/1.1\r\n" HOST HOST END, 400, NULL },
                { "GET /a HTTP/1.1\r\n" HOST "A : b\r\n" END, 400, NULL },
                { "GET /a HTTP/1.1\r\n" HOST "A: b\r\n c\r\n" END, 400, NULL },
                { "GET /a HTTP/1.1\r\n" HOST "A: b\nC: d\r\n" END, 400, NULL },
                { "GET /a HTTP/1.1\r\n" HOST "nothing\r\n" END, 400, NULL },
                { "GET /a HTTP/1.1\r\n" HOST "Content-Length: 1\r\n" END, 413, NULL },
                { "GET /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" END, 413, NULL },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                struct fg_http_request r = { 0 };
                const int status = fg_http_parse(cases[i].text, strlen(cases[i].text), &r);

                if (status != cases[i].status)
                        fail_msg("%d for %s", status, cases[i].text);
                if (!cases[i].path)
                        continue;
                assert_int_equal(r.path_len, strlen(cases[i].path));
                assert_memory_equal(r.path, cases[i].path, r.path_len);
        }
}

static void requests_have_limits(void **state)
{
        static char text[FG_HTTP_HEAD_MAX + 1] = "GET /a HTTP/1.1\r\n" HOST;
        struct fg_http_request r;
        size_t len = strlen(text);

        for (int i = 0; i < FG_HTTP_FIELDS_MAX; i++, len += 6)
                memcpy(text + len, "A: b\r\n", 6);
        memcpy(text + len, "\r\n", 2);
        assert_int_equal(fg_http_parse(text, len + 2, &r), 431);
        assert_int_equal(fg_http_parse(text, len, &r), 0);
        memset(text, 'a', FG_HTTP_HEAD_MAX);
        assert_int_equal(fg_http_parse(text, FG_HTTP_HEAD_MAX - 1, &r), 0);
        assert_int_equal(fg_http_parse(text, FG_HTTP_HEAD_MAX, &r), 431);
        assert_int_equal(fg_http_parse("GET /a\0b HTTP/1.1\r\n" HOST END, 42, &r), 400);
}

/* ---- the server ---- */

struct fixture {
        char dir[32];
        struct sockaddr_un address;
        struct fg_loop loop;
        struct fg_http_server server;
        unsigned answered;
};

static int answer(void *owner, const char *path, size_t len, struct fg_buf *body)
{
        struct fixture *f = owner;
        struct fg_error err = FG_ERROR_INIT;

        f->answered++;
        if (len == 6 && memcmp(path, "/large", 6) == 0) {
                assert_int_equal(fg_buf_reserve(body, LARGE, &err), 0);
                memset(body->data, 'x', LARGE);
                body->len = LARGE;
                body->data[LARGE] = '\0';
                return FG_HTTP_OK;
        }
        if (len == 5 && memcmp(path, "/none", 5) == 0)
                return FG_HTTP_NOT_FOUND;
        (void)fg_buf_printf(body, &err, "{\"path\":\"%.*s\"}", (int)len, path);
        return FG_HTTP_OK;
}

static int set_up(void **state)
{
        struct fixture *f = fg_calloc(1, sizeof(*f));
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct fg_error err = FG_ERROR_INIT;
        fg_autofree char *path = NULL;

        (void)snprintf(f->dir, sizeof(f->dir), "%s", "/tmp/fgrun-test-http.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        path = fg_asprintf("%s/s", f->dir);
        f->address.sun_family = AF_UNIX;
        memcpy(f->address.sun_path, path, strlen(path));
        assert_int_equal(bind(fd, (const struct sockaddr *)&f->address, sizeof(f->address)), 0);
        assert_int_equal(listen(fd, 64), 0);
        assert_int_equal(fg_loop_init(&f->loop, &err), 0);
        assert_int_equal(fg_http_server_init(&f->server, &f->loop, fd, answer, f, &err), 0);
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;

        for (size_t i = 0; i < FG_HTTP_CONNECTIONS; i++) {
                if (f->server.connections[i].phase == FG_HTTP_FREE)
                        continue;
                (void)close(f->server.connections[i].source.fd);
                fg_buf_finish(&f->server.connections[i].out);
        }
        (void)close(f->server.listener.fd);
        (void)close(f->loop.epoll);
        (void)fg_rm_rf(f->dir, &err);
        free(f);
        return 0;
}

static int dial(struct fixture *f)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (const struct sockaddr *)&f->address, sizeof(f->address)), 0);
        return fd;
}

static void say(int fd, const char *text)
{
        assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Until the server closes. Every step of its loop has something to do, or a limit to wait for. */
static void hear(struct fixture *f, int fd, struct fg_buf *text)
{
        struct fg_error err = FG_ERROR_INIT;
        ssize_t n;

        for (;;) {
                assert_int_equal(fg_buf_reserve(text, 4096, &err), 0);
                n = recv(fd, text->data + text->len, 4096, 0);
                if (n == 0)
                        return;
                if (n < 0) {
                        assert_int_equal(errno, EAGAIN);
                        fg_loop_step(&f->loop);
                        continue;
                }
                text->len += (size_t)n;
                text->data[text->len] = '\0';
        }
}

static void expect_answer(struct fixture *f, const char *request, const char *status,
                          const char *body)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(TEXT_MAX);
        fg_autofree char *first = fg_asprintf("HTTP/1.1 %s\r\n", status);
        fg_autoclose int fd = dial(f);

        say(fd, request);
        hear(f, fd, &text);
        if (!fg_starts_with(text.data, first) || !fg_ends_with(text.data, body))
                fail_msg("%s", text.data);
}

static void requests_are_answered(void **state)
{
        struct fixture *f = *state;

        expect_answer(f, "GET /v4/x?y HTTP/1.1\r\n" HOST END, "200 OK",
                      "\r\n\r\n{\"path\":\"/v4/x\"}");
        expect_answer(f, "GET /none HTTP/1.1\r\n" HOST END, "404 Not Found",
                      "\r\n\r\n\"Not Found\"");
        expect_answer(f, "PUT /v4 HTTP/1.1\r\n" HOST END "body", "405 Method Not Allowed",
                      "Allow: GET\r\nConnection: close\r\n\r\n\"Method Not Allowed\"");
        expect_answer(f, "nonsense\r\n\r\n", "400 Bad Request", "\"Bad Request\"");
        assert_int_equal(f->answered, 2);
}

static void a_request_may_come_in_pieces(void **state)
{
        static const char request[] = "GET /v4 HTTP/1.1\r\n" HOST END;
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(TEXT_MAX);
        struct fixture *f = *state;
        fg_autoclose int fd = dial(f);

        fg_loop_step(&f->loop);
        for (size_t i = 0; i < strlen(request); i++) {
                assert_int_equal(send(fd, request + i, 1, MSG_NOSIGNAL), 1);
                fg_loop_step(&f->loop);
        }
        hear(f, fd, &text);
        assert_true(fg_ends_with(text.data, "{\"path\":\"/v4\"}"));
}

static void a_large_answer_waits_for_its_reader(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(TEXT_MAX);
        struct fixture *f = *state;
        fg_autoclose int fd = dial(f);

        say(fd, "GET /large HTTP/1.1\r\n" HOST END);
        while (f->answered == 0)
                fg_loop_step(&f->loop);
        assert_int_equal(f->server.connections[0].phase, FG_HTTP_WRITING);
        hear(f, fd, &text);
        assert_true(text.len > LARGE && fg_ends_with(text.data, "xxx"));
}

static void slow_clients_are_dropped_and_others_served(void **state)
{
        struct fixture *f = *state;
        const uint64_t begin = fg_mono_ns();
        int fds[FG_HTTP_CONNECTIONS];
        char byte;

        f->server.limit_ns = 300 * FG_NS_PER_MSEC;
        for (size_t i = 0; i < FG_HTTP_CONNECTIONS; i++) {
                fds[i] = dial(f);
                say(fds[i], "GET /");
        }
        expect_answer(f, "GET /v4 HTTP/1.1\r\n" HOST END, "200 OK", "{\"path\":\"/v4\"}");
        assert_true(fg_mono_ns() - begin >= f->server.limit_ns);
        for (size_t i = 0; i < FG_HTTP_CONNECTIONS; i++) {
                const ssize_t n = recv(fds[i], &byte, 1, 0);

                assert_true(n == 0 || (n < 0 && errno != EAGAIN));
                (void)close(fds[i]);
        }
}

static void a_client_that_asks_without_end_is_told_so(void **state)
{
        struct fixture *f = *state;
        unsigned refused = 0;

        f->server.credit = 3000;
        for (int i = 0; i < 3; i++)
                expect_answer(f, "GET /v4 HTTP/1.1\r\n" HOST END, "200 OK", "}");
        for (int i = 0; i < 50 && refused == 0; i++) {
                fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(TEXT_MAX);
                fg_autoclose int fd = dial(f);

                f->server.credit = 0; /* however slow this machine is */
                f->server.credit_at = fg_mono_ns();
                say(fd, "GET /v4 HTTP/1.1\r\n" HOST END);
                hear(f, fd, &text);
                refused += fg_starts_with(text.data, "HTTP/1.1 429 Too Many Requests\r\n");
        }
        assert_int_equal(refused, 1);
        f->server.credit_at -= FG_NS_PER_SEC;
        expect_answer(f, "GET /v4 HTTP/1.1\r\n" HOST END, "200 OK", "}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(requests_are_judged),
                cmocka_unit_test(requests_have_limits),
                cmocka_unit_test_setup_teardown(requests_are_answered, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_request_may_come_in_pieces, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_large_answer_waits_for_its_reader, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(slow_clients_are_dropped_and_others_served, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(a_client_that_asks_without_end_is_told_so, set_up,
                                                tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
