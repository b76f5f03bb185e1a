/* Each frame of the peer is judged by its header: what nghttp2 does not check, what costs us, and
 * which frames we take. */
#include "h2/core.h"

/* RFC 9113 section 5.1.1: a new stream id must be higher than all before. nghttp2 only drops lower
 * ones. */
static bool check_stream_id(struct h2_session *session, int32_t id)
{
    if (session->role != H2_SERVER || id % 2 == 0) {
        return true;
    }
    if (id > session->newest_peer_id) {
        if (id > session->newest_peer_id + 2) {
            session->skipped_from = session->newest_peer_id + 2;
            session->skipped_to = id - 2;
        }
        session->newest_peer_id = id;
        return true;
    }
    if (session->skipped_from > 0 && id >= session->skipped_from && id <= session->skipped_to) {
        h2_session_terminate(session, H2_PROTOCOL_ERROR, "peer opened a stream with a lower id");
        return false;
    }
    return true;
}

/* RFC 9113 section 5.1, "closed": nothing but PRIORITY may follow the peer's own end of a stream.
 */
void h2_remember_ended(struct h2_session *session, int32_t id)
{
    session->ended_ids[session->ended_next++ % H2_ENDED_STREAMS] = id;
}

/* A server may go on for a moment after a reset that a request of ours made it send: nghttp2 drops
 * that. */
static bool check_not_ended(struct h2_session *session, int32_t id)
{
    if (session->role == H2_CLIENT) {
        return true;
    }
    for (size_t i = 0; i < H2_ENDED_STREAMS; i++) {
        if (id != 0 && session->ended_ids[i] == id) {
            h2_session_terminate(session, H2_STREAM_CLOSED, "peer sent a frame on an ended stream");
            return false;
        }
    }
    return true;
}

bool h2_charge_empty_data(struct h2_session *session, int32_t id)
{
    if (session->role == H2_SERVER) {
        return h2_charge(session, H2_BUDGET_MILLI, "peer sent too many empty DATA frames");
    }
    struct h2_stream *stream = h2_find_stream(session, id);
    if (stream != NULL && ++stream->empty_frames > H2_EMPTY_FRAMES) {
        h2_stream_set_fault(stream, "more than %d empty DATA frames in a row", H2_EMPTY_FRAMES);
        h2_stream_reset(stream, H2_ENHANCE_YOUR_CALM);
    }
    return true;
}

/* Frames are read in order: who answers a stream has read all that began before. */
static void note_answer(struct h2_session *session, int32_t id)
{
    if (id > session->answered_id && id <= session->newest_own_id && session->role == H2_CLIENT) {
        session->answered_id = id;
    }
}

static bool check_priority(struct h2_session *session, const struct h2_frame_head *head)
{
    if (head->stream_id == 0) { /* RFC 9113 section 6.3; nghttp2 ignores the frame altogether */
        h2_session_terminate(session, H2_PROTOCOL_ERROR, "peer sent PRIORITY on stream 0");
        return false;
    }
    return h2_charge(session, H2_BUDGET_MILLI, "peer sent too many PRIORITY frames");
}

static bool charge_window_update(struct h2_session *session)
{
    if (session->window_updates > 0) {
        session->window_updates--;
        return true;
    }
    return h2_charge(session, H2_BUDGET_MILLI, "peer sent too many WINDOW_UPDATE frames");
}

static bool judge(struct h2_session *session, const struct h2_frame_head *head)
{
    switch (head->type) {
    case NGHTTP2_DATA:
        note_answer(session, head->stream_id);
        return check_not_ended(session, head->stream_id) &&
               (head->length > 0 || (head->flags & NGHTTP2_FLAG_END_STREAM) != 0 ||
                h2_charge_empty_data(session, head->stream_id));
    case NGHTTP2_HEADERS:
        note_answer(session, head->stream_id);
        return check_not_ended(session, head->stream_id) &&
               check_stream_id(session, head->stream_id);
    case NGHTTP2_PRIORITY:
        return check_priority(session, head);
    case NGHTTP2_SETTINGS:
        return h2_charge(session, H2_BUDGET_MILLI, "peer sent too many SETTINGS frames");
    case NGHTTP2_WINDOW_UPDATE:
        return charge_window_update(session);
    case NGHTTP2_RST_STREAM: /* charged where the stream's age is known */
        note_answer(session, head->stream_id);
        h2_remember_ended(session, head->stream_id);
        return true;
    case NGHTTP2_GOAWAY:
        return h2_charge(session, H2_BUDGET_MILLI, "peer sent too many GOAWAY frames");
    case NGHTTP2_PUSH_PROMISE: /* a connection error */
    case NGHTTP2_PING:         /* charged where the direction is known */
    case NGHTTP2_CONTINUATION: /* nghttp2 counts them */
        return true;
    default:
        return h2_charge(session, H2_BUDGET_MILLI, "peer sent too many frames of unknown types");
    }
}

/* Between HEADERS and the end of its block nothing else may come (RFC 9113 section 6.10), as
 * nghttp2 will say. */
static bool follow_block(struct h2_session *session, const struct h2_frame_head *head)
{
    bool was_open = session->block_open;
    session->block_frame = head->type == NGHTTP2_HEADERS || head->type == NGHTTP2_CONTINUATION;
    if (session->block_frame) {
        session->block_open = (head->flags & NGHTTP2_FLAG_END_HEADERS) == 0;
    }
    if (head->type == NGHTTP2_HEADERS && !was_open) {
        session->block_started_ms = session->now_ms;
    }
    return was_open;
}

bool h2_block_in_progress(const struct h2_session *session)
{
    return session->block_open || (session->block_frame && session->split.payload_left > 0);
}

enum h2_frame_way h2_on_frame_head(void *ctx, const struct h2_frame_head *head)
{
    struct h2_session *session = ctx;
    bool in_block = follow_block(session, head);
    if (session->ready && head->length > H2_FRAME_BYTES) { /* before, it may be no HTTP/2 */
        h2_session_terminate(
            session, H2_FRAME_SIZE_ERROR,
            "peer sent a frame of more than " H2_TEXT(H2_FRAME_BYTES) " bytes (FRAME_SIZE_ERROR)");
        return H2_FRAME_STOP;
    }
    if (!judge(session, head)) {
        return H2_FRAME_STOP;
    }
    switch (in_block ? NGHTTP2_CONTINUATION : head->type) {
    case NGHTTP2_DATA:
        return h2_data_begin(session, head);
    case NGHTTP2_WINDOW_UPDATE:
        return h2_window_update_begin(session, head);
    case NGHTTP2_SETTINGS:
        return h2_settings_begin(session, head);
    default:
        return H2_FRAME_PASS;
    }
}
