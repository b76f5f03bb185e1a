/* What clients of the HTTP server do wrong, or seldom: sockets and server on one thread. */
#include "http_world.h"

#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HEARD_BYTES  (HTTP_WORLD_BIG_BYTES + 64 * 1024)
#define HOST         "Host: localhost\r\n"
#define CLOSE        "Connection: close\r\n"
#define GET(path)    "GET " path " HTTP/1.1\r\n" HOST CLOSE "\r\n"
#define REQUEST(...) __VA_ARGS__ " HTTP/1.1\r\n" HOST CLOSE "\r\n"

static char heard[HEARD_BYTES]; /* in the last exchange */
static size_t heard_bytes;
static uv_async_t alive; /* the server alone does not keep the loop */

static const struct net_http_route routes[] = {
    {"/hello", "says hello", http_world_hello, .turn = NET_HTTP_AT_ONCE},
    {"/turn", "the same", http_world_hello},
    {"/big", "many writes", http_world_big},
    {"/slow", "apart", http_world_slow, .turn = NET_HTTP_APART},
    {"/events", "events", http_world_hello, .events = true},
    {"/act", "does something", http_world_act, .acts = true},
    {0},
};

static int setup(void **state)
{
    struct http_world *world = http_world_open(routes);
    uv_async_init(&world->loop.uv, &alive, NULL);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    uv_close((uv_handle_t *)&alive, NULL);
    http_world_close(*state);
    return 0;
}

/* ---- a client -------------------------------------------------------------------------------- */

static int connect_with(const struct http_world *world, int receive_bytes)
{
    int fd = http_world_connect(1, net_http_port(world->http), receive_bytes);
    assert_true(fd >= 0);
    return fd;
}

static void turn(struct http_world *world)
{
    uv_run(&world->loop.uv, UV_RUN_NOWAIT);
    poll(NULL, 0, 1);
}

/* Ends it as a crash does: with a reset. */
static void reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

/* Returns false where the server closes before it has read all. */
static bool say(struct http_world *world, int fd, const char *bytes, size_t len)
{
    for (uint64_t end = http_world_now_ms() + HTTP_WORLD_PATIENCE_MS;
         len > 0 && http_world_now_ms() < end;) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN) {
            return false;
        }
        bytes += sent > 0 ? sent : 0;
        len -= sent > 0 ? (size_t)sent : 0;
        uv_run(&world->loop.uv, UV_RUN_NOWAIT);
    }
    assert_int_equal(len, 0);
    return true;
}

/* Until it has heard `text`, or with NULL until the server closes. */
static void hear(struct http_world *world, int fd, const char *text)
{
    heard_bytes = 0;
    heard[0] = '\0';
    for (uint64_t end = http_world_now_ms() + HTTP_WORLD_PATIENCE_MS; http_world_now_ms() < end;) {
        ssize_t got = recv(fd, heard + heard_bytes, HEARD_BYTES - 1 - heard_bytes, MSG_DONTWAIT);
        heard_bytes += got > 0 ? (size_t)got : 0;
        heard[heard_bytes] = '\0';
        if (text != NULL && got > 0 && strstr(heard, text) != NULL) {
            return;
        }
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            assert_null(text);
            return;
        }
        if (got < 0) {
            turn(world);
        }
    }
    fail_msg("heard only: %.200s", heard);
}

static void exchange(struct http_world *world, const char *bytes, size_t len)
{
    int fd = connect_with(world, 0);
    say(world, fd, bytes, len);
    hear(world, fd, NULL);
    close(fd);
}

static void assert_said(struct http_world *world, const char *request, const char *begin,
                        const char *end)
{
    exchange(world, request, strlen(request));
    if (strncmp(heard, begin, strlen(begin)) != 0) {
        fail_msg("%.80s: %.300s", request, heard);
    }
    if (end != NULL &&
        (heard_bytes < strlen(end) || strcmp(heard + heard_bytes - strlen(end), end) != 0)) {
        fail_msg("%.80s: no %s behind %.300s", request, end, heard);
    }
}

