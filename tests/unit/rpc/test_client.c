/* A client in memory: when it is ready, and in whose words it tells why it is not. */
#include "../fake/fake.h"

#include "rpc/call.h"
#include "rpc/client.h"
#include "rpc/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD_BYTES  9
#define TARGET_PORT 1
#define CONNECT_MS  20000

enum { SETTINGS = 4, GOAWAY = 7, ACK = 1 };

struct world {
    struct net_loop loop;
    struct rpc_client *client; /* NULL: gone */
    struct rpc_call *call;
    struct net_stream *held; /* the server's end; NULL: not dialled, or ended */
    struct net_stream *stream;
    bool acked;
    unsigned ready;
    unsigned goaways;
    unsigned calls_closed;
    struct rpc_status status;
    struct net_error why;
};

static struct net_stream *hold_far_end(void *user, struct net_loop *loop,
                                       const struct net_dial_config *config,
                                       struct net_error *ret_error)
{
    struct world *world = user;
    (void)config;
    (void)ret_error;
    fake_pair(loop, &world->stream, &world->held);
    return world->stream;
}

static void on_ready(void *user)
{
    ((struct world *)user)->ready++;
}

static void on_goaway(void *user, uint32_t error, const char *debug)
{
    (void)error;
    (void)debug;
    ((struct world *)user)->goaways++;
}

static void on_closed(void *user, const struct net_error *why)
{
    struct world *world = user;
    world->client = NULL;
    world->why = *why;
}

static const struct rpc_client_events events = {on_ready, on_goaway, on_closed};

static void world_open_at(struct world *world, struct rpc_gate *gate)
{
    memset(world, 0, sizeof(*world));
    fake_init(&world->loop);
    fake_dial_hook(hold_far_end, world);
    const struct rpc_client_config config = {.target = {.host = "localhost", .port = TARGET_PORT},
                                             .connect_timeout_ms = CONNECT_MS,
                                             .gate = gate};
    world->client = rpc_client_open(&world->loop, &config, &events, world);
    fake_settle();
}

static void world_open(struct world *world)
{
    world_open_at(world, NULL);
}

static void world_close(struct world *world)
{
    if (world->client != NULL) {
        rpc_client_close(world->client);
    }
    if (world->held != NULL) {
        net_stream_close(world->held);
    }
    fake_advance(2000);
    assert_null(world->client);
    fake_deinit(&world->loop);
}

/* ---- what the server says -------------------------------------------------------------------- */

static void put_frame(struct world *world, uint8_t type, uint8_t flags, const void *payload,
                      size_t len)
{
    uint8_t frame[64] = {0, 0, (uint8_t)len, type, flags};
    assert_true(HEAD_BYTES + len <= sizeof(frame));
    if (len > 0) {
        memcpy(frame + HEAD_BYTES, payload, len);
    }
    fake_put(world->held, frame, HEAD_BYTES + len);
}

static void put_settings(struct world *world, uint8_t max_streams)
{
    const uint8_t entry[] = {0, 3, 0, 0, 0, max_streams};
    put_frame(world, SETTINGS, 0, entry, sizeof(entry));
    if (!world->acked) {
        world->acked = true;
        put_frame(world, SETTINGS, ACK, NULL, 0);
    }
    fake_settle();
}

static void put_goaway(struct world *world, uint8_t error, const char *debug)
{
    uint8_t payload[48] = {0, 0, 0, 0, 0, 0, 0, error};
    memcpy(payload + 8, debug, strlen(debug));
    put_frame(world, GOAWAY, 0, payload, 8 + strlen(debug));
    fake_settle();
}

static void end_server(struct world *world)
{
    net_stream_close(world->held);
    world->held = NULL;
    fake_advance(2000);
}

/* ---- room ------------------------------------------------------------------------------------ */

static void on_call_closed(void *user, const struct rpc_status *status)
{
    struct world *world = user;
    world->call = NULL;
    world->calls_closed++;
    world->status = *status;
}

static const struct rpc_call_events call_events = {.on_closed = on_call_closed};

static int start_call(struct world *world)
{
    const struct rpc_call_config config = {.path = "/t.T/M"};
    return rpc_call_start(world->client, &config, &call_events, world, &world->call);
}

static void a_server_that_allows_no_stream_yet_is_waited_for(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    put_settings(&world, 0);
    fake_advance(1000);
    assert_int_equal(world.ready, 0);
    assert_false(rpc_client_ready(world.client));
    put_settings(&world, 100);
    assert_int_equal(world.ready, 1);
    assert_int_equal(start_call(&world), 0);
    fake_advance(2 * CONNECT_MS);
    assert_non_null(world.client);
    assert_int_equal(world.calls_closed, 0);
    world_close(&world);
}

