#include "relay/leave.h"

#include "base/counter.h"
#include "base/mem.h"
#include "relay/client.h"
#include "relay/cluster.h"
#include "relay/downstream.h"
#include "relay/exchange.h"
#include "relay/state.h"
#include "rpc/conn.h"
#include "rpc/status.h"

#include <stdio.h>

static const struct {
    enum stream_reason reason;
    const char *message;
    size_t counter; /* in struct worker_stats */
} REASONS[] = {
    [LEAVE_OLD] = {STREAM_OLD, "the stream reached --max-stream-age of the proxy: open it again",
                   offsetof(struct worker_stats, ended_old)},
    [LEAVE_MOVED] = {STREAM_MOVED,
                     "the proxy moves the stream to an endpoint that came: open it again",
                     offsetof(struct worker_stats, ended_moved)},
    [LEAVE_REMOVED] = {STREAM_REMOVED, "the endpoint of the stream was removed: open it again",
                       offsetof(struct worker_stats, ended_removed)},
    [LEAVE_UNHEALTHY] = {STREAM_UNHEALTHY, "the endpoint of the stream is unhealthy: open it again",
                         offsetof(struct worker_stats, ended_unhealthy)},
};

/* Takes one of those that are asked to leave the endpoint. */
static bool take_ask(struct endpoint *endpoint)
{
    int asked = atomic_load(&endpoint->leave_asked);
    while (asked > 0 && !atomic_compare_exchange_weak(&endpoint->leave_asked, &asked, asked - 1)) {
    }
    return asked > 0;
}

static bool is_well(const struct endpoint *endpoint)
{
    return atomic_load(&endpoint->health) == ENDPOINT_HEALTHY;
}

/* What the endpoint asks its streams to leave for, as far as it still holds. */
static enum leave_reason asked_by(const struct endpoint *endpoint)
{
    enum leave_reason reason = (enum leave_reason)atomic_load(&endpoint->leave_reason);
    return reason == LEAVE_UNHEALTHY && is_well(endpoint) ? LEAVE_NOT : reason;
}

/* Why it is to end. A stream that only is to move may wait long for its answer, and meanwhile have
 * to end for what waits for none; one whose endpoint is well again stays. */
static enum leave_reason judge(const struct exchange *exchange, uint64_t now, bool moving)
{
    struct endpoint *endpoint = exchange->endpoint;
    enum leave_reason reason = exchange->leaving;
    if (reason == LEAVE_UNHEALTHY && endpoint != NULL && is_well(endpoint)) {
        reason = LEAVE_NOT;
    }
    if (reason != LEAVE_NOT && reason != LEAVE_MOVED) {
        return reason;
    }
    if (exchange->age_due_ms != 0 && now >= exchange->age_due_ms) {
        return LEAVE_OLD;
    }
    enum leave_reason asked = moving && endpoint != NULL ? asked_by(endpoint) : LEAVE_NOT;
    return asked > reason && take_ask(endpoint) ? asked : reason;
}

static void note_half(struct leave_half *half, const struct message_count *side, uint64_t now)
{
    uint64_t number = message_count_is_between(side) ? 0 : 1 + message_count_whole(side);
    if (half->number != number) {
        *half = (struct leave_half){number, now};
    }
}

/* The message that has been half sent for longest; NULL: none is. The one does not hide the other:
 * a side that begins one message after the other would else keep a stream whose other side never
 * finishes its own. */
static const struct leave_half *oldest_half(const struct exchange *exchange)
{
    const struct leave_half *up = &exchange->half_up;
    const struct leave_half *down = &exchange->half_down;
    bool is_down = down->number != 0 && (up->number == 0 || down->since_ms < up->since_ms);
    return is_down ? down : up->number != 0 ? up : NULL;
}

/* Evenness is worth no message: a stream that is only to move waits for its answer, and for each
 * message anew. */
static bool may_end(struct exchange *exchange, uint64_t now)
{
    const struct stream_record *record = &exchange->record;
    bool patient = exchange->leaving == LEAVE_MOVED;
    bool answered = message_count_whole(&record->up) <= message_count_whole(&record->down);
    note_half(&exchange->half_up, &record->up, now);
    note_half(&exchange->half_down, &record->down, now);
    const struct leave_half *half = oldest_half(exchange);
    if (half != NULL &&
        now - (patient ? half->since_ms : exchange->leaving_ms) < LEAVE_MESSAGE_MS) {
        return false;
    }
    return answered || (!patient && now - exchange->leaving_ms >= LEAVE_GRACE_MS);
}