static size_t count_of(const char *text)
{
    size_t count = 0;
    for (const char *at = heard; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    return count;
}

static void begin_slow(struct http_world *world, int fd)
{
    static const char request[] = GET("/slow");
    say(world, fd, request, strlen(request));
    for (uint64_t end = http_world_now_ms() + HTTP_WORLD_PATIENCE_MS;
         uv_sem_trywait(&world->slow_began) != 0;) {
        assert_true(http_world_now_ms() < end);
        turn(world);
    }
}

/* ---- what is asked --------------------------------------------------------------------------- */

static void paths_and_queries_are_decoded(void **state)
{
    struct http_world *world = *state;
    assert_said(world, GET("/%68ell%6F?x=1&name=a%20b+c%26d%3D%41"), "HTTP/1.1 200",
                "hello a b c&d=A\n");
    assert_said(world, GET("/hello?n%61me=1&name=2"), "HTTP/1.1 200", "hello 1\n");
    assert_said(world, GET("/hello?name==%&name"), "HTTP/1.1 200", "hello =%\n");
    assert_said(world, GET("/hello?name&&=&%"), "HTTP/1.1 200", "hello \n");
    assert_said(world, GET("/hello?name=%zz%4"), "HTTP/1.1 200", "hello %zz%4\n");
    assert_said(world, GET("/hello?"), "HTTP/1.1 200", "hello nobody\n");
    assert_said(world, GET("/hello?name=a%00name=b"), "HTTP/1.1 200", "hello a\n");
    assert_said(world, GET("/hello?x%00name=b"), "HTTP/1.1 200", "hello nobody\n");
    assert_said(world, GET("/hello%00"), "HTTP/1.1 404", NULL);
    assert_said(world, GET("/Hello"), "HTTP/1.1 404", NULL);
    assert_said(world, GET("/x/../hello"), "HTTP/1.1 404", NULL);
}

/* What is asked of a proxy; and what begins like it. */
static void absolute_uris_are_not_ours(void **state)
{
    struct http_world *world = *state;
    assert_said(world, GET("http://localhost/hello"), "HTTP/1.1 404", NULL);
    assert_said(world, GET("http://evil.example/hello"), "HTTP/1.1 404", NULL);
    assert_said(world, GET("//localhost/hello"), "HTTP/1.1 404", NULL);
    assert_said(world, GET("ftp:/hello"), "HTTP/1.1 404", NULL);
    assert_said(world, REQUEST("OPTIONS *"), "HTTP/1.1 404", NULL);
    assert_said(world, "CONNECT localhost:80 HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 404", NULL);
}

/* Each ends the connection, also where the client asks for more. */
static void other_methods_are_refused(void **state)
{
    static const char *const methods[] = {"PUT",   "DELETE",  "PATCH", "TRACE",
                                          "BREW!", "OPTIONS", "get",   "GETT"};
    struct http_world *world = *state;
    char request[256];
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        snprintf(request, sizeof(request),
                 "%s /hello HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n", methods[i]);
        assert_said(world, request, "HTTP/1.1 405", "method not allowed\n");
    }
}

static void versions_and_hosts_are_looked_at(void **state)
{
    struct http_world *world = *state;
    assert_said(world, "GET /hello HTTP/1.1\r\n\r\n", "HTTP/1.1 400", NULL);
    assert_said(world, "GET /hello HTTP/1.1\r\n" HOST "HOST: evil.example\r\n\r\n", "HTTP/1.1 400",
                NULL);
    assert_said(world, "GET /hello HTTP/1.0\r\n\r\n", "HTTP/1.0 200", "hello nobody\n");
    assert_said(world, "GET /none HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n",
                "HTTP/1.0 404", NULL);
    assert_int_equal(count_of("Connection: "), 1);
    assert_said(world, "GET /hello HTTP/1.7\r\n" HOST CLOSE "\r\n", "HTTP/1.1 200", NULL);
    assert_said(world, "GET /hello HTTP/0.9\r\n" HOST CLOSE "\r\n", "HTTP/1.1 505", NULL);
    assert_said(world, "GET /hello HTTP/1.-1\r\n" HOST CLOSE "\r\n", "HTTP/1.1 505", NULL);
    assert_said(world, "GET /hello HTTP/2.0\r\n" HOST CLOSE "\r\n", "HTTP/1.1 400", NULL);
    assert_said(world, "GET /hello\r\n" HOST CLOSE "\r\n", "HTTP/1.1 400", NULL);
}

