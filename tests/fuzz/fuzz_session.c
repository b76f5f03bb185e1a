/* Raw bytes into a session of either role, with an owner that answers like a server and echoes bodies. */
#include "base/mem.h"
#include "h2/session.h"

#include <stdlib.h>
#include <string.h>

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

static const struct h2_events events = {.on_request = on_request, .on_refused = on_refused};

static void open_streams(struct h2_session *session)
{
    const struct h2_header fields[] = {
        H2_HEADER(":method", "POST"),
        H2_HEADER(":scheme", "http"),
        H2_HEADER(":path", "/a/b"),
        H2_HEADER(":authority", "x"),
    };
    for (int i = 0; i < 3; i++) {
        struct owner *owner = mem_new(struct owner);
        if (h2_stream_open(session, fields, 4, i == 2, &stream_events, owner, &owner->stream) == 0) {
            h2_stream_write(owner->stream, "hello", 5, 100);
        } else {
            free(owner);
        }
    }
}

/* The first byte: role and the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[64 * 1024];
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    if (size < 2) {
        return 0;
    }
    enum h2_role role = (data[0] & 1) != 0 ? H2_CLIENT : H2_SERVER;
    struct h2_limits limits = role == H2_SERVER ? H2_LIMITS_SERVER : H2_LIMITS_CLIENT;
    struct h2_session *session = h2_session_new(role, &limits, &events, NULL, 1000);
    size_t step = 1 + (size_t)(data[0] >> 1) * 8;
    int rv = 0;
    if (role == H2_CLIENT) {
        static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0}; /* before, there is no room */
        rv = h2_session_feed(session, settings, sizeof(settings), 1000);
        open_streams(session);
    } else {
        rv = h2_session_feed(session, (const uint8_t *)preface, strlen(preface), 1000);
    }
    for (size_t at = 1; at < size && rv == 0; at += step) {
        size_t len = size - at < step ? size - at : step;
        rv = h2_session_feed(session, data + at, len, 1000 + at);
        while (rv == 0 && h2_session_pull(session, out, sizeof(out), 1000 + at) > 0) {
        }
    }
    h2_session_pull(session, out, sizeof(out), 5000);
    h2_session_tick(session, 20000);
    h2_session_free(session, H2_CANCEL);
    return 0;
}
