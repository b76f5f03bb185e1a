/* What comes in: DATA, and the peer's side of flow control (RFC 9113 sections 5.2, 6.1, 6.9).
 * Frames of which there are as many as messages never reach nghttp2, which looks a stream up a
 * dozen times for each.
 *
 * A plain DATA frame (no padding, no END_STREAM) of a plain stream -> receive window -> on_data ->
 * h2_stream_consume() -> a WINDOW_UPDATE of ours at half a window, which may wait a turn for a
 * frame that goes with it. All other DATA goes through nghttp2, which then counts its bytes and
 * gives their credit back, at half a window, too: where both do, ours comes at a quarter, for else
 * a peer that sends whole frames would wait for what both keep back. Both shares are kept apart
 * here, so a peer may send a window of each; the stream's own count of what nobody took bounds
 * their sum. Streams with a content-length are not plain, for that is nghttp2's to check. */
#include "h2/core.h"

#include "base/mem.h"

#include <string.h>

#define WINDOW_MAX    INT32_MAX /* RFC 9113 section 6.9.1 */
#define FLOW_BROKEN   "peer broke HTTP/2 (FLOW_CONTROL_ERROR)"
#define WINDOW_PASSED "more bytes than the stream's window"

/* ---- credit for the peer --------------------------------------------------------------------- */

static bool stream_credit_is_due(const struct h2_stream *stream)
{
    uint32_t window = stream->session->limits.stream_window_bytes;
    return stream->credit >= (stream->mixed ? window / 4 : window / 2);
}

static void credit_connection(struct h2_session *session, size_t len, size_t by_nghttp2)
{
    if (by_nghttp2 > 0) {
        nghttp2_session_consume_connection(h2_ng(session), by_nghttp2);
        h2_request_nghttp2(session);
    }
    session->credit += len - by_nghttp2;
    if (h2_credit_is_due(session)) {
        h2_note_output(session);
    }
}

static void credit_stream(struct h2_stream *stream, size_t len, size_t by_nghttp2)
{
    struct h2_session *session = stream->session;
    if (by_nghttp2 > 0) {
        nghttp2_session_consume_stream(h2_ng(session), stream->id, by_nghttp2);
        h2_request_nghttp2(session);
        stream->mixed = true;
    }
    stream->credit += (uint32_t)(len - by_nghttp2);
    if (stream_credit_is_due(stream) && !stream->remote_ended && list_empty(&stream->credit_node)) {
        list_append(&session->creditors, &stream->credit_node);
        h2_note_output(session);
    }
}

/* The peer broke a rule on a stream. nghttp2 ignores what still comes of it. */
static void refuse_stream(struct h2_stream *stream, uint32_t error, const char *fault)
{
    stream->plain_body = false;
    stream->refused = true;
    h2_stream_set_fault(stream, "%s", fault);
    nghttp2_submit_rst_stream(h2_ng(stream->session), NGHTTP2_FLAG_NONE, stream->id, error);
    h2_request_nghttp2(stream->session);
}

void h2_stream_received(struct h2_stream *stream, const uint8_t *bytes, size_t len,
                        size_t by_nghttp2)
{
    struct h2_session *session = stream->session;
    stream->empty_frames = 0;
    stream->answered_bytes = stream->unread_bytes;
    credit_connection(session, len, by_nghttp2);
    if (stream->refused) {
        return;
    }
    if (stream->unconsumed_bytes + len > session->limits.stream_window_bytes) {
        refuse_stream(stream, H2_FLOW_CONTROL_ERROR, WINDOW_PASSED);
        return;
    }
    stream->unconsumed_bytes += len;
    stream->unconsumed_by_nghttp2 += by_nghttp2;
    if (stream->reset_here || stream->events->on_data == NULL) {
        h2_stream_consume(stream, len);
    } else {
        stream->events->on_data(stream->user, bytes, len);
    }
}

/* Takes up to `len` from `*from`. */
static size_t take(size_t *from, size_t len)
{
    size_t taken = *from < len ? *from : len;
    *from -= taken;
    return taken;
}

