/* Established streams, each behaviour on plain TCP and on TLS. */
#include "base/mem.h"
#include "harness.h"

#include <string.h>
#include <sys/socket.h>

#define MIB (1024 * 1024)

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

static void an_echo_comes_back(void **state)
{
    char name[32];

    (void)state;
    harness.server.echo = true;
    harness_connect(&harness);
    end_send_text(&harness.client, "ping");
    run_until_received(&harness.client, 4);
    assert_memory_equal(buf_data(&harness.client.received), "ping", 4);
    snprintf(name, sizeof(name), "127.0.0.1:%u", (unsigned)net_listener_port(harness.listener));
    assert_string_equal(net_stream_peer(harness.client.stream), name);
    assert_string_not_equal(net_stream_peer(harness.server.stream), name);
    /* each end is where the other says that it is */
    char local[NET_STREAM_ADDRESS_BYTES];
    assert_string_equal(net_stream_local(harness.server.stream, local), name);
    assert_string_equal(net_stream_local(harness.client.stream, local),
                        net_stream_peer(harness.server.stream));
    assert_int_equal(net_stream_kept_bytes(harness.client.stream), 0);
    uint64_t network = 0;
    memcpy(&network, (const uint8_t[]){127, 0, 0, 1}, 4);
    assert_int_equal(net_stream_network(harness.server.stream), network);
}

/* --- a relay that passes one byte per turn and direction --- */

struct relay {
    struct net_listener *listener;
    struct end near;
    struct end far;
    uint16_t target_port;
    uv_check_t check;
    bool ready;
};

static void pass_byte(struct end *from, struct end *to)
{
    if (from->received.len > 0 && to->stream != NULL && !net_stream_blocked(to->stream)) {
        assert_true(net_stream_write(to->stream, buf_data(&from->received), 1) >= 0);
        buf_consume(&from->received, 1);
    }
}

static void on_check(uv_check_t *check)
{
    struct relay *relay = check->data;

    if (relay->ready) {
        pass_byte(&relay->near, &relay->far);
        pass_byte(&relay->far, &relay->near);
    }
}

static void on_relay_dialed(void *user, struct net_stream *stream, const struct net_error *error)
{
    struct relay *relay = user;

    assert_null(error);
    end_start(&relay->far, stream);
    relay->ready = true;
}

static void on_relay_stream(void *user, struct net_stream *stream)
{
    struct relay *relay = user;
    struct net_dial_config config = {
        .host = "127.0.0.1", .port = relay->target_port, .timeout_ms = 5000};

    end_start(&relay->near, stream);
    net_dial_start(relay->near.loop, &config, on_relay_dialed, relay);
}

static void relay_open(struct relay *relay, struct net_loop *loop, uint16_t target_port)
{
    struct net_listener_config config = {.address = {.host = "127.0.0.1"}};
    struct net_listener_events events = {.on_stream = on_relay_stream};
    struct net_error error;

    memset(relay, 0, sizeof(*relay));
    relay->near.loop = relay->far.loop = loop;
    relay->target_port = target_port;
    relay->listener = net_listener_open(loop, &config, &events, relay, &error);
    assert_non_null(relay->listener);
    uv_check_init(&loop->uv, &relay->check);
    relay->check.data = relay;
    uv_check_start(&relay->check, on_check);
}

static void relay_close(struct relay *relay)
{
    net_listener_close(relay->listener);
    net_stream_close(relay->near.stream);
    net_stream_close(relay->far.stream);
    run_until(relay->near.loop, &relay->near.closed);
    run_until(relay->near.loop, &relay->far.closed);
    uv_close((uv_handle_t *)&relay->check, NULL);
    buf_deinit(&relay->near.received);
    buf_deinit(&relay->far.received);
}

