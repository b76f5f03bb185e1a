/* A relay in memory between a client and an endpoint that do as the bytes say, and a bystander:
 * another client with a stream to the same endpoint, on the upstream connection that all share.
 * Whatever the fuzzed client sends, and whatever the endpoint does on that client's streams, each
 * message of the bystander comes back, its next call works, and at the end nothing is left.
 *
 * The bytes are commands; see below. Time is virtual (tests/unit/fake). */
#include "fuzz.h"
#include "peers.h"

#include "../unit/fake/fake.h"
#include "base/log.h"
#include "base/mem.h"
#include "relay/cluster.h"
#include "relay/relay.h"
#include "relay/worker.h"
#include "route/load.h"

#include <arpa/inet.h>

#define ADVANCE_MAX_MS 30000 /* of one input */
#define PATIENCE_MS    100   /* until a bystander's message is back */
#define REPEAT_MAX     400   /* frames of one input that are sent as repeats */

static struct relay *relay;
static struct bystander bystander;
static struct net_stream *client; /* the fuzzed one's end; NULL: none */
static uint32_t next_stream;
static uint64_t advanced_ms;
static unsigned repeated;

/* ---- the loop of the relay is one of the fake's -------------------------------------------------
 */

int __real_net_loop_init(struct net_loop *loop);
int __wrap_net_loop_init(struct net_loop *loop);
void __real_net_loop_deinit(struct net_loop *loop);
void __wrap_net_loop_deinit(struct net_loop *loop);

static bool in_fake;

int __wrap_net_loop_init(struct net_loop *loop)
{
    if (in_fake) {
        return __real_net_loop_init(loop);
    }
    in_fake = true;
    fake_init(loop);
    in_fake = false;
    return 0;
}

void __wrap_net_loop_deinit(struct net_loop *loop)
{
    if (in_fake) {
        __real_net_loop_deinit(loop);
        return;
    }
    in_fake = true;
    fake_deinit(loop);
    in_fake = false;
}

/* ---- the relay ---------------------------------------------------------------------------------
 */

static void add_endpoint(struct cluster *cluster)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&address;
    size_t added;
    size_t removed;
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(50051);
    ipv4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cluster_update(cluster, &address, 1, &added, &removed);
    endpoint_set_health(cluster->endpoints[0], ENDPOINT_HEALTHY, "");
}

static void begin(struct route_table *routes)
{
    struct net_error error;
    struct cluster *clusters[8];
    FUZZ_CHECK(routes->cluster_count <= ARRAY_SIZE(clusters));
    for (size_t i = 0; i < routes->cluster_count; i++) {
        clusters[i] = cluster_new(routes->clusters[i].name, LB_ROUND_ROBIN);
        add_endpoint(clusters[i]);
    }
    const struct relay_config config = {
        .listen = {.host = "127.0.0.1"},
        .id = "fuzz",
        .workers = 1,
        .max_streams = 100,
        .max_buffered_bytes = 16 * 1024 * 1024,
        .drain_ms = 100,
        .downstream_keepalive_ms = 10000,
    };
    relay = mem_new(struct relay);
    FUZZ_CHECK(relay_init(relay, &config, routing_new(routes, clusters), NULL, &error) == 0);
    peers_begin();
    bystander_connect(&bystander, relay->config.listen.port);
}

static void disconnect(void)
{
    if (client != NULL) {
        net_stream_abort(client);
        client = NULL;
    }
    peers_settle(&bystander);
}

/* A client that is gone leaves nothing at its endpoint; resets may wait until they harm nobody. */
static void its_streams_end(void)
{
    bool open = true;
    for (unsigned half_seconds = 0; open && half_seconds < 40; half_seconds++) {
        open = false;
        for (size_t i = 0; i < PEERS_STREAMS; i++) {
            open = open || peers_fuzzed[i].stream != NULL;
        }
        peers_advance(&bystander, open ? 500 : 0);
    }
    FUZZ_CHECK(!open);
}

/* What remains of the bystander works; then all ends, and the relay's own assertions look for what
 * is left. */
