/* One established byte stream.
 *
 *   SETUP -> READY -> OPEN -> LINGERING -> CLOSING -> on_closed, gone
 *     |        |        |__________________^   ^
 *     |________|_______________________________|   errors and aborts go straight to CLOSING
 *
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
#include <sys/socket.h>

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
    net_loop_churned(stream->loop);
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

void net_stream_fail(struct net_stream *stream, const struct net_error *why)
{
    remember_why(stream, why);
    close_handle(stream, false);
}

void net_stream_fail_uv(struct net_stream *stream, int status)
{
    struct net_error error;
    char what[96];

    snprintf(what, sizeof(what), "connection to %s", stream->peer);
    net_error_from_uv(&error, status, what);
    net_stream_fail(stream, &error);
}

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
    stream->early_flush.flush = net_stream_on_early_flush;
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

void net_stream_start(struct net_stream *stream, const struct net_stream_events *events, void *user)
{
    assert(stream->state == STREAM_READY);
    stream->events = events;
    stream->user = user;
    stream->state = STREAM_OPEN;
    if (stream->early) {
        net_loop_flush_soon(stream->loop, &stream->early_flush);
    } else if (!stream->paused) {
        net_stream_start_reading(stream);
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
        net_stream_start_reading(stream);
    }
}

void net_stream_linger(struct net_stream *stream)
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
        net_stream_start_reading(stream);
    }
    net_stream_linger(stream);
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
