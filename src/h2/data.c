/* DATA and flow control (RFC 9113 sections 5.2, 6.1, 6.9): the frames of which there are as many as
 * messages never reach nghttp2, which looks a stream up a dozen times for each.
 *
 * In:  a plain DATA frame (no padding, no END_STREAM) of a plain stream -> receive window ->
 * on_data -> h2_stream_consume() -> a WINDOW_UPDATE of ours at half a window. All other DATA goes
 * through nghttp2, which then counts its bytes and gives their credit back; both shares are kept
 * apart here. Streams with a content-length are not plain, for that is nghttp2's to check. Out:
 * h2_stream_write() -> `sendable` -> DATA frames of ours within the peer's windows, which nghttp2
 * does not know: it sees no WINDOW_UPDATE and an INITIAL_WINDOW_SIZE that never changes. It keeps
 * the stream's state, so it is told of the end: by an empty DATA frame that stays unwritten, as
 * ours carried END_STREAM, or by the trailers, which it sends. */
#include "h2/internal.h"

#include "base/mem.h"

#include <string.h>

#define WINDOW_MAX          INT32_MAX /* RFC 9113 section 6.9.1 */
#define INCREMENT_BYTES     4
#define WINDOW_UPDATE_BYTES (H2_FRAME_HEAD_BYTES + INCREMENT_BYTES)
#define SETTING_BYTES       6
#define FLOW_BROKEN         "peer broke HTTP/2 (FLOW_CONTROL_ERROR)"

static struct h2_stream *find_stream(const struct h2_session *session, int32_t id)
{
    return id > 0 ? nghttp2_session_get_stream_user_data(session->ng, id) : NULL;
}

/* ---- credit for the peer --------------------------------------------------------------------- */

static void credit_connection(struct h2_session *session, size_t len, size_t by_nghttp2)
{
    if (by_nghttp2 > 0) {
        nghttp2_session_consume_connection(session->ng, by_nghttp2);
        h2_request_output(session);
    }
    session->credit += len - by_nghttp2;
    if (session->credit >= session->limits.connection_window_bytes / 2) {
        h2_request_output(session);
    }
}

static void credit_stream(struct h2_stream *stream, size_t len, size_t by_nghttp2)
{
    struct h2_session *session = stream->session;
    if (by_nghttp2 > 0) {
        nghttp2_session_consume_stream(session->ng, stream->id, by_nghttp2);
        h2_request_output(session);
    }
    stream->credit += (uint32_t)(len - by_nghttp2);
    if (stream->credit >= session->limits.stream_window_bytes / 2 && !stream->remote_ended &&
        list_empty(&stream->credit_node)) {
        list_append(&session->creditors, &stream->credit_node);
        h2_request_output(session);
    }
}

void h2_stream_received(struct h2_stream *stream, const uint8_t *bytes, size_t len,
                        size_t by_nghttp2)
{
    struct h2_session *session = stream->session;
    stream->unconsumed_bytes += len;
    stream->unconsumed_by_nghttp2 += by_nghttp2;
    session->buffered_bytes += len;
    if (session->buffered_bytes <= session->limits.connection_buffer_bytes) {
        credit_connection(session, len, by_nghttp2);
    } else {
        session->withheld_bytes += len;
        session->withheld_by_nghttp2 += by_nghttp2;
    }
    if (stream->ended && stream->reset_here) {
        h2_stream_consume(stream, len);
    } else if (session->events->on_data != NULL) {
        session->events->on_data(session->user, stream, bytes, len);
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
    struct h2_session *session = stream->session;
    len = take(&stream->unconsumed_bytes, len);
    if (len == 0) {
        return;
    }
    session->buffered_bytes -= len;
    size_t release = take(&session->withheld_bytes, len);
    if (release > 0) {
        credit_connection(session, release, take(&session->withheld_by_nghttp2, release));
    }
    credit_stream(stream, len, take(&stream->unconsumed_by_nghttp2, len));
}

/* ---- in -------------------------------------------------------------------------------------- */

/* The peer sent more of a stream than it may. nghttp2 ignores what still comes of it. */
static void refuse_stream(struct h2_stream *stream)
{
    stream->plain_body = false;
    nghttp2_submit_rst_stream(stream->session->ng, NGHTTP2_FLAG_NONE, stream->id,
                              H2_FLOW_CONTROL_ERROR);
    h2_request_output(stream->session);
}

enum h2_frame_way h2_data_begin(struct h2_session *session, const struct h2_frame_head *head)
{
    bool plain = head->length > 0 && head->length <= H2_FRAME_BYTES &&
                 (head->flags & (NGHTTP2_FLAG_END_STREAM | NGHTTP2_FLAG_PADDED)) == 0;
    struct h2_stream *stream = plain ? find_stream(session, head->stream_id) : NULL;
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
        refuse_stream(stream);
    } else {
        stream->receive_window -= len;
    }
    return H2_FRAME_TAKE;
}