static void end(void)
{
    disconnect();
    bystander_pings(&bystander, PATIENCE_MS);
    bystander_calls(&bystander);
    its_streams_end();
    bystander_leave(&bystander);
    peers_settle(NULL);
    relay_drain(relay);
    relay_drain(relay); /* twice: now */
    fake_turn();        /* a wake-up from outside is nothing that fake_settle() waits for */
    peers_advance(NULL, 3000);
    peers_end();
    relay_deinit(relay);
    free(relay);
}

/* ---- commands ----------------------------------------------------------------------------------
 */

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

/* Up to `len` bytes. */
static struct input take_part(struct input *input, size_t len)
{
    struct input part = {input->bytes, len < input->len ? len : input->len};
    input->bytes += part.len;
    input->len -= part.len;
    return part;
}

static void connect_client(void)
{
    static const uint8_t hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    disconnect();
    client = fake_connect(relay->config.listen.port);
    fake_put(client, hello, sizeof(hello) - 1);
    next_stream = 1;
}

static void send_frame(uint8_t type, uint8_t flags, uint32_t stream, const uint8_t *payload,
                       size_t len)
{
    const uint8_t head[] = {(uint8_t)(len >> 16),
                            (uint8_t)(len >> 8),
                            (uint8_t)len,
                            type,
                            flags,
                            (uint8_t)(stream >> 24),
                            (uint8_t)(stream >> 16),
                            (uint8_t)(stream >> 8),
                            (uint8_t)stream};
    if (client != NULL) {
        fake_put(client, head, sizeof(head));
        fake_put(client, payload, len);
    }
}

/* The number of a stream: one that was opened, counted from the last, or the next one. */
static uint32_t stream_of(uint8_t code)
{
    uint32_t back = 2 * (uint32_t)(code & 0x3f);
    if ((code & 0xc0) == 0xc0) {
        return code & 0x3f; /* any number, 0 among them */
    }
    if (code == 0 || back >= next_stream) {
        next_stream += 2;
        return next_stream - 2;
    }
    return next_stream - back;
}

/* Type, flags, stream, length, payload; repeated on as many new streams as the high bits of the
 * type say, times eight. */
static void do_frame(struct input *input)
{
    uint8_t type = take(input);
    uint8_t flags = take(input);
    uint8_t code = take(input);
    struct input payload = take_part(input, take(input));
    unsigned repeat = 8 * (unsigned)(type >> 4);
    send_frame(type & 0xf, flags, stream_of(code), payload.bytes, payload.len);
    for (; repeat > 0 && repeated < REPEAT_MAX; repeat--, repeated++) {
        send_frame(type & 0xf, flags, stream_of(0), payload.bytes, payload.len);
    }
}

/* A field without indexing (RFC 7541 section 6.2.2), of texts shorter than 127 bytes. */
static size_t put_field(uint8_t *out, const char *name, size_t name_len, const char *value,
                        size_t value_len)
{
    size_t at = 0;
    out[at++] = 0;
    out[at++] = (uint8_t)name_len;
    memcpy(out + at, name, name_len);
    at += name_len;
    out[at++] = (uint8_t)value_len;
    memcpy(out + at, value, value_len);
    return at + value_len;
}

/* Requests that are good but for one field of the input; with the high bit each is reset at once.
 */
static void do_request(struct input *input)
{
    static const char *const fields[][2] = {
        {":method", "POST"},       {":scheme", "http"},
        {":authority", "proxy"},   {":path", "/ping.PingService/PingPong"},
        {"te", "trailers"},        {"content-type", "application/grpc"},
        {"agent-version", "v1.2"},
    };
    uint8_t block[1024];
    size_t len = 0;
    uint8_t how = take(input);
    unsigned without = how & 0xf;
    unsigned times = 1 + (take(input) & 0x7f);
    struct input name = take_part(input, take(input) & 0x3f);
    struct input value = take_part(input, take(input) & 0x7e);
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
        if (i != without) {
            len += put_field(block + len, fields[i][0], strlen(fields[i][0]), fields[i][1],
                             strlen(fields[i][1]));
        }
    }
    if (name.len > 0) {
        len += put_field(block + len, (const char *)name.bytes, name.len, (const char *)value.bytes,
                         value.len);
    }
    for (; times > 0 && repeated < REPEAT_MAX; times--, repeated++) {
        uint32_t stream = stream_of(0);
        send_frame(1, 4 | ((how >> 4) & 1), stream, block, len);
        if ((how & 0x80) != 0) {
            send_frame(3, 0, stream, (const uint8_t *)"\0\0\0\x8", 4);
        }
    }
}

