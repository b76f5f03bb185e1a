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
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static void on_linger_tick(struct net_tick *tick, uint64_t now_ms)
{
    struct net_stream *stream = container_of(tick, struct net_stream, linger_tick);

    if (now_ms >= stream->closes_at_ms) {
        net_stream_close_handle(stream, false);
    }
}

struct net_stream *net_stream_new(struct net_loop *loop, struct net_traffic *traffic)
{
    struct net_stream *stream = mem_new(struct net_stream);

    stream->loop = loop;
    stream->traffic = traffic;
    stream->state = NET_STREAM_SETUP;
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
}

void net_stream_start(struct net_stream *stream, const struct net_stream_events *events, void *user)
{
    assert(stream->state == NET_STREAM_READY);
    stream->events = events;
    stream->user = user;
    stream->state = NET_STREAM_OPEN;
    if (stream->early) {
        net_loop_flush_soon(stream->loop, &stream->early_flush);
    } else if (!stream->paused) {
        net_stream_start_reading(stream);
    }
}

void net_stream_pause(struct net_stream *stream)
{
    stream->paused = true;
    if (stream->state == NET_STREAM_OPEN) {
        uv_read_stop((uv_stream_t *)&stream->tcp);
    }
}

void net_stream_resume(struct net_stream *stream)
{
    stream->paused = false;
    if (stream->state != NET_STREAM_OPEN) {
        return;
    }
    if (stream->early) {
        net_loop_flush_soon(stream->loop, &stream->early_flush);
    } else {
        net_stream_start_reading(stream);
    }
}

void net_stream_close(struct net_stream *stream)
{
    net_stream_say_goodbye(stream);
    if (stream->state == NET_STREAM_LINGERING && !stream->peer_ended) {
        net_stream_start_reading(stream);
    }
}

void net_stream_abort(struct net_stream *stream)
{
    net_stream_close_handle(stream, true);
}

void net_stream_rest(struct net_stream *stream)
{
    if (stream->state == NET_STREAM_OPEN && stream->tls != NULL) {
        net_tls_io_rest(stream->tls);
    }
}

struct net_loop *net_stream_loop(const struct net_stream *stream)
{
    return stream->loop;
}

enum net_credential net_stream_credential(const struct net_stream *stream)
{
    return stream->tls != NULL ? net_tls_io_credential(stream->tls) : NET_CREDENTIAL_NOT_ASKED;
}

char *net_stream_peer_identity(const struct net_stream *stream)
{
    return stream->tls != NULL ? net_tls_io_peer_identity(stream->tls) : NULL;
}

char *net_stream_peer_name(const struct net_stream *stream)
{
    return stream->tls != NULL ? net_tls_io_peer_name(stream->tls) : NULL;
}

const char *net_stream_tls_version(const struct net_stream *stream)
{
    return stream->tls != NULL ? net_tls_io_version(stream->tls) : NULL;
}

bool net_stream_peer_expiry(const struct net_stream *stream, struct net_expiry *ret_expiry)
{
    return stream->tls != NULL && net_tls_io_peer_expiry(stream->tls, ret_expiry);
}

bool net_stream_is_greeted(const struct net_stream *stream)
{
    return stream->tls != NULL && net_tls_io_is_greeted(stream->tls);
}

uint64_t net_stream_network(const struct net_stream *stream)
{
    struct sockaddr_storage address;
    int len = sizeof(address);
    uint64_t network = 0;

    if (uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&address, &len) != 0) {
        return 0; /* it has gone */
    }
    if (address.ss_family == AF_INET) {
        memcpy(&network, &((struct sockaddr_in *)&address)->sin_addr, sizeof(struct in_addr));
    } else if (address.ss_family == AF_INET6) {
        const struct in6_addr *v6 = &((struct sockaddr_in6 *)&address)->sin6_addr;
        memcpy(&network, v6->s6_addr + (IN6_IS_ADDR_V4MAPPED(v6) ? sizeof(network) : 0),
               sizeof(network));
    }
    return network;
}

const char *net_stream_peer(const struct net_stream *stream)
{
    return stream->peer;
}

char *net_stream_local(const struct net_stream *stream, char out[static NET_STREAM_ADDRESS_BYTES])
{
    struct sockaddr_storage address;
    int len = sizeof(address);

    out[0] = '\0';
    if (uv_tcp_getsockname(&stream->tcp, (struct sockaddr *)&address, &len) == 0) {
        net_address_format((struct sockaddr *)&address, out);
    }
    return out;
}

size_t net_stream_kept_bytes(const struct net_stream *stream)
{
    return stream->kept_bytes;
}
