/* The probe service: its messages from any bytes, and streams in memory whose scripts, messages and
 * ends are what the bytes say, beside a stream that is answered whatever they do. What is sent
 * stays within the rates of probe_limits.h, and at the end nothing is left. The first byte chooses.
 * Time is virtual (tests/unit/fake). */
#include "fuzz.h"

#include "../unit/fake/fake.h"
#include "base/mem.h"
#include "rpc/conn.h"
#include "rpc/frame.h"
#include "rpc/metadata.h"
#include "rpc/probe.h"
#include "rpc/probe_reader.h"
#include "server/probe.h"
#include "server/probe_limits.h"
#include "server/probe_script.h"
#include "server/server.h"

#define STREAMS        16
#define ADVANCE_MAX_MS 20000 /* of one input */
#define PATIENCE_MS    100

/* ---- messages -------------------------------------------------------------------------------- */

static void check_fields(const struct rpc_probe_field *fields, size_t count, uint32_t pad_fields,
                         uint32_t pad_bytes)
{
    size_t made;
    size_t padding = 0;
    struct h2_header *out = server_probe_script_fields(fields, count, pad_fields, pad_bytes, &made);
    FUZZ_CHECK(made >= count && made <= count + PROBE_PAD_FIELDS);
    for (size_t i = 0; i < made; i++) {
        FUZZ_CHECK(out[i].name_len == strlen(out[i].name));
        FUZZ_CHECK(memchr(out[i].value, '\n', out[i].value_len) == NULL);
        FUZZ_CHECK(memchr(out[i].value, '\0', out[i].value_len) == NULL);
        padding += i >= count ? out[i].name_len + out[i].value_len : 0;
    }
    FUZZ_CHECK(padding >= pad_bytes);
    free(out);
}

/* What passes the check can be sent, and is the same when it is written and read again. */
static void script(const uint8_t *bytes, size_t len)
{
    struct rpc_probe_script read;
    struct rpc_probe_script again;
    struct rpc_status answer;
    uint8_t out[RPC_PROBE_SCRIPT_BYTES + 64];
    char header[RPC_PROBE_HEADER_BYTES];
    if (rpc_probe_script_decode(bytes, len, &read) != 0) {
        return;
    }
    if (server_probe_script_check(&read, &answer) != 0) {
        FUZZ_CHECK(answer.code == RPC_INVALID_ARGUMENT || answer.code == RPC_RESOURCE_EXHAUSTED);
        FUZZ_CHECK(answer.message[0] != '\0');
    } else {
        check_fields(read.headers, read.header_count, read.pad_fields, read.pad_bytes);
        check_fields(read.trailers, read.trailer_count, 0, 0);
    }
    size_t shown = rpc_probe_script_header(&read, header);
    size_t written = 0;
    FUZZ_CHECK(shown < sizeof(header));
    if (shown > 0) {
        FUZZ_CHECK(rpc_binary_decode(header, shown, out, sizeof(out), &written) == 0);
        FUZZ_CHECK(rpc_probe_script_decode(out, written, &again) == 0);
        FUZZ_CHECK(again.header_count == read.header_count);
        FUZZ_CHECK(again.send_bytes == read.send_bytes && again.has_reset == read.has_reset);
    }
}

static void seen(const uint8_t *bytes, size_t len)
{
    const char *id;
    uint64_t number;
    struct rpc_probe_seen read;
    uint8_t out[8192];
    uint8_t again[8192];
    if (rpc_probe_seen_request_decode(bytes, len, &id) == 0) {
        FUZZ_CHECK(!server_probe_id_parse(id, strlen(id), &number) ||
                   strlen(id) == RPC_PROBE_ID_CHARS);
    }
    if (rpc_probe_seen_decode(bytes, len, &read) == 0) {
        size_t written = rpc_probe_seen_encode(&read, out, sizeof(out));
        FUZZ_CHECK(rpc_probe_seen_decode(out, written, &read) == 0);
        FUZZ_CHECK(rpc_probe_seen_encode(&read, again, sizeof(again)) == written);
        FUZZ_CHECK(memcmp(out, again, written) == 0);
    }
}

/* What a reader said, to compare. */
struct told {
    unsigned messages;
    uint64_t sequences;
    uint64_t payload_bytes;
    size_t left_bytes;
    bool inside;
};

static bool on_begin(void *ctx, uint64_t sequence, size_t payload_bytes)
{
    struct told *told = ctx;
    FUZZ_CHECK(!told->inside && payload_bytes <= RPC_PROBE_MESSAGE_BYTES);
    told->inside = true;
    told->left_bytes = SIZE_MAX;
    told->messages++;
    told->sequences += sequence;
    told->payload_bytes += payload_bytes;
    return true;
}

static bool on_more(void *ctx, size_t left_bytes)
{
    struct told *told = ctx;
    FUZZ_CHECK(told->inside && left_bytes < told->left_bytes);
    told->left_bytes = left_bytes;
    told->inside = left_bytes > 0;
    return true;
}

