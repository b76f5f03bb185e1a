/* The stream log (--access-log): a line for every stream that ends, and one for every stream that
 * begins, if that is asked for. Every call does nothing where there is no log. */
#ifndef GRPCROUTE_RELAY_STREAM_LOG_H
#define GRPCROUTE_RELAY_STREAM_LOG_H

#include "relay/streams.h"

struct client;
struct exchange;
struct h2_block;
struct net_stream;
struct stream_end;

/* What only the request's block says; kept for the end. */
struct stream_log_labels {
    char authority[STREAM_LABEL_BYTES];
    char path[STREAM_LABEL_BYTES];
};

/* A client has connected; what the lines say of it is kept in it. */
void stream_log_client(struct client *client, const struct net_stream *stream);

/* Owned by the caller; NULL: there is no log. */
struct stream_log_labels *stream_log_labels(const struct client *client,
                                            const struct h2_block *block);

/* It was routed, or refused. */
void stream_log_open(const struct exchange *exchange);

/* Its client's side has closed, and still is there to be told of. */
void stream_log_end(const struct exchange *exchange);

/* A request that became no exchange. */
void stream_log_refused(struct client *client, const struct h2_block *block,
                        const struct stream_end *end);

#endif
