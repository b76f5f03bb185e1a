/* The metadata of a trial's request: who asks, its id and script, what it is to carry besides. */
#ifndef GRPCROUTE_LIMITS_TRIAL_FIELDS_H
#define GRPCROUTE_LIMITS_TRIAL_FIELDS_H

#include "limits/call.h"
#include "limits/trial.h"
#include "rpc/metadata.h"

/* What the fields point to. */
struct limits_trial_texts {
    char agent[LIMITS_AGENT_BYTES];
    char script[RPC_PROBE_HEADER_BYTES];
    char timeout[RPC_TIMEOUT_BYTES];
    char binary[RPC_PROBE_FIELDS][RPC_BINARY_BYTES(LIMITS_TRIAL_BINARY_BYTES)];
    char *pad_names; /* owned */
    char *pad_value; /* owned */
};

struct limits_trial_fields {
    struct limits_trial_texts *texts; /* owned */
    struct h2_header *fields;         /* owned; borrows from the trial, too */
    size_t count;
};

/* By the setup of the trial, which has its id; borrowed until deinit. */
void limits_trial_fields_init(struct limits_trial_fields *fields, const struct limits_trial *trial);
void limits_trial_fields_deinit(struct limits_trial_fields *fields);

#endif
