/* The small HTTP server: a blocking client on a thread, the server on the loop of the test. */
#include "http_world.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
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

#define ANSWER_BYTES (HTTP_WORLD_BIG_BYTES + 64 * 1024)

/* One exchange on one connection. */
struct client {
    uint16_t port;
    const char *request;
    size_t request_bytes;
    char *answer; /* owned; everything until the server closed */
    uv_async_t done;
    struct net_loop *loop;
};

static void handle_unready(void *user, const struct net_http_request *request,
                           struct net_http_response *response)
{
    (void)user;
    (void)request;
    response->status = 503;
}

static void handle_events(void *user, const struct net_http_request *request,
                          struct net_http_response *response)
{
    (void)user;
    (void)request;
    net_http_event(&response->body, "hello", 5);
}

#define BUSY_MS 20

static void handle_busy(void *user, const struct net_http_request *request,
                        struct net_http_response *response)
{
    uint64_t end = uv_hrtime() + BUSY_MS * UINT64_C(1000000);
    while (uv_hrtime() < end) {
    }
    http_world_hello(user, request, response);
}

/* The names of those that had their turn. */
static char turns[256];

static void handle_turn(void *user, const struct net_http_request *request,
                        struct net_http_response *response)
{
    (void)user;
    (void)response;
    strncat(turns, net_http_query(request, "name"), sizeof(turns) - strlen(turns) - 1);
}

static const struct net_http_route routes[] = {
    {"/hello", "says hello", http_world_hello},
    {"/big", "more than one write", http_world_big},
    {"/ready", "503", handle_unready},
    {"/probe", "at once", http_world_hello, .turn = NET_HTTP_AT_ONCE},
    {"/slow", "apart", http_world_slow, .turn = NET_HTTP_APART},
    {"/busy", "keeps the loop", handle_busy},
    {"/turn", "whose it was", handle_turn},
    {"/other", "the same", handle_turn},
    {"/events", "events", handle_events, .events = true},
    {"/closed", "no events today", handle_unready, .events = true},
    {"/act", "does something", http_world_act, .acts = true},
    {0},
};

static int setup(void **state)
{
    *state = http_world_open(routes);
    return 0;
}

static int teardown(void **state)
{
    http_world_close(*state);
    return 0;
}

/* From 127.0.0.`host`. */
static int connect_from(uint8_t host, uint16_t port)
{
    return http_world_connect(host, port, 0);
}

static int connect_to(uint16_t port)
{
    return connect_from(1, port);
}

static void *run_client(void *user)
{
    struct client *client = user;
    size_t len = 0;
    int fd = connect_to(client->port);
    if (fd >= 0) {
        (void)!send(fd, client->request, client->request_bytes, MSG_NOSIGNAL);
        for (ssize_t n = 1; n > 0 && len<ANSWER_BYTES - 1; len += n> 0 ? (size_t)n : 0) {
            n = recv(fd, client->answer + len, ANSWER_BYTES - 1 - len, 0);
        }
        close(fd);
    }
    uv_async_send(&client->done);
    return NULL;
}

static void on_done(uv_async_t *handle)
{
    struct client *client = handle->data;
    uv_close((uv_handle_t *)handle, NULL);
    net_loop_stop(client->loop);
}

/* Sends the bytes and returns all that came until the server closed; owned by the caller. */
static char *exchange(struct http_world *world, const char *request, size_t len)
{
    struct client client = {
        .port = net_http_port(world->http),
        .request = request,
        .request_bytes = len,
        .answer = mem_calloc(1, ANSWER_BYTES),
        .loop = &world->loop,
    };
    pthread_t thread;
    uv_async_init(&world->loop.uv, &client.done, on_done);
    client.done.data = &client;
    assert_int_equal(pthread_create(&thread, NULL, run_client, &client), 0);
    net_loop_run(&world->loop);
    pthread_join(thread, NULL);
    uv_run(&world->loop.uv, UV_RUN_NOWAIT); /* the closed handle lies on this stack */
    return client.answer;
}

static char *fetch(struct http_world *world, const char *method, const char *path,
                   const char *headers)
{
    char request[1024];
    int len = snprintf(request, sizeof(request),
                       "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", method,
                       path, headers);
    return exchange(world, request, (size_t)len);
}

