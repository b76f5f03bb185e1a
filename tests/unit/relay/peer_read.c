/* What a peer of a test reads. */
#include "peer_impl.h"

#include "../fake/fake.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define YOUNG_MS 1000

/* ---- fields ---------------------------------------------------------------------------------- */

static char *join(char *text, const uint8_t *name, size_t name_len, const uint8_t *value,
                  size_t value_len, bool secret)
{
    size_t old = strlen(text);
    char *longer = realloc(text, old + name_len + value_len + 5);
    assert(longer != NULL);
    char *at = longer + old;
    if (secret) {
        *at++ = '!';
    }
    memcpy(at, name, name_len);
    memcpy(at + name_len, ": ", 2);
    memcpy(at + name_len + 2, value, value_len);
    memcpy(at + name_len + 2 + value_len, "\n", 2);
    return longer;
}

/* The n-th line of that name; NULL: there are not so many. */
static const char *find_line(const char *fields, const char *name, unsigned n)
{
    size_t len = strlen(name);
    for (const char *line = fields; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (strncmp(line, name, len) == 0 && strncmp(line + len, ": ", 2) == 0 && n-- == 0) {
            return line + len + 2;
        }
    }
    return NULL;
}

const char *peer_value(const struct peer_stream *stream, const char *name)
{
    static char value[20000];
    const char *found = find_line(stream->trailers, name, 0);
    found = found != NULL ? found : find_line(stream->head, name, 0);
    if (found == NULL) {
        return NULL;
    }
    snprintf(value, sizeof(value), "%.*s", (int)strcspn(found, "\n"), found);
    return value;
}

unsigned peer_count(const struct peer_stream *stream, const char *name)
{
    unsigned count = 0;
    while (find_line(stream->head, name, count) != NULL) {
        count++;
    }
    return count;
}

/* ---- what nghttp2 tells ---------------------------------------------------------------------- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct peer *peer = user;
    struct peer_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream == NULL) {
        stream = peer_stream_new(peer, frame->hd.stream_id);
        nghttp2_session_set_stream_user_data(session, stream->id, stream);
    }
    free(peer->block);
    peer->block = mem_strdup("");
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct peer *peer = user;
    (void)session;
    (void)frame;
    peer->block = join(peer->block, name, name_len, value, value_len,
                       (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0);
    return 0;
}

static void take_block(struct peer *peer, struct peer_stream *stream)
{
    const char *status = find_line(peer->block, ":status", 0);
    char **place = status != NULL && status[0] == '1' ? &stream->inform
                   : find_line(peer->block, ":status", 0) != NULL || peer->block[0] == ':'
                       ? &stream->head
                       : &stream->trailers;
    free(*place);
    *place = peer->block;
    peer->block = NULL;
    stream->blocks++;
    if (peer->config.on_block != NULL) {
        peer->config.on_block(stream);
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct peer *peer = user;
    struct peer_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_PING) {
        peer->pings += (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0;
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        peer->goaways++;
        peer->goaway_error = frame->goaway.error_code;
        snprintf(peer->goaway_text, sizeof(peer->goaway_text), "%.*s",
                 (int)frame->goaway.opaque_data_len, (const char *)frame->goaway.opaque_data);
    }
    if (stream == NULL) {
        return 0;
    }
    if (frame->hd.type == NGHTTP2_HEADERS) {
        take_block(peer, stream);
    } else if (frame->hd.type == NGHTTP2_RST_STREAM) {
        peer->resets++;
        peer->young_resets += fake_now_ms() - stream->since_ms < YOUNG_MS;
    }
    bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        stream->ended = true;
        if (peer->config.on_end != NULL) {
            peer->config.on_end(stream);
        }
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                         size_t len, void *user)
{
    struct peer *peer = user;
    struct peer_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)flags;
    if (!peer->config.withholds || stream == NULL) {
        nghttp2_session_consume_connection(session, len);
    }
    if (stream == NULL) {
        return 0;
    }
    stream->body_bytes += len;
    int rv = buf_append(&stream->body, bytes, len, PEER_BODY_MAX);
    assert(rv == 0);
    (void)rv;
    if (stream->unread) {
        stream->unread_bytes += len;
    } else {
        peer_give_credit(stream, len);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
    struct peer_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)user;
    if (stream != NULL) {
        if (stream->peer->config.withholds) { /* nobody will read it any more */
            nghttp2_session_consume_connection(session, stream->unread_bytes);
        }
        peer_stream_close(stream, error);
    }
    return 0;
}

nghttp2_session_callbacks *peer_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    return callbacks;
}
