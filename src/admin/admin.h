/* The admin port (HTTP/1.1) with Envoy's names: /ready /stats /stats/prometheus /clusters
 * /listeners /config_dump /server_info /certs, and /streams, /dashboard and /events; GET and HEAD;
 * and POST of /reload and /drain. On a thread and a loop of its own, so that no answer, however
 * long, holds a worker up, and what is long on one more, so that none holds a probe up: it reads
 * counters that are atomic, and takes the mutexes of relay/streams.h and relay/cluster.h for a few
 * rows at a time. */
#ifndef GRPCROUTE_ADMIN_ADMIN_H
#define GRPCROUTE_ADMIN_ADMIN_H

#include <stddef.h>

struct admin;
struct net_error;
struct relay;
struct text_address;

enum admin_act { ADMIN_RELOAD, ADMIN_DRAIN };

/* What the admin port may ask for. Called on a thread of its own, which waits; one at a time. */
struct admin_acts {
    /* Does it, writes a line about it into `out`, and returns a status of HTTP. */
    unsigned (*act)(void *user, enum admin_act act, char *out, size_t out_bytes);
    void *user;
};

/* Listens and begins to answer. NULL with `ret_error` when it cannot; else freed by
 * admin_stop(). */
struct admin *admin_start(struct relay *relay, const struct admin_acts *acts,
                          const struct text_address *address, struct net_error *ret_error);
/* Waits for the thread's end and frees. Accepts NULL. */
void admin_stop(struct admin *admin);
/* The drain begins: readers of events learn it at once. From any thread. */
void admin_drain(struct admin *admin);
/* "127.0.0.1:9901". */
const char *admin_name(const struct admin *admin);

#endif
