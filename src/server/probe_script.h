/* Whether the probe service does what a script asks, and the fields it asks for. Pure. */
#ifndef GRPCROUTE_SERVER_PROBE_SCRIPT_H
#define GRPCROUTE_SERVER_PROBE_SCRIPT_H

#include "h2/session.h"
#include "rpc/probe.h"
#include "rpc/status.h"

/* Returns 0, or 1 with what to answer: INVALID_ARGUMENT for what makes no sense, RESOURCE_EXHAUSTED
 * for what is over a limit of probe_limits.h. */
int server_probe_script_check(const struct rpc_probe_script *script, struct rpc_status *ret_answer);

/* The fields of a script that passed the check as they are sent, and `pad_fields` more whose names
 * and values are `pad_bytes` together. The caller frees the array, which holds all texts. */
struct h2_header *server_probe_script_fields(const struct rpc_probe_field *fields, size_t count,
                                             uint32_t pad_fields, uint32_t pad_bytes,
                                             size_t *ret_count);

#endif
