/* Resets towards an endpoint, as it counts them.
 *
 * An endpoint ends the connection of who resets too many streams, the young ones above all, and
 * with it the streams of every other client. Young is what it thinks young: an endpoint that stood
 * still reads a request and its reset in one go. So a stream counts as old only when the endpoint
 * has answered something at or above its id UPSTREAM_OLD_TICKS ago: frames are read in order. Until
 * then a reset waits, unless few were sent; nothing else is sent of its stream.
 *
 * And it has to drop what it has queued for the stream. Where that may be much, because the client
 * sent on and on, one such reset waits for another. */
#include "base/mem.h"
#include "relay/upstream_impl.h"
#include "rpc/conn.h"

#include <assert.h>

#define YOUNG_MS 1000
#define MILLI    UINT64_C(1000) /* milliseconds times tokens per second are thousandths of tokens */

void upstream_ration_init(struct upstream_conn *conn, uint64_t now_ms)
{
    conn->all = (struct reset_bucket){UPSTREAM_RESETS * MILLI, now_ms};
    conn->young = (struct reset_bucket){UPSTREAM_YOUNG_RESETS * MILLI, now_ms};
    conn->drops = (struct reset_drops){UPSTREAM_DROP_MESSAGES, UPSTREAM_DROP_MESSAGES, 0};
}

static void allow_drops(struct reset_drops *drops, int64_t messages)
{
    messages = messages < UPSTREAM_DROP_MAX ? messages : UPSTREAM_DROP_MAX;
    drops->allowed = messages > UPSTREAM_DROP_MIN ? messages : UPSTREAM_DROP_MIN;
    drops->left = drops->allowed;
}

/* Looks how the endpoint bears what it had to drop. */
static void tick_drops(struct reset_drops *drops, uint64_t last_read_ms, uint64_t now_ms)
{
    if (drops->last_ms == 0) {
        return;
    }
    if (now_ms - drops->last_ms >= UPSTREAM_DROP_PAUSE_MS) {
        allow_drops(drops, UPSTREAM_DROP_MESSAGES);
        drops->last_ms = 0;
    } else if (drops->left == drops->allowed) {
        return;
    } else if (last_read_ms >= drops->last_ms + UPSTREAM_DROP_HEARD_MS) {
        allow_drops(drops, drops->allowed * 2);
    } else if (now_ms - drops->last_ms >= UPSTREAM_DROP_SILENT_MS) {
        allow_drops(drops, drops->allowed / 2);
    }
}

void upstream_ration_tick(struct upstream_conn *conn)
{
    if (conn->conn != NULL) {
        tick_drops(&conn->drops, h2_session_last_read_ms(rpc_conn_session(conn->conn)),
                   worker_now_ms(conn->upstream->worker));
        conn->read_ids[conn->tick] = h2_session_answered_id(rpc_conn_session(conn->conn));
        conn->tick = (conn->tick + 1) % UPSTREAM_OLD_TICKS;
    }
}

bool upstream_is_young(const struct upstream_request *request)
{
    return request->conn != NULL &&
           worker_now_ms(request->upstream->worker) - request->since_ms < YOUNG_MS;
}

static bool has_token(struct reset_bucket *bucket, uint64_t capacity, uint64_t per_s,
                      uint64_t now_ms)
{
    uint64_t tokens = bucket->milli_tokens + (now_ms - bucket->filled_ms) * per_s;
    bucket->filled_ms = now_ms;
    bucket->milli_tokens = tokens < capacity * MILLI ? tokens : capacity * MILLI;
    return bucket->milli_tokens >= MILLI;
}

static bool may_go_young(struct upstream_conn *conn, uint64_t now_ms)
{
    size_t allowed = UPSTREAM_YOUNG_RESETS + conn->ended_streams / UPSTREAM_YOUNG_SHARE;
    if (conn->young_resets >= allowed ||
        !has_token(&conn->young, UPSTREAM_YOUNG_RESETS, UPSTREAM_YOUNG_PER_S, now_ms)) {
        return false;
    }
    conn->young.milli_tokens -= MILLI;
    conn->young_resets++;
    return true;
}

