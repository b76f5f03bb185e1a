/* Streams: their life, body bytes queued, reset. */
#include "h2/core.h"

#include "base/mem.h"
#include "base/pool.h"

#include <assert.h>
#include <stdlib.h>

static const struct h2_stream_events nobodys;

struct h2_stream *h2_stream_new(struct h2_session *session, int32_t id)
{
    struct h2_stream *stream = pool_calloc(sizeof(*stream));
    if (stream == NULL) {
        return NULL;
    }
    stream->session = session;
    stream->events = &nobodys;
    stream->id = id;
    stream->opened_ms = h2_birth_ms(session);
    stream->receive_window = (int32_t)session->limits.stream_window_bytes;
    stream->send_window = (int32_t)session->peer_stream_window;
    list_init(&stream->send_node);
    list_init(&stream->credit_node);
    list_init(&stream->share.node);
    list_append(&session->streams, &stream->node);
    session->stream_count++;
    return stream;
}

void h2_stream_attach(struct h2_stream *stream, const struct h2_stream_events *events, void *user)
{
    stream->events = events != NULL ? events : &nobodys;
    stream->user = user;
    if (events == NULL) {
        h2_stream_consume(stream, stream->unconsumed_bytes);
    }
}

void h2_stream_free(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    assert(session->found_stream != stream);
    if (session->data_stream == stream) {
        session->data_stream = NULL;
    }
    list_remove(&stream->send_node);
    list_remove(&stream->credit_node);
    list_remove(&stream->node);
    session->stream_count--;
    h2_share_leave(stream);
    h2_count_queued(session, 0, stream->out.len + stream->block_bytes);
    pool_free(stream->trailers);
    buf_deinit(&stream->out);
    free(stream->fault);
    pool_free(stream);
}

void h2_stream_finish(struct h2_stream *stream, uint32_t error, bool unprocessed)
{
    stream->ended = true;
    if (stream->events->on_close != NULL) {
        stream->events->on_close(stream->user, error, unprocessed);
    }
    h2_stream_free(stream);
}

/* ---- body out -------------------------------------------------------------------------------- */

int h2_stream_write(struct h2_stream *stream, const void *bytes, size_t len, size_t cap_bytes)
{
    if (stream->ended || !stream->has_body) {
        return H2_E_CLOSED;
    }
    int rv = buf_append(&stream->out, bytes, len, cap_bytes);
    if (rv != 0) {
        return rv == BUF_E_FULL ? H2_E_FULL : rv;
    }
    h2_count_queued(stream->session, len, 0);
    h2_stream_sendable(stream);
    return 0;
}

int h2_stream_end(struct h2_stream *stream)
{
    if (stream->ended || !stream->has_body) {
        return H2_E_CLOSED;
    }
    stream->ended = true;
    h2_stream_sendable(stream);
    return 0;
}

void h2_stream_reset(struct h2_stream *stream, uint32_t error)
{
    if (stream->reset_here) {
        return;
    }
    stream->reset_here = true;
    stream->ended = true;
    nghttp2_submit_rst_stream(h2_ng(stream->session), NGHTTP2_FLAG_NONE, stream->id, error);
    h2_stream_reconsider(stream);
    h2_stream_consume(stream, stream->unconsumed_bytes);
    h2_request_nghttp2(stream->session);
}

bool h2_never_left(const struct h2_stream *stream)
{
    return stream->session->role == H2_CLIENT && !stream->headers_sent &&
           nghttp2_session_find_stream(h2_ng(stream->session), stream->id) == NULL;
}

void h2_return_unsent(struct h2_session *session)
{
    size_t limit = h2_session_peer_max_streams(session);
    struct list *node = session->streams.prev; /* the newest */
    while (session->role == H2_CLIENT && session->stream_count > limit &&
           node != &session->streams) {
        struct h2_stream *stream = container_of(node, struct h2_stream, node);
        node = node->prev;
        if (!h2_never_left(stream)) {
            return;
        }
        h2_forget_stream(stream);
        nghttp2_submit_rst_stream(h2_ng(session), NGHTTP2_FLAG_NONE, stream->id, H2_REFUSED_STREAM);
        h2_stream_finish(stream, H2_REFUSED_STREAM, true);
    }
}

size_t h2_stream_discard(struct h2_stream *stream)
{
    size_t len = stream->out.len;
    buf_deinit(&stream->out);
    h2_count_queued(stream->session, 0, len);
    h2_stream_reconsider(stream);
    return len;
}

void h2_stream_mute(struct h2_stream *stream)
{
    stream->ended = true;
    stream->muted = true;
    h2_share_leave(stream);
    h2_stream_discard(stream);
}

/* ---- questions ------------------------------------------------------------------------------- */

size_t h2_stream_queued_bytes(const struct h2_stream *stream)
{
    return stream->out.len;
}

size_t h2_stream_block_bytes(const struct h2_stream *stream)
{
    return stream->block_bytes;
}

bool h2_stream_ended(const struct h2_stream *stream)
{
    return stream->ended;
}

bool h2_stream_begin_left(const struct h2_stream *stream)
{
    return stream->headers_sent;
}

bool h2_stream_end_left(const struct h2_stream *stream)
{
    return stream->end_left;
}

int32_t h2_stream_id(const struct h2_stream *stream)
{
    return stream->id;
}

struct h2_session *h2_stream_session(const struct h2_stream *stream)
{
    return stream->session;
}

bool h2_stream_waits(const struct h2_stream *stream)
{
    return stream->blocked;
}

size_t h2_stream_unread_bytes(const struct h2_stream *stream)
{
    return stream->unread_bytes;
}

size_t h2_stream_answered_bytes(const struct h2_stream *stream)
{
    return stream->answered_bytes;
}

const char *h2_stream_fault(const struct h2_stream *stream)
{
    return stream->fault;
}