void h2_stream_consume(struct h2_stream *stream, size_t len)
{
    len = take(&stream->unconsumed_bytes, len);
    if (len == 0) {
        return;
    }
    credit_stream(stream, len, take(&stream->unconsumed_by_nghttp2, len));
}

/* ---- in -------------------------------------------------------------------------------------- */

enum h2_frame_way h2_data_begin(struct h2_session *session, const struct h2_frame_head *head)
{
    bool plain = head->length > 0 && head->length <= H2_FRAME_BYTES &&
                 (head->flags & (NGHTTP2_FLAG_END_STREAM | NGHTTP2_FLAG_PADDED)) == 0;
    struct h2_stream *stream = plain ? h2_find_stream(session, head->stream_id) : NULL;
    if (stream == NULL || !stream->plain_body || stream->remote_ended) {
        return H2_FRAME_PASS;
    }
    int32_t len = (int32_t)head->length;
    if (len > session->receive_window) {
        h2_session_terminate(session, H2_FLOW_CONTROL_ERROR, FLOW_BROKEN);
        return H2_FRAME_STOP;
    }
    session->receive_window -= len;
    session->taking = NGHTTP2_DATA;
    session->data_stream = stream;
    if (len > stream->receive_window) {
        session->data_stream = NULL;
        refuse_stream(stream, H2_FLOW_CONTROL_ERROR, WINDOW_PASSED);
    } else {
        stream->receive_window -= len;
    }
    return H2_FRAME_TAKE;
}

static enum h2_frame_way collect(struct h2_session *session, const struct h2_frame_head *head)
{
    session->taking = head->type;
    session->taken_id = head->stream_id;
    session->taken_len = 0;
    return H2_FRAME_TAKE;
}

enum h2_frame_way h2_window_update_begin(struct h2_session *session,
                                         const struct h2_frame_head *head)
{
    bool known = head->stream_id == 0 || h2_find_stream(session, head->stream_id) != NULL;
    return session->ready && known && head->length == H2_INCREMENT_BYTES ? collect(session, head)
                                                                         : H2_FRAME_PASS;
}

static int pass_head(struct h2_session *session, uint8_t type, uint32_t len, int32_t id)
{
    uint8_t head[H2_FRAME_HEAD_BYTES];
    h2_frame_head_write(head, &(struct h2_frame_head){len, type, 0, id});
    return h2_pass(session, head, sizeof(head));
}

/* Entries are passed on as they come, in a frame without flags: only ACK is defined, others "MUST
 * be ignored" (RFC 9113 section 4.1). What breaks the rules is nghttp2's to refuse. */
enum h2_frame_way h2_settings_begin(struct h2_session *session, const struct h2_frame_head *head)
{
    bool entries = head->stream_id == 0 && (head->flags & NGHTTP2_FLAG_ACK) == 0 &&
                   head->length > 0 && head->length % H2_SETTING_BYTES == 0;
    if (!entries) {
        return H2_FRAME_PASS;
    }
    if (head->length > H2_SETTINGS_ENTRIES * H2_SETTING_BYTES) {
        h2_session_terminate(
            session, H2_ENHANCE_YOUR_CALM,
            "peer sent more than " H2_TEXT(H2_SETTINGS_ENTRIES) " entries in a SETTINGS frame");
        return H2_FRAME_STOP;
    }
    if (pass_head(session, NGHTTP2_SETTINGS, head->length, 0) != 0) {
        return H2_FRAME_STOP;
    }
    return collect(session, head);
}

/* Adds to a window of ours. Returns false when it would be larger than a window can be. */
static bool widen(int32_t *window, int64_t by)
{
    int64_t sum = *window + by;
    if (sum > WINDOW_MAX) {
        return false;
    }
    *window = (int32_t)sum;
    return true;
}

static void update_connection(struct h2_session *session, uint32_t increment)
{
    h2_share_returned(session, increment);
    if (!widen(&session->send_window, increment)) {
        h2_session_terminate(session, H2_FLOW_CONTROL_ERROR, FLOW_BROKEN);
        return;
    }
    session->reserve_open = false;
    h2_unblock_streams(session);
}