/* For all that is known, the endpoint has only just read its request. */
static bool is_young_there(const struct upstream_request *request)
{
    const struct upstream_conn *conn = request->conn;
    return h2_stream_id(request->stream) > conn->read_ids[conn->tick];
}

/* Young streams whose resets may not wait any longer. */
static bool is_overdue(const struct upstream *upstream, const struct upstream_request *request,
                       uint64_t now_ms)
{
    bool crowded = upstream->resetting_count > UPSTREAM_WAITING_RESETS &&
                   now_ms - request->since_ms >= UPSTREAM_WAITING_RESET_MS;
    return upstream_resets(request) &&
           (crowded || now_ms - request->reset_ms >= UPSTREAM_RESET_LIMIT_MS);
}

/* As the endpoint counts resets. */
static bool is_in_ration(struct upstream_conn *conn, const struct upstream_request *request,
                         uint64_t now_ms)
{
    if (conn->lane != 0) {
        return true; /* the clients of this lane only harm themselves */
    }
    bool old = !is_young_there(request);
    if (!has_token(&conn->all, UPSTREAM_RESETS, UPSTREAM_RESETS_PER_S, now_ms) ||
        !(old || is_overdue(conn->upstream, request, now_ms) || may_go_young(conn, now_ms))) {
        return false;
    }
    conn->all.milli_tokens -= MILLI;
    return true;
}

/* The messages that a reset costs. */
static int64_t count_dropped(const struct upstream_request *request)
{
    uint64_t messages =
        request->events->unanswered != NULL ? request->events->unanswered(request) : 0;
    if (messages <= UPSTREAM_DROP_FEW) {
        return 0;
    }
    return messages < UPSTREAM_DROP_OF_STREAM ? (int64_t)messages : UPSTREAM_DROP_OF_STREAM;
}

/* Who shares a lane is no matter here: an endpoint that drops answers does nothing else on its
 * other connections, either. */
static bool may_go(struct upstream_conn *conn, const struct upstream_request *request,
                   uint64_t now_ms)
{
    int64_t messages = count_dropped(request);
    bool due = upstream_resets(request) && now_ms - request->reset_ms >= UPSTREAM_RESET_LIMIT_MS;
    bool may_drop = messages == 0 || due || conn->drops.left > 0;
    if (!may_drop || !is_in_ration(conn, request, now_ms)) {
        return false;
    }
    if (messages > 0) {
        conn->drops.left -= messages;
        conn->drops.last_ms = now_ms;
    }
    return true;
}

void upstream_reset(struct upstream_request *request, uint32_t code)
{
    struct upstream_conn *conn = request->conn;
    if (conn == NULL || !list_empty(&request->reset_node)) {
        return;
    }
    if (request->urgent || may_go(conn, request, worker_now_ms(request->upstream->worker))) {
        h2_stream_reset(request->stream, code);
        return;
    }
    h2_stream_mute(request->stream);
    request->reset_code = code;
    request->reset_ms = worker_now_ms(request->upstream->worker);
    list_append(&request->upstream->resetting, &request->reset_node);
    request->upstream->resetting_count++;
    request->upstream->resetting_young += is_young_there(request);
    conn->resetting_count++;
}

bool upstream_resets(const struct upstream_request *request)
{
    return !list_empty(&request->reset_node);
}

void upstream_forget_reset(struct upstream_request *request)
{
    if (upstream_resets(request)) {
        list_remove(&request->reset_node);
        request->upstream->resetting_count--;
        request->conn->resetting_count--;
    }
}

void upstream_reset_now(struct upstream_request *request)
{
    assert(upstream_resets(request));
    upstream_forget_reset(request);
    h2_stream_reset(request->stream, request->reset_code);
}

void upstream_send_due_resets(struct upstream *upstream)
{
    uint64_t now_ms = worker_now_ms(upstream->worker);
    struct list *node;
    struct list *next;
    upstream->resetting_young = 0;
    list_each(node, next, &upstream->resetting)
    {
        struct upstream_request *request = container_of(node, struct upstream_request, reset_node);
        if (may_go(request->conn, request, now_ms)) {
            upstream_reset_now(request);
        } else {
            upstream->resetting_young += is_young_there(request);
        }
    }
}
