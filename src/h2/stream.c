/* Streams: opening, body bytes out with deferral, window credit, trailers, reset. */
#include "h2/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_HEAD_BYTES 9

struct h2_stream *h2_stream_new(struct h2_session *session, int32_t id)
{
    struct h2_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return NULL;
    }
    stream->session = session;
    stream->id = id;
    stream->opened_ms = session->now_ms;
    list_append(&session->streams, &stream->node);
    session->stream_count++;
    return stream;
}

static void trailers_free(struct h2_trailers *trailers)
{
    if (trailers != NULL) {
        free(trailers->fields);
        free(trailers->text);
        free(trailers);
    }
}

void h2_stream_finish(struct h2_stream *stream, uint32_t error, bool unprocessed)
{
    struct h2_session *session = stream->session;
    stream->ended = true;
    if (session->events->on_close != NULL) {
        session->events->on_close(session->user, stream, error, unprocessed);
    }
    h2_stream_consume(stream, stream->unconsumed_bytes);
    list_remove(&stream->node);
    session->stream_count--;
    trailers_free(stream->trailers);
    buf_deinit(&stream->out);
    free(stream);
}

/* ---- window credit --------------------------------------------------------------------------- */

void h2_stream_received(struct h2_stream *stream, size_t len)
{
    struct h2_session *session = stream->session;
    stream->unconsumed_bytes += len;
    session->buffered_bytes += len;
    if (session->buffered_bytes <= session->limits.connection_buffer_bytes) {
        nghttp2_session_consume_connection(session->ng, len);
    } else {
        session->withheld_bytes += len;
    }
}

void h2_stream_consume(struct h2_stream *stream, size_t len)
{
    struct h2_session *session = stream->session;
    if (len > stream->unconsumed_bytes) {
        len = stream->unconsumed_bytes;
    }
    if (len == 0) {
        return;
    }
    stream->unconsumed_bytes -= len;
    session->buffered_bytes -= len;
    size_t release = session->withheld_bytes < len ? session->withheld_bytes : len;
    if (release > 0) {
        session->withheld_bytes -= release;
        nghttp2_session_consume_connection(session->ng, release);
    }
    nghttp2_session_consume_stream(session->ng, stream->id, len);
    if (nghttp2_session_want_write(session->ng)) {
        h2_request_output(session);
    }
}

/* ---- body out -------------------------------------------------------------------------------- */

static int submit_trailers(struct h2_stream *stream)
{
    return nghttp2_submit_trailer(stream->session->ng, stream->id, stream->trailers->fields,
                                  stream->trailers->count);
}

ssize_t h2_on_body_read(nghttp2_session *ng, int32_t id, uint8_t *out, size_t capacity,
                        uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    (void)ng;
    (void)id;
    (void)out;
    (void)ctx;
    struct h2_stream *stream = source->ptr;
    size_t len = stream->out.len < capacity ? stream->out.len : capacity;
    bool last = stream->ended && len == stream->out.len;
    if (len == 0 && !last) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (last) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    if (last && stream->trailers != NULL) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (submit_trailers(stream) != 0) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)len;
}

/* Writes a DATA frame straight from the stream's queue into the pull buffer. */
int h2_on_body_send(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t len,
                    nghttp2_data_source *source, void *ctx)
{
    (void)ng;
    (void)frame;
    struct h2_session *session = ctx;
    struct h2_stream *stream = source->ptr;
    if (session->out_capacity - session->out_len < FRAME_HEAD_BYTES + len) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    uint8_t *to = session->out + session->out_len;
    memcpy(to, head, FRAME_HEAD_BYTES);
    if (len > 0) {
        memcpy(to + FRAME_HEAD_BYTES, buf_data(&stream->out), len);
        buf_consume(&stream->out, len);
    }
    session->out_len += FRAME_HEAD_BYTES + len;
    if (len > 0 && session->events->on_sent != NULL) {
        session->events->on_sent(session->user, stream, len);
    }
    return 0;
}

/* Lets nghttp2 ask for the body again. */
static void resume_body(struct h2_stream *stream)
{
    if (stream->deferred) {
        stream->deferred = false;
        nghttp2_session_resume_data(stream->session->ng, stream->id);
    }
    h2_request_output(stream->session);
}

int h2_stream_write(struct h2_stream *stream, const void *bytes, size_t len, size_t cap_bytes)
{
    if (stream->ended || !stream->has_body) {
        return H2_E_CLOSED;
    }
    int rv = buf_append(&stream->out, bytes, len, cap_bytes);
    if (rv != 0) {
        return rv == BUF_E_FULL ? H2_E_FULL : rv;
    }
    resume_body(stream);
    return 0;
}

int h2_stream_end(struct h2_stream *stream)
{
    if (stream->ended || !stream->has_body) {
        return H2_E_CLOSED;
    }
    stream->ended = true;
    resume_body(stream);
    return 0;
}

/* Copies fields so that they live until the last body byte is sent. */
static struct h2_trailers *trailers_copy(const struct h2_header *fields, size_t count)
{
    size_t text_bytes = 1;
    for (size_t i = 0; i < count; i++) {
        text_bytes += fields[i].name_len + fields[i].value_len;
    }
    struct h2_trailers *copy = mem_new(struct h2_trailers);
    copy->fields = mem_calloc(count + 1, sizeof(*copy->fields));
    copy->text = mem_calloc(1, text_bytes);
    copy->count = count;
    char *to = copy->text;
    for (size_t i = 0; i < count; i++) {
        nghttp2_nv *nv = &copy->fields[i];
        nv->name = memcpy(to, fields[i].name, fields[i].name_len);
        nv->namelen = fields[i].name_len;
        to += fields[i].name_len;
        nv->value = memcpy(to, fields[i].value, fields[i].value_len);
        nv->valuelen = fields[i].value_len;
        to += fields[i].value_len;
    }
    return copy;
}

