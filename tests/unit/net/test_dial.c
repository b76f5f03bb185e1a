/* Every way in which a connection cannot be made has its own kind and a sentence that helps. */
#include "base/mem.h"
#include "harness.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct harness harness;
static const bool with_tls = true;

static int setup(void **state)
{
    harness_init(&harness, *state == &with_tls);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    harness_deinit(&harness);
    return 0;
}

static void expect(enum net_error_kind kind, const char *text)
{
    run_until(&harness.loop, &harness.client.ready);
    assert_true(harness.client.failed);
    if (strstr(harness.client.error.text, text) == NULL || harness.client.error.kind != kind) {
        fail_msg("expected %s with \"%s\", got %s: %s", net_error_label(kind), text,
                 net_error_label(harness.client.error.kind), harness.client.error.text);
    }
    assert_null(strchr(harness.client.error.text, '\n'));
}

static void on_done(void *user, struct net_stream *stream, const struct net_error *error)
{
    struct end *end = user;

    end->ready = true;
    end->failed = error != NULL;
    if (error != NULL) {
        end->error = *error;
    } else {
        end_start(end, stream);
    }
}

static struct net_dial *dial_name(const char *host, uint16_t port, const char *server_name,
                                  uint64_t timeout_ms)
{
    struct net_dial_config config = {.host = host,
                                     .port = port,
                                     .tls = harness.client_tls,
                                     .server_name = server_name,
                                     .timeout_ms = timeout_ms};

    return net_dial_start(&harness.loop, &config, on_done, &harness.client);
}

static uint16_t unused_port(void)
{
    uint16_t port;

    close(raw_listen(&port));
    return port;
}

/* --- addresses --- */

static void nobody_listening_is_refused(void **state)
{
    uint16_t port = unused_port();
    char text[64];

    (void)state;
    snprintf(text, sizeof(text),
             "cannot connect to localhost:%u (127.0.0.1:%u): connection refused", port, port);
    harness_dial(&harness, port, 5000);
    expect(NET_REFUSED, text);
}

static void a_name_that_does_not_resolve_is_named(void **state)
{
    (void)state;
    dial_name("no..such.name", 1, NULL, 5000);
    expect(NET_RESOLVE_FAILED, "no..such.name");
}

static void an_unreachable_network_is_no_timeout(void **state)
{
    (void)state;
    dial_name("255.255.255.255", 1, NULL, 5000);
    run_until(&harness.loop, &harness.client.ready);
    assert_true(harness.client.failed);
    assert_int_not_equal(harness.client.error.kind, NET_TIMED_OUT);
    assert_non_null(strstr(harness.client.error.text, "255.255.255.255:1"));
}

/* "localhost" is 127.0.0.1 and ::1; our listener is on one of them only. */
static void all_addresses_of_a_name_are_tried(void **state)
{
    (void)state;
    harness_listen(&harness);
    dial_name("localhost", net_listener_port(harness.listener), NULL, 5000);
    run_until(&harness.loop, &harness.client.ready);
    assert_false(harness.client.failed);
    run_until(&harness.loop, &harness.server.ready);
}

static void the_second_address_of_a_name_answers(void **state)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t len = sizeof(address);

    (void)state;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        skip(); /* a machine without IPv6 */
    }
    assert_int_equal(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&address, &len);
    dial_name("localhost", ntohs(address.sin6_port), NULL, 5000);
    run_until(&harness.loop, &harness.client.ready);
    if (harness.client.failed) { /* /etc/hosts gives localhost one address only */
        assert_null(strstr(harness.client.error.text, "addresses"));
    } else {
        assert_int_equal(strncmp(net_stream_peer(harness.client.stream), "[::1]:", 6), 0);
    }
    close(fd);
}

/* --- time --- */

static void a_silent_peer_times_out_in_the_handshake(void **state)
{
    uint16_t port;
    int fd = raw_listen(&port);
    uint64_t start_ms = uv_now(&harness.loop.uv);

    (void)state;
    harness_dial(&harness, port, 500);
    expect(NET_TIMED_OUT, "does it speak TLS (else --plaintext)?");
    assert_in_range(uv_now(&harness.loop.uv) - start_ms, 499, 2000);
    close(fd);
}

/* A listener whose queue is full drops SYNs: the connection stays in progress. */
static void a_peer_that_drops_packets_times_out_while_connecting(void **state)
{
    uint16_t port;
    int fd = raw_listen(&port);
    int fill[16];

    (void)state;
    listen(fd, 0);
    for (size_t i = 0; i < ARRAY_SIZE(fill); i++) {
        struct sockaddr_in address;

        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        uv_ip4_addr("127.0.0.1", port, &address);
        connect(fill[i], (struct sockaddr *)&address, sizeof(address));
    }
    harness_dial(&harness, port, 500);
    expect(NET_TIMED_OUT, "no answer (limit 500ms)");
    for (size_t i = 0; i < ARRAY_SIZE(fill); i++) {
        close(fill[i]);
    }
    close(fd);
}

