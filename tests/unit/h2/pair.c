#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PREFACE_BYTES 24
#define HEAD_BYTES    9
#define TICK_MS       250

static void note(struct side *side, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct side *side, const char *format, ...)
{
    size_t len = strlen(side->log);
    va_list args;
    va_start(args, format);
    vsnprintf(side->log + len, sizeof(side->log) - len, format, args);
    va_end(args);
}

static void on_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                     bool end_stream)
{
    static const char *const names[] = {"request", "informational", "response", "trailers"};
    for (size_t i = 0; i < block->count; i++) {
        ((struct side *)user)->never_indexed += block->fields[i].never_indexed;
    }
    note(user, "%s%s ", names[kind], end_stream ? "+end" : "");
}

static void receive(struct side *side, struct h2_stream *stream, const uint8_t *bytes, size_t len)
{
    side->received_bytes += len;
    if (side->answer) {
        assert_int_equal(h2_stream_write(stream, bytes, len, SIZE_MAX), 0);
    }
    if (side->consume) {
        h2_stream_consume(stream, len);
    }
}

static void on_end(void *user)
{
    note(user, "end ");
}

static void on_close(void *user, uint32_t error, bool unprocessed)
{
    struct side *side = user;
    side->closes++;
    side->close_error = error;
    side->unprocessed = unprocessed;
    note(side, "close:%s%s ", error == H2_CONNECTION_LOST ? "lost" : h2_error_name(error),
         unprocessed ? "(unprocessed)" : "");
}

/* A stream's user is a `struct held`, so that its data can be answered and consumed. */
struct held {
    struct side *side;
    struct h2_stream *stream;
};

static void held_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                       bool end_stream)
{
    struct held *held = user;
    held->side->stream = held->stream;
    on_block(held->side, kind, block, end_stream);
}

static void held_data(void *user, const uint8_t *bytes, size_t len)
{
    struct held *held = user;
    receive(held->side, held->stream, bytes, len);
}

static void held_end(void *user)
{
    struct held *held = user;
    on_end(held->side);
    if (held->side->answer) {
        const struct h2_header trailers[] = {H2_HEADER("grpc-status", "0")};
        h2_stream_trailers(held->stream, trailers, 1);
    }
}

static void held_close(void *user, uint32_t error, bool unprocessed)
{
    struct held *held = user;
    const char *fault = h2_stream_fault(held->stream);
    snprintf(held->side->fault, sizeof(held->side->fault), "%s", fault != NULL ? fault : "");
    on_close(held->side, error, unprocessed);
    free(held);
}

static const struct h2_stream_events stream_events = {
    .on_block = held_block,
    .on_data = held_data,
    .on_end = held_end,
    .on_close = held_close,
};

static struct held *held_new(struct side *side)
{
    struct held *held = calloc(1, sizeof(*held));
    assert_non_null(held);
    held->side = side;
    return held;
}

static void on_request(void *user, struct h2_stream *stream, const struct h2_block *block,
                       bool end_stream)
{
    struct side *side = user;
    side->stream = stream;
    on_block(side, H2_BLOCK_REQUEST, block, end_stream);
    if (!side->deaf) {
        struct held *held = held_new(side);
        held->stream = stream;
        h2_stream_attach(stream, &stream_events, held);
        side->held = held;
    }
    if (side->answer) {
        const struct h2_header status[] = {H2_HEADER(":status", "200")};
        assert_int_equal(h2_stream_respond(stream, status, 1, false), 0);
    }
}

void pair_give_up(struct side *side)
{
    h2_stream_attach(side->stream, NULL, NULL);
    free(side->held);
    side->held = NULL;
}

static void on_refused(void *user, struct h2_stream *stream, enum h2_refusal refusal,
                       const struct h2_block *block, const char *why)
{
    struct side *side = user;
    (void)block;
    side->stream = stream;
    note(side, "%s:%s ", refusal == H2_BLOCK_OVERSIZED ? "oversized" : "malformed", why);
    if (refusal == H2_BLOCK_OVERSIZED && side->answer) {
        const struct h2_header status[] = {H2_HEADER(":status", "431")};
        assert_int_equal(h2_stream_respond(stream, status, 1, true), 0);
    }
}

static void on_goaway(void *user, uint32_t error, const uint8_t *debug, size_t len)
{
    (void)debug;
    (void)len;
    note(user, "goaway:%s ", h2_error_name(error));
}

static void on_room(void *user)
{
    ((struct side *)user)->rooms++;
}

