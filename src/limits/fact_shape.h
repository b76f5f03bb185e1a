/* The cases of a fact: how each is tried, and what is seen of it. */
#ifndef GRPCROUTE_LIMITS_FACT_SHAPE_H
#define GRPCROUTE_LIMITS_FACT_SHAPE_H

#include "limits/facts.h"
#include "limits/trial.h"

#include <stdbool.h>

struct limits_fact_shape {
    size_t count; /* of cases */
    void (*ask)(size_t index, struct limits_trial_setup *setup);
    void (*look)(size_t index, const struct limits_trial_seen *seen, struct limits_cases *cases);
};

/* ---- fact_status.c ---- */

#define LIMITS_CASES_STATUS        17
#define LIMITS_CASES_TRAILERS_ONLY 4
#define LIMITS_CASES_MESSAGE       5
#define LIMITS_CASES_BINARY        3
extern const struct limits_fact_shape limits_fact_status;
extern const struct limits_fact_shape limits_fact_trailers_only;
extern const struct limits_fact_shape limits_fact_message;
extern const struct limits_fact_shape limits_fact_binary;

/* The stream ended with that status in trailers; and what came instead, borrowed from `seen`. */
bool limits_fact_is_status(const struct limits_trial_seen *seen, enum rpc_code code);
const char *limits_fact_came(const struct limits_trial_seen *seen);

/* ---- fact_end.c ---- */

#define LIMITS_CASES_RESET        14
#define LIMITS_CASES_CLIENT_RESET 4
extern const struct limits_fact_shape limits_fact_reset;
extern const struct limits_fact_shape limits_fact_client_reset;
extern const struct limits_fact_shape limits_fact_cancel;
extern const struct limits_fact_shape limits_fact_deadline;

#endif