/* The loop blocks while nothing moves; this keeps the relay going. */
static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void bytes_in_slices_of_one_arrive_whole(void **state)
{
    static struct relay relay; /* with handles that are closed by the teardown's turns */
    static uv_idle_t idle;

    (void)state;
    uv_idle_init(&harness.loop.uv, &idle);
    uv_idle_start(&idle, on_idle);
    harness.server.echo = true;
    harness_listen(&harness);
    relay_open(&relay, &harness.loop, net_listener_port(harness.listener));
    harness_dial(&harness, net_listener_port(relay.listener), 15000);
    run_until(&harness.loop, &harness.client.ready);
    assert_false(harness.client.failed);
    end_send_pattern(&harness.client, 1500);
    run_until_received(&harness.client, 1500);
    end_check_pattern(&harness.client, 1500);
    end_check_pattern(&harness.server, 1500);
    if (harness.client_tls == NULL) {
        assert_true(harness.server.data_calls > 1000); /* the slices were small indeed */
    }
    uv_close((uv_handle_t *)&idle, NULL);
    relay_close(&relay);
}

/* --- volume --- */

static void both_ways_at_once_with_full_sockets(void **state)
{
    (void)state;
    harness_connect(&harness);
    end_send_pattern(&harness.client, 16 * MIB);
    end_send_pattern(&harness.server, 16 * MIB);
    assert_true(net_stream_blocked(harness.client.stream));
    assert_in_range(net_stream_kept_bytes(harness.client.stream), 1, 80 * 1024);
    run_until_received(&harness.client, 16 * MIB);
    run_until_received(&harness.server, 16 * MIB);
    end_check_pattern(&harness.client, 16 * MIB);
    end_check_pattern(&harness.server, 16 * MIB);
    assert_true(harness.client.writable_calls > 0);
    assert_true(harness.server.writable_calls > 0);
    assert_false(net_stream_blocked(harness.client.stream));
}

/* Both ends are of this loop: what one kind of connection sent, the other received. */
static void every_byte_of_the_sockets_is_counted_once(void **state)
{
    const size_t len = 16 * MIB;
    const struct net_traffic *dialled = &harness.loop.dialled;
    const struct net_traffic *accepted = &harness.loop.accepted;

    harness_connect(&harness);
    uint64_t before = atomic_load(&dialled->sent);
    assert_true((before > 0) == (*state == &with_tls)); /* a handshake */
    end_send_pattern(&harness.client, len);
    assert_true(net_stream_blocked(harness.client.stream)); /* some of it is kept */
    run_until_received(&harness.server, len);
    end_send_text(&harness.server, "done"); /* behind whatever TLS had to say */
    run_until_received(&harness.client, 4);
    assert_int_equal(atomic_load(&dialled->sent), atomic_load(&accepted->received));
    assert_int_equal(atomic_load(&accepted->sent), atomic_load(&dialled->received));
    uint64_t sent = atomic_load(&dialled->sent) - before;
    assert_true(*state == &with_tls ? sent > len && sent < len + len / 100 : sent == len);
}

static void a_paused_reader_stops_its_sender_and_loses_nothing(void **state)
{
    size_t received;

    (void)state;
    harness_connect(&harness);
    net_stream_pause(harness.server.stream);
    end_send_pattern(&harness.client, 16 * MIB);
    run_for(&harness.loop, 100);
    received = harness.server.received.len;
    assert_int_equal(received, 0);
    assert_true(net_stream_blocked(harness.client.stream));
    assert_in_range(net_stream_kept_bytes(harness.client.stream), 1, 80 * 1024);
    net_stream_resume(harness.server.stream);
    run_until_received(&harness.server, 16 * MIB);
    end_check_pattern(&harness.server, 16 * MIB);
}

/* --- ends --- */

static void closing_sends_everything_first(void **state)
{
    (void)state;
    harness_connect(&harness);
    end_send_pattern(&harness.client, NET_WRITE_BYTES);
    net_stream_close(harness.client.stream);
    net_stream_close(harness.client.stream); /* harmless */
    assert_false(harness.client.closed);     /* not from within the call */
    assert_true(net_stream_write(harness.client.stream, (const uint8_t *)"x", 1) < 0);
    run_until(&harness.loop, &harness.server.closed);
    run_until(&harness.loop, &harness.client.closed);
    end_check_pattern(&harness.server, NET_WRITE_BYTES);
    assert_int_equal(harness.server.error.kind, NET_CLOSED);
    assert_int_equal(harness.client.error.kind, NET_CLOSED);
    assert_int_equal(harness.client.closed_calls, 1);
}