/* Whole or byte by byte, it reads the same. */
static void reader(const uint8_t *bytes, size_t len)
{
    static const struct rpc_probe_reader_events events = {on_begin, on_more};
    struct rpc_probe_reader whole = {.look_len = 0};
    struct rpc_probe_reader pieces = {.look_len = 0};
    struct told a = {0};
    struct told b = {0};
    int one = 0;
    int rv = rpc_probe_reader_feed(&whole, bytes, len, &events, &a);
    for (size_t i = 0; i < len && one == 0; i++) {
        one = rpc_probe_reader_feed(&pieces, bytes + i, 1, &events, &b);
    }
    FUZZ_CHECK(rv == one && a.messages == b.messages && a.sequences == b.sequences);
    FUZZ_CHECK(a.payload_bytes == b.payload_bytes);
    FUZZ_CHECK(rv != 0 || rpc_probe_reader_pending(&whole) == rpc_probe_reader_pending(&pieces));
    struct rpc_probe_request request;
    struct rpc_probe_response response;
    if (rpc_probe_request_decode(bytes, len, &request) == 0 && request.payload != NULL) {
        FUZZ_CHECK(request.payload >= bytes &&
                   request.payload + request.payload_len <= bytes + len);
    }
    if (rpc_probe_response_decode(bytes, len, &response) == 0) {
        FUZZ_CHECK(memchr(response.server_id, '\0', sizeof(response.server_id)) != NULL);
    }
}

/* ---- a server and two clients ---------------------------------------------------------------- */

struct client {
    struct rpc_conn *conn; /* NULL: gone */
    struct h2_stream *streams[STREAMS];
    bool reads;
    size_t unread_bytes[STREAMS];
    uint64_t data_bytes;
    unsigned answers; /* of the bystander */
};

static struct net_loop loop;
static struct server server;
static struct server_probe probe;
static struct rpc_server *rpc;
static struct client fuzzed;
static struct client bystander;
static uint64_t advanced_ms;

/* A stream's user is its place. */
static struct client *owner_of(struct h2_stream **place)
{
    return place >= bystander.streams && place < bystander.streams + STREAMS ? &bystander : &fuzzed;
}

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct h2_stream **place = user;
    struct client *client = owner_of(place);
    (void)bytes;
    client->data_bytes += len;
    client->answers++;
    if (client->reads) {
        h2_stream_consume(*place, len);
    } else {
        client->unread_bytes[place - client->streams] += len;
    }
}

static void on_close(void *user, uint32_t error, bool unprocessed)
{
    (void)error;
    (void)unprocessed;
    *(struct h2_stream **)user = NULL;
}

static const struct h2_stream_events stream_events = {.on_data = on_data, .on_close = on_close};

static void on_conn_closed(void *user, const struct net_error *why)
{
    (void)why;
    ((struct client *)user)->conn = NULL;
}

static const struct rpc_conn_events conn_events = {.on_closed = on_conn_closed};

static void connect_client(struct client *client)
{
    const struct rpc_conn_config config = {
        .role = H2_CLIENT, .limits = H2_LIMITS_CLIENT, .keepalive_timeout_ms = 20000};
    *client = (struct client){.reads = true};
    client->conn = rpc_conn_new(fake_connect(rpc_server_port(rpc)), &config, &conn_events, client);
    fake_settle();
}

static void open_stream(struct client *client, size_t at, const char *path, const char *id,
                        const char *value, size_t value_len)
{
    struct h2_header fields[] = {
        H2_HEADER(":method", "POST"),
        H2_HEADER(":scheme", "http"),
        H2_HEADER(":path", path),
        H2_HEADER(":authority", "x"),
        H2_HEADER("te", "trailers"),
        H2_HEADER("content-type", "application/grpc"),
        H2_HEADER(RPC_PROBE_ID_HEADER, id),
        {RPC_PROBE_SCRIPT_HEADER, value, strlen(RPC_PROBE_SCRIPT_HEADER), value_len, false},
    };
    size_t count = ARRAY_SIZE(fields) - (value == NULL);
    if (client->conn == NULL) {
        connect_client(client);
    }
    if (client->streams[at] == NULL) {
        client->unread_bytes[at] = 0;
        h2_stream_open(rpc_conn_session(client->conn), fields, count, false, &stream_events,
                       &client->streams[at], &client->streams[at]);
    }
}

static void begin(void)
{
    static struct rpc_method methods[3];
    methods[0] = server_probe_run_method;
    methods[1] = server_probe_seen_method;
    const struct text_address any = {.host = "127.0.0.1"};
    const struct rpc_server_config config = {
        .methods = methods,
        .server_user = &server,
        .max_streams = 100,
        .on_connection_closed = server_probe_connection_closed,
    };
    struct net_error error;
    fake_init(&loop);
    server_probe_init(&probe, "pod");
    server.probe = &probe;
    rpc = rpc_server_new(&loop, &config);
    FUZZ_CHECK(rpc_server_listen(rpc, &any, NULL, &error) == 0);
    advanced_ms = 0;
    fuzzed = (struct client){.reads = true};
    connect_client(&bystander);
    open_stream(&bystander, 0, RPC_PROBE_RUN_PATH, "bbbbbbbbbbbbbbbb", NULL, 0);
    fake_settle();
}

