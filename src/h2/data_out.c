/* What goes out: DATA within the peer's windows, and credit for it (RFC 9113 sections 5.2, 6.1,
 * 6.9).
 *
 * h2_stream_write() -> `sendable` -> DATA frames of ours; who may send but for the connection's
 * window waits in `blocked` until that grows, and is in nobody's way (share.c). nghttp2 does not
 * know the peer's windows: it sees no WINDOW_UPDATE and an INITIAL_WINDOW_SIZE that never changes.
 * It keeps the stream's state, so it is told of the end: by an empty DATA frame that stays
 * unwritten, as ours carried END_STREAM, or by the trailers, which it sends. */
#include "h2/core.h"

#include "base/mem.h"

#include <string.h>

/* A frame is cut for what is left of the buffer when that is no less than this. */
#define CUT_FRAME_BYTES 1024

#define WINDOW_UPDATE_BYTES (H2_FRAME_HEAD_BYTES + H2_INCREMENT_BYTES)

void h2_stream_sendable(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    bool something = stream->out.len > 0 ? stream->send_window > 0 : stream->ended;
    if (something && stream->has_body && stream->headers_sent && !stream->end_sent &&
        !stream->reset_here && !stream->muted && list_empty(&stream->send_node)) {
        list_append(&session->sendable, &stream->send_node);
        h2_request_output(session);
    }
}

void h2_stream_reconsider(struct h2_stream *stream)
{
    stream->blocked = false;
    list_remove(&stream->send_node);
    h2_stream_sendable(stream);
}

/* ---- who waits for the connection's window --------------------------------------------------- */

static void wait_for_window(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    list_remove(&stream->send_node);
    list_append(&session->blocked, &stream->send_node);
    stream->blocked = true;
    if (session->send_window > 0 && session->reserve_since_ms == 0) {
        session->reserve_since_ms = session->now_ms;
    }
}

void h2_unblock_streams(struct h2_session *session)
{
    session->reserve_since_ms = 0;
    while (!list_empty(&session->blocked)) {
        h2_stream_reconsider(container_of(session->blocked.next, struct h2_stream, send_node));
    }
}

void h2_tick_reserve(struct h2_session *session)
{
    if (list_empty(&session->blocked)) {
        session->reserve_since_ms = 0; /* who waited needs it no more */
    } else if (session->reserve_since_ms != 0 && !session->returns_early &&
               session->now_ms - session->reserve_since_ms >= H2_RESERVE_MS) {
        session->reserve_open = true;
        h2_unblock_streams(session);
    }
}

/* ---- frames ---------------------------------------------------------------------------------- */

static size_t room(const struct h2_session *session)
{
    return session->out_capacity - session->out_len;
}

static uint8_t *put_head(struct h2_session *session, uint8_t type, uint8_t flags, int32_t id,
                         size_t len)
{
    uint8_t *to = session->out + session->out_len;
    h2_frame_head_write(to, &(struct h2_frame_head){(uint32_t)len, type, flags, id});
    session->out_len += H2_FRAME_HEAD_BYTES + len;
    return to + H2_FRAME_HEAD_BYTES;
}

static void put_window_update(struct h2_session *session, int32_t id, uint32_t increment)
{
    h2_write_u32(put_head(session, NGHTTP2_WINDOW_UPDATE, 0, id, H2_INCREMENT_BYTES), increment);
}

bool h2_credit_is_due(const struct h2_session *session)
{
    return session->credit >= session->limits.connection_window_bytes / 4;
}

static void send_credit(struct h2_session *session)
{
    if (h2_credit_is_due(session) && room(session) >= WINDOW_UPDATE_BYTES) {
        put_window_update(session, 0, (uint32_t)session->credit);
        session->receive_window += (int32_t)session->credit;
        session->credit = 0;
    }
    while (!list_empty(&session->creditors) && room(session) >= WINDOW_UPDATE_BYTES) {
        struct h2_stream *stream =
            container_of(session->creditors.next, struct h2_stream, credit_node);
        list_remove(&stream->credit_node);
        if (!stream->remote_ended) {
            put_window_update(session, stream->id, stream->credit);
            stream->receive_window += (int32_t)stream->credit;
            stream->credit = 0;
        }
    }
}

