#include "proxy/moves.h"

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "relay/cluster.h"
#include "relay/leave.h"
#include "relay/leave_reason.h"
#include "relay/relay.h"
#include "relay/state.h"

#include <limits.h>
#include <stdlib.h>

/* An endpoint, and what is going on with its streams. */
struct seat {
    struct list node;
    struct endpoint *endpoint; /* owned reference */
    bool healthy;              /* when last looked at */
    bool unhealthy;
    enum leave_reason reason; /* of those that are asked to leave now; LEAVE_NOT: nobody */
    uint64_t begin_ms;
    uint64_t count; /* how many are asked in all */
    uint64_t asked;
};

/* A cluster that is to be evened out, or is. */
struct spread {
    struct list node;
    struct cluster *cluster; /* owned reference */
    uint64_t due_ms;         /* when the surplus is counted; 0: it was */
    uint64_t end_ms;
    bool moved; /* streams were asked to */
};

struct proxy_moves {
    struct relay *relay;
    struct proxy_moves_config config;
    struct net_tick tick;
    uv_timer_t *timer; /* owned; runs while streams are asked, so that they are asked evenly */
    struct list seats;
    struct list spreads;
    uint64_t now_ms;
};

/* ---- asking ---------------------------------------------------------------------------------- */

static void stop_asking(struct seat *seat)
{
    atomic_store(&seat->endpoint->leave_asked, 0);
    seat->reason = LEAVE_NOT;
}

static void begin_asking(struct proxy_moves *moves, struct seat *seat, enum leave_reason reason,
                         uint64_t count)
{
    stop_asking(seat);
    if (count > 0) {
        seat->reason = reason;
        seat->begin_ms = moves->now_ms;
        seat->count = count;
        seat->asked = 0;
        atomic_store(&seat->endpoint->leave_reason, (int)reason);
    }
}

/* Asks as many as the time that has passed is worth, and after a stall no crowd at once. */
static void go_on_asking(struct proxy_moves *moves, struct seat *seat)
{
    uint64_t passed_ms = moves->now_ms - seat->begin_ms;
    uint64_t window_ms = moves->config.window_ms;
    uint64_t due = passed_ms >= window_ms ? seat->count : seat->count * passed_ms / window_ms;
    uint64_t most = seat->asked + 1 + 2 * seat->count * LEAVE_TICK_MS / window_ms;
    due = due < most ? due : most;
    if (due > seat->asked) {
        atomic_fetch_add(&seat->endpoint->leave_asked, (int)(due - seat->asked));
        seat->asked = due;
    }
    bool over = seat->asked == seat->count && passed_ms >= window_ms + LEAVE_GRACE_MS;
    if (over && seat->reason == LEAVE_MOVED) {
        stop_asking(seat);
    } else if (over) { /* whoever came meanwhile goes, too */
        atomic_store(&seat->endpoint->leave_asked, INT_MAX);
    }
}

static void tell_ending(const struct proxy_moves *moves, const struct seat *seat, const char *what)
{
    const struct endpoint *endpoint = seat->endpoint;
    relay_tell(moves->relay, LOG_INFO, "streams_end",
               LOG_PAIRS({"cluster", endpoint->cluster->name}, {"endpoint", endpoint->name}),
               "Endpoint %s of cluster %s is %s: its %llu streams end within %llu ms",
               endpoint->name, endpoint->cluster->name, what, (unsigned long long)seat->count,
               (unsigned long long)moves->config.window_ms);
}

static void end_all(struct proxy_moves *moves, struct seat *seat, enum leave_reason reason,
                    const char *what)
{
    begin_asking(moves, seat, reason, atomic_load(&seat->endpoint->rq_active));
    if (seat->reason != LEAVE_NOT) {
        tell_ending(moves, seat, what);
    }
}

/* ---- evening out ----------------------------------------------------------------------------- */

static struct spread *find_spread(struct proxy_moves *moves, const struct cluster *cluster)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &moves->spreads)
    {
        struct spread *spread = container_of(node, struct spread, node);
        if (spread->cluster == cluster) {
            return spread;
        }
    }
    return NULL;
}

static void spread_soon(struct proxy_moves *moves, struct cluster *cluster)
{
    struct spread *spread = find_spread(moves, cluster);
    if (spread == NULL) {
        spread = mem_new(struct spread);
        spread->cluster = cluster_ref(cluster);
        list_append(&moves->spreads, &spread->node);
    }
    spread->due_ms = moves->now_ms + PROXY_MOVES_SETTLE_MS;
}

