/* The admin port (HTTP/1.1) with Envoy's names: /ready /stats /stats/prometheus /clusters
 * /listeners /config_dump /server_info, and /streams, /dashboard and /events; GET and HEAD. On a
 * thread and a loop of its own, so that no answer, however long, holds a worker up: it reads
 * counters that are atomic, and takes the mutexes of relay/streams.h and relay/cluster.h for a few
 * rows at a time. */
#ifndef GRPCROUTE_ADMIN_ADMIN_H
#define GRPCROUTE_ADMIN_ADMIN_H

struct admin;
struct net_error;
struct relay;
struct text_address;

/* Listens and begins to answer. NULL with `ret_error` when it cannot; else freed by
 * admin_stop(). */
struct admin *admin_start(struct relay *relay, const struct text_address *address,
                          struct net_error *ret_error);
/* Waits for the thread's end and frees. Accepts NULL. */
void admin_stop(struct admin *admin);
/* The drain begins: readers of events learn it at once. From any thread. */
void admin_drain(struct admin *admin);
/* "127.0.0.1:9901". */
const char *admin_name(const struct admin *admin);

#endif
