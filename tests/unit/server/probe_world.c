#include "probe_world.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGE_BYTES (RPC_FRAME_PREFIX_BYTES + RPC_PROBE_MESSAGE_BYTES + 1024)

struct world *world;

static bool drained;

/* ---- clients --------------------------------------------------------------------------------- */

static void on_goaway(void *user, uint32_t error, const uint8_t *debug, size_t len)
{
    struct client *client = user;
    snprintf(client->goaway, sizeof(client->goaway), "%s %.*s", h2_error_name(error), (int)len,
             (const char *)debug);
}

static void on_conn_closed(void *user, const struct net_error *why)
{
    (void)why;
    ((struct client *)user)->conn = NULL;
}

static const struct rpc_conn_events conn_events = {
    .h2 = {.on_goaway = on_goaway},
    .on_closed = on_conn_closed,
};

void client_open(struct client *client)
{
    struct rpc_conn_config config = {
        .role = H2_CLIENT, .limits = H2_LIMITS_CLIENT, .keepalive_timeout_ms = 20000};
    config.limits.header_block_bytes = H2_HEADER_BLOCK_BYTES_MAX;
    config.limits.header_fields = H2_HEADER_FIELDS_MAX;
    *client = (struct client){.net = fake_connect(rpc_server_port(world->rpc))};
    client->conn = rpc_conn_new(client->net, &config, &conn_events, client);
    fake_settle();
}

void client_close(struct client *client)
{
    if (client->conn != NULL) {
        rpc_conn_close(client->conn, H2_NO_ERROR, NULL);
        fake_settle();
        assert_null(client->conn);
    }
}

/* ---- streams --------------------------------------------------------------------------------- */

static bool is_grpcs(const char *name)
{
    return name[0] == ':' || strcmp(name, "content-type") == 0 ||
           strcmp(name, "grpc-accept-encoding") == 0;
}

static void note_field(struct run *run, const struct h2_header *field)
{
    char message[300];
    if (strcmp(field->name, "grpc-status") == 0) {
        run->status = atoi(field->value);
    } else if (strcmp(field->name, "grpc-message") == 0) {
        snprintf(message, sizeof(message), "%s", field->value);
        snprintf(run->message, sizeof(run->message), "%s", message);
    } else if (!is_grpcs(field->name)) {
        size_t len = strlen(run->metadata);
        run->fields++;
        run->fields_bytes += field->name_len + field->value_len;
        if (len + field->name_len + field->value_len + 3 < sizeof(run->metadata)) {
            snprintf(run->metadata + len, sizeof(run->metadata) - len, "%s=%s;", field->name,
                     field->value);
        }
    }
}

static void on_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                     bool end_stream)
{
    struct run *run = user;
    (void)end_stream;
    run->blocks++;
    run->has_headers = run->has_headers || kind == H2_BLOCK_RESPONSE;
    for (size_t i = 0; i < block->count; i++) {
        note_field(run, &block->fields[i]);
    }
}

static bool on_message(void *ctx, const uint8_t *bytes, size_t len)
{
    struct run *run = ctx;
    assert_int_equal(rpc_probe_response_decode(bytes, len, &run->last), 0);
    run->messages++;
    run->payload_bytes += run->last.payload_len;
    return true;
}

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct run *run = user;
    run->bytes += len;
    assert_int_equal(rpc_frame_reader_feed(&run->reader, bytes, len, on_message, run), 0);
    if (run->reads) {
        h2_stream_consume(run->stream, len);
    } else {
        run->unread_bytes += len;
    }
}

static void on_close(void *user, uint32_t error, bool unprocessed)
{
    struct run *run = user;
    (void)unprocessed;
    run->stream = NULL;
    run->error = error;
}

static const struct h2_stream_events stream_events = {
    .on_block = on_block, .on_data = on_data, .on_close = on_close};

static void open_stream(struct run *run, struct client *client, const char *path,
                        const struct h2_header *more, size_t count)
{
    struct h2_header fields[40] = {
        H2_HEADER(":method", "POST"), H2_HEADER(":scheme", "http"),
        H2_HEADER(":path", path),     H2_HEADER(":authority", "x"),
        H2_HEADER("te", "trailers"),  H2_HEADER("content-type", "application/grpc"),
    };
    memcpy(fields + 6, more, count * sizeof(*more));
    *run = (struct run){.client = client, .reads = true, .status = -1};
    rpc_frame_reader_init(&run->reader, RPC_PROBE_MESSAGE_BYTES);
    assert_int_equal(h2_stream_open(rpc_conn_session(client->conn), fields, 6 + count, false,
                                    &stream_events, run, &run->stream),
                     0);
    fake_settle();
}

void run_open_with(struct run *run, struct client *client, const struct rpc_probe_script *script,
                   const char *id, const struct h2_header *fields, size_t count)
{
    static char value[RPC_PROBE_HEADER_BYTES];
    struct h2_header more[32];
    memcpy(more, fields, count * sizeof(*fields));
    if (id[0] != '\0') {
        more[count++] = H2_HEADER(RPC_PROBE_ID_HEADER, id);
    }
    if (script != NULL) {
        rpc_probe_script_header(script, value);
        more[count++] = H2_HEADER(RPC_PROBE_SCRIPT_HEADER, value);
    }
    open_stream(run, client, RPC_PROBE_RUN_PATH, more, count);
}