/* What libevent refuses before we are asked. */
static void a_refusal_has_the_version_of_a_client_and_nothing_else_of_it(void **state)
{
    static const char *const requests[] = {
        "GET /\x1b[2J HTTP/1.7\r\n" HOST "\x1b: \x1b\r\nContent-Length: -1\r\n\r\n",
        "GET /\x1b HTTP/1.7\r\n" HOST "X\x1b\r\n\r\n",
        "POST /\x1b HTTP/1.7\r\n" HOST "Content-Length: 1\r\nExpect: \x1b\r\n\r\n",
    };
    struct http_world *world = *state;
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        assert_said(world, requests[i], "HTTP/1.7 4", NULL);
        assert_null(strchr(heard, '\x1b'));
    }
}

static void http_1_0_is_kept_alive_on_request(void **state)
{
    static const char request[] = "GET /hello?name=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                                  "HEAD /hello?name=2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                                  "GET /hello?name=3 HTTP/1.0\r\n\r\n";
    struct http_world *world = *state;
    assert_said(world, request, "HTTP/1.0 200", "hello 3\n");
    assert_int_equal(count_of("HTTP/1.0 200"), 3);
    assert_int_equal(count_of("Content-Length: 8\r\n"), 3);
    assert_int_equal(count_of("hello"), 2);
}

static void line_ends_and_zeros(void **state)
{
    static const char zero_line[] = "GET /hello\0 HTTP/1.1\r\n" HOST CLOSE "\r\n";
    static const char zero_header[] = "GET /hello HTTP/1.1\r\n" HOST "X: a\0b\r\n" CLOSE "\r\n";
    static const char zero_name[] = "GET /hello HTTP/1.1\r\n" HOST "X\0: a\r\n" CLOSE "\r\n";
    struct http_world *world = *state;
    assert_said(world, "GET /hello HTTP/1.1\nHost: localhost\nConnection: close\n\n",
                "HTTP/1.1 200", "hello nobody\n");
    assert_said(world, "GET /hello HTTP/1.1\rHost: localhost\r\r\n\r\n", "HTTP/1.1 400", NULL);
    assert_said(world, "\r\n\r\n", "HTTP/1.1 400", NULL);
    exchange(world, zero_line, sizeof(zero_line) - 1);
    assert_int_equal(strncmp(heard, "HTTP/1.1 400", 12), 0);
    exchange(world, zero_header, sizeof(zero_header) - 1);
    assert_int_equal(strncmp(heard, "HTTP/1.1 200", 12), 0);
    exchange(world, zero_name, sizeof(zero_name) - 1);
    assert_int_equal(strncmp(heard, "HTTP/1.1 400", 12), 0);
}

/* ---- how much of it -------------------------------------------------------------------------- */

/* `before`, `count` times `many`, `after`. */
static void exchange_many(struct http_world *world, const char *before, const char *many,
                          size_t count, const char *after)
{
    size_t each = strlen(many);
    size_t len = strlen(before) + count * each + strlen(after);
    char *request = mem_calloc(len + 1, 1);
    char *at = stpcpy(request, before);
    for (size_t i = 0; i < count; i++) {
        at = stpcpy(at, many);
    }
    stpcpy(at, after);
    exchange(world, request, len);
    free(request);
}

static void assert_status(const char *status)
{
    if (strncmp(heard + 9, status, 3) != 0) {
        fail_msg("not %s: %.300s", status, heard);
    }
}