static bool is_of(const struct seat *seat, const struct cluster *cluster)
{
    return seat->endpoint->cluster == cluster && seat->healthy &&
           !atomic_load(&seat->endpoint->removed);
}

/* The streams of the cluster's healthy endpoints, and how many these are. */
static uint64_t count_streams(struct proxy_moves *moves, const struct cluster *cluster,
                              uint64_t *ret_endpoints)
{
    uint64_t streams = 0;
    struct list *node;
    struct list *next;
    *ret_endpoints = 0;
    list_each(node, next, &moves->seats)
    {
        const struct seat *seat = container_of(node, struct seat, node);
        if (is_of(seat, cluster)) {
            streams += atomic_load(&seat->endpoint->rq_active);
            ++*ret_endpoints;
        }
    }
    return streams;
}

/* Asks what an endpoint has above the even share, rounded up. Returns how many. */
static uint64_t ask_surplus(struct proxy_moves *moves, const struct cluster *cluster)
{
    uint64_t endpoints;
    uint64_t streams = count_streams(moves, cluster, &endpoints);
    uint64_t surplus = 0;
    struct list *node;
    struct list *next;
    list_each(node, next, &moves->seats)
    {
        struct seat *seat = container_of(node, struct seat, node);
        if (is_of(seat, cluster)) {
            uint64_t share = (streams + endpoints - 1) / endpoints;
            uint64_t has = atomic_load(&seat->endpoint->rq_active);
            begin_asking(moves, seat, LEAVE_MOVED, has > share ? has - share : 0);
            surplus += has > share ? has - share : 0;
        }
    }
    if (surplus > 0) {
        relay_tell(moves->relay, LOG_INFO, "rebalance", LOG_PAIRS({"cluster", cluster->name}),
                   "Cluster %s: %llu of %llu streams move within %llu ms to even out %llu "
                   "endpoints",
                   cluster->name, (unsigned long long)surplus, (unsigned long long)streams,
                   (unsigned long long)moves->config.window_ms, (unsigned long long)endpoints);
    }
    return surplus;
}

static void spread_free(struct spread *spread)
{
    atomic_store(&spread->cluster->evening, false);
    list_remove(&spread->node);
    cluster_unref(spread->cluster);
    free(spread);
}

static void tell_evened(struct proxy_moves *moves, const struct spread *spread)
{
    uint64_t endpoints;
    uint64_t streams = count_streams(moves, spread->cluster, &endpoints);
    if (spread->moved) {
        relay_tell(
            moves->relay, LOG_INFO, "rebalanced", LOG_PAIRS({"cluster", spread->cluster->name}),
            "Cluster %s: rebalance is over, with %llu streams on %llu endpoints",
            spread->cluster->name, (unsigned long long)streams, (unsigned long long)endpoints);
    }
}

static void advance_spread(struct proxy_moves *moves, struct spread *spread)
{
    if (spread->due_ms != 0 && moves->now_ms >= spread->due_ms) {
        bool moving = ask_surplus(moves, spread->cluster) > 0;
        uint64_t tail_ms = LEAVE_GRACE_MS + PROXY_MOVES_SETTLE_MS; /* the last ones come back */
        spread->due_ms = 0;
        if (moving) { /* else those of an earlier turn may still be on their way */
            spread->end_ms = moves->now_ms + moves->config.window_ms + tail_ms;
            spread->moved = true;
            atomic_store(&spread->cluster->evening, true);
        }
    } else if (spread->due_ms == 0 && moves->now_ms >= spread->end_ms) {
        tell_evened(moves, spread);
        spread_free(spread);
    }
}

/* ---- endpoints ------------------------------------------------------------------------------- */

static void seat_free(struct seat *seat)
{
    stop_asking(seat);
    list_remove(&seat->node);
    seat->endpoint->seated = false;
    endpoint_unref(seat->endpoint);
    free(seat);
}

static void ensure_seat(void *ctx, struct endpoint *endpoint)
{
    struct proxy_moves *moves = ctx;
    if (endpoint->seated) {
        return;
    }
    endpoint->seated = true;
    struct seat *seat = mem_new(struct seat);
    seat->endpoint = endpoint_ref(endpoint);
    list_append(&moves->seats, &seat->node);
}

