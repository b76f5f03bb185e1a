/* The certificates that clients are shown: for people (Envoy's /certs) and for Prometheus. */
#ifndef GRPCROUTE_ADMIN_CERTS_H
#define GRPCROUTE_ADMIN_CERTS_H

struct buf;
struct metrics;
struct relay;

/* Envoy's form; an empty list where there is no TLS. */
void admin_certs(struct relay *relay, struct buf *out);

/* When each ends; nothing where there is no TLS. */
void admin_certs_metrics(struct relay *relay, struct metrics *out);

#endif