static void on_output(void *ctx, bool may_wait)
{
    struct side *side = ctx;
    if (may_wait) {
        side->output_waits++;
    } else {
        side->output_asks++;
    }
}

static const struct h2_events events = {
    .on_request = on_request,
    .on_refused = on_refused,
    .on_goaway = on_goaway,
    .on_room = on_room,
};

struct pair *pair_new_silent(const struct h2_limits *server_limits)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    assert_non_null(pair);
    struct h2_limits server = server_limits != NULL ? *server_limits : H2_LIMITS_SERVER;
    struct h2_limits client = H2_LIMITS_CLIENT;
    client.queued_total = server.queued_total;
    pair->now_ms = 5000;
    pair->client.session = h2_session_new(H2_CLIENT, &client, &events, &pair->client, pair->now_ms);
    pair->server.session = h2_session_new(H2_SERVER, &server, &events, &pair->server, pair->now_ms);
    pair->client.consume = true;
    pair->server.consume = true;
    h2_session_on_output(pair->client.session, on_output, &pair->client);
    h2_session_on_output(pair->server.session, on_output, &pair->server);
    return pair;
}

struct pair *pair_new(const struct h2_limits *server_limits)
{
    struct pair *pair = pair_new_silent(server_limits);
    pair_run(pair, 100000); /* SETTINGS, before which there is no room */
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

int pair_open_fields(struct pair *pair, const struct h2_header *fields, size_t count,
                     bool end_stream, struct h2_stream **ret_stream)
{
    struct held *held = held_new(&pair->client);
    int rv = h2_stream_open(pair->client.session, fields, count, end_stream, &stream_events, held,
                            &held->stream);
    if (rv != 0) {
        free(held);
        return rv;
    }
    *ret_stream = held->stream;
    return 0;
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
    assert_int_equal(pair_open_fields(pair, fields, 4, end_stream, &stream), 0);
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

int pair_inject(struct pair *pair, struct side *to, uint8_t type, uint8_t flags, int32_t stream_id,
                const void *payload, size_t len)
{
    static uint8_t frame[20000];
    assert_true(len + HEAD_BYTES <= sizeof(frame));
    size_t size = (size_t)(pair_frame(frame, type, flags, stream_id, payload, len) - frame);
    return h2_session_feed(to->session, frame, size, pair->now_ms);
}

static void put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

int pair_inject_setting(struct pair *pair, struct side *to, uint16_t id, uint32_t value)
{
    uint8_t payload[6] = {(uint8_t)(id >> 8), (uint8_t)id};
    put_u32(payload + 2, value);
    return pair_inject(pair, to, 4, 0, 0, payload, sizeof(payload));
}

int pair_inject_update(struct pair *pair, struct side *to, int32_t stream_id, uint32_t increment)
{
    uint8_t payload[4];
    put_u32(payload, increment);
    return pair_inject(pair, to, 8, 0, stream_id, payload, sizeof(payload));
}

void pair_collect(struct pair *pair, struct side *side)
{
    static uint8_t out[64 * 1024];
    ptrdiff_t len;
    while ((len = h2_session_pull(side->session, out, sizeof(out), pair->now_ms)) > 0) {
        assert_true(side->wire_len + (size_t)len <= PAIR_WIRE_BYTES);
        memcpy(side->wire + side->wire_len, out, (size_t)len);
        side->wire_len += (size_t)len;
    }
}

int pair_wait(struct pair *pair, struct side *side, uint64_t ms)
{
    int rv = 0;
    for (uint64_t end = pair->now_ms + ms; pair->now_ms < end && rv == 0;) {
        pair->now_ms += end - pair->now_ms < TICK_MS ? end - pair->now_ms : TICK_MS;
        rv = h2_session_tick(side->session, pair->now_ms);
    }
    return rv;
}

uint8_t *pair_frame(uint8_t *out, uint8_t type, uint8_t flags, int32_t stream_id,
                    const void *payload, size_t len)
{
    const uint8_t head[HEAD_BYTES] = {
        (uint8_t)(len >> 16),
        (uint8_t)(len >> 8),
        (uint8_t)len,
        type,
        flags,
        (uint8_t)(stream_id >> 24),
        (uint8_t)(stream_id >> 16),
        (uint8_t)(stream_id >> 8),
        (uint8_t)stream_id,
    };
    memcpy(out, head, sizeof(head));
    if (len > 0) {
        memcpy(out + sizeof(head), payload, len);
    }
    return out + sizeof(head) + len;
}