static void assert_answer(char *answer, const char *status_line, const char *part)
{
    assert_int_equal(strncmp(answer, status_line, strlen(status_line)), 0);
    if (part != NULL && strstr(answer, part) == NULL) {
        fail_msg("no \"%s\" in: %s", part, answer);
    }
    free(answer);
}

static void get_reaches_its_route_with_the_query(void **state)
{
    assert_answer(fetch(*state, "GET", "/hello", ""), "HTTP/1.1 200 ", "\r\n\r\nhello nobody\n");
    assert_answer(fetch(*state, "GET", "/hello?name=me", ""), "HTTP/1.1 200 ",
                  "\r\n\r\nhello me\n");
    assert_answer(fetch(*state, "GET", "/hello?name", ""), "HTTP/1.1 200 ", "\r\n\r\nhello \n");
    assert_answer(fetch(*state, "GET", "/ready", ""), "HTTP/1.1 503 ", NULL);
}

static void head_has_the_length_and_no_body(void **state)
{
    char *answer = fetch(*state, "HEAD", "/hello", "");
    char *end = strstr(answer, "\r\n\r\n");
    assert_non_null(end);
    assert_string_equal(end, "\r\n\r\n");
    assert_answer(answer, "HTTP/1.1 200 ", "Content-Length: 13");
}

static void a_big_answer_arrives_whole(void **state)
{
    char *answer = fetch(*state, "GET", "/big", "");
    char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(strspn(body + 4, "x"), HTTP_WORLD_BIG_BYTES);
    assert_answer(answer, "HTTP/1.1 200 ", "Content-Type: application/octet-stream");
}

static void the_root_lists_the_routes(void **state)
{
    assert_answer(fetch(*state, "GET", "/", ""), "HTTP/1.1 200 ", "/hello");
    assert_answer(fetch(*state, "GET", "/", ""), "HTTP/1.1 200 ", "says hello");
    assert_answer(fetch(*state, "GET", "/none", ""), "HTTP/1.1 404 ", NULL);
}

static void only_reading_is_allowed(void **state)
{
    struct http_world *world = *state;
    assert_answer(fetch(world, "HEAD", "/hello", ""), "HTTP/1.1 200 ", NULL);
    assert_answer(fetch(world, "POST", "/hello", "Content-Length: 0\r\n"), "HTTP/1.1 405 ",
                  "Allow: GET, HEAD");
    assert_answer(fetch(world, "DELETE", "/hello", ""), "HTTP/1.1 405 ", NULL);
}

static void only_a_post_acts(void **state)
{
    const struct http_world *world = *state;
    assert_answer(fetch(*state, "GET", "/act", ""), "HTTP/1.1 405 ", "Allow: POST");
    assert_answer(fetch(*state, "HEAD", "/act", ""), "HTTP/1.1 405 ", NULL);
    assert_answer(fetch(*state, "PUT", "/act", "Content-Length: 0\r\n"), "HTTP/1.1 405 ", NULL);
    assert_int_equal(world->acts, 0);
    assert_answer(fetch(*state, "POST", "/act", "Content-Length: 3\r\n\r\nabc"), "HTTP/1.1 200 ",
                  NULL);
    assert_int_equal(world->acts, 1);
}

/* What a browser sends of a page that somebody else wrote. */
static void a_page_from_elsewhere_is_refused(void **state)
{
    static const char *const foreign[] = {
        "Origin: https://evil.example\r\n",      "Origin: null\r\n",
        "Origin: http://localhost:8080\r\n",     "Origin: localhost\r\n",
        "Origin: http://localhost.evil.com\r\n",
    };
    const struct http_world *world = *state;
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
        assert_answer(fetch(*state, "POST", "/act", foreign[i]), "HTTP/1.1 403 ", "another origin");
        assert_answer(fetch(*state, "GET", "/hello", foreign[i]), "HTTP/1.1 403 ", NULL);
    }
    assert_int_equal(world->acts, 0);
    assert_answer(fetch(*state, "POST", "/act", "Origin: http://localhost\r\n"), "HTTP/1.1 200 ",
                  NULL);
    assert_int_equal(world->acts, 1);
}

