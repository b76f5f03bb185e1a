/* What goes out: DATA within the peer's windows, and credit for it (RFC 9113
 * sections 5.2, 6.1, 6.9).
 *
 * h2_stream_write() -> `sendable` -> DATA frames of ours. nghttp2 does not know the peer's windows:
 * it sees no WINDOW_UPDATE and an INITIAL_WINDOW_SIZE that never changes. It keeps the stream's
 * state, so it is told of the end: by an empty DATA frame that stays unwritten, as ours carried
 * END_STREAM, or by the trailers, which it sends. */
#include "h2/core.h"

#include "base/mem.h"

#include <string.h>

#define WINDOW_UPDATE_BYTES (H2_FRAME_HEAD_BYTES + H2_INCREMENT_BYTES)

void h2_stream_sendable(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    bool something = stream->out.len > 0 ? stream->send_window > 0 : stream->ended;
    if (something && stream->has_body && stream->headers_sent && !stream->end_sent &&
        !stream->reset_here && list_empty(&stream->send_node)) {
        list_append(&session->sendable, &stream->send_node);
        h2_request_output(session);
    }
}

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

static void send_credit(struct h2_session *session)
{
    if (session->credit >= session->limits.connection_window_bytes / 2 &&
        room(session) >= WINDOW_UPDATE_BYTES) {
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
    window = (size_t)stream->session->send_window;
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
    nghttp2_session *ng = stream->session->ng;
    stream->end_sent = true;
    h2_request_nghttp2(stream->session);
    if (stream->trailers != NULL) {
        return nghttp2_submit_trailer(ng, stream->id, stream->trailers->fields,
                                      stream->trailers->count);
    }
    nghttp2_data_provider nothing = {.read_callback = on_end_read};
    return nghttp2_submit_data(ng, NGHTTP2_FLAG_END_STREAM, stream->id, &nothing);
}

/* The next `len` bytes, and the end if these are the last. */
static int send_frame(struct h2_stream *stream, size_t len)
{
    struct h2_session *session = stream->session;
    bool last = stream->ended && len == stream->out.len;
    bool end_stream = last && stream->trailers == NULL;
    if (len > 0 || end_stream) {
        uint8_t flags = end_stream ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE;
        uint8_t *to = put_head(session, NGHTTP2_DATA, flags, stream->id, len);
        if (len > 0) {
            memcpy(to, buf_data(&stream->out), len);
            buf_consume(&stream->out, len);
            h2_count_queued(session, 0, len);
            stream->unread_bytes += (uint32_t)len;
        }
        stream->send_window -= (int32_t)len;
        session->send_window -= (int32_t)len;
        h2_sent_message_frame(session);
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
        if ((waits && session->send_window <= 0) ||
            room(session) < H2_FRAME_HEAD_BYTES + next_frame_bytes(stream)) {
            break;
        }
        list_remove(&stream->send_node);
        if (!waits || stream->send_window > 0) {
            rv = send_frame(stream, next_frame_bytes(stream));
            *ret_ended = *ret_ended || stream->end_sent;
        }
        h2_stream_sendable(stream);
    }
    return rv;
}