/* --- certificates and names --- */

static void the_name_in_the_certificate_must_match(void **state)
{
    (void)state;
    harness_listen(&harness);
    dial_name("localhost", net_listener_port(harness.listener), "foo", 5000);
    expect(NET_TLS_NAME, "is for \"localhost, 127.0.0.1, ::1, proxy-ingress,");
    assert_non_null(strstr(harness.client.error.text, "not \"foo\": use --authority NAME"));
    assert_int_equal(harness.accepted, 0);
}

static void any_name_of_the_certificate_will_do(void **state)
{
    static const char *const names[] = {"proxy-ingress", "LOCALHOST", "localhost.", "::1",
                                        "proxy-ingress.grpc-routing-poc.svc.cluster.local"};

    (void)state;
    harness_listen(&harness);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        dial_name("127.0.0.1", net_listener_port(harness.listener), names[i], 5000);
        run_until(&harness.loop, &harness.client.ready);
        assert_false(harness.client.failed);
        net_stream_close(harness.client.stream);
        run_until(&harness.loop, &harness.client.closed);
        memset(&harness.client, 0, sizeof(harness.client));
        harness.client.loop = &harness.loop;
        run_until(&harness.loop, &harness.server.closed);
        harness.server.closed = false;
    }
    assert_int_equal(harness.accepted, ARRAY_SIZE(names));
}

static void an_address_that_is_not_in_the_certificate_is_refused(void **state)
{
    (void)state;
    harness_listen(&harness);
    dial_name("localhost", net_listener_port(harness.listener), "127.0.0.2", 5000);
    expect(NET_TLS_NAME, "not \"127.0.0.2\"");
}

static void use_authority(const char *ca, bool skip_verify)
{
    struct net_tls_client_config config = {.cacert_file = certificate(ca),
                                           .skip_verify = skip_verify};
    struct net_error error;

    net_tls_free(harness.client_tls);
    harness.client_tls = net_tls_client_new(&config, &error);
    assert_non_null(harness.client_tls);
}

static void an_unknown_authority_is_refused_and_the_server_hears_it(void **state)
{
    (void)state;
    use_authority("other/ca.pem", false);
    harness_listen(&harness);
    harness_dial(&harness, 0, 5000);
    expect(NET_TLS_UNKNOWN_CA, "(issuer \"grpcroute CA\"): pass its CA with --cacert FILE");
    while (harness.refused == 0) {
        run_for(&harness.loop, 10);
    }
    assert_int_equal(harness.accepted, 0);
    assert_int_equal(harness.refusal.kind, NET_TLS_UNKNOWN_CA);
    assert_non_null(strstr(harness.refusal.text, "does not trust this server's certificate"));
}

static void skipping_verification_takes_any_certificate(void **state)
{
    (void)state;
    use_authority("other/ca.pem", true);
    harness_listen(&harness);
    dial_name("localhost", net_listener_port(harness.listener), "foo", 5000);
    run_until(&harness.loop, &harness.client.ready);
    assert_false(harness.client.failed);
}

static void the_servers_own_certificate_is_an_authority(void **state)
{
    (void)state;
    use_authority("cert.pem", false);
    harness_connect(&harness);
}

/* --- servers that are not ours, in a thread --- */

struct raw_server {
    int listen_fd;
    uint16_t port;
    pthread_t thread;
    const char *cert;
    enum { ALPN_NONE, ALPN_HTTP1, ALPN_REFUSE, ALPN_H2 } alpn;
    enum { SAY_TLS, SAY_HTTP, SAY_NOTHING, SAY_HALF, SAY_ALERT, SAY_EARLY } say;
};

static int choose_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
                       const unsigned char *offered, unsigned int len, void *arg)
{
    const struct raw_server *server = arg;

    (void)ssl;
    (void)offered;
    (void)len;
    if (server->alpn == ALPN_NONE) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    if (server->alpn == ALPN_REFUSE) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *ret_name = (const unsigned char *)(server->alpn == ALPN_H2 ? "h2" : "http/1.1");
    *ret_len = server->alpn == ALPN_H2 ? 2 : 8;
    return SSL_TLSEXT_ERR_OK;
}