/* Without lingering, the unread bytes would make a reset that destroys what was sent last. */
static void last_words_survive_bytes_that_we_do_not_read(void **state)
{
    (void)state;
    harness_connect(&harness);
    net_stream_pause(harness.server.stream);
    net_stream_pause(harness.client.stream);
    end_send_pattern(&harness.client, 8 * NET_WRITE_BYTES);
    run_for(&harness.loop, 50);
    end_send_text(&harness.server, "goaway");
    net_stream_close(harness.server.stream);
    run_until(&harness.loop, &harness.server.closed);
    net_stream_resume(harness.client.stream);
    run_until(&harness.loop, &harness.client.closed);
    assert_int_equal(harness.client.received.len, 6);
    assert_memory_equal(buf_data(&harness.client.received), "goaway", 6);
    assert_int_equal(harness.server.received.len, 0); /* nothing after close */
}

static void a_peer_that_never_ends_delays_closing_by_a_second_at_most(void **state)
{
    uint64_t start_ms;

    (void)state;
    harness_connect(&harness);
    net_stream_pause(harness.server.stream); /* does not see our end */
    start_ms = uv_now(&harness.loop.uv);
    net_stream_close(harness.client.stream);
    run_until(&harness.loop, &harness.client.closed);
    assert_in_range(uv_now(&harness.loop.uv) - start_ms, 900, 2500);
    assert_false(harness.server.closed);
}

static void closing_within_on_data_delivers_nothing_more(void **state)
{
    (void)state;
    harness.server.close_on_data = true;
    harness_connect(&harness);
    end_send_pattern(&harness.client, NET_WRITE_BYTES); /* several records */
    run_until(&harness.loop, &harness.client.closed);
    run_until(&harness.loop, &harness.server.closed);
    assert_int_equal(harness.server.data_calls, 1);
    assert_int_equal(harness.server.closed_calls, 1);
}

static void a_half_closed_peer_still_gets_what_was_sent(void **state)
{
    int fd;

    (void)state;
    harness_connect(&harness);
    assert_int_equal(uv_fileno((uv_handle_t *)harness.client.stream, &fd), 0);
    shutdown(fd, SHUT_WR);
    end_send_pattern(&harness.server, MIB / 2);
    run_until(&harness.loop, &harness.server.closed);
    assert_int_equal(harness.server.error.kind, NET_CLOSED);
    run_until(&harness.loop, &harness.client.closed);
    assert_true(harness.client.received.len >= harness.server.sent);
    end_check_pattern(&harness.client, harness.server.sent);
}

static void an_aborted_stream_is_a_reset_for_its_peer(void **state)
{
    (void)state;
    harness_connect(&harness);
    net_stream_abort(harness.client.stream);
    assert_false(harness.client.closed);
    run_until(&harness.loop, &harness.server.closed);
    run_until(&harness.loop, &harness.client.closed);
    assert_int_equal(harness.server.error.kind, NET_RESET);
    assert_non_null(strstr(harness.server.error.text, "127.0.0.1:"));
    assert_int_equal(harness.client.error.kind, NET_CLOSED);
}

static void aborting_while_closing_ends_the_wait(void **state)
{
    uint64_t start_ms;

    (void)state;
    harness_connect(&harness);
    net_stream_pause(harness.server.stream);
    start_ms = uv_now(&harness.loop.uv);
    net_stream_close(harness.client.stream);
    net_stream_abort(harness.client.stream);
    run_until(&harness.loop, &harness.client.closed);
    assert_in_range(uv_now(&harness.loop.uv) - start_ms, 0, 400);
    assert_int_equal(harness.client.closed_calls, 1);
}