/* How much of the stream's bytes the next frame takes, were there room. */
static size_t next_frame_bytes(const struct h2_stream *stream)
{
    size_t len = stream->out.len < H2_FRAME_BYTES ? stream->out.len : H2_FRAME_BYTES;
    size_t window = (size_t)stream->send_window;
    len = len < window ? len : window;
    window = h2_share_allowed(stream);
    return len < window ? len : window;
}

static ssize_t on_end_read(nghttp2_session *ng, int32_t id, uint8_t *out, size_t capacity,
                           uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    (void)ng;
    (void)id;
    (void)out;
    (void)capacity;
    (void)source;
    (void)ctx;
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_COPY;
    return 0;
}

int h2_on_end_send(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t len,
                   nghttp2_data_source *source, void *ctx)
{
    (void)ng;
    (void)frame;
    (void)head;
    (void)len;
    (void)source;
    (void)ctx;
    return 0;
}

static int tell_end(struct h2_stream *stream)
{
    nghttp2_session *ng = h2_ng(stream->session);
    stream->end_sent = true;
    h2_request_nghttp2(stream->session);
    if (stream->trailers != NULL) {
        return nghttp2_submit_trailer(ng, stream->id, stream->trailers->fields,
                                      stream->trailers->count);
    }
    nghttp2_data_provider nothing = {.read_callback = on_end_read};
    return nghttp2_submit_data(ng, NGHTTP2_FLAG_END_STREAM, stream->id, &nothing);
}

static void put_data(struct h2_stream *stream, size_t len, bool end_stream)
{
    struct h2_session *session = stream->session;
    uint8_t flags = end_stream ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE;
    uint8_t *to = put_head(session, NGHTTP2_DATA, flags, stream->id, len);
    if (len > 0) {
        memcpy(to, buf_data(&stream->out), len);
        buf_consume(&stream->out, len);
        h2_count_queued(session, 0, len);
        stream->send_window -= (int32_t)len;
        h2_share_sent(stream, len);
    }
    h2_sent_message_frame(session, len);
}

/* The next `len` bytes, and the end if these are the last. */
static int send_frame(struct h2_stream *stream, size_t len)
{
    bool last = stream->ended && len == stream->out.len;
    bool end_stream = last && stream->trailers == NULL;
    if (len > 0 || end_stream) {
        put_data(stream, len, end_stream);
    }
    int rv = last ? tell_end(stream) : 0;
    if (len > 0 && stream->events->on_sent != NULL) {
        stream->events->on_sent(stream->user, len);
    }
    return rv;
}

int h2_data_send(struct h2_session *session, bool *ret_ended)
{
    int rv = 0;
    *ret_ended = false;
    send_credit(session);
    while (rv == 0 && !list_empty(&session->sendable)) {
        struct h2_stream *stream =
            container_of(session->sendable.next, struct h2_stream, send_node);
        bool waits = stream->out.len > 0;
        if (waits && stream->send_window <= 0) { /* SETTINGS took it away meanwhile */
            list_remove(&stream->send_node);
            continue;
        }
        size_t len = waits ? next_frame_bytes(stream) : 0;
        if (waits && len == 0) {
            wait_for_window(stream);
            continue;
        }
        if (room(session) < H2_FRAME_HEAD_BYTES + len) {
            if (room(session) < H2_FRAME_HEAD_BYTES + CUT_FRAME_BYTES) {
                break;
            }
            len = room(session) - H2_FRAME_HEAD_BYTES; /* len was more than CUT_FRAME_BYTES */
        }
        list_remove(&stream->send_node);
        rv = send_frame(stream, len);
        *ret_ended = *ret_ended || stream->end_sent;
        h2_stream_sendable(stream);
    }
    return rv;
}