static bool was_answered(void *user)
{
    return bystander.answers > *(unsigned *)user;
}

/* The bystander's message comes back. */
static void bystander_asks(void)
{
    static const uint8_t message[] = {0, 0, 0, 0, 2, 1 << 3, 1};
    unsigned before = bystander.answers;
    FUZZ_CHECK(bystander.streams[0] != NULL);
    FUZZ_CHECK(h2_stream_write(bystander.streams[0], message, sizeof(message), SIZE_MAX) == 0);
    FUZZ_CHECK(fake_advance_until(was_answered, &before, PATIENCE_MS));
}

static void on_drained(void *user)
{
    *(bool *)user = true;
}

static void leave(struct client *client)
{
    if (client->conn != NULL) {
        rpc_conn_close(client->conn, H2_NO_ERROR, NULL);
    }
    fake_advance(1000);
    FUZZ_CHECK(client->conn == NULL);
}

static void end(void)
{
    bool drained = false;
    bystander_asks();
    uint64_t most = PROBE_CONNECTION_BURST_BYTES +
                    (uint64_t)PROBE_CONNECTION_BYTES_PER_SECOND * (advanced_ms / 1000 + 2);
    FUZZ_CHECK(fuzzed.data_bytes <= most + STREAMS * (uint64_t)RPC_PROBE_HEAD_BYTES * 1000);
    leave(&fuzzed);
    leave(&bystander);
    FUZZ_CHECK(probe.stream_count == 0 && probe.records.count <= PROBE_RECORDS);
    rpc_server_drain(rpc, 0, on_drained, &drained);
    fake_advance(5000);
    FUZZ_CHECK(drained);
    rpc_server_free(rpc);
    server_probe_deinit(&probe);
    fake_deinit(&loop);
}

/* ---- commands -------------------------------------------------------------------------------- */

struct input {
    const uint8_t *bytes;
    size_t len;
};

static uint8_t take(struct input *input)
{
    if (input->len == 0) {
        return 0;
    }
    input->len--;
    return *input->bytes++;
}

/* That many bytes, or what is left. */
static struct input take_some(struct input *input, size_t len)
{
    struct input some = {input->bytes, len < input->len ? len : input->len};
    input->bytes += some.len;
    input->len -= some.len;
    return some;
}

static void advance(uint64_t ms)
{
    ms = ms < ADVANCE_MAX_MS - advanced_ms ? ms : ADVANCE_MAX_MS - advanced_ms;
    advanced_ms += ms;
    fake_advance(ms);
}

static void open_with_script(struct input *input, size_t at)
{
    char value[RPC_PROBE_HEADER_BYTES];
    const char *id = take(input) % 2 == 0 ? "aaaaaaaaaaaaaaaa" : "cccccccccccccccc";
    struct input bytes = take_some(input, take(input));
    size_t len = rpc_binary_encode(value, sizeof(value), bytes.bytes, bytes.len);
    open_stream(&fuzzed, at, RPC_PROBE_RUN_PATH, id, value, len);
}

static void command(struct input *input)
{
    static const uint8_t zeroes[70000];
    uint8_t what = take(input);
    size_t at = what / 16 % STREAMS;
    struct h2_stream *stream = fuzzed.streams[at];
    struct input bytes;
    switch (what % 16) {
    case 0:
        advance(take(input));
        return;
    case 1:
        advance((uint64_t)take(input) * 50);
        return;
    case 2:
    case 3:
    case 4:
        open_with_script(input, at);
        return;
    case 5:
        open_stream(&fuzzed, at, RPC_PROBE_SEEN_PATH, "-", NULL, 0);
        return;
    case 6:
        bytes = take_some(input, take(input));
        if (stream != NULL && bytes.len > 0) {
            h2_stream_write(stream, bytes.bytes, bytes.len, SIZE_MAX);
        }
        return;
    case 7:
        if (stream != NULL) {
            h2_stream_write(stream, zeroes, sizeof(zeroes), 1024 * 1024);
        }
        return;
    case 8:
        if (stream != NULL) {
            h2_stream_end(stream);
        }
        return;
    case 9:
        if (stream != NULL) {
            h2_stream_reset(stream, take(input));
        }
        return;
    case 10:
        fuzzed.reads = !fuzzed.reads;
        return;
    case 11:
        if (stream != NULL) {
            h2_stream_consume(stream, fuzzed.unread_bytes[at]);
            fuzzed.unread_bytes[at] = 0;
        }
        return;
    case 12:
        if (fuzzed.conn != NULL) {
            net_stream_abort(rpc_conn_stream(fuzzed.conn));
        }
        fake_advance(1);
        return;
    default:
        fake_settle();
        return;
    }
}

static void session(const uint8_t *bytes, size_t len)
{
    struct input input = {bytes, len};
    begin();
    while (input.len > 0) {
        command(&input);
    }
    fake_settle();
    end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(const uint8_t *bytes, size_t len) = {script, seen, reader,
                                                                        session, session};
    if (size > 1) {
        targets[data[0] % ARRAY_SIZE(targets)](data + 1, size - 1);
    }
    return 0;
}
