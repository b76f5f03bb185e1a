/* Resets towards an endpoint, as it counts them.
 *
 * An endpoint ends the connection of who resets too many streams, the young ones above all, and with it the streams of every
 * other client. Young is what it thinks young: an endpoint that stood still reads a request and its reset in one go. So a
 * stream counts as old only when the endpoint has answered something at or above its id UPSTREAM_OLD_MS ago: frames are read
 * in order. Until then a reset waits, unless few were sent. */
#include "base/mem.h"
#include "relay/upstream_internal.h"
#include "rpc/conn.h"

#define YOUNG_MS 1000
#define MILLI    UINT64_C(1000) /* milliseconds times tokens per second are thousandths of tokens */

void upstream_ration_init(struct upstream_conn *conn, uint64_t now_ms)
{
    conn->reset_milli_tokens = UPSTREAM_RESETS * MILLI;
    conn->reset_filled_ms = now_ms;
    conn->mark_ms = now_ms;
}

void upstream_ration_tick(struct upstream_conn *conn, uint64_t now_ms)
{
    if (conn->conn != NULL && now_ms - conn->mark_ms >= UPSTREAM_OLD_MS) {
        conn->read_id = conn->mark_id;
        conn->mark_id = h2_session_answered_id(rpc_conn_session(conn->conn));
        conn->mark_ms = now_ms;
    }
}

bool upstream_is_young(const struct upstream_request *request)
{
    return request->conn != NULL &&
           worker_now_ms(request->upstream->worker) - request->since_ms < YOUNG_MS;
}

static bool take_token(struct upstream_conn *conn, uint64_t now_ms)
{
    uint64_t tokens = conn->reset_milli_tokens +
                      (now_ms - conn->reset_filled_ms) * UPSTREAM_RESETS_PER_SECOND;
    conn->reset_filled_ms = now_ms;
    conn->reset_milli_tokens = tokens < UPSTREAM_RESETS * MILLI ? tokens : UPSTREAM_RESETS * MILLI;
    if (conn->reset_milli_tokens < MILLI) {
        return false;
    }
    conn->reset_milli_tokens -= MILLI;
    return true;
}

static bool may_go(struct upstream_conn *conn, const struct upstream_request *request,
                   uint64_t now_ms)
{
    bool young = h2_stream_id(request->stream) > conn->read_id;
    size_t allowed = UPSTREAM_YOUNG_RESETS + conn->ended_streams / UPSTREAM_YOUNG_SHARE;
    if (conn->lane != 0) {
        return true; /* the clients of this lane only harm themselves */
    }
    if ((young && conn->young_resets >= allowed) || !take_token(conn, now_ms)) {
        return false;
    }
    conn->young_resets += young;
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
    request->reset_code = code;
    list_append(&request->upstream->resetting, &request->reset_node);
}

bool upstream_resets(const struct upstream_request *request)
{
    return !list_empty(&request->reset_node);
}

void upstream_send_due_resets(struct upstream *upstream)
{
    uint64_t now_ms = worker_now_ms(upstream->worker);
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->resetting)
    {
        struct upstream_request *request = container_of(node, struct upstream_request, reset_node);
        if (may_go(request->conn, request, now_ms)) {
            list_remove(&request->reset_node);
            h2_stream_reset(request->stream, request->reset_code);
        }
    }
}
