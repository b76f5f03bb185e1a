/* One HTTP/2 connection on nghttp2: bytes in, bytes out, events between; no I/O, no clock of its
 * own.
 *
 * The owner feeds what it read, pulls what to write, and ticks the clock. Rules:
 * 1. Events fire only from within h2_session_feed(), h2_session_pull() and h2_session_tick(); in an
 *    event any h2_stream_ and h2_session_ function may be called except those three and
 *    h2_session_free(), in which on_close fires, too.
 *    A session stays on the thread that made it: those of a thread share a buffer.
 * 2. Nothing is sent before the owner pulls; `on_output` of the owner says when there is something.
 * 3. A stream's events belong to the stream: who opens it, or accepts it with h2_stream_attach()
 *    when on_request tells of it, gives it its events and its user. It lives until its on_close
 *    returns, which fires exactly once, also when the session ends. A stream without events is
 *    nobody's: what comes on it is dropped and its credit returned.
 * 4. Received bytes count against the stream's window until h2_stream_consume(). The connection's
 *    window is never withheld: its credit is returned when bytes arrive, so that no stream can
 *    stall another.
 *
 * Flow control beside nghttp2's: DATA and WINDOW_UPDATE frames, of which there are as many as
 * messages, and INITIAL_WINDOW_SIZE are ours (data_in.c, data_out.c); nghttp2 never sees the peer's
 * windows change and keeps the streams' states, header blocks and control frames. It is told of the
 * ends of streams. */
#ifndef GRPCROUTE_H2_SESSION_H
#define GRPCROUTE_H2_SESSION_H

#include "h2/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct h2_session;
struct h2_stream;

enum h2_role { H2_SERVER, H2_CLIENT };

/* RFC 9113 section 7. */
enum h2_error {
    H2_NO_ERROR = 0x0,
    H2_PROTOCOL_ERROR = 0x1,
    H2_INTERNAL_ERROR = 0x2,
    H2_FLOW_CONTROL_ERROR = 0x3,
    H2_SETTINGS_TIMEOUT = 0x4,
    H2_STREAM_CLOSED = 0x5,
    H2_FRAME_SIZE_ERROR = 0x6,
    H2_REFUSED_STREAM = 0x7,
    H2_CANCEL = 0x8,
    H2_COMPRESSION_ERROR = 0x9,
    H2_CONNECT_ERROR = 0xa,
    H2_ENHANCE_YOUR_CALM = 0xb,
    H2_INADEQUATE_SECURITY = 0xc,
    H2_HTTP_1_1_REQUIRED = 0xd,
    /* Never on the wire: on_close of a stream whose connection went away. */
    H2_CONNECTION_LOST = 0x7fffffff,
};

/* "REFUSED_STREAM"; "unknown" for codes the RFC does not define. */
const char *h2_error_name(uint32_t code);

/* A field; names are lower case. Neither text need end with NUL on the way out; both do on the way
 * in. */
struct h2_header {
    const char *name;
    const char *value;
    size_t name_len;
    size_t value_len;
    /* Never to be put into a compression table, here or further on (RFC 7541 section 7.1.3); kept
     * from the wire to the wire. */
    bool never_indexed;
};

/* A field of two string literals or NUL-terminated strings. */
#define H2_HEADER(name_text, value_text)                                                           \
    ((struct h2_header){(name_text), (value_text), strlen(name_text), strlen(value_text), false})

/* Bytes of their names and values. */
size_t h2_fields_text_bytes(const struct h2_header *fields, size_t count);

/* The fields of one header block, pseudo-header fields first; borrowed until the event returns. */
struct h2_block {
    const struct h2_header *fields;
    size_t count;
};

/* The first field with that name, or NULL. `ret_count`, unless NULL, gets how many there are.
 * Always inline: a request is asked for dozens of names, and of a literal the compiler knows the
 * length, by which most fields are none of that name. */
__attribute__((always_inline)) static inline const struct h2_header *
h2_block_find(const struct h2_block *block, const char *name, size_t *ret_count)
{
    const struct h2_header *found = NULL;
    size_t count = 0;
    size_t name_len = strlen(name);
    for (size_t i = 0; i < block->count; i++) {
        const struct h2_header *field = &block->fields[i];
        if (field->name_len == name_len && memcmp(field->name, name, name_len) == 0) {
            if (ret_count == NULL) {
                return field;
            }
            found = found != NULL ? found : field;
            count++;
        }
    }
    if (ret_count != NULL) {
        *ret_count = count;
    }
    return found;
}