static void writing_to_a_reset_peer_ends_the_stream_once(void **state)
{
    (void)state;
    harness_connect(&harness);
    net_stream_pause(harness.server.stream); /* learns of the reset by writing only */
    net_stream_abort(harness.client.stream);
    run_until(&harness.loop, &harness.client.closed);
    assert_true(net_stream_write(harness.server.stream, (const uint8_t *)"x", 1) < 0);
    assert_false(harness.server.closed);
    assert_true(net_stream_write(harness.server.stream, (const uint8_t *)"x", 1) < 0);
    run_until(&harness.loop, &harness.server.closed);
    assert_int_equal(harness.server.closed_calls, 1);
    assert_int_equal(harness.server.error.kind, NET_RESET);
}

static void a_stream_dropped_before_its_start_says_nothing(void **state)
{
    (void)state;
    harness.server.hold = true;
    harness_connect(&harness);
    net_stream_close(harness.server.stream);
    harness.server.stream = NULL;
    run_until(&harness.loop, &harness.client.closed);
    assert_int_equal(harness.server.closed_calls, 0);
}

#define BOTH(test)                                                                                 \
    {.name = #test "_plain", .test_func = test, .setup_func = setup, .teardown_func = teardown},   \
    {                                                                                              \
        .name = #test "_tls", .test_func = test, .setup_func = setup, .teardown_func = teardown,   \
        .initial_state = mem_unconst(&with_tls)                                                    \
    }

/* The server's certificate and so many of its issuer that they fill more than cipher_bytes. */
static const char *long_chain(void)
{
    FILE *out = fopen(certificate("long.pem"), "w");
    char text[8192];

    assert_non_null(out);
    while (ftell(out) < 120 * 1024) { /* 90 KB without base64; a client takes 100 */
        FILE *in = fopen(certificate(ftell(out) == 0 ? "cert.pem" : "ca.pem"), "r");
        size_t len;

        assert_non_null(in);
        len = fread(text, 1, sizeof(text), in);
        assert_int_equal(fwrite(text, 1, len, out), len);
        fclose(in);
    }
    assert_int_equal(fclose(out), 0);
    return certificate("long.pem");
}

static void a_chain_longer_than_a_buffer_is_sent_in_parts(void **state)
{
    struct net_tls_server_config config = {.cert_file = long_chain(),
                                           .key_file = certificate("key.pem")};
    struct net_error error;

    (void)state;
    net_tls_free(harness.server_tls);
    harness.server_tls = net_tls_server_new(&config, &error);
    assert_non_null(harness.server_tls);
    harness_connect(&harness);
    end_send_text(&harness.server, "hello");
    run_until_received(&harness.client, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(an_echo_comes_back),
        BOTH(bytes_in_slices_of_one_arrive_whole),
        BOTH(both_ways_at_once_with_full_sockets),
        BOTH(every_byte_of_the_sockets_is_counted_once),
        BOTH(a_paused_reader_stops_its_sender_and_loses_nothing),
        BOTH(closing_sends_everything_first),
        BOTH(last_words_survive_bytes_that_we_do_not_read),
        BOTH(a_peer_that_never_ends_delays_closing_by_a_second_at_most),
        BOTH(closing_within_on_data_delivers_nothing_more),
        BOTH(a_half_closed_peer_still_gets_what_was_sent),
        BOTH(an_aborted_stream_is_a_reset_for_its_peer),
        BOTH(aborting_while_closing_ends_the_wait),
        BOTH(writing_to_a_reset_peer_ends_the_stream_once),
        BOTH(a_stream_dropped_before_its_start_says_nothing),
        {.name = "a_chain_longer_than_a_buffer_is_sent_in_parts",
         .test_func = a_chain_longer_than_a_buffer_is_sent_in_parts,
         .setup_func = setup,
         .teardown_func = teardown,
         .initial_state = mem_unconst(&with_tls)},
    };

    return cmocka_run_group_tests(tests, certificates_make, certificates_remove);
}