static enum h2_frame_way take_whole(struct h2_session *session, const struct h2_frame_head *head)
{
    session->taking = head->type;
    session->taken_id = head->stream_id;
    session->taken_len = 0;
    session->taken_bytes = head->length;
    return H2_FRAME_TAKE;
}

enum h2_frame_way h2_window_update_begin(struct h2_session *session,
                                         const struct h2_frame_head *head)
{
    bool known = head->stream_id == 0 || find_stream(session, head->stream_id) != NULL;
    return session->ready && known && head->length == INCREMENT_BYTES ? take_whole(session, head)
                                                                      : H2_FRAME_PASS;
}

enum h2_frame_way h2_settings_begin(struct h2_session *session, const struct h2_frame_head *head)
{
    bool plain = head->stream_id == 0 && head->flags == 0 && head->length > 0 &&
                 head->length <= sizeof(session->taken) && head->length % SETTING_BYTES == 0;
    return plain ? take_whole(session, head) : H2_FRAME_PASS;
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
    if (!widen(&session->send_window, increment)) {
        h2_session_terminate(session, H2_FLOW_CONTROL_ERROR, FLOW_BROKEN);
    } else if (!list_empty(&session->sendable)) {
        h2_request_output(session);
    }
}

static void update_stream(struct h2_stream *stream, uint32_t increment)
{
    if (!widen(&stream->send_window, increment)) {
        refuse_stream(stream);
    } else {
        h2_stream_sendable(stream);
    }
}

static uint32_t read_u32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static void write_u32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24);
    to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8);
    to[3] = (uint8_t)value;
}

static int pass_taken(struct h2_session *session)
{
    uint8_t head[H2_FRAME_HEAD_BYTES];
    h2_frame_head_write(head, &(struct h2_frame_head){.length = (uint32_t)session->taken_len,
                                                      .type = session->taking,
                                                      .stream_id = session->taken_id});
    int rv = h2_pass(session, head, sizeof(head));
    return rv != 0 ? rv : h2_pass(session, session->taken, session->taken_len);
}

static int apply_window_update(struct h2_session *session)
{
    uint32_t increment = read_u32(session->taken) & INT32_MAX;
    struct h2_stream *stream = find_stream(session, session->taken_id);
    if (increment == 0) {
        return pass_taken(session); /* what is wrong with it is nghttp2's to say */
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
        struct h2_stream *stream = (struct h2_stream *)node;
        if (!widen(&stream->send_window, by)) {
            h2_session_terminate(session, H2_FLOW_CONTROL_ERROR, FLOW_BROKEN);
            return;
        }
        h2_stream_sendable(stream);
    }
}

static int apply_settings(struct h2_session *session)
{
    for (uint8_t *entry = session->taken; entry < session->taken + session->taken_len;
         entry += SETTING_BYTES) {
        uint32_t value = read_u32(entry + 2);
        bool is_window = entry[0] == 0 && entry[1] == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE;
        if (is_window && value <= WINDOW_MAX) {
            set_peer_stream_window(session, value);
            write_u32(entry + 2, H2_INITIAL_WINDOW_BYTES);
        }
    }
    return pass_taken(session);
}

static int take_payload(struct h2_session *session, const uint8_t *bytes, size_t len)
{
    memcpy(session->taken + session->taken_len, bytes, len);
    session->taken_len += len;
    if (session->taken_len < session->taken_bytes) {
        return 0;
    }
    return session->taking == NGHTTP2_SETTINGS ? apply_settings(session)
                                               : apply_window_update(session);
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

/* ---- out ------------------------------------------------------------------------------------- */

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
    write_u32(put_head(session, NGHTTP2_WINDOW_UPDATE, 0, id, INCREMENT_BYTES), increment);
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
        }
        stream->send_window -= (int32_t)len;
        session->send_window -= (int32_t)len;
        h2_sent_message_frame(session);
    }
    int rv = last ? tell_end(stream) : 0;
    if (len > 0 && session->events->on_sent != NULL) {
        session->events->on_sent(session->user, stream, len);
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
