/* One established byte stream.
 *
 *   SETUP -> READY -> OPEN -> LINGERING -> CLOSING -> on_closed, gone
 *     |        |        |__________________^   ^
 *     |________|_______________________________|   errors and aborts go straight to CLOSING
 *
 * Writing is one system call from the caller's bytes; only what the socket does not take is copied.
 * Lingering: the rest is sent, then FIN, then what still arrives is dropped until the peer's end or
 * NET_LINGER_MS: closing a socket with unread bytes sends a reset, which can destroy the last bytes
 * (GOAWAY, a status) on their way to the peer. */
#include "net/stream.h"

#include "base/mem.h"
#include "net/resolve.h"
#include "net/stream_impl.h"
#include "net/tls_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What a full socket did not take. */
struct kept {
    uv_write_t req;
    size_t len;
    uint8_t bytes[];
};

static void linger(struct net_stream *stream);

static void on_handle_closed(uv_handle_t *handle)
{
    struct net_stream *stream = handle->data;
    struct net_error closed;

    if (stream->why == NULL) {
        net_error_set(&closed, NET_CLOSED, "%s", net_error_text(NET_CLOSED));
    }
    if (stream->events != NULL) {
        stream->events->on_closed(stream->user, stream->why != NULL ? stream->why : &closed);
    }
    tls_io_free(stream->tls);
    free(stream->early_bytes);
    free(stream->why);
    free(stream);
}

/* The last state: nothing but on_closed follows. */
static void close_handle(struct net_stream *stream, bool reset)
{
    if (stream->state == STREAM_CLOSING) {
        return;
    }
    stream->state = STREAM_CLOSING;
    net_loop_flush_cancel(&stream->early_flush);
    net_loop_tick_stop(&stream->linger_tick);
    if (!reset || uv_tcp_close_reset(&stream->tcp, on_handle_closed) != 0) {
        uv_close((uv_handle_t *)&stream->tcp, on_handle_closed);
    }
}

static void remember_why(struct net_stream *stream, const struct net_error *why)
{
    if (stream->why == NULL) {
        stream->why = mem_new(struct net_error);
        *stream->why = *why;
    }
}

static void fail(struct net_stream *stream, const struct net_error *why)
{
    remember_why(stream, why);
    close_handle(stream, false);
}

static void fail_uv(struct net_stream *stream, int status)
{
    struct net_error error;
    char what[96];

    snprintf(what, sizeof(what), "connection to %s", stream->peer);
    net_error_from_uv(&error, status, what);
    fail(stream, &error);
}

/* --- writing --- */

static void on_kept_sent(uv_write_t *req, int status)
{
    struct kept *kept = container_of(req, struct kept, req);
    struct net_stream *stream = req->data;

    stream->kept_bytes -= kept->len;
    free(kept);
    if (stream->state != STREAM_OPEN && stream->state != STREAM_LINGERING) {
        return; /* before the start, reading will meet the same failure */
    }
    if (status < 0) {
        fail_uv(stream, status);
    } else if (stream->kept_bytes == 0 && stream->state == STREAM_LINGERING) {
        linger(stream);
    } else if (stream->kept_bytes == 0) {
        stream->events->on_writable(stream->user);
    }
}

static int keep(struct net_stream *stream, const uint8_t *bytes, size_t len)
{
    struct kept *kept;
    uv_buf_t buf;

    /* Only a peer that makes TLS answer (KeyUpdate) while it does not read can get here. */
    if (stream->kept_bytes + len > NET_KEPT_MAX_BYTES) {
        return UV_ENOBUFS;
    }
    kept = malloc(sizeof(*kept) + len);
    if (kept == NULL) {
        return UV_ENOMEM;
    }
    memcpy(kept->bytes, bytes, len);
    kept->len = len;
    kept->req.data = stream;
    buf = uv_buf_init((char *)kept->bytes, (unsigned int)len);

    int status = uv_write(&kept->req, (uv_stream_t *)&stream->tcp, &buf, 1, on_kept_sent);

    if (status < 0) {
        free(kept);
        return status;
    }
    stream->kept_bytes += len;
    return NET_STREAM_E_BLOCKED;
}

static int send_bytes(struct net_stream *stream, const uint8_t *bytes, size_t len)
{
    size_t sent = 0;

    if (stream->kept_bytes == 0) {
        uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned int)len);
        int status = uv_try_write((uv_stream_t *)&stream->tcp, &buf, 1);

        if (status < 0 && status != UV_EAGAIN) {
            return status;
        }
        sent = status > 0 ? (size_t)status : 0;
    }
    return sent == len ? 0 : keep(stream, bytes + sent, len - sent);
}

int net_stream_send_cipher(struct net_stream *stream)
{
    size_t len = tls_io_take_output(stream->tls);

    return len > 0 ? send_bytes(stream, stream->loop->cipher_bytes, len) : 0;
}

