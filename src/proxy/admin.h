/* The admin port (HTTP/1.1) with Envoy's names: /ready /stats /stats/prometheus /clusters
 * /listeners /config_dump /server_info, and /streams, /dashboard and /events; GET and HEAD. On a
 * thread and a loop of its own, so that no answer, however long, holds a worker up: it reads
 * counters that are atomic, and takes the mutexes of worker.h and cluster.h for a few rows at a
 * time. */
#ifndef GRPCROUTE_PROXY_ADMIN_H
#define GRPCROUTE_PROXY_ADMIN_H

struct net_error;
struct proxy;
struct proxy_admin;

/* Listens and begins to answer. NULL with `ret_error` when it cannot; else freed by
 * proxy_admin_stop(). */
struct proxy_admin *proxy_admin_start(struct proxy *proxy, struct net_error *ret_error);
/* Waits for the thread's end and frees. Accepts NULL. */
void proxy_admin_stop(struct proxy_admin *admin);
/* The drain begins: readers of events learn it at once. From any thread. */
void proxy_admin_drain(struct proxy_admin *admin);
/* "127.0.0.1:9901". */
const char *proxy_admin_name(const struct proxy_admin *admin);

#endif
