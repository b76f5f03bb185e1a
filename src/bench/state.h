/* What the driver of a load knows, and what happens to it (phase.c). Inside bench/ only.
 *
 *   opening  --every stream answered once, or failed-->  idle
 *   idle     --IDLE_MS-->                                loading
 *   loading  --warm-up and duration over-->              draining
 *   draining --all answered, or DRAIN_MS-->              ending
 *   ending   --every stream ended, or ENDING_MS-->       closing
 *   any      --signal-->                                 closing
 *   closing  --last connection gone-->                   over
 *
 * Failure modes: no stream could be opened, or no timer be had: closing at once. */
#ifndef GRPCROUTE_BENCH_STATE_H
#define GRPCROUTE_BENCH_STATE_H

#include "base/list.h"
#include "bench/driver.h"
#include "bench/schedule.h"
#include "cli/progress.h"
#include "net/loop.h"
#include "role/pinger.h"
#include "role/signals.h"

/* A lost connection or stream is made again after this. */
#define BENCH_REOPEN_MS 100
/* An end that is planned says itself when to come back, at most: */
#define BENCH_PUSHBACK_MAX_MS 10000

enum bench_phase {
    PHASE_OPENING,
    PHASE_IDLE,
    PHASE_LOADING,
    PHASE_DRAINING,
    PHASE_ENDING,
    PHASE_CLOSING,
};

struct bench_stream {
    struct list owed_node;    /* in driver.owed while messages are due that could not be sent */
    struct list waiting_node; /* in conn.waiting while it wants to begin a call */
    struct bench_conn *conn;
    struct role_pinger pinger;
    const char *version;                   /* of the agent; borrowed from the setup */
    const struct role_expectation *expect; /* of that version; borrowed */
    char server_id[64];                    /* that answered first on this call */
    uint64_t opened_ns;
    uint64_t sent_ns;       /* closed loop: the message under way */
    uint64_t sent;          /* messages of the load, without the one that opens the stream */
    uint64_t answered;      /* or lost */
    uint64_t call_first;    /* message of the load that is the first one of this call */
    uint64_t call_answers;  /* a call for each message: of the one under way */
    uint64_t call_again_ns; /* ... the server did not look at it: begun once more then; 0: not */
    unsigned call_tries;    /* ... and how often it was begun */
    bool call_named;        /* ... one of the answers said who gave it */
    bool open;              /* its opening message was answered */
    bool settled;           /* its first try is over */
};

struct bench_conn {
    struct bench_driver *driver;
    struct rpc_client *client;    /* NULL: none */
    uv_timer_t timer;             /* until it is opened, or opened again */
    uv_timer_cb on_due;           /* of the timer */
    struct bench_stream *streams; /* of driver.streams */
    struct list waiting;          /* streams that want to begin a call */
    struct net_flush resume;      /* of what waits and has nothing under way */
    size_t calls_again;           /* streams whose call is to be begun once more, before others */
    bool ready;
    bool was_ready;
    bool served;  /* something was answered on it */
    bool refuses; /* a call was given up that it had not processed */
    bool spent;   /* GOAWAY: it takes no more calls */
};

struct bench_driver {
    struct net_loop loop;
    const struct bench_driver_config *config;
    struct bench_result *result;
    enum bench_phase phase;
    struct bench_conn *conns;
    struct bench_stream *streams;
    size_t stream_count;
    size_t pending;        /* streams that were neither open nor failed yet */
    size_t pending_before; /* when the opening was last looked at */
    size_t clients;        /* connections that are not gone */
    bool closed;           /* nothing is left but closing handles */
    bool per_call;         /* a call for each message, instead of one that stays open */
    char *text;            /* of every ping; owned */

    /* Called by the functions below. */
    void (*on_all_settled)(
        struct bench_driver *driver); /* every stream was answered once, or failed */
    void (*on_client_gone)(struct bench_driver *driver);

    struct cli_progress progress;
    struct net_tick tick;

    struct bench_schedule schedule;
    uint64_t next; /* message of all that is due next */
    uint64_t measure_ns;
    uint64_t end_ns;
    uint64_t ending_ns; /* what is still open then is closed by us */
    struct list owed;
    int timer_fd;
    uv_poll_t pacer;
    uv_timer_t phase_timer;
    uv_timer_t second_timer;
    struct role_signals signals;

    uint64_t started_ns;
    double driver_cpu_at_start;
    double cpu_at_start[BENCH_PIDS_MAX];
    uint64_t memory_before_kib[BENCH_PIDS_MAX];
    struct histogram second;  /* of the second that runs */
    uint64_t second_began_ns; /* 0: the load does not count yet */
    uint64_t seconds_begun;
};

static inline bool bench_is_open_loop(const struct bench_driver *driver)
{
    return driver->result->setup.rate > 0;
}

/* The agent's id of a stream. */
#define BENCH_ID_BYTES 48
void bench_stream_id(const struct bench_stream *stream, char out[static BENCH_ID_BYTES]);

/* The first try of a stream is over: it was answered, or it will not be. Repeats are harmless. */
void bench_stream_settle(struct bench_stream *stream);

/* That of all streams of a connection that serves none, but for calls that are under way. */
void bench_conn_settle(struct bench_conn *conn);

/* Milliseconds from now to a moment, rounded up; 0 where it has passed. */
uint64_t bench_ms_until(uint64_t at_ns);

/* A message of the load was answered after `latency_ns`; `counts` when it belongs to the measured
 * time. */
void bench_answered(struct bench_driver *driver, uint64_t latency_ns, bool counts);

/* After `delay_ms`: connects, or opens the streams that a live connection lacks. */
void bench_conn_start(struct bench_conn *conn, uint64_t delay_ms);
/* The same, where it is not to be sooner already. */
void bench_conn_start_within(struct bench_conn *conn, uint64_t delay_ms);

/* A connection is gone. */
void bench_client_gone(struct bench_driver *driver);

#endif
