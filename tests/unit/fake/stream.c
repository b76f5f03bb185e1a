/* Streams whose bytes go from one end to the other through memory.
 *
 * An end sends into the other's inbox, as far as there is room, and keeps the rest; what lies in
 * an inbox is delivered when it is due, the end of the stream and a reset in their order behind
 * the bytes. */
#include "base/mem.h"
#include "impl.h"
#include "net/stream_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum parcel_kind { PARCEL_BYTES, PARCEL_END, PARCEL_RESET };

struct parcel {
    struct list node;
    enum parcel_kind kind;
    uint64_t due_ms;
    size_t at; /* already taken */
    size_t len;
    uint8_t bytes[];
};

/* One end. Its states are those of the real ones; a held end stays NET_STREAM_READY. */
struct end {
    struct list node; /* streams */
    struct end *far;  /* NULL: gone */
    struct net_loop *loop;
    enum net_stream_state state;
    const struct net_stream_events *events;
    void *user;
    struct net_error why;
    bool why_known;
    bool paused;
    bool tls;
    bool peer_ended;
    bool end_sent;
    uint64_t closes_at_ms; /* NET_STREAM_LINGERING */

    struct list inbox;
    size_t inbox_bytes;
    struct list kept; /* what does not fit into the other's inbox */
    size_t kept_bytes;
    size_t room;
    uint64_t delay_ms;

    char peer[64];
    char local[64];
};

static struct list streams = {&streams, &streams};
static unsigned next_port = 50000;
static uint64_t new_delay_ms;

static struct end *end_of(const struct net_stream *stream)
{
    return mem_unconst(stream);
}

static struct net_stream *stream_of(struct end *end)
{
    return (struct net_stream *)end;
}

/* ---- on the way ------------------------------------------------------------------------------ */

static struct parcel *first(const struct list *list)
{
    return list_empty(list) ? NULL : container_of(list->next, struct parcel, node);
}

static void drop(struct list *list)
{
    struct parcel *parcel;
    while ((parcel = first(list)) != NULL) {
        list_remove(&parcel->node);
        free(parcel);
    }
}

static struct parcel *pack(enum parcel_kind kind, const void *bytes, size_t len)
{
    struct parcel *parcel = mem_calloc(1, sizeof(*parcel) + len);
    parcel->kind = kind;
    parcel->len = len;
    if (len > 0) {
        memcpy(parcel->bytes, bytes, len);
    }
    return parcel;
}

static bool fits(const struct end *end, const struct parcel *parcel)
{
    if (end->room == 0) {
        return false;
    }
    size_t under_way = end->far->inbox_bytes;
    return under_way == 0 || under_way + parcel->len <= end->room;
}

/* What was kept goes on, as far as there is room. */
static bool move_kept(struct end *end)
{
    bool moved = false;
    struct parcel *parcel;
    while ((parcel = first(&end->kept)) != NULL && (end->far == NULL || fits(end, parcel))) {
        list_remove(&parcel->node);
        end->kept_bytes -= parcel->len;
        if (end->far == NULL) {
            free(parcel);
        } else {
            parcel->due_ms = fake_now_ms() + end->delay_ms;
            end->far->inbox_bytes += parcel->len;
            list_append(&end->far->inbox, &parcel->node);
        }
        moved = true;
    }
    return moved;
}

static void post(struct end *end, enum parcel_kind kind, const void *bytes, size_t len)
{
    struct parcel *parcel = pack(kind, bytes, len);
    list_append(&end->kept, &parcel->node);
    end->kept_bytes += len;
    move_kept(end);
}

static void post_end(struct end *end)
{
    if (!end->end_sent && end->far != NULL) {
        end->end_sent = true;
        post(end, PARCEL_END, NULL, 0);
    }
}

