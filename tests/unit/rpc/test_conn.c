/* Connections in memory: the life of a PING, of a drain, and of a peer that stops, in virtual
 * time. */
#include "../fake/fake.h"

#include "rpc/conn.h"
#include "rpc/keepalive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS    UINT64_C(3600000)
#define QUIET_MS   10000
#define TIMEOUT_MS 20000
#define HEAD_BYTES 9
#define PREFACE    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define WIRE_BYTES (1024 * 1024)

enum { FRAME_SETTINGS = 4, FRAME_PING = 6, FRAME_GOAWAY, FRAME_WINDOW_UPDATE };

/* ---- one side that is a real connection ------------------------------------------------------ */

struct side {
    struct rpc_conn *conn; /* NULL: gone */
    struct h2_stream *stream;
    unsigned acks;
    unsigned pings;
    unsigned goaways;
    unsigned stream_closes;
    struct net_error why;
};

static void on_body(void *user, const uint8_t *bytes, size_t len)
{
    struct side *side = user;
    (void)bytes;
    h2_stream_consume(side->stream, len);
}

static void on_close(void *user, uint32_t error, bool unprocessed)
{
    struct side *side = user;
    (void)error;
    (void)unprocessed;
    side->stream_closes++;
    side->stream = NULL;
}

static const struct h2_stream_events stream_events = {.on_data = on_body, .on_close = on_close};

static void on_request(void *user, struct h2_stream *stream, const struct h2_block *block,
                       bool end_stream)
{
    struct side *side = user;
    (void)block;
    (void)end_stream;
    side->stream = stream;
    h2_stream_attach(stream, &stream_events, side);
}

static void on_goaway(void *user, uint32_t error, const uint8_t *debug, size_t len)
{
    (void)error;
    (void)debug;
    (void)len;
    ((struct side *)user)->goaways++;
}

static void on_ping_ack(void *user)
{
    ((struct side *)user)->acks++;
}

static void on_closed(void *user, const struct net_error *why)
{
    struct side *side = user;
    side->conn = NULL;
    side->why = *why;
}

static const struct rpc_conn_events events = {
    .h2 = {.on_request = on_request, .on_goaway = on_goaway, .on_ping_ack = on_ping_ack},
    .on_closed = on_closed,
};

static void start(struct side *side, struct net_stream *stream, enum h2_role role,
                  uint64_t keepalive_ms)
{
    const struct rpc_conn_config config = {
        .role = role,
        .limits = role == H2_CLIENT ? H2_LIMITS_CLIENT : H2_LIMITS_SERVER,
        .keepalive_ms = keepalive_ms,
        .keepalive_timeout_ms = TIMEOUT_MS,
        .min_ping_interval_ms = role == H2_SERVER ? QUIET_MS - 1000 : 0,
    };
    side->conn = rpc_conn_new(stream, &config, &events, side);
}

static void open_stream(struct side *side)
{
    const struct h2_header fields[] = {
        H2_HEADER(":method", "POST"),
        H2_HEADER(":scheme", "http"),
        H2_HEADER(":path", "/p.S/M"),
        H2_HEADER(":authority", "x"),
    };
    assert_int_equal(h2_stream_open(rpc_conn_session(side->conn), fields, 4, false, &stream_events,
                                    side, &side->stream),
                     0);
}

/* ---- a client and a server, one link between them -------------------------------------------- */

struct pair {
    struct net_loop loop;
    struct side client;
    struct side server;
    struct net_stream *client_stream;
    struct net_stream *server_stream;
};

static void pair_open(struct pair *pair, uint64_t client_keepalive, uint64_t server_keepalive,
                      uint64_t round_trip_ms)
{
    memset(pair, 0, sizeof(*pair));
    fake_init(&pair->loop);
    fake_pair(&pair->loop, &pair->client_stream, &pair->server_stream);
    fake_delay(pair->client_stream, round_trip_ms / 2);
    fake_delay(pair->server_stream, round_trip_ms - round_trip_ms / 2);
    start(&pair->server, pair->server_stream, H2_SERVER, server_keepalive);
    start(&pair->client, pair->client_stream, H2_CLIENT, client_keepalive);
    fake_advance(round_trip_ms);
    open_stream(&pair->client);
    fake_advance(round_trip_ms);
    assert_non_null(pair->server.stream);
}