static char *fetch_at(struct http_world *world, const char *host)
{
    char request[512];
    int len = snprintf(request, sizeof(request),
                       "GET /hello HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
    return exchange(world, request, (size_t)len);
}

/* A name that somebody else's DNS server made an address of loopback. */
static void a_foreign_host_is_refused(void **state)
{
    static const char *const own[] = {"localhost",  "LocalHost:1", "127.0.0.1:9901", "127.8.0.1",
                                      "[::1]:9901", "[::1]",       "localhost:65535"};
    static const char *const foreign[] = {"evil.example:9901",
                                          "10.0.0.1",
                                          "localhost.evil.example",
                                          "127.0.0.1.evil.example",
                                          "[::2]:1",
                                          "128.0.0.1",
                                          "1.127.0.0.1",
                                          "xlocalhost",
                                          "",
                                          "localhost:9901.evil.example",
                                          "localhost:",
                                          "localhost:0",
                                          "localhost:65536",
                                          "localhost:99999999999999999999",
                                          "localhost:-1",
                                          "localhost:+1",
                                          "localhost:1:2",
                                          "[::1]evil.example:1",
                                          "[::1",
                                          "[localhost]:1",
                                          "[127.0.0.1]",
                                          "::1",
                                          "localhost@evil.example",
                                          "127.0.0.1/evil",
                                          ":9901",
                                          "[::1]:"};
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        assert_answer(fetch_at(*state, own[i]), "HTTP/1.1 200 ", NULL);
    }
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
        assert_answer(fetch_at(*state, foreign[i]), "HTTP/1.1 403 ", "this machine");
    }
}

