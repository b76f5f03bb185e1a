#include "peer.h"

#include "../fake/fake.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 256
#define YOUNG_MS   1000
#define BODY_MAX   ((size_t)64 << 20)

static void pump(struct peer *peer)
{
    const uint8_t *bytes;
    if (peer->busy) { /* within one of nghttp2's callbacks; on_data() pumps behind it */
        return;
    }
    while (peer->transport != NULL && !net_stream_blocked(peer->transport)) {
        ssize_t len = nghttp2_session_mem_send(peer->session, &bytes);
        assert(len >= 0);
        if (len == 0) {
            break;
        }
        net_stream_write(peer->transport, bytes, (size_t)len);
    }
    bool done = nghttp2_session_want_read(peer->session) == 0 &&
                nghttp2_session_want_write(peer->session) == 0;
    if (peer->transport != NULL && done) {
        net_stream_close(peer->transport);
    }
}

/* ---- fields ------------------------------------------------------------------------------------ */

/* Points into `text`, which is cut up. */
static size_t parse_fields(char *text, nghttp2_nv out[static FIELDS_MAX])
{
    size_t count = 0;
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        bool secret = line[0] == '!';
        char *name = line + secret;
        char *colon = strstr(name + 1, ": ");
        assert(end != NULL && colon != NULL && colon < end && count < FIELDS_MAX);
        out[count++] = (nghttp2_nv){
            .name = (uint8_t *)name,
            .namelen = (size_t)(colon - name),
            .value = (uint8_t *)colon + 2,
            .valuelen = (size_t)(end - colon - 2),
            .flags = secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
        };
        line = end + 1;
    }
    return count;
}

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

/* ---- streams ----------------------------------------------------------------------------------- */

static struct peer_stream *stream_new(struct peer *peer, int32_t id)
{
    struct peer_stream *stream = mem_new(struct peer_stream);
    stream->peer = peer;
    stream->id = id;
    stream->since_ms = fake_now_ms();
    stream->head = mem_strdup("");
    stream->trailers = mem_strdup("");
    stream->inform = mem_strdup("");
    list_append(&peer->streams, &stream->node);
    peer->stream_count++;
    peer->open_count++;
    peer->most_open = peer->open_count > peer->most_open ? peer->open_count : peer->most_open;
    return stream;
}

static void stream_free(struct peer_stream *stream)
{
    list_remove(&stream->node);
    free(stream->head);
    free(stream->trailers);
    free(stream->inform);
    buf_deinit(&stream->body);
    buf_deinit(&stream->out);
    free(stream->out_trailers);
    free(stream);
}

static void close_stream(struct peer_stream *stream, uint32_t error)
{
    if (!stream->closed) {
        stream->closed = true;
        stream->error = error;
        stream->peer->open_count--;
    }
}

struct peer_stream *peer_stream(const struct peer *peer, size_t n)
{
    struct list *node = peer->streams.next;
    while (n-- > 0) {
        node = node->next;
    }
    assert(node != &peer->streams);
    return container_of(node, struct peer_stream, node);
}

static void give_credit(struct peer_stream *stream, size_t len)
{
    nghttp2_session *session = stream->peer->session;
    nghttp2_session_consume_stream(session, stream->id, len);
    if (stream->peer->config.withholds) {
        nghttp2_session_consume_connection(session, len);
    }
}

void peer_read(struct peer_stream *stream)
{
    stream->unread = false;
    give_credit(stream, stream->unread_bytes);
    stream->unread_bytes = 0;
    pump(stream->peer);
}

bool peer_took(struct peer_stream *stream, const char *text)
{
    bool same = stream->body.len == strlen(text) &&
                (stream->body.len == 0 ||
                 memcmp(buf_data(&stream->body), text, stream->body.len) == 0);
    buf_consume(&stream->body, stream->body.len);
    return same;
}