enum h2_block_kind {
    H2_BLOCK_REQUEST,
    H2_BLOCK_INFORMATIONAL, /* 1xx */
    H2_BLOCK_RESPONSE,
    H2_BLOCK_TRAILERS,
};

/* What happens on one stream. Any may be NULL. `user` is the stream's. */
struct h2_stream_events {
    /* A complete, valid header block; `end_stream` when the peer half-closed with it. Not for
     * requests: these come to the session's on_request. */
    void (*on_block)(void *user, enum h2_block_kind kind, const struct h2_block *block,
                     bool end_stream);
    /* Body bytes, borrowed; they hold window credit until h2_stream_consume(). */
    void (*on_data)(void *user, const uint8_t *bytes, size_t len);
    /* The peer half-closed with a DATA frame (blocks say it themselves). */
    void (*on_end)(void *user);
    /* `len` bytes given to h2_stream_write() are in frames now. */
    void (*on_sent)(void *user, size_t len);
    /* The last event of a stream. `error`: NO_ERROR after a regular end, else the code of the reset
     * or of the connection's end. `unprocessed`: the peer provably did not look at it
     * (REFUSED_STREAM, or above the last id of its GOAWAY), RFC 9113 section 8.7. h2_stream_fault()
     * still answers. */
    void (*on_close)(void *user, uint32_t error, bool unprocessed);
};

/* Why a header block of the peer is not delivered. */
enum h2_refusal {
    H2_BLOCK_OVERSIZED, /* over the limits of limits.h: the owner may still answer the stream */
    H2_BLOCK_MALFORMED, /* breaks RFC 9113 section 8: the stream is being reset */
};

/* What happens on the connection. Any may be NULL. `user` is the session's. */
struct h2_events {
    /* Server: a request's block. h2_stream_attach() in here accepts the stream. */
    void (*on_request)(void *user, struct h2_stream *stream, const struct h2_block *block,
                       bool end_stream);
    /* Server: a request that is not delivered, nor attached. `block` holds what was kept of it (for
     * an oversized one, the fields that came before the limit); `why` is h2_stream_fault(). An
     * oversized one that is not answered in here is reset. */
    void (*on_refused)(void *user, struct h2_stream *stream, enum h2_refusal refusal,
                       const struct h2_block *block, const char *why);
    /* The peer's GOAWAY; no stream can be opened from here on. `debug` is borrowed peer text. */
    void (*on_goaway)(void *user, uint32_t error, const uint8_t *debug, size_t debug_len);
    /* The peer's first SETTINGS: the connection works. */
    void (*on_ready)(void *user);
    /* h2_session_room() may have grown: SETTINGS came, or a stream ended. */
    void (*on_room)(void *user);
    /* An answer to h2_session_ping(). */
    void (*on_ping_ack)(void *user);
    /* A PING of the peer (not an answer). `busy`: we sent HEADERS or DATA since the last one, which
     * makes it innocent (gRFC A8). */
    void (*on_ping)(void *user, bool busy);
};

/* Makes a session whose preface and SETTINGS wait to be pulled. `now_ms` is any monotonic clock,
 * the same in all calls. `limits` is copied, `events` borrowed. Returns NULL only when there is no
 * memory. */
struct h2_session *h2_session_new(enum h2_role role, const struct h2_limits *limits,
                                  const struct h2_events *events, void *user, uint64_t now_ms);

/* Ends all streams (on_close with `error`) and frees. Not from within an event. Accepts NULL. */
void h2_session_free(struct h2_session *session, uint32_t error);

/* Sets the owner's hook: `on_output(ctx, may_wait)` is called when bytes to send appear, between
 * two pulls at most once, or twice: first for what may wait until the owner has read what is there,
 * as more to send may come of that, then for what may not. */
void h2_session_on_output(struct h2_session *session, void (*on_output)(void *ctx, bool may_wait),
                          void *ctx);

/* Takes bytes of the peer. Returns 0, or a negative nghttp2 code: pull once more (a GOAWAY may
 * wait), then close. */
int h2_session_feed(struct h2_session *session, const uint8_t *bytes, size_t len, uint64_t now_ms);

/* Fills `out` with up to `capacity` (at least 32 KiB) bytes to send. Returns how many, 0 for none,
 * or a negative nghttp2 code: close. */