static void a_body_is_dropped_and_a_large_one_refused(void **state)
{
    struct http_world *world = *state;
    static char request[4 * NET_HTTP_BODY_BYTES + 256];
    size_t big = 4 * NET_HTTP_BODY_BYTES;
    assert_answer(exchange(world,
                           "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                           "Content-Length: 5\r\n\r\nhello",
                           strlen("GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                  "Content-Length: 5\r\n\r\nhello")),
                  "HTTP/1.1 200 ", NULL);
    int len =
        snprintf(request, sizeof(request),
                 "GET /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", big);
    char *answer = exchange(world, request, (size_t)len + big);
    assert_null(strstr(answer, "200 OK"));
    free(answer);
}

static void garbage_and_oversized_headers_end_the_connection(void **state)
{
    static char request[2 * NET_HTTP_HEADER_BYTES + 64] = "GET /hello HTTP/1.1\r\nX: ";
    char *answer = exchange(*state, "\x16\x03\x01\x02\r\n\r\n", 8);
    assert_null(strstr(answer, "200 OK"));
    free(answer);
    memset(request + strlen(request), 'a', 2 * NET_HTTP_HEADER_BYTES);
    answer = exchange(*state, request, strlen(request));
    assert_null(strstr(answer, "200 OK"));
    free(answer);
    assert_answer(fetch(*state, "GET", "/hello", ""), "HTTP/1.1 200 ", NULL);
}

static uint64_t cpu_us(void)
{
    struct rusage used;
    getrusage(RUSAGE_THREAD, &used);
    return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void on_time_up(uv_timer_t *timer)
{
    net_loop_stop(timer->data);
    uv_close((uv_handle_t *)timer, NULL);
}

static void run_for(struct http_world *world, uint64_t ms)
{
    uv_timer_t timer;
    uv_timer_init(&world->loop.uv, &timer);
    timer.data = &world->loop;
    uv_timer_start(&timer, on_time_up, ms, 0);
    net_loop_run(&world->loop);
    uv_run(&world->loop.uv, UV_RUN_NOWAIT); /* the closed handle lies on this stack */
}

static void no_descriptors_is_a_pause_and_not_an_end(void **state)
{
    struct http_world *world = *state;
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    int fd = connect_to(net_http_port(world->http));
    const struct rlimit none = {.rlim_cur = (rlim_t)fd + 1, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    uint64_t begin_us = cpu_us();
    run_for(world, 600);
    uint64_t used_us = cpu_us() - begin_us;
    setrlimit(RLIMIT_NOFILE, &before);
    assert_true(used_us < 100000);
    assert_answer(fetch(world, "GET", "/hello", ""), "HTTP/1.1 200 ", NULL);
    close(fd);
}

/* ---- events ---------------------------------------------------------------------------------- */

static const char events_request[] = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";

/* Runs the loop while `fd` has not said `text`, or with NULL not ended; false when it said no such
 * thing. */
static bool hears(struct http_world *world, int fd, const char *text)
{
    static char heard[64 * 1024];
    size_t len = 0;
    heard[0] = '\0';
    for (uint64_t end = http_world_now_ms() + HTTP_WORLD_PATIENCE_MS; http_world_now_ms() < end;) {
        ssize_t n = recv(fd, heard + len, sizeof(heard) - 1 - len, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            return text == NULL;
        }
        len = text == NULL ? 0 : len + (n > 0 ? (size_t)n : 0);
        heard[len] = '\0';
        if (text != NULL && strstr(heard, text) != NULL) {
            return true;
        }
        run_for(world, 1);
    }
    return false;
}

static int subscribe(struct http_world *world)
{
    int fd = connect_to(net_http_port(world->http));
    assert_true(fd >= 0);
    assert_true(send(fd, events_request, strlen(events_request), MSG_NOSIGNAL) > 0);
    assert_true(hears(world, fd, "data: hello\n\n"));
    return fd;
}

static bool count_becomes(struct http_world *world, size_t count)
{
    for (uint64_t end = http_world_now_ms() + HTTP_WORLD_PATIENCE_MS;
         net_http_subscribers(world->http) != count && http_world_now_ms() < end;) {
        net_http_publish(world->http, "tick", 4);
        run_for(world, 1);
    }
    return net_http_subscribers(world->http) == count;
}

static void events_reach_every_reader_without_cost_in_between(void **state)
{
    struct http_world *world = *state;
    int first = subscribe(world);
    int second = subscribe(world);
    assert_int_equal(net_http_subscribers(world->http), 2);
    uint64_t begin_us = cpu_us();
    run_for(world, 300);
    assert_true(cpu_us() - begin_us < 50000);
    net_http_publish(world->http, "one", 3);
    net_http_publish(world->http, "two", 3);
    assert_true(hears(world, first, "data: two\n\n"));
    assert_true(hears(world, second, "data: two\n\n"));
    close(first);
    close(second);
}

static void events_have_their_type_and_may_be_refused(void **state)
{
    struct http_world *world = *state;
    int fd = connect_to(net_http_port(world->http));
    send(fd, events_request, strlen(events_request), MSG_NOSIGNAL);
    assert_true(hears(world, fd, "Content-Type: text/event-stream"));
    close(fd);
    assert_answer(fetch(world, "GET", "/closed", ""), "HTTP/1.1 503 ", NULL);
    assert_answer(fetch(world, "HEAD", "/events", ""), "HTTP/1.1 200 ", NULL);
    assert_answer(fetch(world, "POST", "/events", "Content-Length: 0\r\n"), "HTTP/1.1 405 ", NULL);
}

static void a_reader_too_many_hears_why(void **state)
{
    struct http_world *world = *state;
    int fds[NET_HTTP_SUBSCRIBERS];
    for (size_t i = 0; i < NET_HTTP_SUBSCRIBERS; i++) {
        fds[i] = subscribe(world);
    }
    assert_answer(fetch(world, "GET", "/events", ""), "HTTP/1.1 503 ", "too many");
    assert_answer(fetch(world, "GET", "/hello", ""), "HTTP/1.1 200 ", NULL);
    assert_int_equal(net_http_subscribers(world->http), NET_HTTP_SUBSCRIBERS);
    close(fds[0]);
    assert_true(count_becomes(world, NET_HTTP_SUBSCRIBERS - 1));
    fds[0] = subscribe(world);
    for (size_t i = 0; i < NET_HTTP_SUBSCRIBERS; i++) {
        close(fds[i]);
    }
    assert_true(count_becomes(world, 0));
}

/* It ends long before the idle time would, so it was the full queue that did it. */
static void a_slow_reader_is_disconnected_and_others_stay(void **state)
{
    struct http_world *world = *state;
    static char big[NET_HTTP_EVENTS_BYTES / 4];
    memset(big, 'x', sizeof(big));
    int slow = subscribe(world);
    int good = subscribe(world);
    uint64_t begin = http_world_now_ms();
    for (size_t i = 0; i < 400 && net_http_subscribers(world->http) == 2; i++) {
        net_http_publish(world->http, big, sizeof(big));
        net_http_publish(world->http, "mark", 4);
        for (bool found = false; !found;) { /* the good one takes all */
            static char taken[NET_HTTP_EVENTS_BYTES];
            ssize_t n = recv(good, taken, sizeof(taken), MSG_DONTWAIT);
            found = n > 0 && memmem(taken, (size_t)n, "mark", 4) != NULL;
            assert_true(n != 0 && http_world_now_ms() - begin < HTTP_WORLD_PATIENCE_MS);
            run_for(world, 1);
        }
    }
    assert_int_equal(net_http_subscribers(world->http), 1);
    assert_true(http_world_now_ms() - begin < 1000 * NET_HTTP_TIMEOUT_S);
    net_http_publish(world->http, "after", 5);
    assert_true(hears(world, good, "data: after\n\n"));
    assert_true(hears(world, slow, NULL));
    close(slow);
    close(good);
}

/* The sanitizer sees what is left. */
static void the_server_may_close_with_readers(void **state)
{
    struct http_world *world = *state;
    int asleep = subscribe(world);
    int awake = subscribe(world);
    run_for(world, 20);
    net_http_publish(world->http, "last", 4);
    net_http_close(world->http);
    world->http = NULL;
    assert_true(hears(world, asleep, NULL));
    assert_true(hears(world, awake, NULL));
    close(asleep);
    close(awake);
}

/* ---- what one client does is paid by that client --------------------------------------------- */

static void send_on(int fd, const char *path)
{
    char request[256];
    int len =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    assert_int_equal(send(fd, request, (size_t)len, MSG_NOSIGNAL), len);
}

static int ask_from(struct http_world *world, uint8_t host, const char *path)
{
    int fd = connect_from(host, net_http_port(world->http));
    assert_true(fd >= 0);
    send_on(fd, path);
    return fd;
}

static void assert_probed_from(struct http_world *world, uint8_t host)
{
    uint64_t begin = http_world_now_ms();
    int fd = ask_from(world, host, "/probe");
    assert_true(hears(world, fd, "hello nobody"));
    assert_true(http_world_now_ms() - begin < 1000 * NET_HTTP_TIMEOUT_S / 2);
    close(fd);
}

static bool is_open(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

/* Also of its own address: behind a NAT all have one. */
static void a_new_client_gets_a_place_of_the_address_that_has_most(void **state)
{
    struct http_world *world = *state;
    int idle[3 * NET_HTTP_CONNECTIONS];
    int other = connect_from(3, net_http_port(world->http));
    for (size_t i = 0; i < ARRAY_SIZE(idle); i++) {
        idle[i] = connect_from(2, net_http_port(world->http));
        assert_true(idle[i] >= 0);
    }
    assert_probed_from(world, 2);
    assert_probed_from(world, 4);
    assert_true(hears(world, idle[0], NULL));
    assert_true(is_open(idle[ARRAY_SIZE(idle) - 1]));
    assert_true(is_open(other));
    send_on(other, "/probe");
    assert_true(hears(world, other, "hello nobody"));
    for (size_t i = 0; i < ARRAY_SIZE(idle); i++) {
        close(idle[i]);
    }
    close(other);
}

static void who_was_answered_last_stays(void **state)
{
    struct http_world *world = *state;
    int fds[NET_HTTP_CONNECTIONS];
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = connect_from(2, net_http_port(world->http));
    }
    send_on(fds[0], "/probe");
    assert_true(hears(world, fds[0], "hello nobody"));
    assert_probed_from(world, 2);
    assert_true(is_open(fds[0]));
    assert_true(hears(world, fds[1], NULL));
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        close(fds[i]);
    }
}

static void who_is_refused_keeps_no_place(void **state)
{
    static const char *const requests[] = {
        "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "DELETE /hello HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n",
        events_request, /* one too many */
    };
    struct http_world *world = *state;
    int readers[NET_HTTP_SUBSCRIBERS];
    for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
        readers[i] = subscribe(world);
    }
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        uint64_t begin = http_world_now_ms();
        int fd = connect_to(net_http_port(world->http));
        send(fd, requests[i], strlen(requests[i]), MSG_NOSIGNAL);
        assert_true(hears(world, fd, NULL));
        assert_true(http_world_now_ms() - begin < 1000 * NET_HTTP_TIMEOUT_S / 2);
        close(fd);
    }
    for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
        close(readers[i]);
    }
}

