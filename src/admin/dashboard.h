/* The page at /dashboard, the events it lives from (one tick of numbers per second while somebody
 * reads them), and the memory behind it: 15 minutes of samples, kept whether or not anybody
 * looks. */
#ifndef GRPCROUTE_ADMIN_DASHBOARD_H
#define GRPCROUTE_ADMIN_DASHBOARD_H

struct buf;
struct dashboard;
struct net_http;
struct net_http_response;
struct net_loop;
struct relay;

/* On the admin's loop; never NULL, freed by dashboard_stop(). `http` is borrowed until then: stop
 * before it is closed. */
struct dashboard *dashboard_start(struct relay *relay, struct net_http *http,
                                  struct net_loop *loop);
void dashboard_stop(struct dashboard *dashboard);

/* Publishes a tick now, as there may be no next one. Not from within a handler. */
void dashboard_publish_now(struct dashboard *dashboard);

/* The page: one self-contained answer. */
void dashboard_page(struct net_http_response *response);

/* What is remembered: samples and events as JSON. */
void dashboard_history(struct dashboard *dashboard, struct buf *out);

/* A first tick for a new reader, with all that is remembered, as an event; further ones are
 * published each second. */
void dashboard_subscribe(struct dashboard *dashboard, struct buf *out);

#endif
