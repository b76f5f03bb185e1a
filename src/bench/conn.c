#include "bench/conn.h"

#include "base/mem.h"
#include "bench/stream.h"
#include "net/error.h"

#define CONNECT_MS 10000

/* Who has nothing under way, and wants something to be. */
static void resume_all(struct bench_conn *conn)
{
    for (size_t i = 0; i < conn->driver->result->setup.streams; i++) {
        bench_stream_resume(&conn->streams[i]);
    }
}

/* A connection that takes no more calls ends with its last one, and another is made. */
static bool close_if_spent(struct bench_conn *conn)
{
    bool busy = false;
    for (size_t i = 0; i < conn->driver->result->setup.streams && conn->spent && !busy; i++) {
        busy = role_pinger_is_open(&conn->streams[i].pinger);
    }
    if (conn->spent && !busy && conn->client != NULL) {
        rpc_client_close(conn->client);
    }
    return conn->spent;
}

/* Those that wait again are for the next time. */
static void on_resume(struct net_flush *flush)
{
    struct bench_conn *conn = container_of(flush, struct bench_conn, resume);
    struct list waiting;
    if (close_if_spent(conn)) {
        return;
    }
    list_take(&waiting, &conn->waiting);
    while (!list_empty(&waiting)) {
        struct list *first = waiting.next;
        list_remove(first);
        bench_stream_resume(container_of(first, struct bench_stream, waiting_node));
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_ready(void *user)
{
    struct bench_conn *conn = user;
    conn->ready = conn->was_ready = true;
    resume_all(conn);
}

static void on_goaway(void *user, uint32_t error, const char *debug)
{
    struct bench_conn *conn = user;
    (void)error;
    (void)debug; /* the streams that it ends say why */
    conn->spent = true;
    net_loop_flush_soon(&conn->driver->loop, &conn->resume);
}

static void connect_again(struct bench_conn *conn, bool was_spent)
{
    if (conn->was_ready) {
        bench_conn_start(conn, was_spent ? 0 : BENCH_REOPEN_MS);
        return;
    }
    bench_conn_settle(conn);
}

static bool is_wanted(const struct bench_conn *conn)
{
    const struct bench_driver *driver = conn->driver;
    bool wanted = driver->phase < (driver->per_call ? PHASE_ENDING : PHASE_DRAINING);
    for (size_t i = 0; i < driver->result->setup.streams && !wanted; i++) {
        wanted = bench_stream_wants_call(&conn->streams[i]);
    }
    return wanted;
}

static void on_closed(void *user, const struct net_error *why)
{
    struct bench_conn *conn = user;
    struct bench_driver *driver = conn->driver;
    bool was_ready = conn->ready;
    bool was_spent = conn->served && conn->spent; /* else it may say the same again at once */
    conn->client = NULL;
    conn->ready = conn->served = conn->refuses = conn->spent = false;
    if (is_wanted(conn)) {
        if (!was_ready) {
            bench_count_cause(driver->result, why->text, 1);
        }
        connect_again(conn, was_spent);
    }
    bench_client_gone(driver);
}

static const struct rpc_client_events events = {
    .on_ready = on_ready,
    .on_goaway = on_goaway,
    .on_closed = on_closed,
};

static void on_timer(uv_timer_t *timer)
{
    struct bench_conn *conn = timer->data;
    struct bench_driver *driver = conn->driver;
    if (conn->client != NULL) {
        if (!close_if_spent(conn)) {
            resume_all(conn);
        }
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

/* ---- life ------------------------------------------------------------------------------------ */

void bench_conn_init(struct bench_conn *conn, struct bench_driver *driver,
                     struct bench_stream *streams)
{
    conn->driver = driver;
    conn->streams = streams;
    conn->on_due = on_timer;
    list_init(&conn->waiting);
    net_flush_init(&conn->resume, on_resume);
    uv_timer_init(&driver->loop.uv, &conn->timer);
    conn->timer.data = conn;
}

void bench_conn_close(struct bench_conn *conn)
{
    uv_timer_stop(&conn->timer);
    net_loop_flush_cancel(&conn->resume);
    if (conn->client != NULL) {
        rpc_client_close(conn->client);
    }
}