/* The server's first flight and its first data in one packet, as some servers send SETTINGS. */
static void serve_early(struct raw *raw)
{
    size_t count;
    char byte;

    for (;;) {
        int result = SSL_read_early_data(raw->ssl, &byte, 1, &count);

        if (result == SSL_READ_EARLY_DATA_FINISH || !raw_fill(raw)) {
            break;
        }
    }
    SSL_write_early_data(raw->ssl, "settings", 8, &count);
    raw_flush(raw);
    if (raw_handshake(raw) == 1) {
        raw_fill(raw); /* until the client's end */
    }
}

static void *serve(void *arg)
{
    struct raw_server *server = arg;
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    struct raw raw;
    int fd = accept(server->listen_fd, NULL, NULL);

    SSL_CTX_use_certificate_chain_file(ctx, server->cert);
    SSL_CTX_use_PrivateKey_file(ctx, certificate("key.pem"), SSL_FILETYPE_PEM);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, server);
    raw_open(&raw, fd, ctx, true);
    switch (server->say) {
    case SAY_TLS:
        raw_handshake(&raw);
        raw_flush(&raw);
        raw_fill(&raw);
        break;
    case SAY_EARLY:
        serve_early(&raw);
        break;
    case SAY_HTTP:
        raw_fill(&raw);
        send(fd, http, sizeof(http) - 1, MSG_NOSIGNAL);
        break;
    case SAY_HALF:
        raw_fill(&raw);
        send(fd, "\x16\x03\x03\x00\x50\x02", 6, MSG_NOSIGNAL);
        break;
    case SAY_ALERT:
        raw_fill(&raw);
        send(fd, "\x15\x03\x03\x00\x02\x02\x46", 7, MSG_NOSIGNAL); /* protocol_version */
        break;
    case SAY_NOTHING:
        raw_fill(&raw);
        break;
    }
    raw_close(&raw);
    SSL_CTX_free(ctx);
    return NULL;
}

static void dial_raw_server(struct raw_server *server)
{
    server->listen_fd = raw_listen(&server->port);
    server->cert = server->cert != NULL ? server->cert : certificate("cert.pem");
    thread_start(&server->thread, serve, server);
    harness_dial(&harness, server->port, 5000);
    run_until(&harness.loop, &harness.client.ready);
    if (!harness.client.failed) {
        run_for(&harness.loop, 50);
        net_stream_close(harness.client.stream);
        run_until(&harness.loop, &harness.client.closed);
    }
    pthread_join(server->thread, NULL);
    close(server->listen_fd);
}

static void an_expired_certificate_is_refused_with_its_date(void **state)
{
    struct raw_server server = {.alpn = ALPN_H2};

    (void)state;
    certificate_sign("old", -7200, -3600);
    server.cert = certificate("old.pem");
    dial_raw_server(&server);
    expect(NET_TLS_EXPIRED, "expired on 20");
}

static void a_certificate_of_the_future_is_refused(void **state)
{
    struct raw_server server = {.alpn = ALPN_H2};

    (void)state;
    certificate_sign("future", 3600, 7200);
    server.cert = certificate("future.pem");
    dial_raw_server(&server);
    expect(NET_TLS_EXPIRED, "set this machine's clock");
}

static void a_server_without_alpn_is_refused(void **state)
{
    struct raw_server server = {.alpn = ALPN_NONE};

    (void)state;
    dial_raw_server(&server);
    expect(NET_TLS_ALPN, "speaks TLS but did not agree on HTTP/2 (ALPN h2)");
}

static void a_server_that_chooses_another_protocol_is_refused(void **state)
{
    struct raw_server server = {.alpn = ALPN_HTTP1};

    (void)state;
    dial_raw_server(&server);
    run_until(&harness.loop, &harness.client.ready);
    assert_true(harness.client.failed); /* OpenSSL itself takes no protocol that was not offered */
    assert_true(harness.client.error.kind == NET_TLS_ALPN ||
                harness.client.error.kind == NET_TLS_FAILED);
}

static void a_server_that_refuses_h2_is_an_alpn_failure(void **state)
{
    struct raw_server server = {.alpn = ALPN_REFUSE};

    (void)state;
    dial_raw_server(&server);
    expect(NET_TLS_ALPN, "refused HTTP/2 (ALPN h2)");
}

static void a_server_with_h2_is_taken(void **state)
{
    struct raw_server server = {.alpn = ALPN_H2};

    (void)state;
    dial_raw_server(&server);
    assert_false(harness.client.failed);
}

static void a_plaintext_server_does_not_speak_tls(void **state)
{
    struct raw_server server = {.say = SAY_HTTP};

    (void)state;
    dial_raw_server(&server);
    expect(NET_TLS_NOT_TLS, "does not speak TLS: use --plaintext if that is intended");
}