static void pair_close(struct pair *pair)
{
    if (pair->client.conn != NULL) {
        rpc_conn_close(pair->client.conn, H2_NO_ERROR, NULL);
    }
    fake_advance(3000);
    assert_null(pair->client.conn);
    assert_null(pair->server.conn);
    fake_deinit(&pair->loop);
}

static void a_quiet_stream_lives_for_an_hour(void **state)
{
    (void)state;
    static const uint64_t round_trips[] = {0, 1, 2, 300, 5000};
    for (size_t i = 0; i < sizeof(round_trips) / sizeof(round_trips[0]); i++) {
        struct pair pair;
        pair_open(&pair, QUIET_MS, 1000, round_trips[i]);
        fake_advance(HOUR_MS);
        assert_non_null(pair.client.conn);
        assert_non_null(pair.server.conn);
        assert_int_equal(pair.client.stream_closes + pair.client.goaways, 0);
        /* The server asks after each second of quiet, which is noticed by ticks; so the client
         * never has cause to. */
        uint64_t period = 1000 + round_trips[i] + NET_TICK_MS;
        assert_in_range(pair.server.acks, HOUR_MS / (period + NET_TICK_MS), HOUR_MS / 1000);
        assert_int_equal(pair.client.acks, 0);
        pair_close(&pair);
    }
}

static void a_client_pings_as_often_as_it_may(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, 1000, 0, 1); /* raised to RPC_KEEPALIVE_MIN_MS */
    fake_advance(HOUR_MS);
    assert_non_null(pair.client.conn);
    assert_in_range(pair.client.acks, HOUR_MS / (RPC_KEEPALIVE_MIN_MS + 2 * NET_TICK_MS),
                    HOUR_MS / RPC_KEEPALIVE_MIN_MS);
    pair_close(&pair);
}

static void a_client_without_streams_does_not_ping(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, QUIET_MS, 0, 1);
    h2_stream_reset(pair.client.stream, H2_CANCEL);
    fake_advance(HOUR_MS);
    assert_non_null(pair.client.conn);
    assert_int_equal(pair.client.acks, 0);
    pair_close(&pair);
}

/* Whatever happens first in a millisecond. */
static void a_suspected_peer_that_answers_lives(void **state)
{
    (void)state;
    for (uint64_t round_trip = 0; round_trip < 3; round_trip++) {
        for (uint64_t at = 0; at <= NET_TICK_MS; at++) {
            struct pair pair;
            pair_open(&pair, 0, 0, round_trip);
            fake_advance(at);
            rpc_conn_check_alive(pair.client.conn);
            fake_advance(3 * TIMEOUT_MS);
            assert_non_null(pair.client.conn);
            assert_int_equal(pair.client.acks, 1);
            pair_close(&pair);
        }
    }
}

static void our_own_stop_does_not_end_connections(void **state)
{
    (void)state;
    for (uint64_t before = 0; before < 2 * QUIET_MS; before += 777) {
        struct pair pair;
        pair_open(&pair, QUIET_MS, QUIET_MS, 300);
        fake_advance(before);
        fake_stand_still(10 * TIMEOUT_MS);
        fake_advance(HOUR_MS / 60);
        assert_non_null(pair.client.conn);
        assert_non_null(pair.server.conn);
        pair_close(&pair);
    }
}

static void a_ping_burst_after_our_stop_is_no_offence(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, 0, 0, 0);
    h2_stream_reset(pair.client.stream, H2_CANCEL);
    fake_advance(1000);
    for (int i = 0; i < 10; i++) { /* one per RPC_KEEPALIVE_MIN_MS, while nobody reads */
        h2_session_ping(rpc_conn_session(pair.client.conn));
    }
    fake_stand_still(10 * RPC_KEEPALIVE_MIN_MS);
    fake_advance(1000);
    assert_int_equal(pair.client.goaways, 0);
    for (int i = 0; i < 10; i++) { /* ... and when it reads, that is what it is */
        h2_session_ping(rpc_conn_session(pair.client.conn));
    }
    fake_advance(3000);
    assert_int_equal(pair.client.goaways, 1);
    assert_non_null(strstr(pair.client.why.text, "GOAWAY ENHANCE_YOUR_CALM: too_many_pings"));
    pair_close(&pair);
}