static void waiting_for_room_has_an_end(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    put_settings(&world, 0);
    fake_advance(CONNECT_MS - 1);
    assert_string_equal(world.why.text, "");
    fake_advance(5000);
    assert_null(world.client);
    assert_int_equal(world.why.kind, NET_TIMED_OUT);
    assert_string_equal(
        world.why.text,
        "localhost:1 accepts no streams: MAX_CONCURRENT_STREAMS is 0 (waited 20.0s for more)");
    world_close(&world);
}

static void a_server_that_pauses_keeps_its_streams(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    put_settings(&world, 100);
    assert_int_equal(start_call(&world), 0);
    struct rpc_call *first = world.call;
    put_settings(&world, 0);
    assert_int_equal(start_call(&world), H2_E_NO_ROOM);
    fake_advance(60000);
    assert_true(rpc_client_ready(world.client));
    assert_ptr_equal(world.call, first);
    put_settings(&world, 100);
    assert_int_equal(world.ready, 1);
    assert_int_equal(start_call(&world), 0);
    world_close(&world);
    assert_int_equal(world.calls_closed, 2);
}

/* ---- the gate -------------------------------------------------------------------------------- */

static void a_client_is_dialled_in_its_turn_and_its_limit_begins_there(void **state)
{
    (void)state;
    struct world world;
    struct rpc_gate gate;
    struct rpc_gate_turn other = {0};
    rpc_gate_init(&gate, 1);
    assert_true(rpc_gate_enter(&gate, &other, NULL));
    world_open_at(&world, &gate);
    assert_int_equal(fake_dial_count(), 0);
    fake_advance(3 * CONNECT_MS);
    assert_non_null(world.client);
    rpc_gate_leave(&other);
    fake_settle();
    assert_int_equal(fake_dial_count(), 1);
    assert_int_equal(gate.inside, 1);
    put_settings(&world, 100);
    assert_int_equal(world.ready, 1);
    assert_int_equal(gate.inside, 0); /* what is made keeps nobody waiting */
    world_close(&world);
}

static void a_client_that_is_not_made_makes_room(void **state)
{
    (void)state;
    struct world world;
    struct rpc_gate gate;
    rpc_gate_init(&gate, 1);
    world_open_at(&world, &gate);
    assert_int_equal(gate.inside, 1);
    fake_advance(CONNECT_MS + 5000);
    assert_null(world.client);
    assert_int_equal(gate.inside, 0);
    world_close(&world);
}

static void a_client_may_be_closed_before_its_turn(void **state)
{
    (void)state;
    struct world world;
    struct rpc_gate gate;
    struct rpc_gate_turn other = {0};
    rpc_gate_init(&gate, 1);
    assert_true(rpc_gate_enter(&gate, &other, NULL));
    world_open_at(&world, &gate);
    rpc_client_close(world.client);
    rpc_client_close(world.client);
    fake_settle();
    assert_null(world.client);
    assert_true(list_empty(&gate.waiting));
    assert_string_equal(world.why.text, "localhost:1: connection attempt given up");
    rpc_gate_leave(&other);
    assert_int_equal(fake_dial_count(), 0);
    world_close(&world);
}

/* ---- causes ---------------------------------------------------------------------------------- */

/* A dial has a clock of its own, and each of its addresses a tick: what it saw is told, not that
 * somebody became impatient. */
static void a_dial_that_ends_late_tells_its_cause(void **state)
{
    (void)state;
    struct world world;
    memset(&world, 0, sizeof(world));
    fake_init(&world.loop);
    fake_dial_hook(hold_far_end, &world);
    fake_dial_delay(CONNECT_MS + 1000);
    const struct rpc_client_config config = {.target = {.host = "localhost", .port = TARGET_PORT},
                                             .connect_timeout_ms = CONNECT_MS};
    world.client = rpc_client_open(&world.loop, &config, &events, &world);
    fake_advance(CONNECT_MS + 900);
    assert_non_null(world.client);
    fake_advance(5000);
    assert_null(world.client);
    assert_string_equal(world.why.text, "localhost:1 accepted the connection but sent no HTTP/2 "
                                        "SETTINGS (waited 20.0s for them)");
    world_close(&world);
}

static void a_goaway_before_the_first_stream_is_told(void **state)
{
    (void)state;
    for (int settings = 0; settings < 2; settings++) {
        struct world world;
        world_open(&world);
        if (settings) {
            put_settings(&world, 0);
            put_goaway(&world, H2_ENHANCE_YOUR_CALM, "too_many_pings");
            assert_int_equal(world.goaways, 1);
            fake_advance(1000);
            assert_string_equal(world.why.text,
                                "localhost:1: GOAWAY ENHANCE_YOUR_CALM: too_many_pings");
        } else {
            put_goaway(&world, H2_ENHANCE_YOUR_CALM, "no SETTINGS before: a violation");
            fake_advance(1000);
            assert_non_null(strstr(world.why.text, "HTTP/2"));
        }
        fake_advance(1000);
        assert_null(world.client);
        world_close(&world);
    }
}

