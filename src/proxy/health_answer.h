/* What a server answers to a health check, and what that says of it. Pure.
 *
 * SERVING passes. So does a server without the health service: it lives, it only does not know this
 * call. NOT_SERVING declines, and so do UNKNOWN and SERVICE_UNKNOWN, as for every other reader of
 * grpc.health.v1: only SERVING is a yes. All else is a fault. */
#ifndef GRPCROUTE_PROXY_HEALTH_ANSWER_H
#define GRPCROUTE_PROXY_HEALTH_ANSWER_H

#include "h2/session.h"
#include "proxy/health_state.h"

#include <stddef.h>
#include <stdint.h>

#define HEALTH_ANSWER_BYTES 64 /* of a message, more than any HealthCheckResponse has */
#define HEALTH_TYPE_BYTES   48

struct proxy_health_answer {
    int grpc_status;                      /* -1: none came */
    long http_status;                     /* 0: none came */
    char content_type[HEALTH_TYPE_BYTES]; /* escaped */
    uint8_t message[HEALTH_ANSWER_BYTES];
    size_t message_len;
};

void proxy_health_answer_init(struct proxy_health_answer *answer);
void proxy_health_answer_take_block(struct proxy_health_answer *answer,
                                    const struct h2_block *block);
void proxy_health_answer_take_data(struct proxy_health_answer *answer, const uint8_t *bytes,
                                   size_t len);

/* Judges an answer that has ended. `ret_cause` is what speaks against the server; where it passes,
 * how it said that it has no health service, or "". */
enum proxy_health_result proxy_health_answer_judge(const struct proxy_health_answer *answer,
                                                   char ret_cause[static ENDPOINT_CAUSE_BYTES]);

#endif