ptrdiff_t h2_session_pull(struct h2_session *session, uint8_t *out, size_t capacity,
                          uint64_t now_ms);

/* Enforces the time limits of limits.h. Returns 0, or 1 when one was passed: pull, then close. */
int h2_session_tick(struct h2_session *session, uint64_t now_ms);

/* True when both sides are done and nothing waits to be sent: close the transport. */
bool h2_session_finished(const struct h2_session *session);

/* A static sentence on why the session ended or must end ("peer sent too many resets"); NULL while
 * fine. */
const char *h2_session_reason(const struct h2_session *session);
/* Whose fault the reason is: the peer's, which broke HTTP/2 or a limit; our own, as there was no
 * memory; nobody's, where the owner ended the session, or nothing did. */
enum h2_blame { H2_BLAME_NOBODY, H2_BLAME_PEER, H2_BLAME_OURSELVES };
enum h2_blame h2_session_blame(const struct h2_session *session);

size_t h2_session_stream_count(const struct h2_session *session);
/* Streams that may still be opened by us now, within the peer's MAX_CONCURRENT_STREAMS; 0 before
 * its SETTINGS came (RFC 9113 section 3.4 would allow a guess, and a wrong guess is refused) and
 * after a GOAWAY. */
size_t h2_session_room(const struct h2_session *session);
/* The peer's MAX_CONCURRENT_STREAMS and MAX_HEADER_LIST_SIZE; UINT32_MAX while it named none. */
uint32_t h2_session_peer_max_streams(const struct h2_session *session);
uint32_t h2_session_peer_header_bytes(const struct h2_session *session);
/* The highest id of our streams on which the peer sent HEADERS, DATA or RST_STREAM: frames are read
 * in order, so it has read every request up to that one. 0: none. */
int32_t h2_session_answered_id(const struct h2_session *session);
/* What waits to be sent, of all streams, header blocks, too. */
size_t h2_session_queued_bytes(const struct h2_session *session);
/* True while a stream has bytes to send, its own window is open, and the connection's is shut: the
 * peer withholds it because of what somebody sent. */
bool h2_session_stalled(const struct h2_session *session);
/* Whether the connection's window is used up. */
bool h2_session_is_shut(const struct h2_session *session);
/* ... or is kept for streams that are not behind. */
bool h2_session_waits(const struct h2_session *session);
/* The peer has been quiet for a while (limits.h), and the session holds less because of it. */
bool h2_session_at_rest(const struct h2_session *session);
/* What the peer returned of the connection's credit so far. */
uint64_t h2_session_credited_bytes(const struct h2_session *session);
/* What the peer holds of that credit for streams that have ended, or were muted. */
size_t h2_session_nobodys_bytes(const struct h2_session *session);
/* The peer's window of the connection, as it would be if it held nothing. */
size_t h2_session_peer_window(const struct h2_session *session);
/* "GOAWAY ENHANCE_YOUR_CALM: too_many_pings", with the peer's debug text escaped; NULL when none
 * came. */
const char *h2_session_goaway_text(const struct h2_session *session);
/* Of h2_session_ping(). */
uint32_t h2_session_pings_unanswered(const struct h2_session *session);
/* When the last byte of the peer came, in the caller's clock. */
uint64_t h2_session_last_read_ms(const struct h2_session *session);

/* Graceful end, first step: GOAWAY with the highest id, so that the peer opens nothing new (RFC
 * 9113 section 6.8); second step: GOAWAY with the real last id. `debug` is a static text or NULL;
 * it goes with the second. */
void h2_session_drain_begin(struct h2_session *session, const char *debug);
void h2_session_drain_finish(struct h2_session *session, uint32_t error, const char *debug);
/* GOAWAY at once, then the session wants nothing more: pull and close. */
void h2_session_terminate(struct h2_session *session, uint32_t error, const char *reason);

/* Sends a PING; on_ping_ack tells of the answer. */
void h2_session_ping(struct h2_session *session);

/* ---- streams --------------------------------------------------------------------------------- */

enum h2_outcome {
    H2_E_NO_ROOM = 1, /* the peer's stream limit, GOAWAY, no stream ids: use another connection */
    H2_E_CLOSED = 2,  /* this side of the stream is already closed */
    H2_E_FULL = 3,    /* more than the caller's cap would be buffered; nothing was taken */
    H2_E_HEADERS = 4, /* the block cannot be sent (too large) */
};