int h2_stream_trailers(struct h2_stream *stream, const struct h2_header *fields, size_t count)
{
    if (stream->ended || !stream->has_body) {
        return H2_E_CLOSED;
    }
    stream->trailers = trailers_copy(fields, count);
    stream->ended = true;
    resume_body(stream);
    return 0;
}

/* ---- header blocks out ----------------------------------------------------------------------- */

#define STACK_FIELDS 32

/* nghttp2's view of our fields: in `stack` when they fit, else allocated. */
static nghttp2_nv *to_nv(const struct h2_header *fields, size_t count,
                         nghttp2_nv stack[static STACK_FIELDS])
{
    nghttp2_nv *nv = count <= STACK_FIELDS ? stack : mem_calloc(count, sizeof(*nv));
    for (size_t i = 0; i < count; i++) {
        nv[i] = (nghttp2_nv){
            .name = (uint8_t *)fields[i].name,
            .namelen = fields[i].name_len,
            .value = (uint8_t *)fields[i].value,
            .valuelen = fields[i].value_len,
        };
    }
    return nv;
}

static void free_nv(nghttp2_nv *nv, nghttp2_nv *stack)
{
    if (nv != stack) {
        free(nv);
    }
}

/* The body source of a stream; none when the block is everything. */
static nghttp2_data_provider *body_of(struct h2_stream *stream, bool end_stream,
                                      nghttp2_data_provider *provider)
{
    stream->has_body = !end_stream;
    stream->ended = end_stream;
    *provider = (nghttp2_data_provider){.source.ptr = stream, .read_callback = h2_on_body_read};
    return end_stream ? NULL : provider;
}

int h2_stream_open(struct h2_session *session, const struct h2_header *fields, size_t count,
                   bool end_stream, void *stream_user, struct h2_stream **ret_stream)
{
    if (h2_session_room(session) == 0) {
        return H2_E_NO_ROOM;
    }
    struct h2_stream *stream = h2_stream_new(session, 0);
    if (stream == NULL) {
        return -ENOMEM;
    }
    stream->user = stream_user;
    nghttp2_nv stack[STACK_FIELDS] = {0};
    nghttp2_nv *nv = to_nv(fields, count, stack);
    nghttp2_data_provider provider;
    int32_t id = nghttp2_submit_request(session->ng, NULL, nv, count,
                                        body_of(stream, end_stream, &provider), stream);
    free_nv(nv, stack);
    if (id < 0) {
        list_remove(&stream->node);
        session->stream_count--;
        free(stream);
        return id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE ? (int)H2_E_NO_ROOM : id;
    }
    stream->id = id;
    h2_request_output(session);
    *ret_stream = stream;
    return 0;
}

int h2_stream_respond(struct h2_stream *stream, const struct h2_header *fields, size_t count,
                      bool end_stream)
{
    if (stream->ended || stream->response_sent) {
        return H2_E_CLOSED;
    }
    nghttp2_nv stack[STACK_FIELDS] = {0};
    nghttp2_nv *nv = to_nv(fields, count, stack);
    nghttp2_data_provider provider;
    int rv = nghttp2_submit_response(stream->session->ng, stream->id, nv, count,
                                     body_of(stream, end_stream, &provider));
    free_nv(nv, stack);
    stream->response_sent = rv == 0;
    h2_request_output(stream->session);
    return rv;
}

int h2_stream_inform(struct h2_stream *stream, const struct h2_header *fields, size_t count)
{
    if (stream->ended || stream->response_sent) {
        return H2_E_CLOSED;
    }
    nghttp2_nv stack[STACK_FIELDS] = {0};
    nghttp2_nv *nv = to_nv(fields, count, stack);
    int rv = nghttp2_submit_headers(stream->session->ng, NGHTTP2_FLAG_NONE, stream->id, NULL, nv,
                                    count, NULL);
    free_nv(nv, stack);
    h2_request_output(stream->session);
    return rv < 0 ? rv : 0;
}

void h2_stream_reset(struct h2_stream *stream, uint32_t error)
{
    if (stream->reset_here) {
        return;
    }
    stream->reset_here = true;
    stream->ended = true;
    nghttp2_submit_rst_stream(stream->session->ng, NGHTTP2_FLAG_NONE, stream->id, error);
    h2_stream_consume(stream, stream->unconsumed_bytes);
    h2_request_output(stream->session);
}

/* ---- questions ------------------------------------------------------------------------------- */

size_t h2_stream_queued_bytes(const struct h2_stream *stream)
{
    return stream->out.len;
}

bool h2_stream_ended(const struct h2_stream *stream)
{
    return stream->ended;
}

int32_t h2_stream_id(const struct h2_stream *stream)
{
    return stream->id;
}

struct h2_session *h2_stream_session(const struct h2_stream *stream)
{
    return stream->session;
}

void *h2_stream_user(const struct h2_stream *stream)
{
    return stream->user;
}

void h2_stream_set_user(struct h2_stream *stream, void *user)
{
    stream->user = user;
}