/* Between a write that failed and the stream's on_closed. */
static void a_connection_that_is_ending_takes_no_stream(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, 0, 0, 0);
    struct h2_session *session = rpc_conn_session(pair.client.conn);
    assert_true(h2_session_room(session) > 0);
    fake_fail(pair.client_stream, NET_RESET, "reset");
    h2_session_ping(session);
    uv_run(&pair.loop.uv, UV_RUN_NOWAIT);
    assert_non_null(pair.client.conn);
    assert_int_equal(h2_session_room(session), 0);
    pair_close(&pair);
    assert_string_equal(pair.client.why.text, "reset");
}

/* ---- a connection whose peer is held by the test --------------------------------------------- */

struct raw {
    struct net_loop loop;
    struct side side;
    struct net_stream *stream;
    struct net_stream *held;
    size_t wire_len; /* of `wire`: what the connection sent and nobody has looked at */
    bool answers;    /* PINGs, as soon as they are taken */
    unsigned pings;
    unsigned goaways;
    uint32_t goaway_last_id;
};

static uint8_t wire[WIRE_BYTES];

static void put_frame(struct raw *raw, uint8_t type, uint8_t flags, const void *payload, size_t len)
{
    uint8_t frame[64] = {0, 0, (uint8_t)len, type, flags};
    assert_true(HEAD_BYTES + len <= sizeof(frame));
    if (len > 0) {
        memcpy(frame + HEAD_BYTES, payload, len);
    }
    fake_put(raw->held, frame, HEAD_BYTES + len);
}

static void see_frame(struct raw *raw, const uint8_t *frame)
{
    const uint8_t *payload = frame + HEAD_BYTES;
    if (frame[3] == FRAME_PING && frame[4] == 0) {
        raw->pings++;
        if (raw->answers) {
            put_frame(raw, FRAME_PING, 1, payload, 8);
        }
    } else if (frame[3] == FRAME_GOAWAY) {
        raw->goaways++;
        raw->goaway_last_id = (uint32_t)payload[0] << 24 | (uint32_t)payload[1] << 16 |
                              (uint32_t)payload[2] << 8 | payload[3];
    }
}

/* Takes what has come. Returns whether there was something. */
static bool raw_read(struct raw *raw)
{
    size_t len = fake_take(raw->held, wire + raw->wire_len, WIRE_BYTES - raw->wire_len);
    size_t at = 0;
    raw->wire_len += len;
    if (raw->wire_len >= 3 && memcmp(wire, "PRI", 3) == 0) {
        at = strlen(PREFACE);
    }
    while (raw->wire_len - at >= HEAD_BYTES) {
        size_t payload = (size_t)wire[at] << 16 | (size_t)wire[at + 1] << 8 | wire[at + 2];
        size_t frame_len = HEAD_BYTES + payload;
        if (raw->wire_len - at < frame_len) {
            break;
        }
        see_frame(raw, wire + at);
        at += frame_len;
    }
    raw->wire_len -= at;
    memmove(wire, wire + at, raw->wire_len);
    return len > 0;
}

static void raw_advance(struct raw *raw, uint64_t ms)
{
    uint64_t end = fake_now_ms() + ms;
    fake_settle();
    for (;;) {
        while (raw_read(raw)) {
            fake_settle();
        }
        if (fake_now_ms() >= end || raw->side.conn == NULL) {
            return;
        }
        fake_advance(1);
    }
}

