#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PREFACE_BYTES 24
#define HEAD_BYTES 9

static void note(struct side *side, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct side *side, const char *format, ...)
{
    size_t len = strlen(side->log);
    va_list args;
    va_start(args, format);
    vsnprintf(side->log + len, sizeof(side->log) - len, format, args);
    va_end(args);
}

static void on_block(void *user, struct h2_stream *stream, enum h2_block_kind kind,
                     const struct h2_block *block, bool end_stream)
{
    static const char *const names[] = {"request", "informational", "response", "trailers"};
    struct side *side = user;
    side->stream = stream;
    note(side, "%s%s ", names[kind], end_stream ? "+end" : "");
    if (kind == H2_BLOCK_REQUEST && side->answer) {
        const struct h2_header status[] = {H2_HEADER(":status", "200")};
        assert_int_equal(h2_stream_respond(stream, status, 1, false), 0);
    }
    (void)block;
}

static void on_data(void *user, struct h2_stream *stream, const uint8_t *bytes, size_t len)
{
    struct side *side = user;
    side->received_bytes += len;
    if (side->answer) {
        assert_int_equal(h2_stream_write(stream, bytes, len, SIZE_MAX), 0);
    }
    if (side->consume) {
        h2_stream_consume(stream, len);
    }
}

static void on_end(void *user, struct h2_stream *stream)
{
    struct side *side = user;
    note(side, "end ");
    if (side->answer) {
        const struct h2_header trailers[] = {H2_HEADER("grpc-status", "0")};
        h2_stream_trailers(stream, trailers, 1);
    }
}

static void on_close(void *user, struct h2_stream *stream, uint32_t error, bool unprocessed)
{
    struct side *side = user;
    (void)stream;
    side->closes++;
    side->close_error = error;
    side->unprocessed = unprocessed;
    note(side, "close:%s%s ", error == H2_CONNECTION_LOST ? "lost" : h2_error_name(error),
         unprocessed ? "(unprocessed)" : "");
}

static void on_goaway(void *user, uint32_t error, const uint8_t *debug, size_t len)
{
    (void)debug;
    (void)len;
    note(user, "goaway:%s ", h2_error_name(error));
}

static void on_output(void *ctx)
{
    ((struct side *)ctx)->output_asks++;
}

static const struct h2_events events = {
    .on_block = on_block,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
    .on_goaway = on_goaway,
};

struct pair *pair_new(const struct h2_limits *server_limits)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    assert_non_null(pair);
    struct h2_limits server = server_limits != NULL ? *server_limits : H2_LIMITS_SERVER;
    struct h2_limits client = H2_LIMITS_CLIENT;
    pair->now_ms = 5000;
    pair->client.session = h2_session_new(H2_CLIENT, &client, &events, &pair->client, pair->now_ms);
    pair->server.session = h2_session_new(H2_SERVER, &server, &events, &pair->server, pair->now_ms);
    pair->client.consume = true;
    pair->server.consume = true;
    h2_session_on_output(pair->client.session, on_output, &pair->client);
    h2_session_on_output(pair->server.session, on_output, &pair->server);
    return pair;
}

void pair_free(struct pair *pair)
{
    h2_session_free(pair->client.session, H2_CONNECTION_LOST);
    h2_session_free(pair->server.session, H2_CONNECTION_LOST);
    free(pair);
}

/* Moves what one side has to say. Returns the number of bytes. */
static size_t carry(struct pair *pair, struct side *from, struct side *to, size_t step)
{
    static uint8_t out[64 * 1024];
    ptrdiff_t len = h2_session_pull(from->session, out, sizeof(out), pair->now_ms);
    if (len <= 0) {
        return 0;
    }
    assert_true(from->wire_len + (size_t)len <= PAIR_WIRE_BYTES);
    memcpy(from->wire + from->wire_len, out, (size_t)len);
    from->wire_len += (size_t)len;
    for (size_t at = 0; at < (size_t)len; at += step) {
        size_t piece = (size_t)len - at < step ? (size_t)len - at : step;
        if (h2_session_feed(to->session, out + at, piece, pair->now_ms) != 0) {
            break;
        }
    }
    return (size_t)len;
}

void pair_run(struct pair *pair, size_t step)
{
    while (carry(pair, &pair->client, &pair->server, step) +
               carry(pair, &pair->server, &pair->client, step) >
           0) {
    }
}

struct h2_stream *pair_open(struct pair *pair, bool end_stream)
{
    const struct h2_header fields[] = {
        H2_HEADER(":method", "POST"),
        H2_HEADER(":scheme", "http"),
        H2_HEADER(":path", "/p.S/M"),
        H2_HEADER(":authority", "x"),
    };
    struct h2_stream *stream = NULL;
    assert_int_equal(h2_stream_open(pair->client.session, fields, 4, end_stream, NULL, &stream), 0);
    return stream;
}

size_t pair_frames(const struct side *side, uint8_t type, struct frame_seen *ret_last)
{
    bool client = memcmp(side->wire, "PRI ", 4) == 0;
    size_t count = 0;
    for (size_t at = client ? PREFACE_BYTES : 0; at + HEAD_BYTES <= side->wire_len;) {
        const uint8_t *head = side->wire + at;
        uint32_t length = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
        if (head[3] == type) {
            count++;
            if (ret_last != NULL) {
                const uint8_t *code = head + HEAD_BYTES + (type == 7 ? 4 : 0);
                bool coded = type == 3 || type == 7;
                *ret_last = (struct frame_seen){
                    .flags = head[4],
                    .length = length,
                    .error = coded ? (uint32_t)code[0] << 24 | (uint32_t)code[1] << 16 |
                                         (uint32_t)code[2] << 8 | code[3]
                                   : 0,
                };
            }
        }
        at += HEAD_BYTES + length;
    }
    return count;
}

uint8_t *pair_frame(uint8_t *out, uint8_t type, uint8_t flags, int32_t stream_id, const void *payload,
                    size_t len)
{
    const uint8_t head[HEAD_BYTES] = {
        (uint8_t)(len >> 16),       (uint8_t)(len >> 8),        (uint8_t)len,
        type,                       flags,                      (uint8_t)(stream_id >> 24),
        (uint8_t)(stream_id >> 16), (uint8_t)(stream_id >> 8),  (uint8_t)stream_id,
    };
    memcpy(out, head, sizeof(head));
    if (len > 0) {
        memcpy(out + sizeof(head), payload, len);
    }
    return out + sizeof(head) + len;
}