static void long_lines_and_many_are_refused(void **state)
{
    struct http_world *world = *state;
    exchange_many(world, "GET /hello?name=", "x", 7000, " HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_status("200");
    exchange_many(world, "GET /hello?name=", "x", 9000, " HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_status("400");
    exchange_many(world, "GET /hello HTTP/1.1\r\n" HOST CLOSE "X: ", "x", 7000, "\r\n\r\n");
    assert_status("200");
    exchange_many(world, "GET /hello HTTP/1.1\r\n" HOST CLOSE "X: ", "x", 9000, "\r\n\r\n");
    assert_status("400");
    exchange_many(world, "GET /hello HTTP/1.1\r\n" HOST CLOSE, "X: x\r\n", 110, "\r\n");
    assert_status("200");
    exchange_many(world, "GET /hello HTTP/1.1\r\n" HOST CLOSE, ":\r\n", 300, "\r\n");
    assert_status("400");
}

static void a_thousand_requests_at_once_are_answered_in_order(void **state)
{
    struct http_world *world = *state;
    static char requests[1000 * 96];
    size_t len = 0;
    for (int i = 0; i < 1000; i++) {
        len += (size_t)snprintf(requests + len, sizeof(requests) - len,
                                "GET /hello?name=%d HTTP/1.1\r\n" HOST "%s\r\n", i,
                                i == 999 ? CLOSE : "");
    }
    exchange(world, requests, len);
    const char *at = heard;
    for (int i = 0; i < 1000; i++) {
        char expected[32];
        snprintf(expected, sizeof(expected), "\r\n\r\nhello %d\n", i);
        at = strstr(at, "\r\n\r\n");
        assert_non_null(at);
        assert_int_equal(strncmp(at, expected, strlen(expected)), 0);
        at += 4;
    }
}

/* More clients that have ever another request than libevent takes for few. */
static void a_flood_of_requests_leaves_others_their_turn(void **state)
{
    static const char request[] = "GET /hello HTTP/1.1\r\n" HOST "\r\n";
    struct http_world *world = *state;
    int fds[NET_HTTP_CONNECTIONS - 4];
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = connect_with(world, 0);
        for (int j = 0; j < 50; j++) {
            assert_int_equal(send(fds[i], request, strlen(request), MSG_NOSIGNAL), strlen(request));
        }
    }
    int other = connect_with(world, 0);
    say(world, other, request, strlen(request));
    for (uint64_t end = http_world_now_ms() + HTTP_WORLD_PATIENCE_MS;
         world->hellos < ARRAY_SIZE(fds) * 50 + 1;) {
        unsigned before = world->hellos;
        assert_true(http_world_now_ms() < end);
        uv_run(&world->loop.uv, UV_RUN_NOWAIT);
        assert_true(world->hellos - before < ARRAY_SIZE(fds) * 2);
    }
    hear(world, other, "hello nobody\n");
    close(other);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        close(fds[i]);
    }
}

/* Whose body would be the next request. */
static void a_body_behind_head_ends_the_connection(void **state)
{
    struct http_world *world = *state;
    assert_said(world,
                "HEAD /hello HTTP/1.1\r\n" HOST "Content-Length: 52\r\n\r\n"
                "POST /act HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
                "HTTP/1.1 200", "\r\n\r\n");
    assert_int_equal(count_of("HTTP/1.1"), 1);
    assert_int_equal(world->acts, 0);
}

static void bodies_are_dropped_in_any_form(void **state)
{
    struct http_world *world = *state;
    assert_said(world,
                "POST /act HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                "5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n" GET("/hello"),
                "HTTP/1.1 200", "hello nobody\n");
    assert_int_equal(world->acts, 1);
    world->acts = 0;
    exchange_many(world, "POST /act HTTP/1.1\r\n" HOST CLOSE "Content-Length: 65536\r\n\r\n", "x",
                  NET_HTTP_BODY_BYTES, "");
    assert_status("200");
    assert_int_equal(world->acts, 1);
    assert_said(world, "POST /act HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n",
                "HTTP/1.1 413", NULL);
    assert_said(world, "POST /act HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", "HTTP/1.1 400",
                NULL);
    assert_said(world, "POST /act HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n10001\r\n",
                "HTTP/1.1 413", NULL);
    assert_said(world, "POST /act HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nmuch\r\n",
                "HTTP/1.1 413", NULL);
    assert_int_equal(world->acts, 1);
}

