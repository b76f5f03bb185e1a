#include "bench/call.h"

#include "base/clock.h"
#include "bench/account.h"
#include "h2/session.h"

#include <stdio.h>

/* A call that the server provably did not look at (RFC 9113 section 8.7) is made again, as gRPC's
 * clients do (gRFC A6). They do so once and at once, but a server may count a call that it has
 * answered until its handler is back, which on a busy machine takes a while: so after pauses that
 * double from the first, a second in all. New calls on the connection wait until then, or they
 * would take the place that it waits for. */
#define TRIES_MAX      10
#define FIRST_PAUSE_MS 2

/* ---- the start ------------------------------------------------------------------------------- */

static void wait_for_room(struct bench_stream *stream)
{
    list_append(&stream->conn->waiting, &stream->waiting_node);
}

static int open_call(struct bench_stream *stream)
{
    const struct bench_conn *conn = stream->conn;
    char id[BENCH_ID_BYTES];
    bench_stream_id(stream, id);
    const struct role_identity self = {.version = stream->version, .id = id};
    stream->call_answers = 0;
    stream->call_named = false;
    stream->server_id[0] = '\0'; /* each call may go to another */
    bool may_open =
        conn->ready && !conn->spent && (conn->calls_again == 0 || stream->call_again_ns != 0);
    return may_open ? role_pinger_open(&stream->pinger, conn->client, &self) : H2_E_NO_ROOM;
}

/* It is not to be begun once more, or was. */
static void forget_again(struct bench_stream *stream)
{
    struct bench_conn *conn = stream->conn;
    if (stream->call_again_ns == 0) {
        return;
    }
    stream->call_again_ns = 0;
    conn->calls_again--;
    if (conn->calls_again == 0) {
        net_loop_flush_soon(&conn->driver->loop, &conn->resume);
    }
}

/* The message was sent, and what it was sent in cannot be. */
static void stop_trying(struct bench_stream *stream)
{
    if (stream->call_again_ns != 0 && stream->open) {
        bench_lose_rest(stream);
    }
    stream->call_tries = 0;
    forget_again(stream);
}

/* Others wait for a call that is to be begun once more, so nobody's end may tell that there is room
 * for it. */
static void look_for_room_again(struct bench_stream *stream)
{
    const struct bench_conn *conn = stream->conn;
    if (stream->call_again_ns != 0 && conn->ready && !conn->spent) {
        bench_conn_start_within(stream->conn, BENCH_REOPEN_MS);
    }
}

bool bench_call_start(struct bench_stream *stream)
{
    list_remove(&stream->waiting_node);
    if (role_pinger_is_open(&stream->pinger)) {
        return false;
    }
    int rv = open_call(stream);
    if (rv == H2_E_NO_ROOM) {
        wait_for_room(stream);
        look_for_room_again(stream);
    } else if (rv != 0) {
        stop_trying(stream);
        bench_count_unstarted(stream, rv);
    } else {
        const struct rpc_ping_request none = {.message = ""};
        stream->conn->driver->result->sent_again += stream->call_again_ns != 0;
        stream->call_tries++;
        forget_again(stream);
        role_pinger_send(&stream->pinger, &none); /* what it cannot send ends it */
        role_pinger_half_close(&stream->pinger);
    }
    return rv == 0;
}