/* ---- what nghttp2 tells ------------------------------------------------------------------------ */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct peer *peer = user;
    struct peer_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream == NULL) {
        stream = stream_new(peer, frame->hd.stream_id);
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
    char **place = status != NULL && status[0] == '1'       ? &stream->inform
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
    if (frame->hd.type == NGHTTP2_GOAWAY) {
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
    int rv = buf_append(&stream->body, bytes, len, BODY_MAX);
    assert(rv == 0);
    (void)rv;
    if (stream->unread) {
        stream->unread_bytes += len;
    } else {
        give_credit(stream, len);
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
        close_stream(stream, error);
    }
    return 0;
}

/* ---- the transport ----------------------------------------------------------------------------- */

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct peer *peer = user;
    peer->busy = true;
    ssize_t taken = nghttp2_session_mem_recv(peer->session, bytes, len);
    peer->busy = false;
    if (taken < 0) {
        net_stream_close(peer->transport);
        return;
    }
    pump(peer);
}

static void on_writable(void *user)
{
    pump(user);
}

static void on_closed(void *user, const struct net_error *why)
{
    struct peer *peer = user;
    struct list *node;
    struct list *next;
    (void)why;
    peer->transport = NULL;
    list_each(node, next, &peer->streams)
    {
        close_stream(container_of(node, struct peer_stream, node), PEER_LOST);
    }
}

static const struct net_stream_events transport_events = {
    .on_data = on_data,
    .on_writable = on_writable,
    .on_closed = on_closed,
};

/* ---- life -------------------------------------------------------------------------------------- */

static nghttp2_session_callbacks *make_callbacks(void)
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

struct peer *peer_new(struct net_stream *transport, const struct peer_config *config)
{
    struct peer *peer = mem_new(struct peer);
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_option *option;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    peer->config = *config;
    peer->transport = transport;
    list_init(&peer->streams);
    int rv = config->server ? nghttp2_session_server_new2(&peer->session, callbacks, peer, option)
                            : nghttp2_session_client_new2(&peer->session, callbacks, peer, option);
    assert(rv == 0);
    (void)rv;
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    net_stream_start(transport, &transport_events, peer);
    if (config->silent) {
        peer_stop(peer); /* else it would acknowledge the other side's */
    } else {
        peer_open(peer);
    }
    return peer;
}

void peer_free(struct peer *peer)
{
    if (peer == NULL) {
        return;
    }
    assert(peer->transport == NULL);
    nghttp2_session_del(peer->session);
    while (!list_empty(&peer->streams)) {
        stream_free(peer_stream(peer, 0));
    }
    free(peer->block);
    free(peer);
}

void peer_open(struct peer *peer)
{
    const struct peer_config *config = &peer->config;
    nghttp2_settings_entry settings[3];
    size_t count = 0;
    if (config->max_streams > 0 || config->paused) {
        settings[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                                     config->max_streams};
    }
    if (config->window > 0 || config->shut) {
        settings[count++] =
            (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, config->window};
    }
    if (config->header_list > 0) {
        settings[count++] =
            (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, config->header_list};
    }
    nghttp2_submit_settings(peer->session, NGHTTP2_FLAG_NONE, settings, count);
    peer_go_on(peer);
    pump(peer);
}

void peer_abort(struct peer *peer)
{
    net_stream_abort(peer->transport);
}

void peer_close(struct peer *peer)
{
    if (peer->transport != NULL) {
        net_stream_close(peer->transport);
    }
}

void peer_stop(struct peer *peer)
{
    net_stream_pause(peer->transport);
}

void peer_go_on(struct peer *peer)
{
    net_stream_resume(peer->transport);
}

void peer_set(struct peer *peer, int32_t setting, uint32_t value)
{
    const nghttp2_settings_entry entry = {setting, value};
    nghttp2_submit_settings(peer->session, NGHTTP2_FLAG_NONE, &entry, 1);
    pump(peer);
}

void peer_goaway(struct peer *peer, int32_t last_id, uint32_t error, const char *debug)
{
    nghttp2_submit_goaway(peer->session, NGHTTP2_FLAG_NONE, last_id, error,
                          (const uint8_t *)debug, strlen(debug));
    pump(peer);
}