static void a_body_may_wait_for_leave(void **state)
{
    static const char header[] =
        "POST /act HTTP/1.1\r\n" HOST CLOSE "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    struct http_world *world = *state;
    int fd = connect_with(world, 0);
    say(world, fd, header, strlen(header));
    hear(world, fd, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(world->acts, 0);
    say(world, fd, "abc", 3);
    hear(world, fd, NULL);
    assert_status("200");
    assert_int_equal(world->acts, 1);
    close(fd);
    assert_said(world,
                "POST /act HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: wonders\r\n\r\nabc",
                "HTTP/1.1 417", NULL);
}

/* ---- who leaves ------------------------------------------------------------------------------ */

static void who_has_closed_its_half_is_answered(void **state)
{
    static const char *const requests[] = {
        "GET /big HTTP/1.1\r\n" HOST "\r\n",
        "GET /turn HTTP/1.1\r\n" HOST "\r\nGET /big HTTP/1.1\r\n" HOST "\r\n",
        GET("/big"),
    };
    struct http_world *world = *state;
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        int fd = connect_with(world, 0);
        say(world, fd, requests[i], strlen(requests[i]));
        shutdown(fd, SHUT_WR);
        hear(world, fd, NULL);
        const char *body = strstr(heard, "\r\n\r\nxxx");
        assert_non_null(body);
        assert_int_equal(strlen(body + 4), HTTP_WORLD_BIG_BYTES);
        close(fd);
    }
}

/* Before the request, in it, before the answer, in it; and with or without a word. */
static void who_leaves_hurts_nobody(void **state)
{
    static const char request[] = "GET /big HTTP/1.1\r\n" HOST "\r\n";
    struct http_world *world = *state;
    for (size_t len = 0; len <= strlen(request); len += len < 24 ? 8 : 1) {
        for (int turns = 0; turns < 4; turns++) {
            int fd = connect_with(world, 4096);
            say(world, fd, request, len);
            for (int i = 0; i < turns; i++) {
                turn(world);
            }
            turns % 2 == 0 ? reset(fd) : (void)close(fd);
        }
    }
    int fd = connect_with(world, 4096);
    say(world, fd, request, strlen(request));
    hear(world, fd, "xxxx");
    reset(fd);
    assert_said(world, GET("/turn"), "HTTP/1.1 200", "hello nobody\n");
}

/* The other thread has a request of which nothing is left. */
static void who_leaves_while_its_answer_is_made_is_forgotten(void **state)
{
    struct http_world *world = *state;
    int others[2 * NET_HTTP_CONNECTIONS];
    int fd = connect_with(world, 0);
    begin_slow(world, fd);
    reset(fd);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) { /* its place is given away, too */
        others[i] = connect_with(world, 0);
    }
    assert_said(world, GET("/hello"), "HTTP/1.1 200", "hello nobody\n");
    uv_sem_post(&world->slow_may_end);
    assert_said(world, GET("/turn"), "HTTP/1.1 200", "hello nobody\n");
    fd = connect_with(world, 0);
    begin_slow(world, fd);
    close(fd);
    uv_sem_post(&world->slow_may_end);
    assert_said(world, GET("/turn"), "HTTP/1.1 200", "hello nobody\n");
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        close(others[i]);
    }
}

static void a_reader_of_events_that_resets_is_noticed(void **state)
{
    static const char request[] = "GET /events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    struct http_world *world = *state;
    int fd = connect_with(world, 0);
    say(world, fd, request, strlen(request));
    hear(world, fd, "\r\n\r\nhello nobody\n"); /* HTTP/1.0 has no chunks */
    assert_int_equal(count_of("Content-Length"), 0);
    net_http_publish(world->http, "news", 4);
    hear(world, fd, "data: news\n\n");
    reset(fd);
    for (uint64_t end = http_world_now_ms() + HTTP_WORLD_PATIENCE_MS;
         net_http_subscribers(world->http) > 0;) {
        assert_true(http_world_now_ms() < end);
        net_http_publish(world->http, "more", 4);
        turn(world);
    }
}