static void raw_open(struct raw *raw, enum h2_role role, uint64_t keepalive_ms)
{
    memset(raw, 0, sizeof(*raw));
    fake_init(&raw->loop);
    fake_pair(&raw->loop, &raw->stream, &raw->held);
    start(&raw->side, raw->stream, role, keepalive_ms);
    if (role == H2_SERVER) {
        fake_put(raw->held, PREFACE, strlen(PREFACE));
    }
    put_frame(raw, FRAME_SETTINGS, 0, NULL, 0);
    put_frame(raw, FRAME_SETTINGS, 1, NULL, 0);
    raw_advance(raw, 0);
    if (role == H2_CLIENT) {
        open_stream(&raw->side);
        raw_advance(raw, 0);
    }
}

static void raw_close(struct raw *raw)
{
    net_stream_abort(raw->held);
    fake_advance(1000);
    assert_null(raw->side.conn);
    fake_deinit(&raw->loop);
}

/* ---- a server's first word ------------------------------------------------------------------- */

static void raw_accept(struct raw *raw)
{
    memset(raw, 0, sizeof(*raw));
    fake_init(&raw->loop);
    fake_pair(&raw->loop, &raw->stream, &raw->held);
    start(&raw->side, raw->stream, H2_SERVER, 0);
    fake_settle();
    assert_int_equal(fake_take(raw->held, wire, WIRE_BYTES), 0);
}

/* Which of `wire` the frames are, as bits by type; the first must be SETTINGS that are no answer.
 */
static unsigned frames_from_settings_on(struct raw *raw)
{
    size_t len = fake_take(raw->held, wire, WIRE_BYTES);
    unsigned types = 0;
    assert_true(len >= HEAD_BYTES && wire[3] == FRAME_SETTINGS && wire[4] == 0);
    for (size_t at = 0; at + HEAD_BYTES <= len; at += HEAD_BYTES + wire[at + 2]) {
        types |= wire[at + 3] == FRAME_SETTINGS && wire[at + 4] == 1 ? 1 : 1u << wire[at + 3];
    }
    return types;
}

static void a_servers_settings_go_with_its_answer_to_the_clients(void **state)
{
    (void)state;
    struct raw raw;
    raw_accept(&raw);
    fake_put(raw.held, PREFACE, strlen(PREFACE));
    put_frame(&raw, FRAME_SETTINGS, 0, NULL, 0);
    fake_settle();
    assert_true((frames_from_settings_on(&raw) & 1) != 0);
    raw_close(&raw);
}

static void who_only_connects_gets_a_servers_settings(void **state)
{
    (void)state;
    struct raw raw;
    raw_accept(&raw);
    fake_advance(NET_TICK_MS);
    assert_int_equal(frames_from_settings_on(&raw) & (1u << FRAME_GOAWAY), 0);
    raw_close(&raw);
    for (int drains = 0; drains < 2; drains++) {
        raw_accept(&raw);
        if (drains) {
            rpc_conn_drain(raw.side.conn, "bye");
        } else {
            rpc_conn_close(raw.side.conn, H2_NO_ERROR, "bye");
        }
        fake_settle();
        assert_int_not_equal(frames_from_settings_on(&raw) & (1u << FRAME_GOAWAY), 0);
        raw_close(&raw);
    }
}

static void a_peer_that_answers_nothing_is_dead_in_time(void **state)
{
    (void)state;
    for (int role = H2_SERVER; role <= H2_CLIENT; role++) {
        struct raw raw;
        raw_open(&raw, (enum h2_role)role, QUIET_MS);
        uint64_t since = fake_now_ms();
        raw_advance(&raw, HOUR_MS);
        assert_null(raw.side.conn);
        assert_int_equal(raw.pings, 1);
        assert_int_equal(raw.side.why.kind, NET_TIMED_OUT);
        assert_in_range(fake_now_ms() - since, QUIET_MS + TIMEOUT_MS,
                        QUIET_MS + TIMEOUT_MS + 2 * NET_TICK_MS);
        raw_close(&raw);
    }
}

static void a_peer_that_stops_for_five_seconds_lives(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, H2_SERVER, 1000);
    raw.answers = true;
    for (int i = 0; i < 20; i++) {
        raw_advance(&raw, 3100);
        fake_advance(5000); /* nobody reads at the other end */
        assert_non_null(raw.side.conn);
    }
    assert_true(raw.pings > 20);
    raw_close(&raw);
}

