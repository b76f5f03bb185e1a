#include "bench/conn.h"

#include "bench/stream.h"
#include "net/error.h"

#define CONNECT_MS 10000

static void open_streams(struct bench_conn *conn)
{
    for (size_t i = 0; i < conn->driver->result->setup.streams; i++) {
        if (!role_pinger_is_open(&conn->streams[i].pinger)) {
            bench_stream_open(&conn->streams[i]);
        }
    }
}

static void on_ready(void *user)
{
    struct bench_conn *conn = user;
    conn->ready = conn->was_ready = true;
    open_streams(conn);
}

static void on_closed(void *user, const struct net_error *why)
{
    struct bench_conn *conn = user;
    struct driver *driver = conn->driver;
    bool was_ready = conn->ready;
    conn->client = NULL;
    conn->ready = false;
    if (driver->phase < PHASE_DRAINING) {
        if (!was_ready) {
            bench_count_cause(driver->result, why->text, 1);
        }
        if (conn->was_ready) {
            bench_conn_start(conn, BENCH_REOPEN_MS);
        } else {
            for (size_t i = 0; i < driver->result->setup.streams; i++) {
                bench_stream_settle(&conn->streams[i]);
            }
        }
    }
    bench_client_gone(driver);
}

static const struct rpc_client_events events = {.on_ready = on_ready, .on_closed = on_closed};

static void on_timer(uv_timer_t *timer)
{
    struct bench_conn *conn = timer->data;
    struct driver *driver = conn->driver;
    if (conn->client != NULL) {
        open_streams(conn);
        return;
    }
    struct rpc_client_config config = role_target_client(driver->config->target);
    config.connect_timeout_ms = CONNECT_MS;
    if (conn->was_ready) { /* a fleet comes back all at once */
        config.gate = NULL;
    }
    driver->clients++;
    conn->client = rpc_client_open(&driver->loop, &config, &events, conn);
}

void bench_conn_init(struct bench_conn *conn, struct driver *driver, struct bench_stream *streams)
{
    conn->driver = driver;
    conn->streams = streams;
    conn->on_due = on_timer;
    uv_timer_init(&driver->loop.uv, &conn->timer);
    conn->timer.data = conn;
}

void bench_conn_close(struct bench_conn *conn)
{
    uv_timer_stop(&conn->timer);
    if (conn->client != NULL) {
        rpc_client_close(conn->client);
    }
}
