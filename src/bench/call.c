#include "bench/call.h"

#include "bench/account.h"
#include "h2/session.h"

#include <stdio.h>

/* A call that the server provably did not look at is made again, as gRPC's clients do: so often,
 * and a moment later, since a server may count a call that it has answered for a while. */
#define TRIES_MAX 5
#define AGAIN_MS  2

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
    return conn->ready && !conn->spent ? role_pinger_open(&stream->pinger, conn->client, &self)
                                       : H2_E_NO_ROOM;
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
    } else if (rv != 0) {
        bench_count_unstarted(stream, rv);
    } else {
        const struct rpc_ping_request none = {.message = ""};
        stream->call_again = false;
        stream->call_tries++;
        role_pinger_send(&stream->pinger, &none); /* what it cannot send ends it */
        role_pinger_half_close(&stream->pinger);
    }
    return rv == 0;
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

/* The next one starts at the end of the loop's turn: until then this call still takes the room of
 * one. */
static void on_closed(void *user, const struct rpc_status *status)
{
    struct bench_stream *stream = user;
    struct bench_conn *conn = stream->conn;
    if (conn->driver->phase >= PHASE_ENDING) {
        return;
    }
    bool unseen = status->unprocessed || (status->planned && status->received == 0);
    stream->call_again = unseen && stream->call_tries < TRIES_MAX;
    if (!stream->call_again) {
        take_end(stream, status);
    }
    if (stream->call_again) {
        bench_conn_start(conn, AGAIN_MS);
    } else if (stream->open) {
        wait_for_room(stream);
    } else if (conn->driver->phase < PHASE_DRAINING) {
        bench_conn_start(conn, BENCH_REOPEN_MS);
    }
    net_loop_flush_soon(&conn->driver->loop, &conn->resume);
}

const struct role_pinger_events bench_call_events = {
    .on_pong = on_pong,
    .on_named = on_named,
    .on_closed = on_closed,
};
