/* One stream of the driver: what it sends, and everything that must hold of what comes back. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "/ping.PingService/PingPong"

static struct load *load_of(const struct load_stream *stream)
{
    return stream->connection->load;
}

static const char *version_of(const struct load_stream *stream)
{
    const struct load_options *options = &load_of(stream)->options;

    return options->versions[stream->index % options->version_count];
}

static void complain(struct load_stream *stream, const char *what, const char *detail)
{
    load_fail(load_of(stream), "stream %zu (%s): %s%s", stream->index, version_of(stream), what,
              detail);
}

/* ---- sending -------------------------------------------------------------------------------- */

static void send_more(struct load_stream *stream)
{
    if (stream->deferred) {
        stream->deferred = false;
        nghttp2_session_resume_data(stream->connection->link.session, stream->id);
    }
    link_touch(&stream->connection->link);
}

static ssize_t on_data_wanted(nghttp2_session *session, int32_t id, uint8_t *to, size_t length,
                              uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct load_stream *stream = source->ptr;
    size_t count = wire_bytes_take(&stream->out, to, length);

    (void)session;
    (void)id;
    (void)user;
    if (wire_bytes_left(&stream->out) == 0 && stream->half_closed) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)count;
    }
    stream->deferred = count == 0;
    return stream->deferred ? NGHTTP2_ERR_DEFERRED : (ssize_t)count;
}

static void add_ping(struct load_stream *stream)
{
    struct wire_ping ping = {.message = load_of(stream)->text, .sequence = ++stream->sent};

    wire_write_ping(&stream->out, &ping);
    load_of(stream)->outstanding++;
}

void stream_ping(struct load_stream *stream)
{
    add_ping(stream);
    send_more(stream);
}

void stream_half_close(struct load_stream *stream)
{
    stream->half_closed = true;
    send_more(stream);
}

