/* A client's connection: its requests become exchanges. */
#ifndef GRPCROUTE_RELAY_DOWNSTREAM_H
#define GRPCROUTE_RELAY_DOWNSTREAM_H

struct client;
struct net_stream;
struct worker;

/* gRPC clients with keepalive may ping every 10 s (gRFC A8 lets a server choose). */
#define DOWNSTREAM_MIN_PING_INTERVAL_MS 9000

/* Takes an accepted stream. */
void downstream_new(struct worker *worker, struct net_stream *stream);

/* GOAWAY on every connection of the worker; they close with their last stream. */
void downstream_drain_all(struct worker *worker);
/* GOAWAY on a client's connection, with a text about why. */
void downstream_drain(struct client *client, const char *why);
/* Closes every connection now. */
void downstream_close_all(struct worker *worker);

#endif
