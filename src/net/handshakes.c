#include "net/handshakes.h"

#include "base/mem.h"
#include "net/listener.h"
#include "net/stream_impl.h"

#include <stdlib.h>
#include <unistd.h>

/* Begun per turn: most of a millisecond each. */
#define BEGINS_PER_TURN 64

struct handshake {
    struct list node;
    struct net_handshakes *shakes;
    int fd;                    /* owned while it waits */
    struct net_stream *stream; /* owned from then on */
    uint64_t begun_ms;
};

/* Gives the stream away and forgets the rest. */
static struct net_stream *handshake_free(struct handshake *handshake)
{
    struct net_stream *stream = handshake->stream;

    list_remove(&handshake->node);
    free(handshake);
    return stream;
}

static void on_ready(void *owner, const struct net_error *error)
{
    struct handshake *handshake = owner;
    struct net_handshakes *shakes = handshake->shakes;
    struct net_stream *stream = handshake_free(handshake);

    if (error != NULL) {
        net_stream_close(stream);
        stream = NULL;
    }
    shakes->done(shakes->user, stream, error);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void expire(struct handshake *handshake, unsigned limit_ms)
{
    struct net_handshakes *shakes = handshake->shakes;
    struct net_error error;

    net_error_set(&error, NET_TIMED_OUT, "client %s did not finish the TLS handshake within %us",
                  net_stream_peer(handshake->stream), limit_ms / 1000);
    net_stream_abort(handshake_free(handshake));
    shakes->done(shakes->user, NULL, &error);
}

/* The first of a list, when its time is over; NULL: it is not. */
static struct handshake *find_late(const struct list *list, uint64_t now_ms, unsigned limit_ms)
{
    struct handshake *first = container_of(list->next, struct handshake, node);

    return !list_empty(list) && now_ms - first->begun_ms >= limit_ms ? first : NULL;
}

static void on_tick(struct net_tick *tick, uint64_t now_ms)
{
    struct net_handshakes *shakes = container_of(tick, struct net_handshakes, tick);
    struct handshake *late;

    while ((late = find_late(&shakes->begun, now_ms, NET_HELLO_MS)) != NULL) {
        if (net_stream_is_greeted(late->stream)) {
            list_remove(&late->node);
            list_append(&shakes->greeted, &late->node);
        } else {
            expire(late, NET_HELLO_MS);
        }
    }
    while ((late = find_late(&shakes->greeted, now_ms, NET_HANDSHAKE_MS)) != NULL) {
        expire(late, NET_HANDSHAKE_MS);
    }
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void begin(struct handshake *handshake)
{
    struct net_handshakes *shakes = handshake->shakes;
    struct net_stream *stream = net_stream_new(shakes->loop, &shakes->loop->accepted);
    int rv = uv_tcp_open(&stream->tcp, handshake->fd);

    handshake->stream = stream;
    list_remove(&handshake->node);
    list_append(&shakes->begun, &handshake->node);
    if (rv != 0) {
        struct net_error error;

        close(handshake->fd);
        net_stream_close(handshake_free(handshake));
        net_error_from_uv(&error, rv, "accepted connection");
        shakes->done(shakes->user, NULL, &error);
        return;
    }
    net_stream_connected(stream);
    handshake->begun_ms = uv_now(&shakes->loop->uv);
    net_stream_handshake(stream, shakes->tls, net_stream_peer(stream), NULL, on_ready, handshake);
}

/* A turn in which much is done lasts for a millisecond at least. */
static bool is_turn_full(struct net_handshakes *shakes)
{
    uint64_t now_ms = uv_now(&shakes->loop->uv);

    if (shakes->turn_ms != now_ms) {
        shakes->turn_ms = now_ms;
        shakes->turn_begins = 0;
    }
    return shakes->turn_begins >= BEGINS_PER_TURN;
}

static void on_idle(uv_idle_t *idle);

/* Who waits for the longest time is first. */
static void begin_some(struct net_handshakes *shakes)
{
    while (!list_empty(&shakes->waiting) && !is_turn_full(shakes)) {
        shakes->turn_begins++;
        begin(container_of(shakes->waiting.next, struct handshake, node)); /* may close all */
    }
    if (list_empty(&shakes->waiting)) {
        uv_idle_stop(&shakes->idle);
    } else {
        uv_idle_start(&shakes->idle, on_idle);
    }
}

static void on_idle(uv_idle_t *idle)
{
    begin_some(container_of(idle, struct net_handshakes, idle));
}

void net_handshakes_add(struct net_handshakes *shakes, int fd)
{
    struct handshake *handshake = mem_new(struct handshake);

    handshake->shakes = shakes;
    handshake->fd = fd;
    list_append(&shakes->waiting, &handshake->node);
    begin_some(shakes);
}

/* ---- life ------------------------------------------------------------------------------------ */

void net_handshakes_init(struct net_handshakes *shakes, struct net_loop *loop, struct net_tls *tls,
                         net_handshakes_done_fn done, void *user)
{
    shakes->loop = loop;
    shakes->tls = tls;
    shakes->done = done;
    shakes->user = user;
    list_init(&shakes->waiting);
    list_init(&shakes->begun);
    list_init(&shakes->greeted);
    net_tick_init(&shakes->tick, on_tick);
    net_loop_tick_start(loop, &shakes->tick);
    uv_idle_init(&loop->uv, &shakes->idle);
    shakes->idle.data = user;
}

static void drop_all(struct list *list)
{
    while (!list_empty(list)) {
        net_stream_abort(handshake_free(container_of(list->next, struct handshake, node)));
    }
}

void net_handshakes_close(struct net_handshakes *shakes, uv_close_cb on_closed)
{
    while (!list_empty(&shakes->waiting)) {
        struct handshake *first = container_of(shakes->waiting.next, struct handshake, node);

        close(first->fd);
        handshake_free(first);
    }
    drop_all(&shakes->begun);
    drop_all(&shakes->greeted);
    net_loop_tick_stop(&shakes->tick);
    uv_close((uv_handle_t *)&shakes->idle, on_closed);
}
