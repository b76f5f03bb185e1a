#include "bench/stream.h"

#include "base/clock.h"
#include "bench/account.h"
#include "bench/call.h"

/* ---- sending --------------------------------------------------------------------------------- */

/* Returns false when the peer takes no more for now. */
static bool send_ping(struct bench_stream *stream, uint64_t sequence)
{
    const struct bench_driver *driver = stream->conn->driver;
    if (driver->per_call) {
        return stream->call_again_ns == 0 && bench_call_start(stream);
    }
    const struct rpc_ping_request ping = {.message = driver->text, .sequence = sequence};
    return role_pinger_send(&stream->pinger, &ping) == 0;
}

static uint64_t next_due_ns(const struct bench_stream *stream)
{
    return bench_schedule_stream_due_ns(&stream->conn->driver->schedule, bench_stream_index(stream),
                                        stream->sent);
}

static bool is_due(const struct bench_stream *stream, uint64_t now_ns)
{
    uint64_t due_ns = next_due_ns(stream);
    return due_ns <= now_ns && due_ns < stream->conn->driver->end_ns;
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
    struct bench_driver *driver = stream->conn->driver;
    bool was_free = list_empty(&stream->owed_node);
    while (is_due(stream, now_ns)) {
        if (!stream->open || !send_ping(stream, stream->sent + 2)) {
            owe(stream, true);
            return;
        }
        uint64_t due_ns = next_due_ns(stream);
        stream->sent++;
        if (bench_counts(driver, due_ns)) {
            driver->result->sent++;
            if (was_free) {
                histogram_add(&driver->result->lateness, now_ns - due_ns);
            }
        }
    }
    owe(stream, false);
}

void bench_stream_send_next(struct bench_stream *stream)
{
    struct bench_driver *driver = stream->conn->driver;
    uint64_t now_ns = clock_now_ns();
    if (stream->open && stream->sent == stream->answered && send_ping(stream, stream->sent + 2)) {
        stream->sent_ns = now_ns;
        stream->sent++;
        driver->result->sent += bench_counts(driver, now_ns);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

/* What could not be sent before, or in a closed loop the next; also after the load's end, what was
 * due in it. */
static void go_on(struct bench_stream *stream)
{
    const struct bench_driver *driver = stream->conn->driver;
    bool loads = driver->phase == PHASE_LOADING;
    if (bench_is_open_loop(driver) && (loads || driver->phase == PHASE_DRAINING)) {
        bench_stream_send_due(stream, clock_now_ns());
    } else if (loads) {
        bench_stream_send_next(stream);
    }
}

static void on_pong(void *user, const struct rpc_ping_response *pong)
{
    struct bench_stream *stream = user;
    if (!stream->open) {
        bench_check_answer(stream, pong, 1);
        bench_first_answer(stream);
    } else if (stream->answered < stream->sent) {
        bench_check_answer(stream, pong, stream->answered + 2);
        bench_load_answer(stream);
    } else {
        stream->conn->driver->result->disordered++; /* more answers than messages */
        return;
    }
    go_on(stream);
}

static void on_garbled(void *user)
{
    struct bench_stream *stream = user;
    bench_count_cause(stream->conn->driver->result, "an answer that is no PingResponse", 1);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* An OK is an error where more was to come. */
static const char *describe(const struct bench_stream *stream, const struct rpc_status *status,
                            char out[static BENCH_CAUSE_BYTES])
{
    if (status->code != RPC_OK) {
        return rpc_status_describe(status, out, BENCH_CAUSE_BYTES);
    }
    return stream->conn->driver->config->target->service == NULL
               ? "OK before the client had ended the stream"
               : "OK before the client had ended the stream; if the method takes one message: "
                 "--call unary or server-stream";
}

static uint64_t reopen_ms(const struct rpc_status *status)
{
    uint64_t asked_ms = status->pushback_ms;
    return !status->planned                   ? BENCH_REOPEN_MS
           : asked_ms < BENCH_PUSHBACK_MAX_MS ? asked_ms
                                              : BENCH_PUSHBACK_MAX_MS;
}

/* An end that is planned is nobody's fault, and what it left unseen is due still. */
static void account_end(struct bench_stream *stream, const struct rpc_status *status)
{
    struct bench_driver *driver = stream->conn->driver;
    char cause[BENCH_CAUSE_BYTES];
    if (status->planned) {
        bench_end_as_planned(stream, status->received);
        owe(stream, driver->schedule.rate > 0 && is_due(stream, clock_now_ns()));
    } else {
        bench_count_cause(driver->result, describe(stream, status, cause), 1);
        bench_lose_rest(stream);
    }
}

bool bench_stream_wants_call(const struct bench_stream *stream)
{
    enum bench_phase phase = stream->conn->driver->phase;
    bool owes = !list_empty(&stream->owed_node);
    return !role_pinger_is_open(&stream->pinger) &&
           (phase < PHASE_DRAINING || (phase == PHASE_DRAINING && owes));
}

static void on_closed(void *user, const struct rpc_status *status)
{
    struct bench_stream *stream = user;
    struct bench_driver *driver = stream->conn->driver;
    bool is_expected = driver->phase == PHASE_ENDING && status->code == RPC_OK;
    if (driver->phase == PHASE_CLOSING || is_expected) {
        return;
    }
    account_end(stream, status);
    stream->open = false;
    bench_stream_settle(stream);
    if (bench_stream_wants_call(stream) && stream->conn->ready) {
        bench_conn_start(stream->conn, reopen_ms(status));
    }
}

static void on_named(void *user, const struct role_naming *naming)
{
    const struct bench_stream *stream = user;
    const struct bench_driver *driver = stream->conn->driver;
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
    list_init(&stream->waiting_node);
    stream->conn = conn;
    stream->version = conn->driver->result->setup.versions[version];
    stream->expect = &conn->driver->config->expects[version];
    role_pinger_init(&stream->pinger, conn->driver->config->target,
                     conn->driver->per_call ? &bench_call_events : &events, stream);
}

/* Opens a call that stays, with its first message. */
static void open_stream(struct bench_stream *stream)
{
    struct bench_conn *conn = stream->conn;
    char id[BENCH_ID_BYTES];
    bench_stream_id(stream, id);
    const struct role_identity self = {.version = stream->version, .id = id};
    stream->server_id[0] = '\0';
    stream->call_first = stream->sent;
    int rv = role_pinger_open(&stream->pinger, conn->client, &self);
    if (rv != 0) {
        bench_count_unstarted(stream, rv);
        return;
    }
    send_ping(stream, 1);
}

void bench_stream_resume(struct bench_stream *stream)
{
    if (role_pinger_is_open(&stream->pinger)) {
        return;
    }
    if (stream->call_again_ns != 0) {
        bench_call_start_again(stream);
        return;
    }
    if (stream->open) { /* it was between two calls */
        go_on(stream);
        return;
    }
    stream->opened_ns = clock_now_ns();
    if (stream->conn->driver->per_call) {
        bench_call_start(stream);
    } else {
        open_stream(stream);
    }
}