static void readers_of_events_are_shared_out_over_addresses(void **state)
{
    struct http_world *world = *state;
    int greedy[NET_HTTP_SUBSCRIBERS];
    for (size_t i = 0; i < ARRAY_SIZE(greedy); i++) {
        greedy[i] = ask_from(world, 2, "/events");
        assert_true(hears(world, greedy[i], "data: hello\n\n"));
    }
    int other = ask_from(world, 3, "/events");
    assert_true(hears(world, other, "data: hello\n\n"));
    assert_true(hears(world, greedy[ARRAY_SIZE(greedy) - 1], NULL));
    int again = ask_from(world, 2, "/events"); /* as a browser does whose stream was ended */
    assert_true(hears(world, again, "503"));
    net_http_publish(world->http, "tick", 4);
    assert_true(hears(world, other, "data: tick\n\n"));
    assert_true(hears(world, greedy[0], "data: tick\n\n"));
    assert_int_equal(net_http_subscribers(world->http), NET_HTTP_SUBSCRIBERS);
    for (size_t i = 0; i < ARRAY_SIZE(greedy); i++) {
        close(greedy[i]);
    }
    close(other);
    close(again);
}

/* Runs the loop until the handler of /slow is at work. */
static int begin_slow(struct http_world *world, uint8_t host)
{
    int fd = ask_from(world, host, "/slow");
    uint64_t end = http_world_now_ms() + HTTP_WORLD_PATIENCE_MS;
    while (uv_sem_trywait(&world->slow_began) != 0) {
        assert_true(http_world_now_ms() < end);
        run_for(world, 1);
    }
    return fd;
}