int net_stream_write(struct net_stream *stream, const uint8_t *bytes, size_t len)
{
    int status;

    assert(len <= NET_WRITE_BYTES && stream->events != NULL);
    if (stream->state != STREAM_OPEN) {
        return UV_EPIPE; /* closing: on_closed is on its way */
    }
    if (len == 0) {
        return net_stream_blocked(stream) ? NET_STREAM_E_BLOCKED : 0;
    }
    if (stream->tls != NULL) {
        status = tls_io_write(stream->tls, bytes, len);
        status = status < 0 ? status : net_stream_send_cipher(stream);
    } else {
        status = send_bytes(stream, bytes, len);
    }
    if (status < 0) {
        fail_uv(stream, status);
    }
    return status;
}

bool net_stream_blocked(const struct net_stream *stream)
{
    return stream->kept_bytes > 0;
}

/* --- reading --- */

/* Hands plaintext records of one slice of ciphertext over, one by one. */
static void decode(struct net_stream *stream, const uint8_t *bytes, size_t len)
{
    struct net_loop *loop = stream->loop;
    struct net_error error;

    tls_io_feed(stream->tls, bytes, len);
    while (stream->state == STREAM_OPEN) {
        int count = tls_io_read(stream->tls, loop->record_bytes, NET_RECORD_BYTES);
        int status = net_stream_send_cipher(stream); /* alerts and answers to KeyUpdate */

        if (status < 0 && count >= 0) {
            fail_uv(stream, status);
        } else if (count > 0) {
            stream->events->on_data(stream->user, loop->record_bytes, (size_t)count);
        } else if (count == 0) {
            break;
        } else if (count == TLS_IO_E_ENDED) {
            stream->peer_ended = true;
            net_stream_close(stream);
        } else {
            tls_io_explain(stream->tls, stream->peer, &error);
            fail(stream, &error);
        }
    }
    tls_io_feed(stream->tls, NULL, 0);
}

static void deliver(struct net_stream *stream, const uint8_t *bytes, size_t len)
{
    if (stream->tls != NULL) {
        decode(stream, bytes, len);
    } else {
        stream->events->on_data(stream->user, bytes, len);
    }
}

static void finish_handshake(struct net_stream *stream, const struct net_error *error)
{
    net_stream_ready_fn on_ready = stream->on_ready;

    stream->on_ready = NULL;
    stream->state = STREAM_READY;
    uv_read_stop((uv_stream_t *)&stream->tcp);
    on_ready(stream->user, error);
}

/* Bytes behind the handshake wait for net_stream_start(). */
static void keep_early(struct net_stream *stream)
{
    size_t len;
    const uint8_t *rest = tls_io_unread(stream->tls, &len);

    stream->early = len > 0 || tls_io_has_pending(stream->tls);
    if (len > 0) {
        stream->early_bytes = mem_calloc(1, len); /* at most NET_READ_BYTES */
        stream->early_len = len;
        memcpy(stream->early_bytes, rest, len);
    }
}

static void shake_hands(struct net_stream *stream, const uint8_t *bytes, size_t len)
{
    struct net_error error;
    int outcome;
    int status;

    tls_io_feed(stream->tls, bytes, len);
    outcome = tls_io_handshake(stream->tls);
    status = net_stream_send_cipher(stream); /* our flight, or the alert that says why not */
    if (outcome == TLS_IO_DONE) {
        keep_early(stream);
    }
    tls_io_feed(stream->tls, NULL, 0);
    if (outcome == TLS_IO_E_FAILED) {
        tls_io_explain(stream->tls, NULL, &error);
        finish_handshake(stream, &error);
    } else if (status < 0) {
        net_error_from_uv(&error, status, "TLS handshake");
        finish_handshake(stream, &error);
    } else if (outcome == TLS_IO_DONE) {
        finish_handshake(stream, NULL);
    }
}

static void on_read_ended(struct net_stream *stream, int status)
{
    struct net_error error;

    stream->peer_ended = true;
    switch (stream->state) {
    case STREAM_SETUP:
        tls_io_explain_end(stream->tls, status, &error);
        finish_handshake(stream, &error);
        break;
    case STREAM_LINGERING:
        linger(stream);
        break;
    default:
        /* Without close_notify, too: HTTP/2 frames carry their length, a cut shows. */
        if (status == UV_EOF) {
            net_stream_close(stream);
        } else {
            fail_uv(stream, status);
        }
        break;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct net_stream *stream = handle->data;

    (void)suggested;
    *buf = uv_buf_init((char *)stream->loop->read_bytes, NET_READ_BYTES);
}

static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buf)
{
    struct net_stream *stream = handle->data;
    const uint8_t *bytes = (const uint8_t *)buf->base;

    if (count < 0) {
        on_read_ended(stream, (int)count);
    } else if (count > 0 && stream->state == STREAM_OPEN) {
        deliver(stream, bytes, (size_t)count);
    } else if (count > 0 && stream->state == STREAM_SETUP) {
        shake_hands(stream, bytes, (size_t)count);
    }
}

static void start_reading(struct net_stream *stream)
{
    int status = uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);

    if (status < 0 && status != UV_EALREADY) {
        fail_uv(stream, status);
    }
}