static void any_byte_is_an_answer(void **state)
{
    (void)state;
    static const uint8_t increment[] = {0, 0, 0, 1};
    struct raw raw;
    raw_open(&raw, H2_SERVER, QUIET_MS);
    for (int i = 0; i < 10; i++) {
        raw_advance(&raw, QUIET_MS + TIMEOUT_MS - 1000);
        put_frame(&raw, FRAME_WINDOW_UPDATE, 0, increment, 4);
    }
    assert_non_null(raw.side.conn);
    raw_close(&raw);
}

/* The PING cannot leave, so that its answer is not late; another limit judges the socket. */
static void a_shut_socket_is_judged_as_one(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, H2_SERVER, 1000);
    uint64_t since = fake_now_ms();
    fake_room(raw.stream, 0);
    raw_advance(&raw, HOUR_MS);
    assert_non_null(strstr(raw.side.why.text, "takes no bytes"));
    assert_in_range(fake_now_ms() - since, H2_WRITE_STALL_MS, H2_WRITE_STALL_MS + 2000);
    raw_close(&raw);

    raw_open(&raw, H2_SERVER, 1000);
    raw.answers = true;
    for (int i = 0; i < 3; i++) { /* each time counts for itself */
        fake_room(raw.stream, 0);
        raw_advance(&raw, H2_WRITE_STALL_MS - 1000);
        fake_room(raw.stream, FAKE_ROOM_BYTES);
        raw_advance(&raw, HOUR_MS / 60);
        assert_non_null(raw.side.conn);
    }
    raw_close(&raw);
}

/* Something waits for the socket whenever it is looked at, but never the same. */
static void a_slow_reader_is_not_a_shut_socket(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, H2_SERVER, 0);
    for (uint64_t ms = 0; ms < 2 * H2_WRITE_STALL_MS; ms += NET_TICK_MS) {
        fake_room(raw.stream, 0);
        put_frame(&raw, FRAME_SETTINGS, 0, NULL, 0); /* whose ACK waits */
        raw_advance(&raw, NET_TICK_MS);
        assert_non_null(raw.side.conn);
        assert_true(net_stream_blocked(raw.stream));
        fake_room(raw.stream, FAKE_ROOM_BYTES);
        fake_settle();
    }
    raw_close(&raw);
}

/* ---- drain ----------------------------------------------------------------------------------- */

#define LAST_ID_ANY 0x7fffffff

static void the_answer_to_a_keepalive_ping_does_not_finish_a_drain(void **state)
{
    (void)state;
    static const uint8_t opaque[8] = {0};
    struct raw raw;
    raw_open(&raw, H2_SERVER, 1000);
    raw_advance(&raw, 1500);
    assert_int_equal(raw.pings, 1);
    rpc_conn_drain(raw.side.conn, "bye");
    raw_advance(&raw, 1);
    assert_int_equal(raw.pings, 2);
    assert_int_equal(raw.goaway_last_id, LAST_ID_ANY);
    put_frame(&raw, FRAME_PING, 1, opaque, 8); /* to the first; the GOAWAY may be unread */
    raw_advance(&raw, 1);
    assert_int_equal(raw.goaways, 1);
    put_frame(&raw, FRAME_PING, 1, opaque, 8);
    raw_advance(&raw, 1);
    assert_true(raw.goaways >= 2);
    assert_int_equal(raw.goaway_last_id, 0);
    raw_close(&raw);
}

static void the_answer_to_a_drain_ping_is_none_to_a_later_keepalive_ping(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, 0, 1000, 1800); /* a keepalive PING goes out while the drain's is under way */
    fake_advance(900);
    rpc_conn_drain(pair.server.conn, "bye");
    fake_advance(HOUR_MS);
    assert_non_null(pair.client.conn); /* the stream lives on */
    assert_true(pair.server.acks > 100);
    h2_stream_reset(pair.client.stream, H2_CANCEL);
    fake_advance(5000);
    assert_null(pair.server.conn);
    pair_close(&pair);
}