static void ensure_seats(void *ctx, struct cluster *cluster)
{
    cluster_each(cluster, ensure_seat, ctx);
}

static void note_health(struct proxy_moves *moves, struct seat *seat)
{
    int health = atomic_load(&seat->endpoint->health);
    bool came = health == ENDPOINT_HEALTHY && !seat->healthy;
    bool went = health == ENDPOINT_UNHEALTHY && !seat->unhealthy;
    seat->healthy = health == ENDPOINT_HEALTHY;
    seat->unhealthy = health == ENDPOINT_UNHEALTHY;
    if (seat->healthy && seat->reason == LEAVE_UNHEALTHY) {
        stop_asking(seat);
    }
    if (came && moves->config.rebalance) {
        spread_soon(moves, seat->endpoint->cluster);
    }
    if (went && moves->config.end_unhealthy) {
        end_all(moves, seat, LEAVE_UNHEALTHY, "unhealthy");
    }
}

/* Returns false when there is nothing more to do with the endpoint. */
static bool note_removal(struct proxy_moves *moves, struct seat *seat)
{
    if (!moves->config.end_removed || atomic_load(&seat->endpoint->rq_active) == 0) {
        return false;
    }
    if (seat->reason != LEAVE_REMOVED) {
        end_all(moves, seat, LEAVE_REMOVED, "removed");
    }
    return true;
}

/* Returns whether streams are asked to leave it. */
static bool advance_seat(struct proxy_moves *moves, struct seat *seat)
{
    if (!atomic_load(&seat->endpoint->removed)) {
        note_health(moves, seat);
    } else if (!note_removal(moves, seat)) {
        seat_free(seat);
        return false;
    }
    if (seat->reason != LEAVE_NOT) {
        go_on_asking(moves, seat);
    }
    return seat->reason != LEAVE_NOT;
}

static void advance(struct proxy_moves *moves)
{
    struct list *node;
    struct list *next;
    bool asking = false;
    moves->now_ms = uv_now(&relay_main_worker(moves->relay)->loop.uv);
    list_each(node, next, &moves->spreads)
    {
        advance_spread(moves, container_of(node, struct spread, node));
    }
    list_each(node, next, &moves->seats)
    {
        asking = advance_seat(moves, container_of(node, struct seat, node)) || asking;
    }
    atomic_store(&moves->relay->moving, asking);
}

static void on_timer(uv_timer_t *timer)
{
    struct proxy_moves *moves = timer->data;
    advance(moves);
    if (!atomic_load(&moves->relay->moving)) {
        uv_timer_stop(timer);
    }
}

static void on_tick(struct net_tick *item, uint64_t now)
{
    struct proxy_moves *moves = container_of(item, struct proxy_moves, tick);
    (void)now;
    relay_each_cluster(moves->relay, ensure_seats, moves);
    advance(moves);
    if (atomic_load(&moves->relay->moving) && !uv_is_active((uv_handle_t *)moves->timer)) {
        uv_timer_start(moves->timer, on_timer, LEAVE_TICK_MS, LEAVE_TICK_MS);
        relay_wake(moves->relay);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

struct proxy_moves *proxy_moves_start(struct relay *relay, const struct proxy_moves_config *config)
{
    struct proxy_moves *moves = mem_new(struct proxy_moves);
    moves->relay = relay;
    moves->config = *config;
    list_init(&moves->seats);
    list_init(&moves->spreads);
    moves->timer = mem_new(uv_timer_t);
    uv_timer_init(&relay_main_worker(relay)->loop.uv, moves->timer);
    moves->timer->data = moves;
    net_tick_init(&moves->tick, on_tick);
    if (config->rebalance || config->end_removed || config->end_unhealthy) {
        net_loop_tick_start(&relay_main_worker(relay)->loop, &moves->tick);
    }
    return moves;
}

static void on_timer_closed(uv_handle_t *timer)
{
    free(timer);
}

void proxy_moves_stop(struct proxy_moves *moves)
{
    if (moves == NULL) {
        return;
    }
    struct list *node;
    struct list *next;
    net_loop_tick_stop(&moves->tick);
    uv_close((uv_handle_t *)moves->timer, on_timer_closed);
    atomic_store(&moves->relay->moving, false);
    list_each(node, next, &moves->seats)
    {
        seat_free(container_of(node, struct seat, node));
    }
    list_each(node, next, &moves->spreads)
    {
        spread_free(container_of(node, struct spread, node));
    }
    free(moves);
}
