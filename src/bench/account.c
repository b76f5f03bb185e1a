#include "bench/account.h"

#include "base/clock.h"
#include "h2/session.h"

#include <stdio.h>
#include <string.h>

size_t bench_stream_index(const struct bench_stream *stream)
{
    return (size_t)(stream - stream->conn->driver->streams);
}

bool bench_counts(const struct bench_driver *driver, uint64_t at_ns)
{
    return driver->measure_ns != 0 && at_ns >= driver->measure_ns && at_ns < driver->end_ns;
}

/* When the message was due, or sent. */
static uint64_t begin_ns(const struct bench_stream *stream, uint64_t message)
{
    const struct bench_driver *driver = stream->conn->driver;
    return bench_is_open_loop(driver) ? bench_schedule_stream_due_ns(
                                            &driver->schedule, bench_stream_index(stream), message)
                                      : stream->sent_ns;
}

/* Of the message that is answered next. */
static uint64_t started_ns(const struct bench_stream *stream)
{
    return begin_ns(stream, stream->answered);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void check_pod(struct bench_stream *stream, const char *server_id)
{
    struct bench_result *result = stream->conn->driver->result;
    if (server_id[0] == '\0') {
        result->unplaced++;
    } else if (stream->server_id[0] == '\0') {
        snprintf(stream->server_id, sizeof(stream->server_id), "%s", server_id);
    } else {
        result->moved += strncmp(stream->server_id, server_id, sizeof(stream->server_id) - 1) != 0;
    }
}

void bench_check_answer(struct bench_stream *stream, const struct rpc_ping_response *response,
                        uint64_t expected)
{
    struct bench_result *result = stream->conn->driver->result;
    const struct role_service *service = stream->conn->driver->config->target->service;
    result->unsequenced += expected != 0 && response->sequence == 0;
    result->disordered += response->sequence != 0 && response->sequence != expected;
    result->misrouted += !role_is_unnamed(service, response) &&
                         role_expectation_forbids(stream->expect, response->server_version);
    check_pod(stream, response->server_id);
}

void bench_first_answer(struct bench_stream *stream)
{
    struct bench_driver *driver = stream->conn->driver;
    stream->conn->served = true;
    histogram_add(&driver->result->opening, clock_now_ns() - stream->opened_ns);
    stream->open = true;
    if (stream->settled) {
        driver->result->reopened++;
    } else {
        driver->result->streams_opened++;
        bench_stream_settle(stream);
    }
}

void bench_load_answer(struct bench_stream *stream)
{
    struct bench_driver *driver = stream->conn->driver;
    uint64_t from_ns = started_ns(stream);
    stream->conn->served = true;
    stream->answered++;
    bench_answered(driver, clock_now_ns() - from_ns, bench_counts(driver, from_ns));
}

/* ---- none ------------------------------------------------------------------------------------ */

void bench_lose_rest(struct bench_stream *stream)
{
    struct bench_driver *driver = stream->conn->driver;
    while (stream->answered < stream->sent) {
        driver->result->lost += bench_counts(driver, started_ns(stream));
        stream->answered++;
    }
}

/* The peer's number counts the message that opened the call, too. One that is less than what it has
 * answered is no plan. */
void bench_end_as_planned(struct bench_stream *stream, uint64_t received)
{
    struct bench_driver *driver = stream->conn->driver;
    uint64_t seen = stream->call_first + (received > 0 ? received - 1 : 0);
    driver->result->planned++;
    while (seen >= stream->answered && stream->sent > seen) {
        stream->sent--;
        bool counts = bench_counts(driver, begin_ns(stream, stream->sent));
        driver->result->sent -= counts;
        driver->result->withdrawn += counts;
    }
    bench_lose_rest(stream);
}

void bench_account_rest(struct bench_stream *stream, uint64_t now_ns)
{
    struct bench_driver *driver = stream->conn->driver;
    struct bench_result *result = driver->result;
    uint64_t due = bench_is_open_loop(driver)
                       ? bench_schedule_stream_count(&driver->schedule, bench_stream_index(stream),
                                                     driver->end_ns)
                       : stream->sent;
    while (stream->answered < due) {
        uint64_t from_ns = started_ns(stream);
        if (bench_counts(driver, from_ns)) {
            result->unanswered++;
            histogram_add(&result->latency, now_ns - from_ns);
        }
        stream->answered++;
    }
}

void bench_count_unstarted(struct bench_stream *stream, int code)
{
    const char *cause = code == H2_E_NO_ROOM
                            ? "the peer allows fewer streams on a connection than --streams"
                        : code == H2_E_HEADERS ? "the peer takes no header block as large as ours"
                                               : "no memory for another stream";
    bench_count_cause(stream->conn->driver->result, cause, 1);
    bench_stream_settle(stream);
}
