/* Streams: opening, blocks out, body bytes queued, trailers, reset. */
#include "h2/core.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct h2_stream_events nobodys;

struct h2_stream *h2_stream_new(struct h2_session *session, int32_t id)
{
    struct h2_stream *stream = calloc(1, sizeof(*stream));
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

void h2_stream_attach(struct h2_stream *stream, const struct h2_stream_events *events, void *user)
{
    stream->events = events != NULL ? events : &nobodys;
    stream->user = user;
    if (events == NULL) {
        h2_stream_consume(stream, stream->unconsumed_bytes);
    }
}

/* ---- groups ---------------------------------------------------------------------------------- */

static void enter_group(struct h2_stream *stream, struct h2_group *group)
{
    stream->group = group;
    group->stream_count++;
    group->unread_bytes += stream->unread_bytes;
}

static void leave_group(struct h2_stream *stream)
{
    struct h2_group *group = stream->group;
    if (group == NULL) {
        return;
    }
    h2_stream_give_back(stream, stream->unread_bytes);
    stream->group = NULL;
    assert(group->stream_count > 0);
    group->stream_count--;
    if (group->stream_count == 0) {
        assert(group->unread_bytes == 0);
        free(group);
    }
}

void h2_stream_join(struct h2_stream *stream, struct h2_stream *other)
{
    assert(stream != other && stream->session == other->session && stream->group == NULL);
    if (other->group == NULL) {
        enter_group(other, mem_new(struct h2_group));
    }
    enter_group(stream, other->group);
}

/* Takes the stream out of everything and frees it. */
static void stream_free(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    if (session->data_stream == stream) {
        session->data_stream = NULL;
    }
    list_remove(&stream->send_node);
    list_remove(&stream->credit_node);
    list_remove(&stream->node);
    session->stream_count--;
    leave_group(stream);
    h2_count_queued(session, 0, stream->out.len + stream->block_bytes);
    trailers_free(stream->trailers);
    buf_deinit(&stream->out);
    free(stream->fault);
    free(stream);
}

void h2_stream_finish(struct h2_stream *stream, uint32_t error, bool unprocessed)
{
    stream->ended = true;
    if (stream->events->on_close != NULL) {
        stream->events->on_close(stream->user, error, unprocessed);
    }
    stream_free(stream);
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

static uint8_t nv_flags(const struct h2_header *field)
{
    return field->never_indexed ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
}

/* Whether the peer takes a block of that size (RFC 9113 section 6.5.2), and nghttp2 sends it. */
static bool is_sendable_block(const struct h2_session *session, const struct h2_header *fields,
                              size_t count)
{
    size_t bytes = h2_block_bytes(fields, count);
    return bytes <= h2_session_peer_header_bytes(session) && bytes <= H2_SEND_BLOCK_BYTES;
}

/* The block waits, with nghttp2 or as trailers behind the body. */
static void count_block(struct h2_stream *stream, const struct h2_header *fields, size_t count)
{
    size_t bytes = h2_block_bytes(fields, count);
    stream->block_bytes += bytes;
    h2_count_queued(stream->session, bytes, 0);
}

void h2_stream_block_sent(struct h2_stream *stream, const nghttp2_headers *headers)
{
    size_t bytes = 0;
    for (size_t i = 0; i < headers->nvlen; i++) {
        bytes += headers->nva[i].namelen + headers->nva[i].valuelen + H2_FIELD_OVERHEAD_BYTES;
    }
    assert(bytes <= stream->block_bytes);
    stream->block_bytes -= bytes;
    h2_count_queued(stream->session, 0, bytes);
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
        nv->flags = nv_flags(&fields[i]);
        to += fields[i].value_len;
    }
    return copy;
}

int h2_stream_trailers(struct h2_stream *stream, const struct h2_header *fields, size_t count)
{
    if (stream->ended || !stream->has_body) {
        return H2_E_CLOSED;
    }
    if (!is_sendable_block(stream->session, fields, count)) {
        return H2_E_HEADERS;
    }
    stream->trailers = trailers_copy(fields, count);
    count_block(stream, fields, count);
    stream->ended = true;
    h2_stream_sendable(stream);
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
            .name = mem_unconst(fields[i].name),
            .namelen = fields[i].name_len,
            .value = mem_unconst(fields[i].value),
            .valuelen = fields[i].value_len,
            .flags = nv_flags(&fields[i]),
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

/* Returns nghttp2's flags for the block that begins this side of the stream. */
static uint8_t begin_side(struct h2_stream *stream, bool end_stream)
{
    stream->has_body = !end_stream;
    stream->ended = end_stream;
    return end_stream ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE;
}

int h2_stream_open(struct h2_session *session, const struct h2_header *fields, size_t count,
                   bool end_stream, const struct h2_stream_events *events, void *user,
                   struct h2_stream **ret_stream)
{
    if (h2_session_room(session) == 0) {
        return H2_E_NO_ROOM;
    }
    if (!is_sendable_block(session, fields, count)) {
        return H2_E_HEADERS;
    }
    struct h2_stream *stream = h2_stream_new(session, 0);
    if (stream == NULL) {
        return -ENOMEM;
    }
    h2_stream_attach(stream, events, user);
    stream->is_post = h2_block_is_post(&(struct h2_block){fields, count});
    nghttp2_nv stack[STACK_FIELDS] = {0};
    nghttp2_nv *nv = to_nv(fields, count, stack);
    int32_t id = nghttp2_submit_headers(session->ng, begin_side(stream, end_stream), -1, NULL, nv,
                                        count, stream);
    free_nv(nv, stack);
    if (id < 0) {
        stream_free(stream);
        return id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE ? (int)H2_E_NO_ROOM : id;
    }
    stream->id = id;
    count_block(stream, fields, count);
    session->newest_own_id = id;
    h2_budget_hold(&session->budget, session->stream_count);
    h2_request_nghttp2(session);
    *ret_stream = stream;
    return 0;
}

int h2_stream_respond(struct h2_stream *stream, const struct h2_header *fields, size_t count,
                      bool end_stream)
{
    if (stream->ended || stream->response_sent) {
        return H2_E_CLOSED;
    }
    if (!is_sendable_block(stream->session, fields, count)) {
        return H2_E_HEADERS;
    }
    nghttp2_nv stack[STACK_FIELDS] = {0};
    nghttp2_nv *nv = to_nv(fields, count, stack);
    int rv = nghttp2_submit_headers(stream->session->ng, begin_side(stream, end_stream), stream->id,
                                    NULL, nv, count, NULL);
    free_nv(nv, stack);
    stream->response_sent = rv == 0;
    if (rv == 0) {
        count_block(stream, fields, count);
    }
    h2_request_nghttp2(stream->session);
    return rv;
}

int h2_stream_inform(struct h2_stream *stream, const struct h2_header *fields, size_t count)
{
    if (stream->ended || stream->response_sent) {
        return H2_E_CLOSED;
    }
    if (!is_sendable_block(stream->session, fields, count)) {
        return H2_E_HEADERS;
    }
    nghttp2_nv stack[STACK_FIELDS] = {0};
    nghttp2_nv *nv = to_nv(fields, count, stack);
    int rv = nghttp2_submit_headers(stream->session->ng, NGHTTP2_FLAG_NONE, stream->id, NULL, nv,
                                    count, NULL);
    free_nv(nv, stack);
    if (rv >= 0) {
        count_block(stream, fields, count);
    }
    h2_request_nghttp2(stream->session);
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
    h2_stream_reconsider(stream);
    h2_stream_consume(stream, stream->unconsumed_bytes);
    h2_request_nghttp2(stream->session);
}

bool h2_never_left(const struct h2_stream *stream)
{
    return stream->session->role == H2_CLIENT && !stream->headers_sent &&
           nghttp2_session_find_stream(stream->session->ng, stream->id) == NULL;
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
        nghttp2_session_set_stream_user_data(session->ng, stream->id, NULL);
        nghttp2_submit_rst_stream(session->ng, NGHTTP2_FLAG_NONE, stream->id, H2_REFUSED_STREAM);
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

size_t h2_stream_unread_bytes(const struct h2_stream *stream)
{
    return stream->unread_bytes;
}

const char *h2_stream_fault(const struct h2_stream *stream)
{
    return stream->fault;
}