static void a_request_that_crosses_the_drain_of_an_idle_connection_is_served(void **state)
{
    (void)state;
    for (uint64_t apart = 0; apart < 3; apart++) {
        struct pair pair;
        pair_open(&pair, 0, 0, 300);
        h2_stream_reset(pair.client.stream, H2_CANCEL);
        fake_advance(1000);
        assert_null(pair.server.stream);
        rpc_conn_drain(pair.server.conn, "bye");
        fake_advance(apart * 74);
        open_stream(&pair.client);
        fake_advance(HOUR_MS);
        assert_int_equal(pair.client.goaways, 2);
        assert_non_null(pair.server.stream);
        assert_non_null(pair.client.stream);
        h2_stream_reset(pair.client.stream, H2_CANCEL);
        fake_advance(5000);
        assert_non_null(strstr(pair.client.why.text, "GOAWAY NO_ERROR: bye"));
        pair_close(&pair);
    }
}

static void a_drain_is_finished_without_an_answer(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, H2_SERVER, 0);
    rpc_conn_drain(raw.side.conn, "bye");
    rpc_conn_drain(raw.side.conn, "bye");
    raw_advance(&raw, 4900);
    assert_int_equal(raw.goaways, 1);
    raw_advance(&raw, 1000);
    assert_true(raw.goaways >= 2);
    raw_advance(&raw, 3000);
    assert_null(raw.side.conn);
    raw_close(&raw);
}

/* Every order of what an owner may do, at once and apart: no transition is met that must not be. */
static void any_order_of_ends_is_allowed(void **state)
{
    (void)state;
    enum { DRAIN, CLOSE, CHECK, FAIL, ABORT, ACTS };
    for (unsigned number = 0; number < 2 * ACTS * ACTS * ACTS * 3; number++) {
        struct pair pair;
        unsigned digits = number / 2 / 3;
        uint64_t apart = number / 2 % 3;
        pair_open(&pair, QUIET_MS, 1000, number % 2);
        struct side *side = number % 2 ? &pair.client : &pair.server;
        for (int i = 0; i < 3; i++, digits /= ACTS) {
            if (side->conn == NULL) {
                break;
            }
            switch (digits % ACTS) {
            case DRAIN:
                rpc_conn_drain(side->conn, "bye");
                break;
            case CLOSE:
                rpc_conn_close(side->conn, H2_INTERNAL_ERROR, "ends");
                break;
            case CHECK:
                rpc_conn_check_alive(side->conn);
                break;
            case FAIL:
                fake_fail(rpc_conn_stream(side->conn), NET_RESET, "reset");
                break;
            default:
                net_stream_abort(rpc_conn_stream(side->conn));
                break;
            }
            fake_advance(apart * 300);
        }
        pair_close(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_stream_lives_for_an_hour),
        cmocka_unit_test(a_client_pings_as_often_as_it_may),
        cmocka_unit_test(a_client_without_streams_does_not_ping),
        cmocka_unit_test(a_suspected_peer_that_answers_lives),
        cmocka_unit_test(our_own_stop_does_not_end_connections),
        cmocka_unit_test(a_ping_burst_after_our_stop_is_no_offence),
        cmocka_unit_test(a_connection_that_is_ending_takes_no_stream),
        cmocka_unit_test(a_servers_settings_go_with_its_answer_to_the_clients),
        cmocka_unit_test(who_only_connects_gets_a_servers_settings),
        cmocka_unit_test(a_peer_that_answers_nothing_is_dead_in_time),
        cmocka_unit_test(a_peer_that_stops_for_five_seconds_lives),
        cmocka_unit_test(any_byte_is_an_answer),
        cmocka_unit_test(a_shut_socket_is_judged_as_one),
        cmocka_unit_test(a_slow_reader_is_not_a_shut_socket),
        cmocka_unit_test(the_answer_to_a_keepalive_ping_does_not_finish_a_drain),
        cmocka_unit_test(the_answer_to_a_drain_ping_is_none_to_a_later_keepalive_ping),
        cmocka_unit_test(a_request_that_crosses_the_drain_of_an_idle_connection_is_served),
        cmocka_unit_test(a_drain_is_finished_without_an_answer),
        cmocka_unit_test(any_order_of_ends_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
