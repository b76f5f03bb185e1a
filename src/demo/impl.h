/* The insides of a demo, shared by the files of demo/ and seen by no one else. */
#ifndef GRPCROUTE_DEMO_IMPL_H
#define GRPCROUTE_DEMO_IMPL_H

#include "demo/child.h"
#include "demo/demo.h"
#include "net/loop.h"

#include <stddef.h>

#define DEMO_SERVERS  4
#define DEMO_VERSIONS 4
/* Pongs each agent must have before the checks begin. */
#define DEMO_PONGS_WANTED 2
#define DEMO_PATH_BYTES   4096
#define DEMO_NAME_BYTES   64

enum step {
    STEP_SERVERS,
    STEP_PROXY,
    STEP_AGENTS,
    STEP_VERIFY,
    STEP_STICKY,
    STEP_FAILOVER,
    STEP_KEEP,
    STEP_ENDING,
};

struct server_child {
    struct child child;
    char name[DEMO_NAME_BYTES];
    const char *version;
    uint16_t port; /* 0: does not listen yet */
};

struct agent_child {
    struct child child;
    char name[DEMO_NAME_BYTES];
    const char *version;
    unsigned pongs;
    char pod[DEMO_NAME_BYTES]; /* the server that answered last */
    uint64_t back_ns;          /* failover: when the first pong from elsewhere came; 0: not yet */
    bool hit;                  /* its server was the one killed */
};

struct demo {
    struct demo_options options;
    struct net_loop loop;
    struct child_set children;
    uv_timer_t deadline;
    uv_signal_t signals[2];
    char dir[DEMO_PATH_BYTES];
    enum step step;
    int result;
    uint64_t started_ns;

    struct server_child servers[DEMO_SERVERS];
    struct agent_child *agents; /* owned */
    size_t agent_count;
    struct child check;

    struct child proxy;
    struct child render; /* writes the configuration of a proxy that is not ours */
    size_t rendered;     /* files it has written */
    struct net_dial *probe;
    struct net_tls *probe_tls; /* owned */
    struct net_tick probe_tick;
    uint16_t proxy_port;
    char admin[DEMO_NAME_BYTES]; /* HOST:PORT; "": none */
    bool proxy_ready;

    struct server_child *victim; /* NULL until one is killed */
    uint64_t killed_ns;
};

/* demo.c */

/* Ends the demo with `result` and a line that says why; later calls are ignored. */
void demo_give_up(struct demo *demo, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Begins the next step when the condition of this one holds. */
void demo_advance(struct demo *demo);

/* topology.c */

/* Starts a child of this binary; gives up when that fails. */
void demo_start(struct demo *demo, struct child *child, const char *name,
                const char *const *arguments);
void demo_start_servers(struct demo *demo);
void demo_start_agents(struct demo *demo);
/* verify or sticky-test, against the proxy. */
void demo_start_check(struct demo *demo, const char *command);
void demo_server_line(struct server_child *server, const char *line);
void demo_agent_line(struct demo *demo, struct agent_child *agent, const char *line);
bool demo_servers_listen(const struct demo *demo);
bool demo_agents_answered(const struct demo *demo);
/* "DIR/name" into `out`. Returns `out`. */
const char *demo_file(const struct demo *demo, const char *name, char out[static DEMO_PATH_BYTES]);
/* "localhost:PORT" of the proxy into `out`. */
void demo_target(const struct demo *demo, char out[static DEMO_NAME_BYTES]);
/* The port behind `before` and a host; 0 when there is none. */
uint16_t demo_port_in(const char *line, const char *before);

/* proxy.c */

/* 0, or 1 after saying that the program is not on PATH. */
int demo_proxy_check(const struct demo_options *options);
/* Starts it; proxy_ready follows. */
void demo_start_proxy(struct demo *demo);
void demo_proxy_line(struct demo *demo, const char *line);
void demo_render_ended(struct demo *demo, int code);
/* Nothing of it waits any more. */
void demo_stop_probe(struct demo *demo);

/* failover.c */

void demo_begin_failover(struct demo *demo);
/* A pong from `pod`: is this agent back? */
void demo_failover_pong(struct demo *demo, struct agent_child *agent);
bool demo_all_back(const struct demo *demo);
void demo_tell_failover(const struct demo *demo);

/* tell.c */

void demo_title(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A child's line, as it is; children escape what peers said. */
void demo_show_line(const char *line);
void demo_tell_summary(const struct demo *demo);

#endif