static void do_time(struct input *input)
{
    uint64_t ms = (uint64_t)take(input) * 40;
    if (advanced_ms + ms <= ADVANCE_MAX_MS) {
        advanced_ms += ms;
        peers_advance(&bystander, ms);
    }
}

/* Fields with names and values of the input; the status, unless the input says otherwise, is in
 * front. */
static size_t take_fields(struct input *input, struct h2_header *fields, size_t max, bool response)
{
    size_t count = 0;
    uint8_t how = take(input);
    if ((how & 0x80) == 0) {
        fields[count++] = response ? H2_HEADER(":status", "200") : H2_HEADER("grpc-status", "0");
    }
    for (unsigned i = 0; i < (how & 3) && count < max; i++) {
        struct input name = take_part(input, take(input) & 0x3f);
        struct input value = take_part(input, take(input));
        fields[count++] = (struct h2_header){(const char *)name.bytes, (const char *)value.bytes,
                                             name.len, value.len, (how & 4) != 0};
    }
    return count;
}

/* The endpoint does something on one of the fuzzed client's streams. */
static void do_answer(struct input *input)
{
    static const uint8_t zeros[65536];
    struct h2_header fields[4];
    uint8_t what = take(input);
    struct fuzzed *fuzzed = &peers_fuzzed[(what >> 3) % PEERS_STREAMS];
    struct h2_stream *stream = fuzzed->stream;
    bool headers = (what & 7) <= 2;
    size_t count = headers ? take_fields(input, fields, ARRAY_SIZE(fields), (what & 7) != 2) : 0;
    uint8_t argument = take(input);
    if (stream == NULL) {
        return;
    }
    switch (what & 7) {
    case 0:
        h2_stream_respond(stream, fields, count, (argument & 1) != 0);
        break;
    case 1:
        h2_stream_inform(stream, fields, count);
        break;
    case 2:
        h2_stream_trailers(stream, fields, count);
        break;
    case 3:
        h2_stream_write(stream, zeros, (size_t)argument * 256, 1024 * 1024);
        break;
    case 4:
        h2_stream_consume(stream, fuzzed->unread);
        fuzzed->unread = 0;
        break;
    case 5:
        h2_stream_end(stream);
        break;
    default:
        h2_stream_reset(stream, argument % 15);
        break;
    }
}

/* The socket of the fuzzed client: it reads, or does not, or is gone. */
static void do_socket(struct input *input)
{
    static uint8_t read[65536];
    uint8_t what = take(input) % 4;
    if (what == 0 || client == NULL) {
        connect_client();
    } else if (what == 1) {
        disconnect();
    } else {
        while (fake_take(client, read, sizeof(read)) > 0) {
            peers_settle(&bystander);
        }
    }
}

static void do_bytes(struct input *input)
{
    struct input part = take_part(input, take(input));
    if (client != NULL) {
        fake_put(client, part.bytes, part.len);
    }
}

static void (*const commands[])(struct input *input) = {do_frame,  do_request, do_time,
                                                        do_answer, do_socket,  do_bytes};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    log_configure(LOG_ERROR, LOG_TEXT);
    advanced_ms = 0;
    repeated = 0;
    memset(peers_fuzzed, 0, sizeof(peers_fuzzed));
    begin(route_table_default());
    connect_client();
    while (input.len > 0) {
        commands[take(&input) % ARRAY_SIZE(commands)](&input);
        peers_settle(&bystander);
        bystander_pings(&bystander, PATIENCE_MS);
    }
    end();
    return 0;
}