/* Not behind what is kept. */
static void post_reset(struct end *end)
{
    if (end->far != NULL) {
        struct parcel *parcel = pack(PARCEL_RESET, NULL, 0);
        parcel->due_ms = fake_now_ms() + end->delay_ms;
        list_append(&end->far->inbox, &parcel->node);
    }
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void remember_why(struct end *end, enum net_error_kind kind, const char *text)
{
    if (!end->why_known) {
        end->why_known = true;
        net_error_set(&end->why, kind, "%s", text);
    }
}

static void vanish(struct end *end)
{
    const struct net_stream_events *events = end->events;
    remember_why(end, NET_CLOSED, net_error_text(NET_CLOSED));
    if (end->far != NULL) {
        end->far->far = NULL;
    }
    list_remove(&end->node);
    drop(&end->inbox);
    drop(&end->kept);
    if (events != NULL) {
        events->on_closed(end->user, &end->why);
    }
    free(end);
}

static void fail(struct end *end, enum net_error_kind kind, const char *text)
{
    if (end->state != NET_STREAM_CLOSING) {
        remember_why(end, kind, text);
        move_kept(end);
        post_end(end);
        end->state = NET_STREAM_CLOSING;
    }
}

static void fail_reset(struct end *end)
{
    struct net_error why;
    char what[96];
    snprintf(what, sizeof(what), "connection to %s", end->peer);
    net_error_from_uv(&why, UV_ECONNRESET, what);
    fail(end, why.kind, why.text);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static bool reads(const struct end *end)
{
    return (end->state == NET_STREAM_OPEN && !end->paused) || end->state == NET_STREAM_LINGERING;
}

static void receive(struct end *end, struct parcel *parcel)
{
    switch (parcel->kind) {
    case PARCEL_BYTES:
        if (end->state == NET_STREAM_OPEN) {
            end->events->on_data(end->user, parcel->bytes + parcel->at, parcel->len - parcel->at);
        }
        break;
    case PARCEL_END:
        end->peer_ended = true;
        net_stream_close(stream_of(end));
        break;
    case PARCEL_RESET:
        fail_reset(end);
        break;
    }
}

static bool deliver(struct end *end)
{
    struct parcel *parcel = first(&end->inbox);
    if (parcel == NULL || parcel->due_ms > fake_now_ms() || !reads(end)) {
        return false;
    }
    list_remove(&parcel->node);
    end->inbox_bytes -= parcel->len - parcel->at;
    receive(end, parcel);
    free(parcel);
    return true;
}

static bool send_kept(struct end *end)
{
    bool was_blocked = end->kept_bytes > 0;
    bool moved = move_kept(end);
    if (was_blocked && end->kept_bytes == 0 && end->state == NET_STREAM_OPEN) {
        end->events->on_writable(end->user);
    }
    return moved;
}

static bool linger(struct end *end)
{
    if (end->state != NET_STREAM_LINGERING) {
        return false;
    }
    bool done = end->peer_ended && end->kept_bytes == 0;
    if (done || end->far == NULL || fake_now_ms() >= end->closes_at_ms) {
        end->state = NET_STREAM_CLOSING;
        return true;
    }
    return false;
}

static bool turn(struct end *end)
{
    if (end->state == NET_STREAM_CLOSING) {
        vanish(end);
        return true;
    }
    bool moved = send_kept(end);
    moved = deliver(end) || moved;
    return linger(end) || moved;
}

bool fake_streams_turn(void)
{
    bool moved = false;
    struct list now;
    list_take(&now, &streams);
    while (!list_empty(&now)) {
        struct end *end = container_of(now.next, struct end, node);
        list_remove(&end->node);
        list_append(&streams, &end->node);
        moved = turn(end) || moved;
    }
    return moved;
}

uint64_t fake_streams_due_ms(void)
{
    uint64_t due = FAKE_NEVER;
    struct list *node;
    struct list *next;
    list_each(node, next, &streams)
    {
        const struct end *end = container_of(node, struct end, node);
        const struct parcel *parcel = first(&end->inbox);
        if (parcel != NULL && parcel->due_ms < due && reads(end)) {
            due = parcel->due_ms;
        }
        if (end->state == NET_STREAM_LINGERING && end->closes_at_ms < due) {
            due = end->closes_at_ms;
        }
    }
    return due;
}

void fake_streams_forget(void)
{
    list_init(&streams);
}

size_t fake_streams_left(void)
{
    size_t count = 0;
    struct list *node;
    struct list *next;
    list_each(node, next, &streams)
    {
        count++;
    }
    return count;
}

/* ---- what a test does with them -------------------------------------------------------------- */

static struct end *make_end(struct net_loop *loop, unsigned port, unsigned peer_port)
{
    struct end *end = mem_new(struct end);
    end->loop = loop;
    end->state = NET_STREAM_READY;
    end->room = FAKE_ROOM_BYTES;
    end->delay_ms = new_delay_ms;
    list_init(&end->inbox);
    list_init(&end->kept);
    list_append(&streams, &end->node);
    snprintf(end->local, sizeof(end->local), "127.0.0.1:%u", port);
    snprintf(end->peer, sizeof(end->peer), "127.0.0.1:%u", peer_port);
    return end;
}

void fake_pair(struct net_loop *loop, struct net_stream **ret_near, struct net_stream **ret_far)
{
    unsigned port = next_port;
    next_port += 2;
    struct end *near_end = make_end(loop, port, port + 1);
    struct end *far_end = make_end(loop, port + 1, port);
    near_end->far = far_end;
    far_end->far = near_end;
    *ret_near = stream_of(near_end);
    *ret_far = stream_of(far_end);
}

void fake_name(struct net_stream *stream, const char *peer, bool tls)
{
    snprintf(end_of(stream)->peer, sizeof(end_of(stream)->peer), "%s", peer);
    end_of(stream)->tls = tls;
}

size_t fake_take(struct net_stream *held, uint8_t *out, size_t capacity)
{
    struct end *end = end_of(held);
    struct parcel *parcel;
    size_t taken = 0;
    while (taken < capacity && (parcel = first(&end->inbox)) != NULL &&
           parcel->kind == PARCEL_BYTES && parcel->due_ms <= fake_now_ms()) {
        size_t rest = parcel->len - parcel->at;
        size_t part = rest < capacity - taken ? rest : capacity - taken;
        memcpy(out + taken, parcel->bytes + parcel->at, part);
        taken += part;
        parcel->at += part;
        end->inbox_bytes -= part;
        if (parcel->at == parcel->len) {
            list_remove(&parcel->node);
            free(parcel);
        }
    }
    return taken;
}

bool fake_ended(const struct net_stream *held)
{
    const struct parcel *parcel = first(&end_of(held)->inbox);
    return parcel != NULL ? parcel->kind != PARCEL_BYTES && parcel->due_ms <= fake_now_ms()
                          : end_of(held)->far == NULL;
}

void fake_put(struct net_stream *held, const void *bytes, size_t len)
{
    for (size_t at = 0; at < len; at += NET_READ_BYTES) {
        size_t part = len - at < NET_READ_BYTES ? len - at : NET_READ_BYTES;
        post(end_of(held), PARCEL_BYTES, (const uint8_t *)bytes + at, part);
    }
}

void fake_delay(struct net_stream *stream, uint64_t ms)
{
    end_of(stream)->delay_ms = ms;
}

void fake_delay_new(uint64_t ms)
{
    new_delay_ms = ms;
}

void fake_room(struct net_stream *stream, size_t bytes)
{
    end_of(stream)->room = bytes;
}

void fake_fail(struct net_stream *stream, enum net_error_kind kind, const char *text)
{
    fail(end_of(stream), kind, text);
}

/* ---- net/stream.h ---------------------------------------------------------------------------- */

void net_stream_start(struct net_stream *stream, const struct net_stream_events *events, void *user)
{
    struct end *end = end_of(stream);
    assert(end->state == NET_STREAM_READY);
    end->events = events;
    end->user = user;
    end->state = NET_STREAM_OPEN;
}

int net_stream_write(struct net_stream *stream, const uint8_t *bytes, size_t len)
{
    struct end *end = end_of(stream);
    assert(len <= NET_WRITE_BYTES && end->events != NULL);
    if (end->state != NET_STREAM_OPEN) {
        return UV_EPIPE;
    }
    assert(end->kept_bytes == 0); /* callers wait for on_writable */
    if (end->far == NULL) {
        fail_reset(end);
        return UV_ECONNRESET;
    }
    if (len > 0) {
        post(end, PARCEL_BYTES, bytes, len);
    }
    return end->kept_bytes > 0 ? NET_STREAM_E_BLOCKED : 0;
}

bool net_stream_blocked(const struct net_stream *stream)
{
    return end_of(stream)->kept_bytes > 0;
}

void net_stream_pause(struct net_stream *stream)
{
    end_of(stream)->paused = true;
}

void net_stream_resume(struct net_stream *stream)
{
    end_of(stream)->paused = false;
}

void net_stream_close(struct net_stream *stream)
{
    struct end *end = end_of(stream);
    if (end->state >= NET_STREAM_LINGERING) {
        return;
    }
    post_end(end);
    end->state = end->events != NULL ? NET_STREAM_LINGERING : NET_STREAM_CLOSING;
    end->closes_at_ms = fake_now_ms() + NET_LINGER_MS;
}

void net_stream_abort(struct net_stream *stream)
{
    struct end *end = end_of(stream);
    if (end->state != NET_STREAM_CLOSING) {
        post_reset(end);
        end->state = NET_STREAM_CLOSING;
    }
}

void net_stream_rest(struct net_stream *stream)
{
    (void)stream; /* it holds nothing that could be put away */
}

struct net_loop *net_stream_loop(const struct net_stream *stream)
{
    return end_of(stream)->loop;
}

char *net_stream_peer_identity(const struct net_stream *stream)
{
    (void)stream;
    return NULL; /* plaintext */
}

char *net_stream_peer_name(const struct net_stream *stream)
{
    (void)stream;
    return NULL;
}

const char *net_stream_tls_version(const struct net_stream *stream)
{
    (void)stream;
    return NULL;
}

enum net_credential net_stream_credential(const struct net_stream *stream)
{
    (void)stream;
    return NET_CREDENTIAL_NOT_ASKED;
}

uint64_t net_stream_network(const struct net_stream *stream)
{
    (void)stream;
    return 0;
}

const char *net_stream_peer(const struct net_stream *stream)
{
    return end_of(stream)->peer;
}

const char *fake_local(const struct net_stream *stream)
{
    return end_of(stream)->local;
}

size_t net_stream_kept_bytes(const struct net_stream *stream)
{
    return end_of(stream)->kept_bytes;
}

/* For the TLS code of the net library, which a test may link but never run. */
int net_stream_send_cipher(struct net_stream *stream)
{
    (void)stream;
    return 0;
}