static void without_descriptors_there_is_no_server(void **state)
{
    struct http_world *world = *state;
    struct net_error error;
    struct rlimit before;
    const struct text_address address = {.host = "127.0.0.1"};
    bool opened = false;
    getrlimit(RLIMIT_NOFILE, &before);
    int next = dup(0);
    close(next);
    for (rlim_t more = 0; !opened; more++) {
        const struct rlimit few = {.rlim_cur = (rlim_t)next + more, .rlim_max = before.rlim_max};
        setrlimit(RLIMIT_NOFILE, &few);
        struct net_http *http = net_http_open(&world->loop, &address, routes, world, &error);
        setrlimit(RLIMIT_NOFILE, &before);
        opened = http != NULL;
        assert_true(opened ? more > 1 : more < 16);
        assert_true(opened || strstr(error.text, "too many open files") != NULL);
        net_http_close(http);
    }
}

/* ---- who says nothing ------------------------------------------------------------------------ */

/* Longer than the limit. */
static void silence_ends_a_connection_unless_it_waits_for_us(void **state)
{
    static const char endless[] =
        "POST /act HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n00000000";
    static const char big[] = "GET /big HTTP/1.1\r\n" HOST "\r\n";
    static const char events[] = "GET /events HTTP/1.1\r\n" HOST "\r\n";
    struct http_world *world = *state;
    size_t taken = 0;
    char piece[2048];
    int waits = connect_with(world, 0);
    int steady = connect_with(world, 4096); /* takes its answer slowly, and says nothing */
    int reader = connect_with(world, 0);
    uint64_t begin = http_world_now_ms();
    int ends[] = {connect_with(world, 0), connect_with(world, 0), connect_with(world, 0)};
    say(world, steady, big, strlen(big));
    say(world, reader, events, strlen(events));
    hear(world, reader, "hello nobody\n");
    begin_slow(world, waits);
    say(world, ends[1], big, 20);
    say(world, ends[2], endless, strlen(endless));
    for (bool open = true; open; poll(NULL, 0, 20)) { /* until the last of the silent has ended */
        assert_true(http_world_now_ms() - begin <
                    1000 * NET_HTTP_TIMEOUT_S + HTTP_WORLD_PATIENCE_MS);
        uv_run(&world->loop.uv, UV_RUN_NOWAIT);
        ssize_t got = recv(steady, piece, sizeof(piece), MSG_DONTWAIT);
        taken += got > 0 ? (size_t)got : 0;
        open = false;
        for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
            open = open || recv(ends[i], piece, 1, MSG_DONTWAIT | MSG_PEEK) != 0;
        }
    }
    assert_true(http_world_now_ms() - begin >= 1000 * (NET_HTTP_TIMEOUT_S - 1));
    assert_true(taken > 0);
    const int more_bytes = 1024 * 1024;
    setsockopt(steady, SOL_SOCKET, SO_RCVBUF, &more_bytes, sizeof(more_bytes));
    hear(world, steady, NULL);
    assert_true(taken + heard_bytes > HTTP_WORLD_BIG_BYTES);
    uv_sem_post(&world->slow_may_end);
    hear(world, waits, "hello nobody\n");
    net_http_publish(world->http, "news", 4);
    hear(world, reader, "data: news\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        close(ends[i]);
    }
    close(waits);
    close(steady);
    close(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(paths_and_queries_are_decoded),
        TEST(absolute_uris_are_not_ours),
        TEST(other_methods_are_refused),
        TEST(versions_and_hosts_are_looked_at),
        TEST(a_refusal_has_the_version_of_a_client_and_nothing_else_of_it),
        TEST(http_1_0_is_kept_alive_on_request),
        TEST(line_ends_and_zeros),
        TEST(long_lines_and_many_are_refused),
        TEST(a_thousand_requests_at_once_are_answered_in_order),
        TEST(a_flood_of_requests_leaves_others_their_turn),
        TEST(a_body_behind_head_ends_the_connection),
        TEST(bodies_are_dropped_in_any_form),
        TEST(a_body_may_wait_for_leave),
        TEST(who_has_closed_its_half_is_answered),
        TEST(who_leaves_hurts_nobody),
        TEST(who_leaves_while_its_answer_is_made_is_forgotten),
        TEST(a_reader_of_events_that_resets_is_noticed),
        TEST(without_descriptors_there_is_no_server),
        TEST(silence_ends_a_connection_unless_it_waits_for_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
