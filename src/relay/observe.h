/* What is seen of a stream for people: live messages, who answered, whether that was right, how
 * long answers take. */
#ifndef GRPCROUTE_RELAY_OBSERVE_H
#define GRPCROUTE_RELAY_OBSERVE_H

#include "relay/streams.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A first answer is looked at only up to this size. */
#define OBSERVE_MESSAGE_BYTES 1024

struct endpoint;
struct h2_block;
struct route_rule;
struct routing;
struct worker;

/* Copies the first field of that name, escaped and cut; without one `out` stays as it is. */
void observe_label(char out[static STREAM_LABEL_BYTES], const struct h2_block *block,
                   const char *name);

/* The request's block is complete. */
void observe_request(struct stream_record *record, const struct h2_block *block);

/* The answer's first block is complete. */
void observe_response(struct stream_record *record, const struct h2_block *block);

/* A rule of the routing took the stream. */
void observe_routed(struct worker *worker, struct stream_record *record,
                    const struct routing *routing, const struct route_rule *rule);

/* An endpoint was chosen. */
void observe_chosen(struct worker *worker, struct stream_record *record, struct endpoint *endpoint);
/* The stream is open there: all messages that are known go to it now, as will those that come. */
void observe_sending(struct worker *worker, struct stream_record *record);
/* It is left, for another or for good. Harmless without an endpoint. */
void observe_left(struct worker *worker, struct stream_record *record);

/* The stream is over, and has left its endpoint. */
void observe_ended(struct worker *worker, struct stream_record *record);

/* Messages from the client for which none came from the endpoint. */
uint64_t observe_unanswered(const struct stream_record *record);

/* Bytes from the client, and from the endpoint. */
void observe_up(struct worker *worker, struct stream_record *record, const uint8_t *bytes,
                size_t len);
void observe_down(struct worker *worker, struct stream_record *record, const uint8_t *bytes,
                  size_t len);

/* A misroute is an answer from a server version that the backends of the rule that took the stream
 * do not name; where these name none, nothing is judged. What the client calls itself does not
 * matter: a client chooses that. */
bool observe_is_misroute(const struct route_rule *rule, const char *server_version);

#endif