void bench_call_start_again(struct bench_stream *stream)
{
    uint64_t left_ms = bench_ms_until(stream->call_again_ns);
    if (left_ms == 0) {
        bench_call_start(stream);
    } else {
        bench_conn_start_within(stream->conn, left_ms);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static void hear(struct bench_stream *stream, const struct rpc_ping_response *who)
{
    const struct role_service *service = stream->conn->driver->config->target->service;
    stream->call_named = stream->call_named || !role_is_unnamed(service, who);
    bench_check_answer(stream, who, 0);
}

static void on_pong(void *user, const struct rpc_ping_response *pong)
{
    struct bench_stream *stream = user;
    stream->call_answers++;
    hear(stream, pong);
}

static void on_named(void *user, const struct role_naming *naming)
{
    struct bench_stream *stream = user;
    struct bench_driver *driver = stream->conn->driver;
    const struct role_service *service = driver->config->target->service;
    const char *missing = role_naming_missing(service, naming);
    hear(stream, &naming->who);
    if (missing[0] != '\0' && stream->call_answers > 0) {
        bench_add_unchecked(driver->result, stream->version, missing);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Returns NULL, or what is wrong with the call; `out` may hold it. */
static const char *fault_of(const struct bench_stream *stream, const struct rpc_status *status,
                            char out[static BENCH_CAUSE_BYTES])
{
    enum role_call kind = stream->conn->driver->config->target->service->call;
    if (status->code != RPC_OK) {
        return rpc_status_describe(status, out, BENCH_CAUSE_BYTES);
    }
    if (kind == ROLE_CALL_SERVER_STREAM || stream->call_answers == 1) {
        return NULL;
    }
    return stream->call_answers == 0
               ? "OK without an answer"
               : "more than one answer to one call; if it streams them: --call server-stream";
}

static void take_good_end(struct bench_stream *stream)
{
    if (!stream->call_named && stream->call_answers == 0 &&
        stream->expect->rule != ROLE_EXPECT_UNKNOWN) {
        bench_add_unchecked(stream->conn->driver->result, stream->version,
                            "a call without an answer does not say who took it");
    }
    if (stream->open) {
        bench_load_answer(stream);
    } else {
        bench_first_answer(stream);
    }
}

static void take_bad_end(struct bench_stream *stream, const char *fault)
{
    bench_count_cause(stream->conn->driver->result, fault, 1);
    if (stream->open) {
        bench_lose_rest(stream);
    } else {
        bench_stream_settle(stream);
    }
}

static void take_end(struct bench_stream *stream, const struct rpc_status *status)
{
    char text[BENCH_CAUSE_BYTES];
    const char *fault = fault_of(stream, status, text);
    stream->call_tries = 0;
    if (fault == NULL) {
        take_good_end(stream);
    } else {
        take_bad_end(stream, fault);
    }
}

/* Who has answered has seen it, whatever is said then. */
static bool is_unseen(const struct bench_stream *stream, const struct rpc_status *status)
{
    bool said = status->unprocessed || (status->planned && status->received == 0);
    return said && stream->call_answers == 0;
}

/* A connection that never takes a call is not tried for a second by each of a thousand streams that
 * would open. */
static void give_up(struct bench_conn *conn)
{
    conn->refuses = true;
    if (!conn->served) {
        bench_conn_settle(conn);
    }
}

static bool may_try_again(const struct bench_stream *stream)
{
    const struct bench_conn *conn = stream->conn;
    return stream->call_tries < TRIES_MAX && (stream->open || conn->served || !conn->refuses);
}

static void plan_again(struct bench_stream *stream)
{
    uint64_t pause_ms = (uint64_t)FIRST_PAUSE_MS << (stream->call_tries - 1);
    stream->conn->calls_again++;
    stream->call_again_ns = clock_now_ns() + pause_ms * NS_PER_MS;
    bench_conn_start_within(stream->conn, pause_ms);
}

/* The next one starts at the end of the loop's turn: until then this call still takes the room of
 * one. */
static void on_closed(void *user, const struct rpc_status *status)
{
    struct bench_stream *stream = user;
    struct bench_conn *conn = stream->conn;
    if (conn->driver->phase >= PHASE_ENDING) {
        return;
    }
    bool unseen = is_unseen(stream, status);
    if (unseen && may_try_again(stream)) {
        plan_again(stream);
    } else {
        take_end(stream, status);
        if (unseen) {
            give_up(conn);
        }
        if (stream->open) {
            wait_for_room(stream);
        } else if (conn->driver->phase < PHASE_DRAINING) {
            bench_conn_start_within(conn, BENCH_REOPEN_MS);
        }
    }
    if (conn->driver->phase < PHASE_ENDING) { /* still */
        net_loop_flush_soon(&conn->driver->loop, &conn->resume);
    }
}

const struct role_pinger_events bench_call_events = {
    .on_pong = on_pong,
    .on_named = on_named,
    .on_closed = on_closed,
};
