/* What nghttp2 has sent, or will not send, and what follows from it. */
#include "h2/core.h"

/* A server that ended first asks the client to stop sending (RFC 9113 section 8.1). */
static void sent_end(struct h2_session *session, struct h2_stream *stream)
{
    stream->end_left = true;
    if (session->role == H2_SERVER && !stream->remote_ended) {
        stream->reset_here = true;
        nghttp2_submit_rst_stream(h2_ng(session), NGHTTP2_FLAG_NONE, stream->id, H2_NO_ERROR);
    }
}

/* HEADERS, or the empty DATA frame that ends a stream. */
static void sent_by_nghttp2(struct h2_session *session, const nghttp2_frame *frame)
{
    h2_sent_message_frame(session, 0);
    struct h2_stream *stream = h2_find_stream(session, frame->hd.stream_id);
    if (stream == NULL) {
        return;
    }
    stream->headers_sent = true;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        h2_stream_block_sent(stream, &frame->headers);
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        sent_end(session, stream);
    } else {
        h2_stream_sendable(stream);
    }
}

/* nghttp2 ends a session by itself when the peer breaks a rule; without this the reason would be
 * lost. */
static const char *violation(uint32_t error)
{
    switch (error) {
    case NGHTTP2_FLOW_CONTROL_ERROR:
        return "peer broke HTTP/2 (FLOW_CONTROL_ERROR)";
    case NGHTTP2_FRAME_SIZE_ERROR:
        return "peer broke HTTP/2 (FRAME_SIZE_ERROR)";
    case NGHTTP2_COMPRESSION_ERROR:
        return "peer broke HTTP/2 (COMPRESSION_ERROR)";
    case NGHTTP2_STREAM_CLOSED:
        return "peer broke HTTP/2 (STREAM_CLOSED)";
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return "peer broke a limit of HTTP/2 (ENHANCE_YOUR_CALM)";
    case NGHTTP2_INTERNAL_ERROR:
        return "HTTP/2 cannot go on (INTERNAL_ERROR)";
    default:
        return "peer broke HTTP/2 (PROTOCOL_ERROR)";
    }
}

static void sent_goaway(struct h2_session *session, uint32_t error)
{
    session->goaway_sent = true;
    if (error != NGHTTP2_NO_ERROR && !session->terminated && !session->goodbye &&
        session->reason == NULL) {
        session->reason = violation(error);
        session->blame = error == NGHTTP2_INTERNAL_ERROR ? H2_BLAME_OURSELVES : H2_BLAME_PEER;
    }
}

/* Resets that the peer made us send ("MadeYouReset", CVE-2025-8671) cost a client like its own. */
static void sent_reset(struct h2_session *session, const nghttp2_frame *frame)
{
    struct h2_stream *stream = h2_find_stream(session, frame->hd.stream_id);
    if (stream != NULL && stream->reset_here) {
        return;
    }
    uint32_t error = frame->rst_stream.error_code;
    if (stream != NULL) { /* of a body that breaks a rule nghttp2 tells nothing */
        h2_stream_set_fault(stream, "malformed body: %s",
                            error == H2_PROTOCOL_ERROR ? "not what its header block says"
                                                       : h2_error_name(error));
    }
    if (session->role == H2_SERVER) {
        h2_charge(session, H2_BUDGET_MILLI, "peer provoked too many stream errors");
    }
}

int h2_on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx)
{
    (void)ng;
    struct h2_session *session = ctx;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        sent_by_nghttp2(session, frame);
        return 0;
    case NGHTTP2_RST_STREAM:
        sent_reset(session, frame);
        return 0;
    case NGHTTP2_GOAWAY:
        sent_goaway(session, frame->goaway.error_code);
        return 0;
    default:
        return 0;
    }
}

int h2_on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *ctx)
{
    (void)ng;
    (void)error;
    struct h2_session *session = ctx;
    struct h2_stream *stream = h2_find_stream(session, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST &&
        stream != NULL) {
        stream->not_sent = true;
    }
    return 0;
}
