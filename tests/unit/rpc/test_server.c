/* A server in memory, and a client on HTTP/2 alone that reads when the test says so. */
#include "../fake/fake.h"

#include "rpc/conn.h"
#include "rpc/frame.h"
#include "rpc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGE_BYTES 1000
#define FRAMED_BYTES  (RPC_FRAME_PREFIX_BYTES + MESSAGE_BYTES)
/* Far more than all windows and buffers on the way. */
#define MESSAGES 1000

struct world {
    struct net_loop loop;
    struct rpc_server *server;
    bool drained;
    unsigned server_received;
    struct rpc_conn *conn; /* the client's; NULL: gone */
    struct h2_stream *stream;
    bool reads;
    size_t unread_bytes;
    size_t received_bytes;
};

static struct world world;

/* ---- the server: an echo --------------------------------------------------------------------- */

static void echo_start(struct rpc_server_call *call, const struct h2_block *metadata, void *user)
{
    (void)call;
    (void)metadata;
    (void)user;
}

static void echo_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    world.server_received++;
    assert_int_equal(rpc_server_call_send(call, bytes, len), 0);
}

static const struct rpc_method methods[] = {
    {"/t.T/Echo", echo_start, echo_message, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static void on_drained(void *user)
{
    (void)user;
    world.drained = true;
}

/* ---- the client ------------------------------------------------------------------------------ */

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    (void)user;
    (void)bytes;
    world.received_bytes += len;
    if (world.reads) {
        h2_stream_consume(world.stream, len);
    } else {
        world.unread_bytes += len;
    }
}

static void on_close(void *user, uint32_t error, bool unprocessed)
{
    (void)user;
    (void)error;
    (void)unprocessed;
    world.stream = NULL;
}

static const struct h2_stream_events stream_events = {.on_data = on_data, .on_close = on_close};

static void on_closed(void *user, const struct net_error *why)
{
    (void)user;
    (void)why;
    world.conn = NULL;
}

static const struct rpc_conn_events conn_events = {.on_closed = on_closed};

static void call(void)
{
    const struct h2_header fields[] = {
        H2_HEADER(":method", "POST"),    H2_HEADER(":scheme", "http"),
        H2_HEADER(":path", "/t.T/Echo"), H2_HEADER(":authority", "x"),
        H2_HEADER("te", "trailers"),     H2_HEADER("content-type", "application/grpc"),
    };
    assert_int_equal(h2_stream_open(rpc_conn_session(world.conn), fields,
                                    sizeof(fields) / sizeof(fields[0]), false, &stream_events, NULL,
                                    &world.stream),
                     0);
}

static void send_all(void)
{
    uint8_t message[FRAMED_BYTES] = {0};
    rpc_frame_prefix(message, MESSAGE_BYTES);
    for (unsigned i = 0; i < MESSAGES; i++) {
        assert_int_equal(h2_stream_write(world.stream, message, sizeof(message), SIZE_MAX), 0);
    }
}

static void read_on(void)
{
    world.reads = true;
    h2_stream_consume(world.stream, world.unread_bytes);
    world.unread_bytes = 0;
}

static int open_world(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    fake_init(&world.loop);
    const struct rpc_server_config server = {.methods = methods, .max_streams = 10};
    const struct rpc_conn_config client = {
        .role = H2_CLIENT, .limits = H2_LIMITS_CLIENT, .keepalive_timeout_ms = 20000};
    const struct text_address any = {.host = "127.0.0.1"};
    struct net_error error;
    world.server = rpc_server_new(&world.loop, &server);
    assert_int_equal(rpc_server_listen(world.server, &any, NULL, &error), 0);
    struct net_stream *stream = fake_connect(rpc_server_port(world.server));
    world.conn = rpc_conn_new(stream, &client, &conn_events, NULL);
    fake_settle();
    call();
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    rpc_conn_close(world.conn, H2_NO_ERROR, NULL);
    rpc_server_drain(world.server, 0, on_drained, NULL);
    fake_advance(5000);
    assert_true(world.drained);
    assert_null(world.conn);
    rpc_server_free(world.server);
    fake_deinit(&world.loop);
    return 0;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void a_client_that_does_not_read_is_not_answered_without_end(void **state)
{
    (void)state;
    send_all();
    fake_advance(1000);
    assert_int_equal(world.received_bytes, H2_STREAM_WINDOW_BYTES);
    assert_true(world.server_received < MESSAGES / 2);
}

/* What the server held back meanwhile is answered, and makes room for the rest. */
static void a_client_that_reads_late_gets_every_answer(void **state)
{
    (void)state;
    send_all();
    fake_advance(1000);
    read_on();
    fake_advance(1000);
    assert_int_equal(world.server_received, MESSAGES);
    assert_int_equal(world.received_bytes, MESSAGES * FRAMED_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_client_that_does_not_read_is_not_answered_without_end,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(a_client_that_reads_late_gets_every_answer, open_world,
                                        close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