static void a_goaway_goes_with_the_end_that_follows(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    put_settings(&world, 100);
    put_goaway(&world, H2_NO_ERROR, "max_age");
    assert_int_equal(world.goaways, 1);
    end_server(&world);
    assert_non_null(strstr(world.why.text, "GOAWAY NO_ERROR: max_age"));
    world_close(&world);
}

static void what_the_transport_saw_stands(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    fake_fail(world.stream, NET_TLS_FAILED, "localhost:1: TLS alert: certificate required");
    fake_advance(2000);
    assert_int_equal(world.why.kind, NET_TLS_FAILED);
    assert_string_equal(world.why.text, "localhost:1: TLS alert: certificate required");
    world_close(&world);
}

static void another_protocol_is_told_in_its_words(void **state)
{
    (void)state;
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    for (size_t len = 4; len < sizeof(answer); len++) {
        struct world world;
        world_open(&world);
        fake_put(world.held, answer, len);
        fake_settle();
        end_server(&world);
        assert_non_null(strstr(world.why.text, "it does not speak HTTP/2"));
        world_close(&world);
    }
}

static void only_where_nothing_is_known_there_is_a_guess(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    end_server(&world);
    assert_string_equal(world.why.text,
                        "localhost:1 ended the connection before its HTTP/2 SETTINGS (is it an "
                        "HTTP/1.1 server, or TLS behind --plaintext?)");
    world_close(&world);

    world_open(&world);
    net_stream_abort(world.held);
    world.held = NULL;
    fake_advance(2000);
    assert_int_equal(world.why.kind, NET_RESET);
    assert_non_null(strstr(world.why.text, "reset the connection before its HTTP/2 SETTINGS"));
    world_close(&world);

    world_open(&world);
    put_settings(&world, 0);
    end_server(&world);
    assert_non_null(strstr(world.why.text, "MAX_CONCURRENT_STREAMS is 0"));
    world_close(&world);
}

static void a_violation_is_told_as_one(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    put_settings(&world, 0);
    fake_put(world.held, "\0\0\3\6\0\0\0\0\0abc", 12); /* a PING has 8 bytes */
    fake_advance(2000);
    assert_null(world.client);
    assert_non_null(strstr(world.why.text, "FRAME_SIZE_ERROR"));
    world_close(&world);
}

/* Closing at any moment of the way is one on_closed, and nothing is left. */
static void a_client_can_be_closed_at_any_time(void **state)
{
    (void)state;
    for (int moment = 0; moment < 5; moment++) {
        struct world world;
        memset(&world, 0, sizeof(world));
        fake_init(&world.loop);
        fake_dial_hook(hold_far_end, &world);
        const struct rpc_client_config config = {
            .target = {.host = "localhost", .port = TARGET_PORT}};
        world.client = rpc_client_open(&world.loop, &config, &events, &world);
        if (moment > 0) {
            fake_settle();
        }
        if (moment > 1) {
            put_settings(&world, moment == 2 ? 0 : 1);
        }
        if (moment > 3) {
            assert_int_equal(start_call(&world), 0);
        }
        rpc_client_close(world.client);
        rpc_client_close(world.client);
        assert_non_null(world.client);
        world_close(&world);
        assert_int_equal(world.why.kind, NET_CLOSED);
        assert_int_equal(world.calls_closed, moment > 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_allows_no_stream_yet_is_waited_for),
        cmocka_unit_test(waiting_for_room_has_an_end),
        cmocka_unit_test(a_server_that_pauses_keeps_its_streams),
        cmocka_unit_test(a_client_is_dialled_in_its_turn_and_its_limit_begins_there),
        cmocka_unit_test(a_client_that_is_not_made_makes_room),
        cmocka_unit_test(a_client_may_be_closed_before_its_turn),
        cmocka_unit_test(a_dial_that_ends_late_tells_its_cause),
        cmocka_unit_test(a_goaway_before_the_first_stream_is_told),
        cmocka_unit_test(a_goaway_goes_with_the_end_that_follows),
        cmocka_unit_test(what_the_transport_saw_stands),
        cmocka_unit_test(another_protocol_is_told_in_its_words),
        cmocka_unit_test(only_where_nothing_is_known_there_is_a_guess),
        cmocka_unit_test(a_violation_is_told_as_one),
        cmocka_unit_test(a_client_can_be_closed_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
