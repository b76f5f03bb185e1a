/* The insides of the driver, shared by its files.
 *
 *   opening  --every stream answered once, or failed-->  idle
 *   idle     --IDLE_MS-->                                loading
 *   loading  --warm-up and duration over-->              draining
 *   draining --all answered, or DRAIN_MS-->              closing
 *   any      --signal-->                                 closing
 *   closing  --last connection gone-->                   over
 *
 * Failure modes: no stream could be opened, or no timer be had: closing at once. */
#ifndef GRPCROUTE_BENCH_DRIVER_IMPL_H
#define GRPCROUTE_BENCH_DRIVER_IMPL_H

#include "bench/driver.h"
#include "bench/schedule.h"
#include "net/loop.h"
#include "rpc/client.h"

/* A lost connection or stream is made again after this. */
#define BENCH_REOPEN_MS 100

enum phase { PHASE_OPENING, PHASE_IDLE, PHASE_LOADING, PHASE_DRAINING, PHASE_CLOSING };

struct bench_stream {
    struct list owed_node; /* in driver.owed while messages are due that could not be sent */
    struct bench_conn *conn;
    struct rpc_call *call; /* NULL: none */
    const char *version;   /* of the agent; borrowed from the setup */
    char server_id[64];    /* that answered first on this call */
    uint64_t opened_ns;
    uint64_t sent_ns;  /* closed loop: the message under way */
    uint64_t sent;     /* messages of the load, without the one that opens the stream */
    uint64_t answered; /* or lost */
    bool open;         /* its opening message was answered */
    bool settled;      /* its first try is over */
};

struct bench_conn {
    struct driver *driver;
    struct rpc_client *client;    /* NULL: none */
    uv_timer_t timer;             /* until it is opened, or opened again */
    struct bench_stream *streams; /* of driver.streams */
    bool ready;
    bool was_ready;
};

struct driver {
    struct net_loop loop;
    const struct bench_driver_config *config;
    struct bench_result *result;
    enum phase phase;
    struct bench_conn *conns;
    struct bench_stream *streams;
    size_t stream_count;
    size_t pending; /* streams that were neither open nor failed yet */
    size_t clients; /* connections that are not gone */
    bool closed;    /* nothing is left but closing handles */
    char *text;     /* of every ping; owned */
    uint8_t *bytes; /* an encoded ping; owned */
    size_t bytes_max;

    struct schedule schedule;
    uint64_t next; /* message of all that is due next */
    uint64_t measure_ns;
    uint64_t end_ns;
    struct list owed;
    int timer_fd;
    uv_poll_t pacer;
    uv_timer_t phase_timer;
    uv_timer_t second_timer;
    uv_signal_t signals[2];

    uint64_t started_ns;
    double driver_cpu_at_start;
    double cpu_at_start[BENCH_PIDS_MAX];
    uint64_t memory_before_kib[BENCH_PIDS_MAX];
    struct histogram second; /* of the second that runs */
};

/* driver.c */

/* The first try of a stream is over: it was answered, or it will not be. */
void driver_stream_settled(struct driver *driver);
/* A message of the load was answered after `latency_ns`; `counts` when it belongs to the measured
 * time. */
void driver_answered(struct driver *driver, uint64_t latency_ns, bool counts);
/* A connection is gone. */
void driver_client_gone(struct driver *driver);

/* conn.c */

/* After `delay_ms`: connects, or opens the streams that a live connection lacks. */
void bench_conn_start(struct bench_conn *conn, uint64_t delay_ms);
void bench_conn_close(struct bench_conn *conn);

/* stream.c */

/* The first try of it is over. Repeats are harmless. */
void bench_stream_settle(struct bench_stream *stream);
/* Opens the call and sends its first message. */
void bench_stream_open(struct bench_stream *stream);
/* Sends what is due, as long as the peer takes it. */
void bench_stream_send_due(struct bench_stream *stream, uint64_t now_ns);
/* Closed loop: sends one. */
void bench_stream_send_next(struct bench_stream *stream);
/* Counts what was due in the measured time and never answered. */
void bench_stream_account_rest(struct bench_stream *stream, uint64_t now_ns);

/* pacer.c */

/* Open loop: sends every message when it is due, from start_ns on. */
int pacer_start(struct driver *driver, uint64_t start_ns);
void pacer_stop(struct driver *driver);
/* Before the loop ends. */
void pacer_close(struct driver *driver);

#endif