static void update_stream(struct h2_stream *stream, uint32_t increment)
{
    h2_stream_give_back(stream, increment);
    if (!widen(&stream->send_window, increment)) {
        refuse_stream(stream, H2_FLOW_CONTROL_ERROR, "a window larger than any can be");
    } else if (stream->blocked) { /* it may have become one whose reader keeps up */
        h2_stream_reconsider(stream);
    } else {
        h2_stream_sendable(stream);
    }
}

/* What is wrong with it is nghttp2's to say; it would end the connection, which a server's mistake
 * on one stream must not. */
static int refuse_increment(struct h2_session *session, struct h2_stream *stream)
{
    if (session->role == H2_CLIENT && stream != NULL) {
        refuse_stream(stream, H2_PROTOCOL_ERROR, "a WINDOW_UPDATE of 0 bytes");
        return 0;
    }
    int rv = pass_head(session, NGHTTP2_WINDOW_UPDATE, H2_INCREMENT_BYTES, session->taken_id);
    return rv != 0 ? rv : h2_pass(session, session->taken, H2_INCREMENT_BYTES);
}

static int apply_window_update(struct h2_session *session)
{
    uint32_t increment = h2_read_u32(session->taken) & INT32_MAX;
    struct h2_stream *stream = h2_find_stream(session, session->taken_id);
    if (increment == 0) {
        return refuse_increment(session, stream);
    }
    if (session->taken_id == 0) {
        update_connection(session, increment);
    } else if (stream != NULL) {
        update_stream(stream, increment);
    }
    return 0;
}

static void set_peer_stream_window(struct h2_session *session, uint32_t bytes)
{
    int64_t by = (int64_t)bytes - session->peer_stream_window;
    session->peer_stream_window = bytes;
    struct list *node;
    struct list *next;
    list_each(node, next, &session->streams)
    {
        struct h2_stream *stream = container_of(node, struct h2_stream, node);
        if (!widen(&stream->send_window, by)) {
            h2_session_terminate(session, H2_FLOW_CONTROL_ERROR, FLOW_BROKEN);
            return;
        }
        h2_stream_reconsider(stream);
    }
}

/* nghttp2 must not see the window change: it counts no bytes of ours. */
static int apply_setting(struct h2_session *session)
{
    uint8_t *entry = session->taken;
    uint32_t value = h2_read_u32(entry + 2);
    bool is_window = entry[0] == 0 && entry[1] == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE;
    if (is_window && value <= WINDOW_MAX) {
        set_peer_stream_window(session, value);
        h2_write_u32(entry + 2, H2_INITIAL_WINDOW_BYTES);
    }
    return h2_pass(session, entry, H2_SETTING_BYTES);
}

static int take_payload(struct h2_session *session, const uint8_t *bytes, size_t len)
{
    bool settings = session->taking == NGHTTP2_SETTINGS;
    size_t whole = settings ? H2_SETTING_BYTES : H2_INCREMENT_BYTES;
    int rv = 0;
    while (len > 0 && rv == 0 && !session->terminated) {
        size_t missing = whole - session->taken_len;
        size_t size = len < missing ? len : missing;
        memcpy(session->taken + session->taken_len, bytes, size);
        session->taken_len += size;
        bytes += size;
        len -= size;
        if (session->taken_len == whole) {
            session->taken_len = 0;
            rv = settings ? apply_setting(session) : apply_window_update(session);
        }
    }
    return rv;
}

int h2_take(void *ctx, const uint8_t *bytes, size_t len)
{
    struct h2_session *session = ctx;
    if (session->taking != NGHTTP2_DATA) {
        int rv = take_payload(session, bytes, len);
        return session->terminated ? -1 : rv;
    }
    if (session->data_stream != NULL) {
        h2_stream_received(session->data_stream, bytes, len, 0);
    } else {
        credit_connection(session, len, 0);
    }
    return session->terminated ? -1 : 0;
}
