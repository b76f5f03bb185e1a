/* Raw bytes of a client into a server's session, and of a server into a client's: two roles, each
 * with an owner that does what owners do. The server answers and echoes; the client keeps streams
 * open, writes more than windows hold, resets, discards and gives up some. At the end nothing waits
 * and nothing is left. */
#include "base/mem.h"
#include "h2/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A few times, and before any time of a peer is over. */
#define QUIET_UNTIL_MS 8000

/* The user of a stream. */
struct owner {
    struct h2_stream *stream;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                     bool end_stream)
{
    (void)kind;
    (void)block;
    if (end_stream) {
        h2_stream_end(((struct owner *)user)->stream);
    }
}

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct owner *owner = user;
    h2_stream_write(owner->stream, bytes, len, 100000);
    h2_stream_consume(owner->stream, len);
}

static void on_end(void *user)
{
    const struct h2_header fields[] = {H2_HEADER("grpc-status", "0")};
    h2_stream_trailers(((struct owner *)user)->stream, fields, 1);
}

static void on_close(void *user, uint32_t error, bool unprocessed)
{
    (void)error;
    (void)unprocessed;
    free(user);
}

static const struct h2_stream_events stream_events = {
    .on_block = on_block, .on_data = on_data, .on_end = on_end, .on_close = on_close};

/* One request in three stays nobody's. */
static void on_request(void *user, struct h2_stream *stream, const struct h2_block *block,
                       bool end_stream)
{
    (void)user;
    const struct h2_header fields[] = {H2_HEADER(":status", "200")};
    if (block->count % 3 != 0) {
        struct owner *owner = mem_new(struct owner);
        owner->stream = stream;
        h2_stream_attach(stream, &stream_events, owner);
    }
    h2_stream_respond(stream, fields, 1, block->count % 2 == 0);
    if (end_stream) {
        h2_stream_end(stream);
    }
}

static void on_refused(void *user, struct h2_stream *stream, enum h2_refusal refusal,
                       const struct h2_block *block, const char *why)
{
    (void)user;
    (void)why;
    const struct h2_header fields[] = {H2_HEADER(":status", "431")};
    if (refusal == H2_BLOCK_OVERSIZED && block->count % 2 == 0) {
        h2_stream_respond(stream, fields, 1, true);
    }
}

static const struct h2_events server_events = {.on_request = on_request, .on_refused = on_refused};

static void open_stream(struct h2_session *session, unsigned kind)
{
    static const uint8_t body[40000];
    const struct h2_header fields[] = {
        H2_HEADER(":method", "POST"),
        H2_HEADER(":scheme", "http"),
        H2_HEADER(":path", "/a/b"),
        H2_HEADER(":authority", "x"),
    };
    struct owner *owner = mem_new(struct owner);
    if (h2_stream_open(session, fields, 4, kind % 4 == 2, &stream_events, owner, &owner->stream) !=
        0) {
        free(owner);
        return;
    }
    struct h2_stream *stream = owner->stream;
    h2_stream_write(stream, body, kind % 4 == 3 ? sizeof(body) : 5, sizeof(body));
    if (kind % 16 == 5) {
        h2_stream_discard(stream);
        h2_stream_end(stream);
    } else if (kind % 16 == 6) {
        h2_stream_reset(stream, H2_CANCEL);
    } else if (kind % 16 == 7) {
        h2_stream_attach(stream, NULL, NULL);
        free(owner);
    }
}

/* Makes streams whenever there is room, up to a few. */
struct client {
    struct h2_session *session;
    unsigned opened;
};

static void on_room(void *user)
{
    struct client *client = user;
    while (client != NULL && client->session != NULL && client->opened < 40 &&
           h2_session_stream_count(client->session) < 8 && h2_session_room(client->session) > 0) {
        open_stream(client->session, client->opened++);
    }
}

static const struct h2_events client_events = {.on_room = on_room};

/* Time enough to rest goes by, in ticks of an owner that did not stand still. */
static int be_quiet(struct h2_session *session, uint64_t *now_ms)
{
    int rv = 0;
    for (uint64_t until = *now_ms + H2_REST_MS; *now_ms < until && rv == 0;) {
        *now_ms += H2_STOOD_STILL_MS / 2;
        rv = h2_session_tick(session, *now_ms);
    }
    return rv;
}

/* Feeds it all in pieces, with the pulls and ticks of an owner between them. */
static void talk(struct h2_session *session, const uint8_t *data, size_t size, size_t step)
{
    static uint8_t out[64 * 1024];
    uint64_t now_ms = 1000;
    int rv = 0;
    for (size_t at = 0; at < size && rv == 0; at += step) {
        size_t len = size - at < step ? size - at : step;
        now_ms += 100;
        rv = h2_session_feed(session, data + at, len, now_ms);
        while (rv == 0 && h2_session_pull(session, out, sizeof(out), now_ms) > 0) {
        }
        rv = rv != 0 ? rv : h2_session_tick(session, now_ms);
        if (rv == 0 && data[at] % 8 == 0 && now_ms < QUIET_UNTIL_MS) {
            rv = be_quiet(session, &now_ms);
        }
    }
    h2_session_pull(session, out, sizeof(out), now_ms);
    (void)h2_session_stalled(session);
}

static void be_server(const uint8_t *data, size_t size, size_t step)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    size_t queued = 0;
    struct h2_limits limits = H2_LIMITS_SERVER;
    limits.queued_total = &queued;
    struct h2_session *session = h2_session_new(H2_SERVER, &limits, &server_events, NULL, 1000);
    h2_session_feed(session, (const uint8_t *)preface, strlen(preface), 1000);
    talk(session, data, size, step);
    h2_session_free(session, H2_CANCEL);
    assert(queued == 0);
}

static void be_client(const uint8_t *data, size_t size, size_t step)
{
    static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0}; /* before, there is no room */
    size_t queued = 0;
    struct client client = {0};
    struct h2_limits limits = H2_LIMITS_CLIENT;
    limits.queued_total = &queued;
    client.session = h2_session_new(H2_CLIENT, &limits, &client_events, &client, 1000);
    h2_session_feed(client.session, settings, sizeof(settings), 1000);
    talk(client.session, data, size, step);
    h2_session_free(client.session, H2_CANCEL);
    assert(queued == 0);
}

/* The first byte: role and the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    size_t step = 1 + (size_t)(data[0] >> 1) * 8;
    ((data[0] & 1) != 0 ? be_client : be_server)(data + 1, size - 1, step);
    return 0;
}