/* Client: opens a stream. With `end_stream` there is no body. Returns 0, H2_E_NO_ROOM, H2_E_HEADERS
 * (larger than the peer's MAX_HEADER_LIST_SIZE) or a negative code, and then no event follows. The
 * fields are copied, `events` is borrowed. */
int h2_stream_open(struct h2_session *session, const struct h2_header *fields, size_t count,
                   bool end_stream, const struct h2_stream_events *events, void *user,
                   struct h2_stream **ret_stream);

/* Client: the stream, that is in no group yet, joins that of `other`, which may have had none:
 * those of one sender, who is behind when all together are. */
void h2_stream_join(struct h2_stream *stream, struct h2_stream *other);

/* Gives a stream its events and their user; NULL for both: nobody's from here on, on_close
 * included. */
void h2_stream_attach(struct h2_stream *stream, const struct h2_stream_events *events, void *user);

/* Server: sends the response block (or a 1xx one before it). With `end_stream` it is the whole
 * response, one frame. Returns 0, H2_E_CLOSED, H2_E_HEADERS or a negative code. */
int h2_stream_respond(struct h2_stream *stream, const struct h2_header *fields, size_t count,
                      bool end_stream);
int h2_stream_inform(struct h2_stream *stream, const struct h2_header *fields, size_t count);

/* Queues body bytes (copied) unless more than `cap_bytes` would wait. Returns 0, H2_E_CLOSED,
 * H2_E_FULL or a negative code. */
int h2_stream_write(struct h2_stream *stream, const void *bytes, size_t len, size_t cap_bytes);

/* Ends this side after what is queued: plainly, or with trailers (copied). A plain end shares a
 * frame with the last bytes. A server that ends first also tells the client to stop (RST_STREAM
 * NO_ERROR). */
int h2_stream_end(struct h2_stream *stream);
int h2_stream_trailers(struct h2_stream *stream, const struct h2_header *fields, size_t count);

/* RST_STREAM in both directions; on_close follows from a later pull. Harmless when repeated. */
void h2_stream_reset(struct h2_stream *stream, uint32_t error);

/* Drops what waits to be sent; returns how many bytes. For a stream that then ends with a status:
 * its reader will not get what was dropped. */
size_t h2_stream_discard(struct h2_stream *stream);

/* The same for a stream that is to be reset: nothing more is sent of it, not its end, either, which
 * would make what the peer got look like all there was. */
void h2_stream_mute(struct h2_stream *stream);

/* Returns `len` bytes of window credit to the peer. */
void h2_stream_consume(struct h2_stream *stream, size_t len);

/* Bytes given to h2_stream_write() that are not in frames yet. */
size_t h2_stream_queued_bytes(const struct h2_stream *stream);
/* Of header blocks, and trailers, that are not sent yet; they cannot be taken back. */
size_t h2_stream_block_bytes(const struct h2_stream *stream);
/* Only the connection's window, or that half of it is kept for others, is in the way of them. */
bool h2_stream_waits(const struct h2_stream *stream);
/* Bytes sent for which the peer has not returned the stream's credit: what it holds unread. */
size_t h2_stream_unread_bytes(const struct h2_stream *stream);
/* Of these, bytes after which the peer sent some of its own: it may have read them, and return
 * their credit when there is more. */
size_t h2_stream_answered_bytes(const struct h2_stream *stream);
/* Client: what the stream, with its group, holds of the connection's credit, where that is more
 * than little (limits.h); half of the window is kept for the others. 0: it is not behind. */
size_t h2_stream_behind_bytes(const struct h2_stream *stream);
/* ... the same where it is little; no more than its streams' credit says. */
size_t h2_stream_held_bytes(const struct h2_stream *stream);
/* What was wrong with the stream, when that was seen: a header block of the peer ("malformed field
 * connection", "block of 20312 bytes is over the limit of 16384"), a rule of HTTP/2 it broke. NULL:
 * nothing. Peer text in it is escaped. */
const char *h2_stream_fault(const struct h2_stream *stream);
/* This side called end, trailers or reset. */
bool h2_stream_ended(const struct h2_stream *stream);
/* Its first block was given to the peer; its end was, and so all of it. */
bool h2_stream_begin_left(const struct h2_stream *stream);
bool h2_stream_end_left(const struct h2_stream *stream);
int32_t h2_stream_id(const struct h2_stream *stream);
struct h2_session *h2_stream_session(const struct h2_stream *stream);

#endif