void peer_grant(struct peer *peer, int32_t stream_id, int32_t bytes)
{
    nghttp2_submit_window_update(peer->session, NGHTTP2_FLAG_NONE, stream_id, bytes);
    pump(peer);
}

/* ---- sending ----------------------------------------------------------------------------------- */

static void submit_trailers(struct peer_stream *stream)
{
    nghttp2_nv nv[FIELDS_MAX];
    size_t count = parse_fields(stream->out_trailers, nv);
    nghttp2_submit_trailer(stream->peer->session, stream->id, nv, count);
    free(stream->out_trailers);
    stream->out_trailers = NULL;
    stream->out_ends = true;
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *out, size_t capacity,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct peer_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)source;
    (void)user;
    size_t len = stream->out.len < capacity ? stream->out.len : capacity;
    if (len > 0) {
        memcpy(out, buf_data(&stream->out), len);
        buf_consume(&stream->out, len);
    }
    if (stream->out.len == 0 && stream->out_trailers != NULL) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        submit_trailers(stream);
    } else if (stream->out.len == 0 && stream->out_ends) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (len == 0) {
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)len;
}

static const nghttp2_data_provider provider = {.read_callback = on_read};

struct peer_stream *peer_ask(struct peer *peer, const char *fields, bool end)
{
    nghttp2_nv nv[FIELDS_MAX];
    char *text = mem_strdup(fields);
    size_t count = parse_fields(text, nv);
    struct peer_stream *stream = stream_new(peer, 0);
    stream->id =
        nghttp2_submit_request(peer->session, NULL, nv, count, end ? NULL : &provider, stream);
    assert(stream->id > 0);
    pump(peer);
    free(text);
    return stream;
}

void peer_respond(struct peer_stream *stream, const char *fields, bool end)
{
    nghttp2_nv nv[FIELDS_MAX];
    char *text = mem_strdup(fields);
    size_t count = parse_fields(text, nv);
    nghttp2_submit_response(stream->peer->session, stream->id, nv, count, end ? NULL : &provider);
    pump(stream->peer);
    free(text);
}

void peer_inform(struct peer_stream *stream, const char *fields)
{
    nghttp2_nv nv[FIELDS_MAX];
    char *text = mem_strdup(fields);
    size_t count = parse_fields(text, nv);
    nghttp2_submit_headers(stream->peer->session, NGHTTP2_FLAG_NONE, stream->id, NULL, nv, count,
                           NULL);
    pump(stream->peer);
    free(text);
}

void peer_begin(struct peer_stream *stream)
{
    peer_respond(stream, ":status: 200\ncontent-type: application/grpc\n", false);
}

void peer_status(struct peer_stream *stream, int code, const char *message)
{
    char fields[512];
    snprintf(fields, sizeof(fields),
             ":status: 200\ncontent-type: application/grpc\ngrpc-status: %d\ngrpc-message: %s\n", code,
             message);
    peer_respond(stream, fields, true);
}

void peer_send(struct peer_stream *stream, const void *bytes, size_t len)
{
    int rv = buf_append(&stream->out, bytes, len, BODY_MAX);
    assert(rv == 0);
    (void)rv;
    nghttp2_session_resume_data(stream->peer->session, stream->id);
    pump(stream->peer);
}

void peer_send_zeros(struct peer_stream *stream, size_t len)
{
    uint8_t *zeros = mem_calloc(1, len);
    peer_send(stream, zeros, len);
    free(zeros);
}

void peer_end(struct peer_stream *stream)
{
    stream->out_ends = true;
    nghttp2_session_resume_data(stream->peer->session, stream->id);
    pump(stream->peer);
}

void peer_trailers(struct peer_stream *stream, const char *fields)
{
    stream->out_trailers = mem_strdup(fields);
    nghttp2_session_resume_data(stream->peer->session, stream->id);
    pump(stream->peer);
}

void peer_reset(struct peer_stream *stream, uint32_t error)
{
    nghttp2_submit_rst_stream(stream->peer->session, NGHTTP2_FLAG_NONE, stream->id, error);
    pump(stream->peer);
}
