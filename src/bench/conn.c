/* One connection of the load, made again when it is lost. */
#include "bench/driver_impl.h"
#include "net/error.h"

#define CONNECT_MS 10000

static void open_streams(struct bench_conn *conn)
{
    for (size_t i = 0; i < conn->driver->result->setup.streams; i++) {
        if (conn->streams[i].call == NULL) {
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
    driver->clients--;
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
    driver_client_gone(driver);
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
    const struct rpc_client_config config = {
        .target = driver->config->target,
        .tls = driver->config->tls,
        .authority = driver->config->authority,
        .connect_timeout_ms = CONNECT_MS,
    };
    driver->clients++;
    conn->client = rpc_client_open(&driver->loop, &config, &events, conn);
}

void bench_conn_start(struct bench_conn *conn, uint64_t delay_ms)
{
    conn->timer.data = conn;
    uv_timer_start(&conn->timer, on_timer, delay_ms, 0);
}

void bench_conn_close(struct bench_conn *conn)
{
    uv_timer_stop(&conn->timer);
    if (conn->client != NULL) {
        rpc_client_close(conn->client);
    }
}