static bool has_others(const struct client *client, const struct exchange *one)
{
    for (const struct list *node = client->exchanges.next; node != &client->exchanges;
         node = node->next) {
        const struct exchange *exchange = container_of(node, struct exchange, client_node);
        if (exchange != one && exchange->state != EXCHANGE_ENDING) {
            return true;
        }
    }
    return false;
}

static void count_end(struct worker *worker, size_t offset)
{
    char *stats = (char *)&worker->stats;
    counter_add((atomic_uint_fast64_t *)(void *)(stats + offset), 1);
}

/* Says why, and what it cost: a message that is cut was seen by nobody. */
static void explain(struct exchange *exchange, char out[static RPC_MESSAGE_BYTES])
{
    struct worker *worker = exchange->worker;
    const struct leave_half *half = oldest_half(exchange);
    const char *message = REASONS[exchange->leaving].message;
    if (half == NULL) {
        snprintf(out, RPC_MESSAGE_BYTES, "%s", message);
        return;
    }
    snprintf(out, RPC_MESSAGE_BYTES,
             "%s; a message of the %s that was still half sent after %d s was cut", message,
             half == &exchange->half_up ? "client" : "server", LEAVE_MESSAGE_MS / 1000);
    counter_add(&worker->stats.messages_cut, 1);
    if (exchange->client != NULL) {
        worker_tell_client(worker, "message_cut", rpc_conn_peer(exchange->client->conn), out);
    }
}

/* The last stream of an old connection takes it along: the next one may come elsewhere. */
static void end(struct worker *worker, struct exchange *exchange)
{
    char message[RPC_MESSAGE_BYTES];
    struct client *client = exchange->client;
    count_end(worker, REASONS[exchange->leaving].counter);
    explain(exchange, message);
    if (exchange->leaving == LEAVE_OLD && client != NULL && !has_others(client, exchange)) {
        downstream_drain(client, REASONS[LEAVE_OLD].message);
    }
    exchange_leave(exchange, REASONS[exchange->leaving].reason, message);
}

static void look_at(struct worker *worker, struct exchange *exchange, uint64_t now, bool moving)
{
    if (exchange->state == EXCHANGE_ENDING) {
        return;
    }
    enum leave_reason reason = judge(exchange, now, moving);
    if (reason != exchange->leaving) {
        worker->leaving += leave_counts(reason);
        worker->leaving -= leave_counts(exchange->leaving);
        exchange->leaving = reason;
        exchange->leaving_ms = now;
    }
    if (exchange->leaving != LEAVE_NOT && may_end(exchange, now)) {
        end(worker, exchange);
    }
}

/* Whether any stream may have to end soon. */
static bool is_needed(const struct worker *worker)
{
    return !worker->draining && (worker_config(worker)->max_stream_age_ms != 0 ||
                                 atomic_load(&worker->relay->moving) || worker->leaving > 0);
}

/* Streams are in the order of their begin: behind one that is far from its age, nobody is due. */
static void look_at_all(struct worker *worker)
{
    uint64_t now = worker_now_ms(worker);
    uint64_t jitter_ms = worker_config(worker)->age_jitter_ms;
    bool moving = atomic_load(&worker->relay->moving);
    bool all = moving || worker->leaving > 0;
    struct list *node;
    struct list *next;
    list_each(node, next, &worker->streams.records)
    {
        struct exchange *exchange = exchange_at(node);
        if (!all && exchange->age_due_ms > now + 2 * jitter_ms) {
            return;
        }
        look_at(worker, exchange, now, moving);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    if (is_needed(worker)) {
        look_at_all(worker);
    } else {
        uv_timer_stop(timer);
    }
}

/* Streams whose messages come as often as it is looked would have one under way at each look. */
static void on_answered(struct net_flush *item)
{
    struct worker *worker = container_of(item, struct worker, answered_flush);
    uint64_t now = worker_now_ms(worker);
    while (!list_empty(&worker->answered)) {
        struct exchange *exchange =
            container_of(worker->answered.next, struct exchange, answered_node);
        list_remove(&exchange->answered_node);
        if (is_needed(worker)) {
            look_at(worker, exchange, now, atomic_load(&worker->relay->moving));
        }
    }
}

void leave_open(struct worker *worker)
{
    list_init(&worker->answered);
    net_flush_init(&worker->answered_flush, on_answered);
    uv_timer_init(&worker->loop.uv, &worker->leave);
    worker->leave.data = worker;
}

void leave_close(struct worker *worker)
{
    net_loop_flush_cancel(&worker->answered_flush);
    uv_close((uv_handle_t *)&worker->leave, NULL);
}

void leave_on_tick(struct worker *worker)
{
    if (is_needed(worker) && !uv_is_active((uv_handle_t *)&worker->leave)) {
        uv_timer_start(&worker->leave, on_timer, 0, LEAVE_TICK_MS);
    }
}
