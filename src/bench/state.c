#include "bench/state.h"

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>

void bench_stream_id(const struct bench_stream *stream, char out[static BENCH_ID_BYTES])
{
    snprintf(out, BENCH_ID_BYTES, "bench-%zu", (size_t)(stream - stream->conn->driver->streams));
}

void bench_stream_settle(struct bench_stream *stream)
{
    struct bench_driver *driver = stream->conn->driver;
    if (stream->settled) {
        return;
    }
    assert(driver->pending > 0);
    stream->settled = true;
    driver->pending--;
    if (driver->pending == 0) {
        driver->on_all_settled(driver);
    }
}

void bench_conn_settle(struct bench_conn *conn)
{
    for (size_t i = 0; i < conn->driver->result->setup.streams; i++) {
        if (!role_pinger_is_open(&conn->streams[i].pinger)) {
            bench_stream_settle(&conn->streams[i]);
        }
    }
}

void bench_answered(struct bench_driver *driver, uint64_t latency_ns, bool counts)
{
    if (driver->phase == PHASE_LOADING && (counts || driver->second_began_ns != 0)) {
        histogram_add(&driver->second, latency_ns);
    }
    if (counts) {
        driver->result->answered++;
        histogram_add(&driver->result->latency, latency_ns);
    }
}

void bench_conn_start(struct bench_conn *conn, uint64_t delay_ms)
{
    uv_timer_start(&conn->timer, conn->on_due, delay_ms, 0);
}

void bench_conn_start_within(struct bench_conn *conn, uint64_t delay_ms)
{
    const uv_timer_t *timer = &conn->timer;
    if (!uv_is_active((const uv_handle_t *)timer) || uv_timer_get_due_in(timer) > delay_ms) {
        bench_conn_start(conn, delay_ms);
    }
}

void bench_client_gone(struct bench_driver *driver)
{
    assert(driver->clients > 0);
    driver->clients--;
    driver->on_client_gone(driver);
}

uint64_t bench_ms_until(uint64_t at_ns)
{
    uint64_t now_ns = clock_now_ns();
    return at_ns > now_ns ? (at_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
}