void run_open(struct run *run, const struct rpc_probe_script *script, const char *id)
{
    run_open_with(run, &world->client, script, id, &(struct h2_header){0}, 0);
}

void run_open_raw(struct run *run, const char *script_value, size_t len)
{
    const struct h2_header field = {RPC_PROBE_SCRIPT_HEADER, script_value,
                                    strlen(RPC_PROBE_SCRIPT_HEADER), len, false};
    open_stream(run, &world->client, RPC_PROBE_RUN_PATH, &field, 1);
}

void run_send_bytes(struct run *run, const void *bytes, size_t len)
{
    assert_int_equal(h2_stream_write(run->stream, bytes, len, SIZE_MAX), 0);
    fake_settle();
}

void run_send(struct run *run, uint64_t sequence, size_t payload_bytes)
{
    uint8_t *bytes = mem_calloc(1, MESSAGE_BYTES);
    const struct rpc_probe_request request = {.sequence = sequence, .payload_len = payload_bytes};
    size_t len = rpc_probe_request_encode(&request, bytes + RPC_FRAME_PREFIX_BYTES,
                                          MESSAGE_BYTES - RPC_FRAME_PREFIX_BYTES);
    rpc_frame_prefix(bytes, len);
    run_send_bytes(run, bytes, RPC_FRAME_PREFIX_BYTES + len);
    free(bytes);
}

void run_half_close(struct run *run)
{
    assert_int_equal(h2_stream_end(run->stream), 0);
    fake_settle();
}

void run_reset(struct run *run, uint32_t error)
{
    h2_stream_reset(run->stream, error);
    fake_settle();
}

void run_read(struct run *run)
{
    run->reads = true;
    h2_stream_consume(run->stream, run->unread_bytes);
    run->unread_bytes = 0;
    fake_settle();
}

void run_free(struct run *run)
{
    if (run->stream != NULL) {
        h2_stream_reset(run->stream, H2_CANCEL);
        fake_settle();
    }
    rpc_frame_reader_deinit(&run->reader);
}

/* ---- Seen ------------------------------------------------------------------------------------ */

static struct rpc_probe_seen answer;
static bool answered;

static bool on_seen(void *ctx, const uint8_t *bytes, size_t len)
{
    (void)ctx;
    assert_int_equal(rpc_probe_seen_decode(bytes, len, &answer), 0);
    answered = true;
    return true;
}

static void on_seen_data(void *user, const uint8_t *bytes, size_t len)
{
    struct run *run = user;
    assert_int_equal(rpc_frame_reader_feed(&run->reader, bytes, len, on_seen, run), 0);
}

static const struct h2_stream_events seen_events = {
    .on_block = on_block, .on_data = on_seen_data, .on_close = on_close};

int seen_status(const char *id)
{
    struct client client;
    struct run run;
    uint8_t bytes[200];
    client_open(&client);
    open_stream(&run, &client, RPC_PROBE_SEEN_PATH, &(struct h2_header){0}, 0);
    h2_stream_attach(run.stream, &seen_events, &run);
    size_t len = rpc_probe_seen_request_encode(id, bytes + RPC_FRAME_PREFIX_BYTES,
                                               sizeof(bytes) - RPC_FRAME_PREFIX_BYTES);
    rpc_frame_prefix(bytes, len);
    answered = false;
    run_send_bytes(&run, bytes, RPC_FRAME_PREFIX_BYTES + len);
    rpc_frame_reader_deinit(&run.reader);
    client_close(&client);
    return run.status;
}

const struct rpc_probe_seen *seen(const char *id)
{
    assert_int_equal(seen_status(id), 0);
    assert_true(answered);
    return &answer;
}

/* ---- life ------------------------------------------------------------------------------------ */

int world_open(void **state)
{
    (void)state;
    static struct rpc_method methods[3];
    methods[0] = server_probe_run_method;
    methods[1] = server_probe_seen_method;
    world = mem_new(struct world);
    fake_init(&world->loop);
    server_probe_init(&world->probe, "pod-1");
    world->server.probe = &world->probe;
    const struct rpc_server_config config = {
        .methods = methods,
        .server_user = &world->server,
        .max_streams = 10000,
        .on_connection_closed = server_probe_connection_closed,
    };
    const struct text_address any = {.host = "127.0.0.1"};
    struct net_error error;
    drained = false;
    world->rpc = rpc_server_new(&world->loop, &config);
    assert_int_equal(rpc_server_listen(world->rpc, &any, NULL, &error), 0);
    client_open(&world->client);
    return 0;
}

static void on_drained(void *user)
{
    (void)user;
    drained = true;
}

int world_close(void **state)
{
    (void)state;
    client_close(&world->client);
    rpc_server_drain(world->rpc, 0, on_drained, NULL);
    fake_advance(5000);
    assert_true(drained);
    assert_int_equal(world->probe.stream_count, 0);
    rpc_server_free(world->rpc);
    server_probe_deinit(&world->probe);
    fake_deinit(&world->loop);
    free(world);
    return 0;
}
