#include "bench/stream.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static size_t index_of(const struct bench_stream *stream)
{
    return (size_t)(stream - stream->conn->driver->streams);
}

static bool is_open_loop(const struct driver *driver)
{
    return driver->result->setup.rate > 0;
}

/* When the message that is answered next was due, or sent. */
static uint64_t started_ns(const struct bench_stream *stream)
{
    const struct driver *driver = stream->conn->driver;
    return is_open_loop(driver)
               ? schedule_stream_due_ns(&driver->schedule, index_of(stream), stream->answered)
               : stream->sent_ns;
}

static bool counts(const struct driver *driver, uint64_t at_ns)
{
    return driver->measure_ns != 0 && at_ns >= driver->measure_ns && at_ns < driver->end_ns;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Returns false when the peer takes no more for now. */
static bool send_ping(struct bench_stream *stream, uint64_t sequence)
{
    const struct driver *driver = stream->conn->driver;
    const struct rpc_ping_request ping = {.message = driver->text, .sequence = sequence};
    return role_pinger_send(&stream->pinger, &ping) == 0;
}

static void owe(struct bench_stream *stream, bool owes)
{
    list_remove(&stream->owed_node);
    if (owes) {
        list_append(&stream->conn->driver->owed, &stream->owed_node);
    }
}

/* The opening message has sequence 1, the load's follow. */
void bench_stream_send_due(struct bench_stream *stream, uint64_t now_ns)
{
    struct driver *driver = stream->conn->driver;
    size_t index = index_of(stream);
    bool was_free = list_empty(&stream->owed_node);
    uint64_t due_ns = schedule_stream_due_ns(&driver->schedule, index, stream->sent);
    while (due_ns <= now_ns && due_ns < driver->end_ns) {
        if (!stream->open || !send_ping(stream, stream->sent + 2)) {
            owe(stream, true);
            return;
        }
        stream->sent++;
        if (counts(driver, due_ns)) {
            driver->result->sent++;
            if (was_free) {
                histogram_add(&driver->result->lateness, now_ns - due_ns);
            }
        }
        due_ns = schedule_stream_due_ns(&driver->schedule, index, stream->sent);
    }
    owe(stream, false);
}

void bench_stream_send_next(struct bench_stream *stream)
{
    struct driver *driver = stream->conn->driver;
    uint64_t now_ns = clock_now_ns();
    if (stream->open && stream->sent == stream->answered && send_ping(stream, stream->sent + 2)) {
        stream->sent_ns = now_ns;
        stream->sent++;
        driver->result->sent += counts(driver, now_ns);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static void check_answer(struct bench_stream *stream, const struct rpc_ping_response *response,
                         uint64_t expected)
{
    struct bench_result *result = stream->conn->driver->result;
    result->disordered += response->sequence != 0 && response->sequence != expected;
    const struct role_service *service = stream->conn->driver->config->target->service;
    result->misrouted += !role_is_unnamed(service, response) &&
                         role_expectation_forbids(stream->expect, response->server_version);
    if (service != NULL && response->server_id[0] == '\0') {
        return;
    }
    if (stream->server_id[0] == '\0') {
        snprintf(stream->server_id, sizeof(stream->server_id), "%s", response->server_id);
    } else {
        result->moved +=
            strncmp(stream->server_id, response->server_id, sizeof(stream->server_id) - 1) != 0;
    }
}

static void first_answer(struct bench_stream *stream)
{
    struct driver *driver = stream->conn->driver;
    uint64_t now_ns = clock_now_ns();
    histogram_add(&driver->result->opening, now_ns - stream->opened_ns);
    stream->open = true;
    if (stream->settled) {
        driver->result->reopened++;
    } else {
        driver->result->streams_opened++;
        bench_stream_settle(stream);
    }
    if (driver->phase == PHASE_LOADING) {
        if (is_open_loop(driver)) {
            bench_stream_send_due(stream, now_ns);
        } else {
            bench_stream_send_next(stream);
        }
    }
}

static void load_answer(struct bench_stream *stream)
{
    struct driver *driver = stream->conn->driver;
    uint64_t now_ns = clock_now_ns();
    uint64_t from_ns = started_ns(stream);
    stream->answered++;
    bench_answered(driver, now_ns - from_ns, counts(driver, from_ns));
    if (driver->phase == PHASE_LOADING) {
        if (!is_open_loop(driver)) {
            bench_stream_send_next(stream);
        } else if (!list_empty(&stream->owed_node)) {
            bench_stream_send_due(stream, now_ns);
        }
    }
}

static void on_pong(void *user, const struct rpc_ping_response *pong)
{
    struct bench_stream *stream = user;
    if (!stream->open) {
        check_answer(stream, pong, 1);
        first_answer(stream);
    } else if (stream->answered < stream->sent) {
        check_answer(stream, pong, stream->answered + 2);
        load_answer(stream);
    } else {
        stream->conn->driver->result->disordered++; /* more answers than messages */
    }
}

static void on_garbled(void *user)
{
    struct bench_stream *stream = user;
    bench_count_cause(stream->conn->driver->result, "an answer that is no PingResponse", 1);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* What was under way is lost; what is due from now on waits for the next call. */
static void lose_rest(struct bench_stream *stream)
{
    struct driver *driver = stream->conn->driver;
    while (stream->answered < stream->sent) {
        driver->result->lost += counts(driver, started_ns(stream));
        stream->answered++;
    }
}

static void on_closed(void *user, const struct rpc_status *status)
{
    struct bench_stream *stream = user;
    struct driver *driver = stream->conn->driver;
    bool is_expected = driver->phase == PHASE_ENDING && status->code == RPC_OK;
    if (driver->phase == PHASE_CLOSING || is_expected) {
        return;
    }
    char cause[256];
    bench_count_cause(driver->result, rpc_status_describe(status, cause, sizeof(cause)), 1);
    lose_rest(stream);
    stream->open = false;
    bench_stream_settle(stream);
    if (driver->phase < PHASE_DRAINING && stream->conn->ready) {
        bench_conn_start(stream->conn, BENCH_REOPEN_MS);
    }
}

static void on_named(void *user, const struct role_naming *naming)
{
    const struct bench_stream *stream = user;
    const struct driver *driver = stream->conn->driver;
    const char *missing = role_naming_missing(driver->config->target->service, naming);
    if (missing[0] != '\0') {
        bench_add_unchecked(driver->result, stream->version, missing);
    }
}

static const struct role_pinger_events events = {
    .on_named = on_named,
    .on_pong = on_pong,
    .on_garbled = on_garbled,
    .on_closed = on_closed,
};

void bench_stream_init(struct bench_stream *stream, struct bench_conn *conn, size_t version)
{
    list_init(&stream->owed_node);
    stream->conn = conn;
    stream->version = conn->driver->result->setup.versions[version];
    stream->expect = &conn->driver->config->expects[version];
    role_pinger_init(&stream->pinger, conn->driver->config->target, &events, stream);
}

void bench_stream_open(struct bench_stream *stream)
{
    struct bench_conn *conn = stream->conn;
    char id[48];
    snprintf(id, sizeof(id), "bench-%zu", index_of(stream));
    const struct role_identity self = {.version = stream->version, .id = id};
    stream->server_id[0] = '\0';
    stream->opened_ns = clock_now_ns();
    if (role_pinger_open(&stream->pinger, conn->client, &self) != 0) {
        bench_count_cause(conn->driver->result,
                          "the peer allows fewer streams on a connection than --streams", 1);
        bench_stream_settle(stream);
        return;
    }
    send_ping(stream, 1);
}

void bench_stream_account_rest(struct bench_stream *stream, uint64_t now_ns)
{
    struct driver *driver = stream->conn->driver;
    struct bench_result *result = driver->result;
    uint64_t due = is_open_loop(driver)
                       ? schedule_stream_count(&driver->schedule, index_of(stream), driver->end_ns)
                       : stream->sent;
    while (stream->answered < due) {
        uint64_t from_ns = started_ns(stream);
        if (counts(driver, from_ns)) {
            result->unanswered++;
            histogram_add(&result->latency, now_ns - from_ns);
        }
        stream->answered++;
    }
}
