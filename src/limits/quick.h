/* A stream that is asked one question after the other, and how slow its answers are. */
#ifndef GRPCROUTE_LIMITS_QUICK_H
#define GRPCROUTE_LIMITS_QUICK_H

#include "limits/call.h"

/* The next question comes with the answer, but not before. */
#define LIMITS_QUICK_EVERY_MS 50

struct limits_quick {
    struct limits_ground *ground; /* borrowed */
    void (*on_ended)(void *user, const struct rpc_status *status);
    void *user;
    struct limits_call call;
    uint64_t asked_ns; /* the question that has no answer yet; 0: none */
    uint64_t next_ns;
    /* Since limits_quick_count(): */
    size_t asked;
    size_t answered;
    uint64_t slowest_ns; /* of the answers */
};

/* `on_ended` comes when the stream ended, from the loop. */
void limits_quick_init(struct limits_quick *quick, struct limits_ground *ground,
                       void (*on_ended)(void *user, const struct rpc_status *status), void *user);
/* Returns what rpc_call_start() does. */
int limits_quick_open(struct limits_quick *quick, const struct limits_link *link);
/* Asks, if it is time and nothing waits for an answer. */
void limits_quick_ask(struct limits_quick *quick, uint64_t now_ns);
/* Counts from here on, with the question that has no answer yet. */
void limits_quick_count(struct limits_quick *quick);
/* A question has waited for longer than that. */
bool limits_quick_is_late(const struct limits_quick *quick, uint64_t now_ns, uint64_t ms);

#endif
