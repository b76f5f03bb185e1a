#include "net/handshakes.h"

#include "base/mem.h"
#include "net/listener.h"
#include "net/stream_impl.h"

#include <stdlib.h>
#include <unistd.h>

/* Per turn: of a begin some 50 us, of a step up to a millisecond. No more are begun than can be
 * read: whose hello is there already is then read at once, and is not held. */
#define STEPS_PER_TURN  4
#define BEGINS_PER_TURN STEPS_PER_TURN

struct handshake {
    struct list node;
    struct list held_node;
    bool called; /* it is its turn to be read */
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
    list_remove(&handshake->held_node);
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

/* What it sent may still wait for its turn. */
static bool has_said_hello(const struct handshake *handshake)
{
    return net_stream_is_greeted(handshake->stream) || handshake->called ||
           !list_empty(&handshake->held_node);
}

static void on_tick(struct net_tick *tick, uint64_t now_ms)
{
    struct net_handshakes *shakes = container_of(tick, struct net_handshakes, tick);
    struct handshake *late;

    while ((late = find_late(&shakes->begun, now_ms, NET_HELLO_MS)) != NULL) {
        if (has_said_hello(late)) {
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

static void on_idle(uv_idle_t *idle);

static void watch_turns(struct net_handshakes *shakes)
{
    if (list_empty(&shakes->waiting) && list_empty(&shakes->held)) {
        uv_idle_stop(&shakes->idle);
    } else {
        uv_idle_start(&shakes->idle, on_idle);
    }
}

static void note_turn(struct net_handshakes *shakes)
{
    if (shakes->turn != shakes->loop->turn) {
        shakes->turn = shakes->loop->turn;
        shakes->turn_begins = 0;
        shakes->turn_steps = 0;
    }
}

/* net_stream_may_shake_fn: who comes while others are held is held behind them. */
static bool may_shake(void *owner)
{
    struct handshake *handshake = owner;
    struct net_handshakes *shakes = handshake->shakes;

    note_turn(shakes);
    if (handshake->called || (list_empty(&shakes->held) && shakes->turn_steps < STEPS_PER_TURN)) {
        handshake->called = false;
        shakes->turn_steps++;
        return true;
    }
    list_append(&shakes->held, &handshake->held_node);
    watch_turns(shakes);
    return false;
}

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
    stream->may_shake = may_shake;
    handshake->begun_ms = uv_now(&shakes->loop->uv);
    net_stream_handshake(stream, shakes->tls, net_stream_peer(stream), NULL, on_ready, handshake);
}

/* Time runs from the begin: who could only be held waits here. One is begun all the same, as bytes
 * that drip in may keep some held for ever. */
static unsigned most_begins(const struct net_handshakes *shakes)
{
    return !list_empty(&shakes->held) ? 1 : BEGINS_PER_TURN;
}

/* Who waits for the longest time is first. */
static void begin_some(struct net_handshakes *shakes)
{
    note_turn(shakes);
    while (!list_empty(&shakes->waiting) && shakes->turn_begins < most_begins(shakes)) {
        shakes->turn_begins++;
        begin(container_of(shakes->waiting.next, struct handshake, node)); /* may close all */
    }
    watch_turns(shakes);
}

/* They are read when the loop polls next. */
static void call_some(struct net_handshakes *shakes)
{
    for (unsigned i = 0; i < STEPS_PER_TURN && !list_empty(&shakes->held); i++) {
        struct handshake *first = container_of(shakes->held.next, struct handshake, held_node);

        list_remove(&first->held_node);
        first->called = true;
        net_stream_shake_on(first->stream); /* may close all */
    }
}

static void on_idle(uv_idle_t *idle)
{
    struct net_handshakes *shakes = container_of(idle, struct net_handshakes, idle);

    call_some(shakes);
    begin_some(shakes);
}

void net_handshakes_add(struct net_handshakes *shakes, int fd)
{
    struct handshake *handshake = mem_new(struct handshake);

    handshake->shakes = shakes;
    handshake->fd = fd;
    list_init(&handshake->held_node);
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
    list_init(&shakes->held);
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