static void a_costly_answer_holds_no_probe_up(void **state)
{
    struct http_world *world = *state;
    int slow[40];
    slow[0] = begin_slow(world, 1);
    for (size_t i = 1; i < ARRAY_SIZE(slow); i++) {
        slow[i] = ask_from(world, 1, "/slow");
        send_on(slow[i], "/slow");
    }
    assert_probed_from(world, 1);
    assert_int_not_equal(uv_sem_trywait(&world->slow_began), 0); /* one at a time */
    for (size_t i = 0; i < 2 * ARRAY_SIZE(slow); i++) {
        uv_sem_post(&world->slow_may_end);
    }
    for (size_t i = 0; i < ARRAY_SIZE(slow); i++) {
        assert_true(hears(world, slow[i], "hello nobody"));
        close(slow[i]);
    }
}

/* Sends what waits for the slow one's end, and returns once all of it waits. */
static void line_up(struct http_world *world, int *fds, size_t count, uint8_t host,
                    const char *path)
{
    for (size_t i = 0; i < count; i++) {
        fds[i] = ask_from(world, host, path);
    }
    assert_probed_from(world, host); /* comes after them */
}

static void turns_go_round_over_routes_and_addresses(void **state)
{
    struct http_world *world = *state;
    int many[20];
    int others[2];
    turns[0] = '\0';
    int slow = begin_slow(world, 1);
    line_up(world, many, ARRAY_SIZE(many), 2, "/turn?name=a");
    line_up(world, &others[0], 1, 3, "/turn?name=b");
    line_up(world, &others[1], 1, 2, "/other?name=c");
    uv_sem_post(&world->slow_may_end);
    for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
        assert_true(hears(world, many[i], "200 OK"));
        close(many[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_true(hears(world, others[i], "200 OK"));
        close(others[i]);
    }
    turns[4] = '\0';
    assert_string_equal(turns, "acba");
    close(slow);
}

static void after_an_answer_there_is_a_rest_as_long_as_it_took(void **state)
{
    struct http_world *world = *state;
    int fds[5];
    uint64_t begin = http_world_now_ms();
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = ask_from(world, 1, "/busy");
    }
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        assert_true(hears(world, fds[i], "hello nobody"));
        close(fds[i]);
    }
    assert_true(http_world_now_ms() - begin >= BUSY_MS * (2 * ARRAY_SIZE(fds) - 1) - 1);
}

/* Who waits longest of the address that has most gives its place away, also who is being
 * answered. */