void stream_open(struct load_stream *stream, bool half_close)
{
    char id[32], authority[32];
    struct load *load = load_of(stream);
    nghttp2_data_provider body = {{.ptr = stream}, on_data_wanted};

    snprintf(id, sizeof(id), "agent-%zu", stream->index);
    snprintf(authority, sizeof(authority), "localhost:%u", load->options.port);
    const nghttp2_nv head[] = {LINK_FIELD(":method", "POST"),
                               LINK_FIELD(":scheme", load->tls != NULL ? "https" : "http"),
                               LINK_FIELD(":path", PATH),
                               LINK_FIELD(":authority", authority),
                               LINK_FIELD("te", "trailers"),
                               LINK_FIELD("content-type", "application/grpc"),
                               LINK_FIELD("agent-version", version_of(stream)),
                               LINK_FIELD("agent-id", id)};
    stream->sent = stream->answered = 0;
    stream->server_id[0] = stream->status[0] = stream->http_status[0] = '\0';
    stream->half_closed = half_close;
    stream->deferred = false;
    add_ping(stream);
    stream->id = nghttp2_submit_request(stream->connection->link.session, NULL, head,
                                        sizeof(head) / sizeof(*head), &body, stream);
    if (stream->id < 0) {
        complain(stream, "it cannot be opened: ", nghttp2_strerror(stream->id));
        return;
    }
    load->open_streams++;
    link_touch(&stream->connection->link);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* vMAJOR.MINOR is answered by vMAJOR. */
static bool is_right_server(const struct load_stream *stream, struct wire_text server_version)
{
    const char *version = version_of(stream);

    return wire_text_equals(server_version, version, strcspn(version, "."));
}

/* The first answer's server must give all of them. */
static bool is_same_server(struct load_stream *stream, struct wire_text id)
{
    if (stream->server_id[0] == '\0' && id.length > 0 && id.length <= WIRE_NAME_MAX) {
        memcpy(stream->server_id, id.data, id.length);
        stream->server_id[id.length] = '\0';
    }
    return id.length > 0 && wire_text_equals(id, stream->server_id, strlen(stream->server_id));
}

static const char *wrong_in(struct load_stream *stream, const struct wire_ping *pong)
{
    const char *text = load_of(stream)->options.answer;
    bool is_text = text != NULL ? wire_text_equals(pong->message, text, strlen(text))
                                : wire_text_equals(pong->message, load_of(stream)->text.data,
                                                   load_of(stream)->text.length);

    if (stream->answered == stream->sent) {
        return "an answer to nothing";
    }
    if (!is_right_server(stream, pong->server_version)) {
        return "the wrong server answered";
    }
    if (!is_same_server(stream, pong->server_id)) {
        return "another server answered than before";
    }
    if (pong->sequence != stream->answered + 1 && (pong->sequence != 0 || text == NULL)) {
        return "an answer was lost, or is out of order";
    }
    return is_text ? NULL : "the wrong text was answered";
}

static int on_pong(void *user, const uint8_t *data, size_t length)
{
    struct load_stream *stream = user;
    struct wire_ping pong;

    if (wire_read_ping(data, length, &pong) != 0) {
        complain(stream, "the answer is no PingResponse", "");
        return -1;
    }
    const char *wrong = wrong_in(stream, &pong);
    if (wrong != NULL) {
        complain(stream, wrong, "");
        return -1;
    }
    stream->answered++;
    slot_on_answer(load_of(stream), stream);
    return 0;
}

/* ---- what nghttp2 tells --------------------------------------------------------------------- */

static void keep(char *to, size_t size, const uint8_t *value, size_t length)
{
    snprintf(to, size, "%.*s", (int)(length < size ? length : size), (const char *)value);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *user)
{
    struct load_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    struct wire_text field = {name, name_length};

    (void)flags;
    (void)user;
    if (stream == NULL) {
        return 0;
    }
    if (wire_text_equals(field, ":status", 7)) {
        keep(stream->http_status, sizeof(stream->http_status), value, value_length);
    } else if (wire_text_equals(field, "grpc-status", 11)) {
        keep(stream->status, sizeof(stream->status), value, value_length);
    }
    return 0;
}

/* Whoever answers with another status speaks no gRPC, whatever follows. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct load_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)user;
    if (stream != NULL && frame->hd.type == NGHTTP2_HEADERS &&
        strcmp(stream->http_status, "200") != 0) {
        complain(stream, "answered with HTTP status ", stream->http_status);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t length, void *user)
{
    struct load_stream *stream = nghttp2_session_get_stream_user_data(session, id);

    (void)flags;
    (void)user;
    if (stream != NULL && wire_split(&stream->held, data, length, on_pong, stream) != 0) {
        complain(stream, "an answer is compressed or too long", ""); /* unless it was told */
    }
    return 0;
}

static void judge_end(struct load_stream *stream, uint32_t code)
{
    if (code != NGHTTP2_NO_ERROR) {
        complain(stream, "reset with ", nghttp2_http2_strerror(code));
    } else if (strcmp(stream->http_status, "200") != 0) {
        complain(stream, "ended without an HTTP status", "");
    } else if (strcmp(stream->status, "0") != 0) {
        complain(stream, "ended with grpc-status ", stream->status[0] ? stream->status : "missing");
    } else if (!stream->half_closed) {
        complain(stream, "ended before it was asked to", "");
    } else if (stream->answered != stream->sent || stream->held.length > 0) {
        complain(stream, "ended without its last answer", "");
    }
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct load_stream *stream = nghttp2_session_get_stream_user_data(session, id);

    (void)user;
    if (stream == NULL) {
        return 0;
    }
    judge_end(stream, code);
    wire_bytes_deinit(&stream->held);
    wire_bytes_deinit(&stream->out);
    stream->id = 0;
    load_of(stream)->open_streams--;
    if (load_of(stream)->failure[0] == '\0') {
        slot_on_end(load_of(stream), stream);
    }
    return 0;
}

nghttp2_session_callbacks *stream_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;

    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        abort();
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    return callbacks;
}