static void on_early_flush(struct net_flush *flush)
{
    struct net_stream *stream = container_of(flush, struct net_stream, early_flush);
    uint8_t *bytes = stream->early_bytes;
    size_t len = stream->early_len;

    if (stream->paused) {
        return; /* net_stream_resume() asks again */
    }
    stream->early = false;
    stream->early_bytes = NULL;
    deliver(stream, bytes, len);
    free(bytes);
    if (stream->state == STREAM_OPEN && !stream->paused) {
        start_reading(stream);
    }
}

/* --- life --- */

static void on_linger_tick(struct net_tick *tick, uint64_t now_ms)
{
    struct net_stream *stream = container_of(tick, struct net_stream, linger_tick);

    if (now_ms >= stream->closes_at_ms) {
        close_handle(stream, false);
    }
}

struct net_stream *net_stream_new(struct net_loop *loop)
{
    struct net_stream *stream = mem_new(struct net_stream);

    stream->loop = loop;
    stream->state = STREAM_SETUP;
    list_init(&stream->early_flush.node);
    list_init(&stream->linger_tick.node);
    stream->early_flush.flush = on_early_flush;
    stream->linger_tick.tick = on_linger_tick;
    uv_tcp_init(&loop->uv, &stream->tcp);
    stream->tcp.data = stream;
    return stream;
}

void net_stream_connected(struct net_stream *stream)
{
    struct sockaddr_storage address;
    int len = sizeof(address);

    uv_tcp_nodelay(&stream->tcp, 1);
    if (uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&address, &len) == 0) {
        net_address_format((struct sockaddr *)&address, stream->peer);
    }
    len = sizeof(address);
    if (uv_tcp_getsockname(&stream->tcp, (struct sockaddr *)&address, &len) == 0) {
        net_address_format((struct sockaddr *)&address, stream->local);
    }
}

void net_stream_handshake(struct net_stream *stream, struct net_tls *tls, const char *peer_label,
                          const char *server_name, net_stream_ready_fn on_ready, void *owner)
{
    stream->on_ready = on_ready;
    stream->user = owner;
    if (tls == NULL) {
        finish_handshake(stream, NULL);
        return;
    }
    stream->tls = tls_io_new(tls, stream, peer_label, server_name);

    int status = uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);

    if (status < 0) {
        struct net_error error;

        net_error_from_uv(&error, status, "TLS handshake");
        finish_handshake(stream, &error);
        return;
    }
    shake_hands(stream, NULL, 0); /* the client's first flight */
}

void net_stream_start(struct net_stream *stream, const struct net_stream_events *events, void *user)
{
    assert(stream->state == STREAM_READY);
    stream->events = events;
    stream->user = user;
    stream->state = STREAM_OPEN;
    if (stream->early) {
        net_loop_flush_soon(stream->loop, &stream->early_flush);
    } else if (!stream->paused) {
        start_reading(stream);
    }
}

void net_stream_pause(struct net_stream *stream)
{
    stream->paused = true;
    if (stream->state == STREAM_OPEN) {
        uv_read_stop((uv_stream_t *)&stream->tcp);
    }
}

void net_stream_resume(struct net_stream *stream)
{
    stream->paused = false;
    if (stream->state != STREAM_OPEN) {
        return;
    }
    if (stream->early) {
        net_loop_flush_soon(stream->loop, &stream->early_flush);
    } else {
        start_reading(stream);
    }
}

/* Goes as far as it can now: FIN once everything is sent, away once the peer has ended, too. */
static void linger(struct net_stream *stream)
{
    uv_os_fd_t fd;

    if (stream->kept_bytes > 0) {
        return;
    }
    if (stream->peer_ended) {
        close_handle(stream, false);
    } else if (uv_fileno((uv_handle_t *)&stream->tcp, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        close_handle(stream, false);
    }
}

void net_stream_close(struct net_stream *stream)
{
    bool connected = stream->state == STREAM_READY || stream->state == STREAM_OPEN;

    if (stream->state >= STREAM_LINGERING) {
        return;
    }
    if (!connected) {
        close_handle(stream, false);
        return;
    }
    stream->state = STREAM_LINGERING;
    net_loop_flush_cancel(&stream->early_flush);
    stream->closes_at_ms = uv_now(&stream->loop->uv) + NET_LINGER_MS;
    net_loop_tick_start(stream->loop, &stream->linger_tick);
    if (stream->tls != NULL) {
        tls_io_end(stream->tls); /* close_notify; not sent after a TLS failure */
        if (net_stream_send_cipher(stream) < 0) {
            close_handle(stream, false);
            return;
        }
    }
    if (!stream->peer_ended) {
        start_reading(stream);
    }
    linger(stream);
}

void net_stream_abort(struct net_stream *stream)
{
    close_handle(stream, true);
}

struct net_loop *net_stream_loop(const struct net_stream *stream)
{
    return stream->loop;
}

const char *net_stream_peer(const struct net_stream *stream)
{
    return stream->peer;
}

const char *net_stream_local(const struct net_stream *stream)
{
    return stream->local;
}

bool net_stream_is_tls(const struct net_stream *stream)
{
    return stream->tls != NULL;
}

size_t net_stream_kept_bytes(const struct net_stream *stream)
{
    return stream->kept_bytes;
}