static void who_waits_for_an_answer_may_lose_its_place(void **state)
{
    struct http_world *world = *state;
    int fds[NET_HTTP_CONNECTIONS];
    fds[0] = begin_slow(world, 2);
    for (size_t i = 1; i < ARRAY_SIZE(fds); i++) {
        fds[i] = ask_from(world, 2, "/turn?name=x");
    }
    assert_probed_from(world, 2);
    assert_true(hears(world, fds[0], NULL));
    int more[2] = {connect_to(net_http_port(world->http)), connect_to(net_http_port(world->http))};
    assert_probed_from(world, 3);
    assert_true(hears(world, fds[1], NULL));
    uv_sem_post(&world->slow_may_end);
    assert_true(hears(world, fds[ARRAY_SIZE(fds) - 1], "200 OK"));
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        close(fds[i]);
    }
    close(more[0]);
    close(more[1]);
}

static void *let_go(void *user)
{
    struct http_world *world = user;
    uv_sem_post(&world->slow_may_end);
    return NULL;
}

static void the_server_may_close_while_answers_are_made_and_wait(void **state)
{
    struct http_world *world = *state;
    int waits[3];
    pthread_t thread;
    int slow = begin_slow(world, 1);
    line_up(world, waits, ARRAY_SIZE(waits), 1, "/turn?name=x");
    turns[0] = '\0';
    assert_int_equal(pthread_create(&thread, NULL, let_go, world), 0);
    net_http_close(world->http);
    world->http = NULL;
    pthread_join(thread, NULL);
    assert_string_equal(turns, "");
    assert_true(hears(world, slow, NULL));
    for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
        assert_true(hears(world, waits[i], NULL));
        close(waits[i]);
    }
    close(slow);
}

static void an_address_in_use_is_named(void **state)
{
    struct http_world *world = *state;
    struct net_error error;
    struct text_address address = {.host = "127.0.0.1", .port = net_http_port(world->http)};
    char expected[64];
    snprintf(expected, sizeof(expected), "address 127.0.0.1:%u is already in use",
             (unsigned)address.port);
    assert_null(net_http_open(&world->loop, &address, routes, NULL, &error));
    assert_ptr_equal(strstr(error.text, expected), error.text);
    strcpy(address.host, "192.0.2.1");
    assert_null(net_http_open(&world->loop, &address, routes, NULL, &error));
    assert_non_null(strstr(error.text, "192.0.2.1"));
    strcpy(address.host, "no-such-host.invalid");
    assert_null(net_http_open(&world->loop, &address, routes, NULL, &error));
    assert_int_equal(error.kind, NET_RESOLVE_FAILED);
}

static void it_does_not_keep_the_loop_alive(void **state)
{
    struct http_world *world = *state;
    net_loop_run(&world->loop); /* returns at once, or the test runs into its limit */
    assert_false(uv_loop_alive(&world->loop.uv));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(get_reaches_its_route_with_the_query),
        TEST(head_has_the_length_and_no_body),
        TEST(a_big_answer_arrives_whole),
        TEST(the_root_lists_the_routes),
        TEST(only_reading_is_allowed),
        TEST(only_a_post_acts),
        TEST(a_page_from_elsewhere_is_refused),
        TEST(a_foreign_host_is_refused),
        TEST(a_body_is_dropped_and_a_large_one_refused),
        TEST(garbage_and_oversized_headers_end_the_connection),
        TEST(no_descriptors_is_a_pause_and_not_an_end),
        TEST(events_reach_every_reader_without_cost_in_between),
        TEST(events_have_their_type_and_may_be_refused),
        TEST(a_reader_too_many_hears_why),
        TEST(a_slow_reader_is_disconnected_and_others_stay),
        TEST(the_server_may_close_with_readers),
        TEST(a_new_client_gets_a_place_of_the_address_that_has_most),
        TEST(who_was_answered_last_stays),
        TEST(who_is_refused_keeps_no_place),
        TEST(readers_of_events_are_shared_out_over_addresses),
        TEST(a_costly_answer_holds_no_probe_up),
        TEST(turns_go_round_over_routes_and_addresses),
        TEST(after_an_answer_there_is_a_rest_as_long_as_it_took),
        TEST(who_waits_for_an_answer_may_lose_its_place),
        TEST(the_server_may_close_while_answers_are_made_and_wait),
        TEST(an_address_in_use_is_named),
        TEST(it_does_not_keep_the_loop_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
