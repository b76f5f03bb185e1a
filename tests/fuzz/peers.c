#include "peers.h"

#include "../unit/fake/fake.h"
#include "fuzz.h"

#include "base/mem.h"

#define WRITE_BYTES 65536
#define CAP_BYTES   (1024 * 1024)

struct fuzzed peers_fuzzed[PEERS_STREAMS];

static struct peer endpoints[PEERS_CONNECTIONS];

/* ---- bytes -------------------------------------------------------------------------------------
 */

static void drop(struct peer *peer)
{
    h2_session_free(peer->session, H2_CONNECTION_LOST);
    net_stream_close(peer->stream);
    *peer = (struct peer){0};
}

/* Returns whether bytes moved. An endpoint's connection may end (the relay closes those that it
 * does not need). */
static bool pump(struct peer *peer)
{
    static uint8_t bytes[WRITE_BYTES];
    bool moved = false;
    size_t taken;
    ptrdiff_t made = 0;
    int rv = 0;
    if (peer->stream == NULL) {
        return false;
    }
    while (rv == 0 && (taken = fake_take(peer->stream, bytes, sizeof(bytes))) > 0) {
        rv = h2_session_feed(peer->session, bytes, taken, fake_now_ms());
        moved = true;
    }
    while ((made = h2_session_pull(peer->session, bytes, sizeof(bytes), fake_now_ms())) > 0) {
        fake_put(peer->stream, bytes, (size_t)made);
        moved = true;
    }
    if (rv != 0 || made < 0 || fake_ended(peer->stream) || h2_session_finished(peer->session)) {
        drop(peer);
        moved = true;
    }
    return moved;
}

void peers_settle(struct bystander *bystander)
{
    bool moved;
    do {
        fake_settle();
        moved = bystander != NULL && pump(&bystander->peer);
        for (size_t i = 0; i < PEERS_CONNECTIONS; i++) {
            moved = pump(&endpoints[i]) || moved;
        }
    } while (moved);
}

static bool never(void *user)
{
    (void)user;
    return false;
}

void peers_advance(struct bystander *bystander, uint64_t ms)
{
    for (uint64_t step; ms > 0; ms -= step) {
        step = ms < 50 ? ms : 50;
        fake_advance_until(never, NULL, step);
        peers_settle(bystander);
    }
}

/* ---- the endpoint ------------------------------------------------------------------------------
 */

static void on_echo_data(void *user, const uint8_t *bytes, size_t len)
{
    FUZZ_CHECK(h2_stream_write(user, bytes, len, CAP_BYTES) == 0);
    h2_stream_consume(user, len);
}

static void on_echo_end(void *user)
{
    const struct h2_header status = H2_HEADER("grpc-status", "0");
    h2_stream_trailers(user, &status, 1);
}

static const struct h2_stream_events echo_events = {.on_data = on_echo_data, .on_end = on_echo_end};

static void on_fuzzed_data(void *user, const uint8_t *bytes, size_t len)
{
    (void)bytes;
    ((struct fuzzed *)user)->unread += len;
}

static void on_fuzzed_close(void *user, uint32_t error, bool unprocessed)
{
    (void)error;
    (void)unprocessed;
    *(struct fuzzed *)user = (struct fuzzed){0};
}

static const struct h2_stream_events fuzzed_events = {.on_data = on_fuzzed_data,
                                                      .on_close = on_fuzzed_close};

static void remember(struct h2_stream *stream)
{
    for (size_t i = 0; i < PEERS_STREAMS; i++) {
        if (peers_fuzzed[i].stream == NULL) {
            peers_fuzzed[i] = (struct fuzzed){.stream = stream};
            h2_stream_attach(stream, &fuzzed_events, &peers_fuzzed[i]);
            return;
        }
    }
    h2_stream_reset(stream, H2_REFUSED_STREAM);
}

/* The fuzzed client cannot call itself a bystander: it does not know the word. */
static void on_request(void *user, struct h2_stream *stream, const struct h2_block *block,
                       bool end_stream)
{
    const struct h2_header fields[] = {H2_HEADER(":status", "200"),
                                       H2_HEADER("content-type", "application/grpc")};
    const struct h2_header *id = h2_block_find(block, "agent-id", NULL);
    (void)user;
    if (id == NULL || strcmp(id->value, "bystander") != 0) {
        remember(stream);
        return;
    }
    FUZZ_CHECK(!end_stream);
    h2_stream_attach(stream, &echo_events, stream);
    FUZZ_CHECK(h2_stream_respond(stream, fields, 2, false) == 0);
}

static const struct h2_events endpoint_events = {.on_request = on_request};

