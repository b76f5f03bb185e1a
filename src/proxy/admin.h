/* The admin port (HTTP/1.1) with Envoy's names: /ready /stats /stats/prometheus /clusters /listeners /config_dump /server_info, and
 * /streams, /dashboard and /events. On worker 0's loop; GET only. */
#ifndef GRPCROUTE_PROXY_ADMIN_H
#define GRPCROUTE_PROXY_ADMIN_H

struct net_error;
struct proxy;
struct proxy_admin;

/* Listens. NULL with `ret_error` when it cannot. */
struct proxy_admin *proxy_admin_start(struct proxy *proxy, struct net_error *ret_error);
/* Accepts NULL. */
void proxy_admin_stop(struct proxy_admin *admin);
/* The drain begins; on worker 0's loop. */
void proxy_admin_drain(struct proxy_admin *admin);
/* "127.0.0.1:9901". */
const char *proxy_admin_name(const struct proxy_admin *admin);

#endif