static void a_server_that_hangs_up_is_told_apart(void **state)
{
    struct raw_server server = {.say = SAY_NOTHING};

    (void)state;
    dial_raw_server(&server);
    expect(NET_CLOSED, "instead of answering the TLS handshake");
}

static void a_server_that_hangs_up_halfway_is_told_apart(void **state)
{
    struct raw_server server = {.say = SAY_HALF};

    (void)state;
    dial_raw_server(&server);
    expect(NET_CLOSED, "in the middle of the TLS handshake");
}

static void an_alert_is_shown_in_words(void **state)
{
    struct raw_server server = {.say = SAY_ALERT};

    (void)state;
    dial_raw_server(&server);
    expect(NET_TLS_FAILED, "(alert: protocol version)");
}

static void data_behind_the_servers_first_flight_is_delivered_from_the_loop(void **state)
{
    struct raw_server server = {.alpn = ALPN_H2, .say = SAY_EARLY};

    (void)state;
    dial_raw_server(&server); /* the end asserts that nothing comes within net_stream_start() */
    assert_false(harness.client.failed);
    assert_int_equal(harness.client.received.len, 8);
    assert_memory_equal(buf_data(&harness.client.received), "settings", 8);
}

/* --- giving up --- */

static void never_called(void *user, struct net_stream *stream, const struct net_error *error)
{
    (void)user;
    (void)stream;
    (void)error;
    fail_msg("a cancelled dial has called back");
}

static void cancelling_after_any_number_of_turns_is_silent(void **state)
{
    /* Without TLS the silent listener is already a connection after the first turn. */
    int turns_end = harness.client_tls != NULL ? 12 : 1;

    (void)state;
    harness_listen(&harness);
    for (int turns = 0; turns < turns_end; turns++) {
        struct net_dial_config config = {.host = "localhost",
                                         .port = net_listener_port(harness.listener),
                                         .tls = harness.client_tls,
                                         .timeout_ms = 5000};
        uint16_t silent_port;
        int fd = raw_listen(&silent_port);
        struct net_dial *resolving;
        struct net_dial *waiting;

        resolving = net_dial_start(&harness.loop, &config, never_called, NULL);
        net_dial_cancel(resolving);
        config.host = "127.0.0.1";
        config.port = silent_port;
        waiting = net_dial_start(&harness.loop, &config, never_called, NULL);
        for (int i = 0; i < turns; i++) {
            uv_run(&harness.loop.uv, UV_RUN_NOWAIT);
        }
        net_dial_cancel(waiting);
        close(fd);
    }
    run_for(&harness.loop, 300);
}

#define CASE(test)                                                                                 \
    {                                                                                              \
        .name = #test, .test_func = test, .setup_func = setup, .teardown_func = teardown           \
    }
#define TLS(test)                                                                                  \
    {                                                                                              \
        .name = #test, .test_func = test, .setup_func = setup, .teardown_func = teardown,          \
        .initial_state = mem_unconst(&with_tls)                                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nobody_listening_is_refused),
        CASE(a_name_that_does_not_resolve_is_named),
        CASE(an_unreachable_network_is_no_timeout),
        CASE(all_addresses_of_a_name_are_tried),
        CASE(the_second_address_of_a_name_answers),
        CASE(a_peer_that_drops_packets_times_out_while_connecting),
        TLS(a_silent_peer_times_out_in_the_handshake),
        TLS(the_name_in_the_certificate_must_match),
        TLS(any_name_of_the_certificate_will_do),
        TLS(an_address_that_is_not_in_the_certificate_is_refused),
        TLS(an_unknown_authority_is_refused_and_the_server_hears_it),
        TLS(skipping_verification_takes_any_certificate),
        TLS(the_servers_own_certificate_is_an_authority),
        TLS(an_expired_certificate_is_refused_with_its_date),
        TLS(a_certificate_of_the_future_is_refused),
        TLS(a_server_without_alpn_is_refused),
        TLS(a_server_that_chooses_another_protocol_is_refused),
        TLS(a_server_that_refuses_h2_is_an_alpn_failure),
        TLS(a_server_with_h2_is_taken),
        TLS(a_plaintext_server_does_not_speak_tls),
        TLS(a_server_that_hangs_up_is_told_apart),
        TLS(a_server_that_hangs_up_halfway_is_told_apart),
        TLS(an_alert_is_shown_in_words),
        TLS(data_behind_the_servers_first_flight_is_delivered_from_the_loop),
        CASE(cancelling_after_any_number_of_turns_is_silent),
        TLS(cancelling_after_any_number_of_turns_is_silent),
    };

    return cmocka_run_group_tests(tests, certificates_make, certificates_remove);
}
