/* One agent: one PingPong stream that is opened again whenever it ends. */
#ifndef GRPCROUTE_AGENT_AGENT_H
#define GRPCROUTE_AGENT_AGENT_H

#include "net/loop.h"
#include "role/expect.h"

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct agent_stats;

/* From SIGTERM to the server's trailers at most. */
#define AGENT_STOP_MS 5000
/* A stream without a pong for AGENT_OVERDUE_INTERVALS intervals and this long is given up. */
#define AGENT_OVERDUE_MS        10000
#define AGENT_OVERDUE_INTERVALS 3
/* After a stream that worked: back at once, but not all agents of a pod in one instant. */
#define AGENT_RETRY_SPREAD_MS 500
/* A stream worked when it was answered and lived this long; else a server that dies of every
 * stream would be tried without pause. */
#define AGENT_WORKED_MS 1000
/* Answers a server may send that belong to no ping before its stream is given up. */
#define AGENT_UNEXPECTED_MAX 64

/* Shared by all agents of the process; borrowed for their life. */
struct agent_config {
    struct net_loop *loop;
    struct agent_stats *stats;
    const char *version;                   /* "v1.2" */
    const struct role_expectation *expect; /* of the servers that answer */
    const struct role_target *target;
    uint64_t interval_ms;
    uint64_t messages;     /* pings until the agent is done; 0: for ever */
    uint64_t keepalive_ms; /* 0: never */
    uint64_t max_backoff_ms;
    /* The agent is done: stopped, or all its messages are out. Exactly once. */
    void (*on_done)(void *user);
    void *user;
};

/* Makes an agent that connects after `delay_ms`. `id` is copied. */
struct agent *agent_new(const struct agent_config *config, const char *id, uint64_t delay_ms);

/* Half-closes and waits for the server's trailers, at most AGENT_STOP_MS; on_done follows. Repeats
 * are harmless. */
void agent_stop(struct agent *agent);

/* After on_done (not from within it). The memory goes with the closed timers. */
void agent_free(struct agent *agent);

#endif
