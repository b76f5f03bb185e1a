/* Header blocks out: a stream that is opened, responses, trailers. */
#include "h2/core.h"

#include "base/mem.h"
#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STACK_FIELDS 32

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

size_t h2_fields_text_bytes(const struct h2_header *fields, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += fields[i].name_len + fields[i].value_len;
    }
    return bytes;
}

/* A copy of the fields, which lives until the last body byte is sent. */
static struct h2_trailers *trailers_copy(const struct h2_header *fields, size_t count)
{
    struct h2_trailers *copy = pool_new(sizeof(*copy) + count * sizeof(copy->fields[0]) +
                                        h2_fields_text_bytes(fields, count));
    copy->count = count;
    char *to = (char *)(copy->fields + count);
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

/* What varies from request to request stays out of the table of those that do not. Without memory
 * to know by, all goes in. */
static void keep_out_varying(struct h2_session *session, const struct h2_header *fields,
                             size_t count, nghttp2_nv *nv)
{
    if (session->varying == NULL) {
        session->varying = calloc(1, sizeof(*session->varying));
    }
    for (size_t i = 0; i < count && session->varying != NULL; i++) {
        if (h2_varying_note(session->varying, &fields[i])) {
            nv[i].flags |= NGHTTP2_NV_FLAG_NO_INDEX;
        }
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
    keep_out_varying(session, fields, count, nv);
    int32_t id = nghttp2_submit_headers(h2_ng(session), begin_side(stream, end_stream), -1, NULL,
                                        nv, count, stream);
    free_nv(nv, stack);
    if (id < 0) {
        h2_stream_free(stream);
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

/* Whether the stream takes a block before its body, and the peer this one. Returns 0, or why not.
 */
static int check_answer(const struct h2_stream *stream, const struct h2_header *fields,
                        size_t count)
{
    if (stream->ended || stream->response_sent) {
        return H2_E_CLOSED;
    }
    return is_sendable_block(stream->session, fields, count) ? 0 : (int)H2_E_HEADERS;
}

static int send_answer(struct h2_stream *stream, uint8_t flags, const struct h2_header *fields,
                       size_t count)
{
    nghttp2_nv stack[STACK_FIELDS] = {0};
    nghttp2_nv *nv = to_nv(fields, count, stack);
    int rv =
        nghttp2_submit_headers(h2_ng(stream->session), flags, stream->id, NULL, nv, count, NULL);
    free_nv(nv, stack);
    if (rv == 0) {
        count_block(stream, fields, count);
    }
    h2_request_nghttp2(stream->session);
    return rv;
}

int h2_stream_respond(struct h2_stream *stream, const struct h2_header *fields, size_t count,
                      bool end_stream)
{
    int rv = check_answer(stream, fields, count);
    if (rv != 0) {
        return rv;
    }
    rv = send_answer(stream, begin_side(stream, end_stream), fields, count);
    stream->response_sent = rv == 0;
    return rv;
}

int h2_stream_inform(struct h2_stream *stream, const struct h2_header *fields, size_t count)
{
    int rv = check_answer(stream, fields, count);
    return rv != 0 ? rv : send_answer(stream, NGHTTP2_FLAG_NONE, fields, count);
}
