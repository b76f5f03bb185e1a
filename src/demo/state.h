/* What a demo knows, and what all its steps need: children, files, the way out. Seen inside demo/
 * only. */
#ifndef GRPCROUTE_DEMO_STATE_H
#define GRPCROUTE_DEMO_STATE_H

#include "base/list.h"
#include "demo/demo.h"
#include "net/loop.h"
#include "role/child.h"
#include "role/signals.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEMO_SERVERS  4
#define DEMO_VERSIONS 4
/* Pongs each agent must have before the checks begin. */
#define DEMO_PONGS_WANTED 2
#define DEMO_PATH_BYTES   4096
#define DEMO_NAME_BYTES   64
/* Of a child's line; longer ones are cut. */
#define DEMO_LINE_BYTES 2048

/* In their order; demo.c has the table. */
enum step {
    STEP_SERVERS,
    STEP_PROXY,
    STEP_AGENTS,
    STEP_VERIFY,
    STEP_STICKY,
    STEP_FAILOVER,
    STEP_RESTART,
    STEP_SUMMARY,
    STEPS,
};

struct demo_child;

/* What the lines and the end of a child mean. Nothing is called once the demo ends. */
struct demo_child_kind {
    void (*on_line)(struct demo_child *child, const char *line);
    void (*on_exit)(struct demo_child *child, int code); /* NULL: it must not end by itself */
};

/* A zeroed struct is one that was never started. */
struct demo_child {
    struct role_child process;
    struct list node; /* in demo.children while it runs */
    struct demo *demo;
    const struct demo_child_kind *kind;
    const char *name;           /* borrowed */
    bool ended_here;            /* we asked it to end */
    char line[DEMO_LINE_BYTES]; /* that it writes, or wrote last */
    size_t line_len;
};

struct server_child {
    struct demo_child child;
    char name[DEMO_NAME_BYTES];
    const char *version;
    uint16_t port; /* 0: does not listen yet */
};

struct agent_child {
    struct demo_child child;
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
    struct list children; /* that run */
    struct role_signals signals;
    uv_timer_t deadline; /* of the step, or of the end */
    uv_timer_t turn;     /* due at once: something has changed */
    void (*on_turn)(uv_timer_t *turn);
    char dir[DEMO_PATH_BYTES];
    enum step step;
    bool given_up;
    bool ending;
    int result;
    uint64_t started_ns;

    struct server_child servers[DEMO_SERVERS];
    struct agent_child *agents; /* owned */
    size_t agent_count;
    struct demo_child check;
    bool check_passed;

    struct demo_child proxy;
    struct demo_child render; /* writes the configuration of a proxy that is not ours */
    size_t rendered;          /* files it has written */
    struct net_dial *probe;
    struct net_tls *probe_tls; /* owned */
    struct net_tick probe_tick;
    uint16_t proxy_port;
    char admin[DEMO_NAME_BYTES]; /* HOST:PORT; "": none */
    bool proxy_ready;

    struct server_child *victim; /* NULL until one is killed */
    uint64_t killed_ns;
};

/* Ends the demo soon with `result`, and now tells why; later calls do nothing. */
void demo_give_up(struct demo *demo, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What a step waits for may hold now: that is looked at soon, never from within this call. */
void demo_changed(struct demo *demo);

/* Starts a child, or gives up. `name` is borrowed. */
void demo_start(struct demo *demo, struct demo_child *child, const char *name,
                const struct demo_child_kind *kind, const struct role_child_command *command);
/* The same for a child of this binary whose output is all read. */
void demo_start_self(struct demo *demo, struct demo_child *child, const char *name,
                     const struct demo_child_kind *kind, const char *const *arguments);
/* Sends a signal to a child that is to end of it. */
void demo_end_child(struct demo_child *child, int number);

/* "DIR/name" into `out`. Returns `out`. */
const char *demo_file(const struct demo *demo, const char *name, char out[static DEMO_PATH_BYTES]);
/* "localhost:PORT" of the proxy into `out`. */
void demo_target(const struct demo *demo, char out[static DEMO_NAME_BYTES]);
/* The port behind `before` and a host; 0 when there is none. */
uint16_t demo_port_in(const char *line, const char *before);

#endif