static struct net_stream *on_dial(void *user, struct net_loop *loop,
                                  const struct net_dial_config *config, struct net_error *ret_error)
{
    const struct h2_limits limits = H2_LIMITS_SERVER;
    struct peer *peer = endpoints;
    struct net_stream *near_end;
    (void)user;
    (void)config;
    (void)ret_error;
    while (peer < endpoints + PEERS_CONNECTIONS && peer->stream != NULL) {
        peer++;
    }
    if (peer == endpoints + PEERS_CONNECTIONS) {
        return FAKE_DIAL_HANGS;
    }
    fake_pair(loop, &near_end, &peer->stream);
    peer->session = h2_session_new(H2_SERVER, &limits, &endpoint_events, NULL, fake_now_ms());
    FUZZ_CHECK(peer->session != NULL);
    return near_end;
}

void peers_begin(void)
{
    fake_dial_hook(on_dial, NULL);
}

void peers_end(void)
{
    for (size_t i = 0; i < PEERS_CONNECTIONS; i++) {
        if (endpoints[i].stream != NULL) {
            drop(&endpoints[i]);
        }
    }
}

/* ---- the bystander -----------------------------------------------------------------------------
 */

struct call {
    struct bystander *bystander;
    bool long_lived;
    bool answered;
    bool good; /* ended with grpc-status 0 */
    bool closed;
};

static struct call first_call;

static void on_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                     bool end_stream)
{
    struct call *call = user;
    const struct h2_header *status = h2_block_find(block, "grpc-status", NULL);
    const struct h2_header *text = h2_block_find(block, "grpc-message", NULL);
    (void)kind;
    if (end_stream) {
        call->good = status != NULL && strcmp(status->value, "0") == 0;
    }
    if (end_stream && (call->long_lived || !call->good)) {
        fprintf(stderr, "bystander: %s\n", text != NULL ? text->value : "no message");
    }
    FUZZ_CHECK(!call->long_lived || !end_stream);
}

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct call *call = user;
    (void)bytes;
    call->answered = true;
    call->bystander->received += len;
    h2_stream_consume(call->bystander->stream, len);
}

static void on_close(void *user, uint32_t error, bool unprocessed)
{
    struct call *call = user;
    (void)error;
    (void)unprocessed;
    FUZZ_CHECK(!call->long_lived);
    call->closed = true;
}

static const struct h2_stream_events call_events = {
    .on_block = on_block, .on_data = on_data, .on_close = on_close};

static struct h2_stream *open_call(struct bystander *bystander, struct call *call)
{
    const struct h2_header fields[] = {
        H2_HEADER(":method", "POST"),
        H2_HEADER(":scheme", "http"),
        H2_HEADER(":path", "/ping.PingService/PingPong"),
        H2_HEADER(":authority", "proxy"),
        H2_HEADER("content-type", "application/grpc"),
        H2_HEADER("te", "trailers"),
        H2_HEADER("agent-version", "v1.1"),
        H2_HEADER("agent-id", "bystander"),
    };
    struct h2_stream *stream;
    FUZZ_CHECK(h2_stream_open(bystander->peer.session, fields, ARRAY_SIZE(fields), false,
                              &call_events, call, &stream) == 0);
    return stream;
}

void bystander_connect(struct bystander *bystander, uint16_t port)
{
    static const struct h2_events events = {0};
    const struct h2_limits limits = H2_LIMITS_CLIENT;
    *bystander = (struct bystander){.peer.stream = fake_connect(port)};
    bystander->peer.session = h2_session_new(H2_CLIENT, &limits, &events, NULL, fake_now_ms());
    FUZZ_CHECK(bystander->peer.session != NULL);
    peers_settle(bystander);
    first_call = (struct call){.bystander = bystander, .long_lived = true};
    bystander->stream = open_call(bystander, &first_call);
    bystander_pings(bystander, 0);
}

static bool within(struct bystander *bystander, const bool *done, uint64_t patience_ms)
{
    peers_settle(bystander);
    for (uint64_t waited = 0; !*done && waited < patience_ms; waited += 10) {
        peers_advance(bystander, 10);
    }
    return *done;
}

void bystander_pings(struct bystander *bystander, uint64_t patience_ms)
{
    static const uint8_t message[] = {0, 0, 0, 0, 4, 0x0a, 2, 'm', 'e'}; /* PingRequest */
    first_call.answered = false;
    FUZZ_CHECK(bystander->peer.stream != NULL);
    FUZZ_CHECK(h2_stream_write(bystander->stream, message, sizeof(message), CAP_BYTES) == 0);
    bystander->sent += sizeof(message);
    FUZZ_CHECK(within(bystander, &first_call.answered, patience_ms));
    FUZZ_CHECK(bystander->received == bystander->sent);
}

void bystander_calls(struct bystander *bystander)
{
    struct call call = {.bystander = bystander};
    FUZZ_CHECK(bystander->peer.stream != NULL);
    FUZZ_CHECK(h2_session_room(bystander->peer.session) > 0);
    FUZZ_CHECK(h2_stream_end(open_call(bystander, &call)) == 0);
    FUZZ_CHECK(within(bystander, &call.closed, 6000));
    FUZZ_CHECK(call.good);
}

void bystander_leave(struct bystander *bystander)
{
    first_call.long_lived = false;
    drop(&bystander->peer);
}
